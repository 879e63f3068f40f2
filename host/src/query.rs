//! A statement with its parameters, ready to be run.

use crate::{
    DbError, DbErrorKind, Decode, Encode, FromRow, IntoSql, Row, RowStream, RuntimeSql, Sql, StatementInfo, ToParams,
    Upload, check, cursor::Cursor, parameters::Parameters, source::Source, transaction::SessionRef,
};
use std::pin::Pin;

/// A statement, or a command of the driver's, with its parameters. It does nothing until one of its methods, or it itself, is awaited.
///
/// Awaiting the query itself runs the statement to its end and answers with what it did, see [`Done`]. The `fetch`
/// methods read its rows.
///
/// Placeholders are `$1`, `$2`, …, or `:name`, with every driver; the database's own form works too.
#[must_use = "a query does nothing until it is awaited"]
pub struct Query<'e> {
    pub(crate) source: Source<'e>,
    /// The statement's text, or the command's name.
    pub(crate) sql: Sql,
    pub(crate) is_command: bool,
    /// In a box, because a query is moved about; the session keeps it for the next one.
    pub(crate) parameters: Box<Parameters>,
}

/// What a statement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub(crate) rows_affected: u64,
    pub(crate) last_insert_id: Option<i64>,
}

impl Done {
    /// How many rows were inserted, updated or deleted.
    pub fn rows_affected(&self) -> u64 {
        self.rows_affected
    }

    /// The key of the row that was inserted last, where the database counts them. `RETURNING` works with more of them.
    pub fn last_insert_id(&self) -> Option<i64> {
        self.last_insert_id
    }
}

impl<'e> Query<'e> {
    /// `parameters` is empty.
    #[inline]
    pub(crate) fn new(source: Source<'e>, sql: Sql, parameters: Box<Parameters>) -> Self {
        Self { source, sql, is_command: false, parameters }
    }

    pub(crate) fn command(source: Source<'e>, name: &str) -> Self {
        Self { is_command: true, ..Self::new(source, RuntimeSql(name).into_sql(), Box::default()) }
    }

