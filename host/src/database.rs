//! A database: what applications hold.

use crate::{
    Capability, DatabaseBuilder, DbError, Done, FromRow, IntoSql, Listener, Pipelined, Query, Script, ToParams, many,
    pipeline,
    pool::{Maintenance, Pool, PoolStatus},
    replicas::Replicas,
    source::Source,
    transaction::SessionRef,
};
use montrs_driver_loader as loader;
use std::{
    panic::Location,
    sync::{Arc, OnceLock, Weak},
};

mod checkout;
mod closing;
mod reading;
mod transactions;

/// A database, with a pool of connections to it. Cheap to clone; all clones share the pool.
///
/// It belongs to the tokio runtime that it was opened on: use it there. When all clones are dropped, its connections are
/// closed; [`close`](Self::close) does so in an orderly way.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    /// Ends with the last clone of the database, also while connections are held.
    maintenance: OnceLock<Option<Maintenance>>,
    pool: Pool,
    database: Arc<loader::Database>,
    driver: loader::LoadedDriver,
    redacted_url: String,
    replicas: Replicas,
    /// Whose replica it is, if it is one.
    primary: OnceLock<Weak<Inner>>,
}

impl Database {
    /// Opens the database that the URL names, with the driver that its scheme selects, and makes one connection.
    ///
    /// Drivers are looked for in the directories of [`SearchPath::standard`](crate::drivers::SearchPath::standard).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), montrs_orm::DbError> {
    /// let db = montrs_orm::Database::connect("sqlite:app.db").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When no driver serves the scheme, the driver's file is refused, or the database cannot be reached.
    pub async fn connect(url: impl Into<String>) -> Result<Self, DbError> {
        Self::builder().url(url).connect().await
    }

    /// Opens the database that the environment variable `DATABASE_URL` names.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect), and when the variable is not set.
    pub async fn connect_env() -> Result<Self, DbError> {
        Self::builder().connect().await
    }

    /// To open a database with other settings than the default ones.
    pub fn builder() -> DatabaseBuilder {
        DatabaseBuilder::default()
    }

    pub(crate) fn new(
        pool: Pool,
        database: Arc<loader::Database>,
        driver: loader::LoadedDriver,
        redacted_url: String,
        replicas: Replicas,
    ) -> Self {
        let (maintenance, primary) = (OnceLock::new(), OnceLock::new());
        let inner = Arc::new(Inner { maintenance, pool, database, driver, redacted_url, replicas, primary });
        for replica in inner.replicas.all() {
            replica.0.primary.get_or_init(|| Arc::downgrade(&inner));
        }
        Self(inner)
    }

    /// Opens the connections that a database begins with.
    pub(crate) async fn warm_up(&self, at: &'static Location<'static>) -> Result<(), DbError> {
        let opened = self.0.pool.warm_up(at).await;
        opened.map_err(|error| error.during(format_args!("cannot open {}", self.redacted_url())))
    }

    /// Begins to look after the pool; not while it warms up, when both would open connections.
    pub(crate) fn maintain(&self) {
        self.0.maintenance.get_or_init(|| self.0.pool.maintain());
    }

