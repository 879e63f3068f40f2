//! Settings for opening a database.

use crate::{
    Database, DbError, DbErrorKind, Session,
    config::{Config, ConfiguredUrl},
    pool::{HookFuture, Hooks, Pool, PoolOptions},
    replicas::Replicas,
};
use montrs_driver_loader as loader;
use std::{env::VarError, path::PathBuf, sync::Arc, time::Duration};
use tokio::runtime::Handle;

mod settings;

/// Settings for opening a database; made by [`Database::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// # async fn example() -> Result<(), montrs_orm::DbError> {
/// let db = montrs_orm::Database::builder()
///     .url("sqlite:app.db")
///     .plugins("/opt/app/plugins")
///     .max_connections(20)
///     .acquire_timeout(Duration::from_secs(5))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `connect` is awaited"]
pub struct DatabaseBuilder {
    url: Option<ConfiguredUrl>,
    replicas: Vec<ConfiguredUrl>,
    plugins: Vec<PathBuf>,
    search_path: Option<loader::SearchPath>,
    max_connections: Option<usize>,
    min_connections: Option<usize>,
    acquire_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    max_lifetime: Option<Duration>,
    check_after: Option<Duration>,
    statement_cache_capacity: Option<usize>,
    hooks: Hooks,
}

impl DatabaseBuilder {
    /// The database's URL. Defaults to the environment variable `DATABASE_URL`.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(ConfiguredUrl::Literal(url.into()));
        self
    }

    /// One more copy of the database, for those who read from [`Database::read`]. Each has a pool of its own with the settings of
    /// this builder, and connections are opened when they are needed: one that is down does not keep the program from starting, and
    /// reads go elsewhere.
    pub fn replica(mut self, url: impl Into<String>) -> Self {
        self.replicas.push(ConfiguredUrl::Literal(url.into()));
        self
    }

    /// One more directory to look for drivers in, before those of the standard search path.
    pub fn plugins(mut self, directory: impl Into<PathBuf>) -> Self {
        self.plugins.push(directory.into());
        self
    }

    /// Where to look for drivers, instead of the standard search path and of [`plugins`](Self::plugins).
    pub fn search_path(mut self, search_path: loader::SearchPath) -> Self {
        self.search_path = Some(search_path);
        self
    }

    /// The most connections that are open at once, at least 1. Defaults to 10, or to what the database can have if that is less.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = Some(max);
        self
    }

    /// How many connections are kept open, used or not, at most [`max_connections`](Self::max_connections). So many are opened by [`connect`](Self::connect), and at least one;
    /// those that are lost later are replaced within 30 seconds. Defaults to 0.
    pub fn min_connections(mut self, min: usize) -> Self {
        self.min_connections = Some(min);
        self
    }

    /// How long a caller may wait for a connection. That includes the opening of a new one, which is tried again as long as
    /// the failure is one that may pass, such as a server that restarts, and the hooks. At least 1 millisecond; defaults to
    /// 30 seconds.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = Some(timeout);
        self
    }

    /// How long a connection may be idle before it is closed, unless it is one of
    /// [`min_connections`](Self::min_connections); a quarter of the time more may pass, and 10 milliseconds. Zero is
    /// for ever; otherwise at least 1 millisecond. Defaults to 10 minutes. The only connection of a database that can have no other, such as one in memory, is never closed.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// How long a connection may be open: then it is closed when it is given back, or while it is idle. Each connection gets
    /// up to a tenth less, at random, so that those that were opened together do not end together. Zero is for ever;
    /// otherwise at least 1 millisecond. However short it is, no more than about a tenth of the time is spent on replacing those that
    /// are kept open. Defaults to 30 minutes. The only connection of a database that can have no other is never closed.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// A connection that was not checked out for this long is asked for a sign of life before it is given out, and replaced
    /// when it gives none within 5 seconds, or half of [`acquire_timeout`](Self::acquire_timeout). Zero is each time; [`Duration::MAX`] is never. Defaults to 1 second.
    pub fn check_after(mut self, idle: Duration) -> Self {
        self.check_after = Some(idle);
        self
    }

    /// How many prepared statements a connection keeps, at least 1. Defaults to 100.
    pub fn statement_cache_capacity(mut self, capacity: usize) -> Self {
        self.statement_cache_capacity = Some(capacity);
        self
    }

    /// What is done with each connection when it was opened, and again after each reset, which undoes what a user has changed in
    /// the session: what is set here is there for every user. A hook that fails or panics closes the connection, and is the
    /// error of who waits for it: that of the hook, or [`Configuration`](DbErrorKind::Configuration) for a panic. One that does
    /// not end is named by the [`PoolTimeout`](DbErrorKind::PoolTimeout) of those who wait. A hook that changes settings makes each return of a connection a reset; what the URL can set
    /// costs nothing.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), montrs_orm::DbError> {
    /// let db = montrs_orm::Database::builder()
    ///     .after_connect(|session| {
    ///         Box::pin(async move { session.execute("CREATE TEMPORARY TABLE seen (id INTEGER)").await.map(drop) })
    ///     })
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_connect<F>(mut self, hook: F) -> Self
    where
        F: for<'s> Fn(&'s mut Session) -> HookFuture<'s> + Send + Sync + 'static,
    {
        self.hooks.after_connect = Some(Arc::new(hook));
        self
    }

    /// What is done with a connection each time before it is given out. When it fails or panics with an idle connection, that is
    /// closed and a new one is opened; with a new one, it is the error of who waits, as for
    /// [`after_connect`](Self::after_connect). What it changes in the session is reset when the connection comes back. It may take
    /// as long as is left of [`acquire_timeout`](Self::acquire_timeout).
    pub fn before_acquire<F>(mut self, hook: F) -> Self
    where
        F: for<'s> Fn(&'s mut Session) -> HookFuture<'s> + Send + Sync + 'static,
    {
        self.hooks.before_acquire = Some(Arc::new(hook));
        self
    }

    /// What is done with a connection each time it was given back and put right, by a task, before anybody else gets it. When it
    /// fails, panics or takes longer than 10 seconds, the connection is closed.
    pub fn after_release<F>(mut self, hook: F) -> Self
    where
        F: for<'s> Fn(&'s mut Session) -> HookFuture<'s> + Send + Sync + 'static,
    {
        self.hooks.after_release = Some(Arc::new(hook));
        self
    }

    /// Takes the settings of a `montrs.toml`; what was set on this builder before stays.
    ///
    /// ```toml
    /// [database]
    /// url = "env:DATABASE_URL"      # or the URL itself
    /// replicas = ["env:REPLICA_URL"]
    /// max_connections = 20
    /// min_connections = 2
    /// acquire_timeout_ms = 5000
    /// idle_timeout_ms = 600000
    /// max_lifetime_ms = 1800000
    /// check_after_ms = 1000
    /// statement_cache_capacity = 100
    ///
    /// [drivers]
    /// path = ["/opt/app/plugins"]
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](DbErrorKind::Configuration) for a file that cannot be read, a setting that is not known in one of these
    /// tables or that stands above them, or a table whose name is nearly one of theirs. Other tables belong to other parts of an
    /// application.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Result<Self, DbError> {
        let Config { database, drivers } = Config::read(&path.into())?;
        self.url = self.url.or(database.url());
        self.replicas.extend(database.replicas());
        self.plugins.extend(drivers.path);
        self.max_connections = self.max_connections.or(database.max_connections);
        self.min_connections = self.min_connections.or(database.min_connections);
        self.acquire_timeout = self.acquire_timeout.or(database.acquire_timeout_ms.map(Duration::from_millis));
        self.idle_timeout = self.idle_timeout.or(database.idle_timeout_ms.map(Duration::from_millis));
        self.max_lifetime = self.max_lifetime.or(database.max_lifetime_ms.map(Duration::from_millis));
        self.check_after = self.check_after.or(database.check_after_ms.map(Duration::from_millis));
        self.statement_cache_capacity = self.statement_cache_capacity.or(database.statement_cache_capacity);
        Ok(self)
    }

    /// Opens the database and makes one connection, or [`min_connections`](Self::min_connections).
    ///
    /// # Errors
    ///
    /// A setting that makes no sense; no driver for the URL, or one that is refused; a database that cannot be reached.
    #[track_caller]
    pub fn connect(self) -> impl Future<Output = Result<Database, DbError>> + Send {
        let at = std::panic::Location::caller();
        async move {
            let options = self.pool_options()?;
            let runtime = Handle::try_current().map_err(|_| {
                DbError::new(
                    DbErrorKind::Configuration,
                    "a database is opened inside a tokio runtime, and there is none here",
                )
            })?;
            require_timers()?;
            let mut replicas = Vec::new();
            for url in &self.replicas {
                let options = PoolOptions { is_replica: true, ..options };
                let opened = match url.read() {
                    Ok(url) => self.open(url, options, &runtime, Replicas::default()).await,
                    Err(error) => Err(error),
                };
                let number = replicas.len() + 1;
                replicas.push(opened.map_err(|error| error.during(format_args!("replica {number}")))?);
            }
            let database = self.open(self.database_url()?, options, &runtime, Replicas::new(replicas)).await?;
            database.warm_up(at).await?;
            database.maintain();
            database.replicas().iter().for_each(Database::maintain);
            Ok(database)
        }
    }

    /// Opens a database without any connection.
    async fn open(
        &self,
        url: String,
        options: PoolOptions,
        runtime: &Handle,
        replicas: Replicas,
    ) -> Result<Database, DbError> {
        let (driver, guard, url) = load(runtime, self.drivers_path(), with_lower_case_scheme(url)).await?;
        let redacted_url = driver.redact(&url);
        let database = loader::Database::open(&driver, guard, &url, runtime.clone()).await.map_err(|error| {
            let error = DbError::from(error);
            error.during(format_args!("cannot open {redacted_url}"))
        });
        let database = Arc::new(database?);
        let pool = Pool::new(database.clone(), options.limited_by(&database), self.hooks.clone(), runtime.clone());
        Ok(Database::new(pool, database, driver, redacted_url, replicas))
    }

    /// The directories in which [`connect`](Self::connect) looks for the driver.
    pub fn drivers_path(&self) -> loader::SearchPath {
        self.search_path.clone().unwrap_or_else(|| loader::SearchPath::with(&self.plugins))
    }

    fn database_url(&self) -> Result<String, DbError> {
        if let Some(url) = &self.url {
            return url.read();
        }
        std::env::var("DATABASE_URL").map_err(|error| {
            let problem = match error {
                VarError::NotPresent => "no database URL: the environment variable DATABASE_URL is not set",
                VarError::NotUnicode(_) => "the environment variable DATABASE_URL is not UTF-8",
            };
            DbError::new(DbErrorKind::Configuration, problem)
                .fixed_by("Set it to the database's URL; `montrs-db drivers` lists the schemes that are served.")
                .fixed_by("Or name the database in the program: Database::connect(url).")
        })
    }
}