    /// The statement's text, or the command's name.
    pub fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// Binds the next parameter: the first call is for `$1`. A value that cannot be sent is reported when the query is
    /// run.
    ///
    /// A slice or vector is an array, where the database has such (of bytes it is one value of bytes). Where the placeholder
    /// stands alone in the parentheses of an `IN`, it is a list, with every driver: of any length, also empty.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database, ids: Vec<i64>) -> Result<(), montrs_orm::DbError> {
    /// let names: Vec<String> = db.query("SELECT name FROM users WHERE id IN ($1)").bind(&ids).fetch_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind(self, value: impl Encode) -> Self {
        self.push(None, &value)
    }

    /// Binds a parameter by its name: `:name` in the SQL, `"name"` here. A name may stand there more than once. What has
    /// no such name, or has one and is not bound, is an error.
    ///
    /// Numbers may be mixed with names, `$1` and `:name`: what [`bind`](Self::bind) binds goes to the numbers. In
    /// PostgreSQL's subscripts, such as `a[1:n]`, a colon is that of a slice; a parameter there is written in parentheses.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let sql = "SELECT name FROM users WHERE city = :city AND (age < :age OR name = :name)";
    /// let query = db.query(sql).bind_named("city", "Turin").bind_named("age", 30).bind_named("name", "Rita");
    /// let names: Vec<String> = query.fetch_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind_named(self, name: &str, value: impl Encode) -> Self {
        self.push(Some(name), &value)
    }

    /// Binds the next parameters: the values of a struct that derives [`ToParams`], a tuple, an array or a vector, in their
    /// order. A value that cannot be sent is reported when the query is run.
    ///
    /// ```no_run
    /// #[derive(montrs_orm::ToParams)]
    /// struct User {
    ///     name: String,
    ///     age: i32,
    /// }
    ///
    /// # async fn example(db: montrs_orm::Database, user: User) -> Result<(), montrs_orm::DbError> {
    /// db.execute("INSERT INTO users (name, age) VALUES ($1, $2)").bind_all(&user).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind_all(mut self, row: impl ToParams) -> Self {
        self.parameters.push_all(&row);
        self
    }

    /// Binds the fields of a struct that derives [`ToParams`] by their names: `:name` in the SQL.
    pub fn bind_all_named(mut self, row: impl ToParams) -> Self {
        self.parameters.push_all_named(&row);
        self
    }

    #[inline]
    fn push(mut self, name: Option<&str>, value: &impl Encode) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// The first row. What the statement would return after it is not fetched.
    ///
    /// # Errors
    ///
    /// [`RowNotFound`](DbErrorKind::RowNotFound) when there is none; what the database says; a row that does not fit `T`.
    pub async fn fetch_one<T: for<'r> FromRow<'r>>(self) -> Result<T, DbError> {
        let mut cursor = self.start(1).await?;
        cursor.resolve::<T>()?;
        if cursor.has_row_at_hand() || cursor.fill().await? { cursor.read() } else { Err(no_row(cursor.sql())) }
    }

    /// The first row, if there is one. What the statement would return after it is not fetched.
    ///
    /// # Errors
    ///
    /// What the database says; a row that does not fit `T`.
    pub async fn fetch_optional<T: for<'r> FromRow<'r>>(self) -> Result<Option<T>, DbError> {
        let mut cursor = self.start(1).await?;
        cursor.resolve::<T>()?;
        if cursor.has_row_at_hand() || cursor.fill().await? { cursor.read().map(Some) } else { Ok(None) }
    }

    /// The first column of the first row.
    ///
    /// # Errors
    ///
    /// As for [`fetch_one`](Self::fetch_one).
    pub async fn fetch_scalar<T: for<'r> Decode<'r>>(self) -> Result<T, DbError> {
        let mut cursor = self.start(1).await?;
        if cursor.has_row_at_hand() || cursor.fill().await? {
            cursor.read_with(|row| row.get(0))
        } else {
            Err(no_row(cursor.sql()))
        }
    }

    /// All rows.
    ///
    /// # Errors
    ///
    /// What the database says; a row that does not fit `T`.
    pub async fn fetch_all<T: for<'r> FromRow<'r>>(self) -> Result<Vec<T>, DbError> {
        let mut cursor = self.start(0).await?;
        cursor.resolve::<T>()?;
        let mut out = Vec::with_capacity(cursor.rows_at_hand());
        while cursor.fill().await? {
            cursor.read_all(&mut out)?;
        }
        Ok(out)
    }

    /// The rows one by one, in bounded memory: the database is asked for more when those at hand are used up.
    ///
    /// The stream may be dropped at any time. It is a [`Stream`](futures_core::Stream); [`RowStream::next`] takes its
    /// items without a crate for streams.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let mut names = db.query("SELECT name FROM users").fetch::<String>();
    /// while let Some(name) = names.next().await {
    ///     println!("{}", name?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn fetch<T: for<'r> FromRow<'r> + Send + 'e>(self) -> RowStream<'e, T> {
        RowStream::new(self.start(0))
    }

    /// Calls the closure with each row, borrowed from the batch that it came in: nothing is copied that the closure does
    /// not copy.
    ///
    /// # Errors
    ///
    /// What the database says; the closure's own error, which ends the fetching.
    pub async fn for_each(self, work: impl FnMut(Row<'_>) -> Result<(), DbError>) -> Result<(), DbError> {
        self.start(0).await?.each(work).await
    }

    /// Runs the statement and hands over its result: its columns, also when there are no rows, then its rows one by one,
    /// borrowed and in bounded memory, then what it did. For tools that do not know the statement before.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let mut cursor = db.query("SELECT id, name FROM users").cursor().await?;
    /// println!("{:?}", cursor.columns());
    /// while let Some(row) = cursor.next().await? {
    ///     println!("{}: {}", row.get::<i64>(0)?, row.get::<&str>(1)?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn cursor(self) -> Result<Cursor<'e>, DbError> {
        self.start(0).await
    }

    /// Finds out, without running the statement, whether it and the types that it is used with fit together: whether the
    /// database can parse it, whether the result has the columns that `T` reads, of kinds that it can read, with an `Option`
    /// where the database says that a column can be NULL; and, if parameters are bound, whether their number and kinds fit.
    /// `()` is for statements without rows. For a test, or for start-up; see [`Checks`](crate::Checks) for many of them.
    ///
    /// What depends on values is not found: an integer that is too large for the field, a text that is no UUID. Nor is what the
    /// database does not tell: whether an aggregate, another expression or the outer side of a join can be NULL.
    ///
    /// ```no_run
    /// # #[derive(montrs_orm::FromRow)]
    /// # struct User { id: i64, name: String }
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// db.query("SELECT id, name FROM users WHERE id = $1").bind(1).check::<User>().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says of the statement; [`Mismatch`](DbErrorKind::Mismatch) with a list of all that does not fit;
    /// [`Unsupported`](DbErrorKind::Unsupported) where the driver cannot tell.
    pub async fn check<T: FromRow<'static>>(self) -> Result<(), DbError> {
        let Self { source, sql, is_command, mut parameters } = self;
        if let Some(error) = parameters.error.take() {
            return Err(error.in_statement(sql.as_str()));
        }
        let describing = Query { source, sql: sql.clone(), is_command, parameters: Box::default() };
        let info = describing.describe().await?;
        check::misfits::<T>(&info, &parameters.values.as_params()).map_err(|error| error.in_statement(sql.as_str()))
    }

    /// Tells parameters and columns of the statement without running it. Bound values are not looked at.
    ///
    /// # Errors
    ///
    /// What the database says of the statement; [`Unsupported`](DbErrorKind::Unsupported) where it cannot tell.
    pub async fn describe(self) -> Result<StatementInfo, DbError> {
        if self.is_command {
            return Err(DbError::new(DbErrorKind::Unsupported, "a command cannot be described"));
        }
        let mut session = self.source.session().await?;
        let description = session.describe(&self.sql).await;
        Ok(StatementInfo::new(description.map_err(|error| error.in_statement(self.sql.as_str()))?))
    }

    /// Begins a command that takes bytes or rows, such as the writing of a large value.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database, mut chunks: std::vec::IntoIter<Vec<u8>>) -> Result<(), montrs_orm::DbError> {
    /// let mut upload = db.command("blob_write").bind("file").bind("content").bind(1).upload().await?;
    /// while let Some(chunk) = chunks.next() {
    ///     upload.write(&chunk).await?;
    /// }
    /// let bytes = upload.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says; [`Unsupported`](DbErrorKind::Unsupported) for SQL, and for a command that takes nothing.
    pub async fn upload(mut self) -> Result<Upload<'e>, DbError> {
        if !self.is_command {
            let error = DbError::new(DbErrorKind::Unsupported, "a statement in SQL takes no upload; a command() does");
            return Err(error.in_statement(self.sql.as_str()));
        }
        if let Some(error) = self.parameters.error.take() {
            return Err(error.in_statement(self.sql.as_str()));
        }
        let mut session = self.source.session().await?;
        match session.begin_upload(self.sql.as_str(), self.parameters.values.as_params()).await {
            Ok(()) => Ok(Upload::new(session, self.sql)),
            Err(error) => Err(error.in_statement(self.sql.as_str())),
        }
    }

    /// Runs the statement up to its first rows.
    #[expect(clippy::manual_async_fn, reason = "an async function would hold the query twice, and is moved about")]
    pub(crate) fn start(mut self, max_rows: u64) -> impl Future<Output = Result<Cursor<'e>, DbError>> + Send {
        async move {
            if let Some(error) = self.parameters.error.take() {
                return Err(error.in_statement(self.sql.as_str()));
            }
            let (mut session, queueing) = match self.source {
                Source::Session(session) => (SessionRef::Borrowed(session), None),
                pool => {
                    let queueing = pool.queueing().filter(|_| !self.is_command);
                    (pool.session().await?, queueing)
                }
            };
            if let Some((database, at)) = queueing {
                let must_queue = session.must_queue(&self.sql).await;
                if must_queue.map_err(|error| error.in_statement(self.sql.as_str()))? {
                    // Not with the connection, which those who read may need.
                    drop(session);
                    session = SessionRef::Pooled(Box::pin(database.checkout_to_write(at)).await?);
                }
            }
            let ran = match self.is_command {
                false => session.run(&self.sql, &self.parameters.values, max_rows).await,
                true => Box::pin(session.run_command(&self.sql, &self.parameters.values, max_rows)).await,
            };
            session.recycle(self.parameters);
            session.end_turn();
            match ran {
                Ok(()) => Ok(Cursor::new(session)),
                Err(error) => Err(error.in_statement(self.sql.as_str())),
            }
        }
    }
}