    /// A statement to be run on any connection of the pool; see [`Query`].
    #[track_caller]
    pub fn query(&self, sql: impl IntoSql) -> Query<'_> {
        Query::new(Source::Pool(self, Location::caller()), sql.into_sql(), Box::default())
    }

    /// The same as [`query`](Self::query), for statements that are run for what they do.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let done = db.execute("UPDATE users SET name = $1 WHERE id = $2").bind("Ada").bind(1).await?;
    /// println!("{} changed", done.rows_affected());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn execute(&self, sql: impl IntoSql) -> Query<'_> {
        self.query(sql)
    }

    /// Finds out whether a statement fits the type that its rows are read into; see [`Query::check`], which looks at parameters
    /// as well.
    ///
    /// ```no_run
    /// # #[derive(montrs_orm::FromRow)]
    /// # struct User { id: i64, name: String }
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// db.check::<User>("SELECT id, name FROM users").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Query::check`].
    #[track_caller]
    pub fn check<T: FromRow<'static> + 'static>(
        &self,
        sql: impl IntoSql,
    ) -> impl Future<Output = Result<(), DbError>> + Send + '_ {
        self.query(sql).check::<T>()
    }

    /// An operation of the driver's own on any connection of the pool; see [`Session::command`](crate::Session::command).
    #[track_caller]
    pub fn command(&self, name: &str) -> Query<'_> {
        Query::command(Source::Pool(self, Location::caller()), name)
    }

    /// A text of many statements, to be run one after the other on a connection of the pool; see [`Script`].
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// db.script("CREATE TABLE users (name TEXT); CREATE INDEX users_name ON users (name);").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn script(&self, sql: impl IntoSql) -> Script<'_> {
        Script::new(Source::Pool(self, Location::caller()), sql.into_sql())
    }

    /// Listens to notifications on these channels, on a connection of the pool that the [`Listener`] holds until it is
    /// dropped. What is notified after this has returned is heard, or else it is said that something may have been missed.
    ///
    /// ```no_run
    /// use montrs_orm::ListenEvent;
    ///
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let mut news = db.listen(["orders", "customers"]).await?;
    /// // Now read what there is, and then what is new:
    /// while let Some(event) = news.next().await {
    ///     match event? {
    ///         ListenEvent::Notification(news) => println!("{}: {}", news.channel, news.payload),
    ///         ListenEvent::MayHaveMissed => println!("read all of it anew"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire); [`Unsupported`](crate::DbErrorKind::Unsupported) where the driver has no command
    /// `listen`; what the database says.
    #[track_caller]
    pub fn listen<I>(&self, channels: I) -> impl Future<Output = Result<Listener, DbError>> + Send + use<I>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let (at, db) = (Location::caller(), self.clone());
        let channels = channels.into_iter().map(Into::into).collect();
        async move { Listener::new(db, channels, at).await }
    }

    /// Runs a statement once for each row of parameters, in a transaction; see [`Session::execute_many`](crate::Session::execute_many).
    ///
    /// # Errors
    ///
    /// As for [`Session::execute_many`](crate::Session::execute_many) and [`acquire`](Self::acquire).
    #[track_caller]
    pub fn execute_many<'a, I, S>(
        &'a self,
        sql: S,
        rows: I,
    ) -> impl Future<Output = Result<Done, DbError>> + use<'a, I, S>
    where
        I: IntoIterator<Item: ToParams>,
        S: IntoSql,
    {
        let (at, sql) = (Location::caller(), sql.into_sql());
        let session = async move { Ok(SessionRef::Pooled(self.checkout_to_write(at).await?)) };
        many::execute(session, sql, rows.into_iter())
    }

    /// Runs several statements on a connection of the pool, in one round trip where the database can do so; see
    /// [`Session::pipeline`](crate::Session::pipeline).
    ///
    /// ```no_run
    /// use montrs_orm::query;
    ///
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let (names, count) = db
    ///     .pipeline((
    ///         query("SELECT name FROM users WHERE age > $1").bind(30).all::<String>(),
    ///         query("SELECT count(*) FROM orders").scalar::<i64>(),
    ///     ))
    ///     .await?;
    /// println!("{} names, {count} orders", names.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Session::pipeline`](crate::Session::pipeline) and [`acquire`](Self::acquire).
    #[track_caller]
    pub fn pipeline<'a, P: Pipelined + 'a>(
        &'a self,
        statements: P,
    ) -> impl Future<Output = Result<P::Output, DbError>> + use<'a, P> {
        pipeline::run(Source::Pool(self, Location::caller()), statements)
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    #[track_caller]
    pub fn ping(&self) -> impl Future<Output = Result<(), DbError>> + Send + '_ {
        let at = Location::caller();
        async move { self.checkout(at).await?.ping().await }
    }

    /// What the database can do; see [`Capability`] for the numbers.
    pub fn capability(&self, capability: Capability) -> u64 {
        self.0.database.capability(capability)
    }

    /// How many connections there are, and what has happened so far. Cheap enough to be asked every second.
    pub fn pool_status(&self) -> PoolStatus {
        self.0.pool.status()
    }

    /// The name, version and licence of the driver.
    pub fn driver(&self) -> &loader::DriverRecord {
        self.0.driver.record()
    }

    /// The URL with every secret in it replaced.
    pub fn redacted_url(&self) -> &str {
        &self.0.redacted_url
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let driver = self.driver();
        f.debug_struct("Database")
            .field("url", &self.redacted_url())
            .field("driver", &format_args!("{} {}", driver.name, driver.version))
            .field("pool", &self.pool_status())
            .finish()
    }
}