/// Timeouts need the runtime's timers. tokio tells only by a panic that there are none.
fn require_timers() -> Result<(), DbError> {
    std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).map_err(|_| {
        DbError::new(DbErrorKind::Configuration, "the tokio runtime has no timers")
            .fixed_by("Build the runtime with enable_all(), or with enable_io() and enable_time().")
    })
}

/// Schemes match in any case; drivers see them in lower case.
fn with_lower_case_scheme(mut url: String) -> String {
    if let Some(scheme) = url.find(':').and_then(|end| url.get_mut(..end)) {
        scheme.make_ascii_lowercase();
    }
    url
}

/// Finds and opens the driver, on a thread where reading files is allowed.
async fn load(
    runtime: &Handle,
    search_path: loader::SearchPath,
    url: String,
) -> Result<(loader::LoadedDriver, loader::OpenGuard, String), DbError> {
    let load = runtime.spawn_blocking(move || {
        let driver = loader::Loader::new(search_path).load_for_url(&url)?;
        let guard = driver.open_guard()?;
        Ok((driver, guard, url))
    });
    load.await.unwrap_or_else(|error| {
        Err(DbError::new(DbErrorKind::Cancelled, format!("the driver was not loaded: {error}")))
    })
}

impl std::fmt::Debug for DatabaseBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseBuilder")
            .field("plugins", &self.plugins)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish_non_exhaustive()
    }
}