impl<'e> IntoFuture for Query<'e> {
    type Output = Result<Done, DbError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'e>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let is_pooled = matches!(self.source, Source::Pool(..));
            let mut cursor = self.start(0).await?;
            if cursor.has_row_at_hand() || cursor.has_more() {
                cursor.each(|_| Ok(())).await?;
            }
            if is_pooled && cursor.session_is_in_transaction() {
                return Err(left_open("statement").in_statement(cursor.sql()));
            }
            Ok(cursor.done())
        })
    }
}

impl std::fmt::Debug for Query<'_> {
    /// The SQL and the number of parameters; not their values, which may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("sql", &self.sql.as_str())
            .field("parameters", &self.parameters.values.len())
            .finish()
    }
}

/// A transaction that was begun in SQL would be open for the next user of the pool's connection.
#[cold]
pub(crate) fn left_open(what: &str) -> DbError {
    let message = format!("the {what} left a transaction open on a connection of the pool; it is rolled back");
    DbError::new(DbErrorKind::TransactionState, message)
        .fixed_by("Begin a transaction with begin() or transaction().")
        .fixed_by("Or check out a connection with acquire(), and run all statements on that.")
}

pub(crate) fn no_row(sql: impl AsRef<str>) -> DbError {
    DbError::new(DbErrorKind::RowNotFound, "the statement returned no row").in_statement(sql.as_ref()).after_execution()
}
