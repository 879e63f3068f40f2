//! A connection with its prepared statements and the state of its transaction.

use crate::{
    DbError, DbErrorKind, Done, IntoSql, Query, Sql, Transaction,
    layout::Layout,
    pace::Pace,
    parameters::Parameters,
    source::Source,
    statements::Statements,
    transaction::SessionRef,
    writer::{Turn, WriteQueue},
};
use montrs_driver_abi::{
    BatchError, Capability, ConnectionStatus, Description, DriverError, ErrorKind, RowBatch, TransactionOptions,
};
use montrs_driver_loader::{self as loader, Connection, QueryResult, Rows};
use std::{num::NonZeroUsize, panic::Location, sync::Arc, time::Duration};

/// One session with the database: what [`Connection`](crate::Connection) and [`Transaction`] dereference to, and what the
/// closure of a transaction is given.
///
/// Every future of a session may be dropped at any time. What is then left unfinished is put right before the next
/// operation.
pub struct Session {
    connection: Connection,
    statements: Statements,
    /// The rows at hand of the last result.
    batch: RowBatch,
    /// The result whose rows are being fetched; a reader that is dropped leaves it here.
    rows: Option<Rows>,
    /// What a statement was answered beside its rows, until it is looked at.
    answer: Option<QueryResult>,
    /// What the last statement did, as far as is known.
    done: Done,
    /// How many transactions the caller has open: 0 is none, 1 the transaction, more are savepoints inside it.
    depth: u32,
    /// The outermost level that was dropped without an end.
    abandoned: Option<u32>,
    /// The transaction has ended under the caller's feet: until the caller has ended it too, nothing runs.
    lost: Option<Lost>,
    pace: Pace,
    /// Of the last result, when it is that of a command or a script.
    command: Option<Box<Layout>>,
    /// For the next query.
    parameters: Option<Box<Parameters>>,
    /// Of those who write, where one may at a time.
    queue: Option<Arc<WriteQueue>>,
    /// The turn to write, from before a statement that writes to the end of its result and of the transaction.
    turn: Option<Turn>,
    /// Where the connection was checked out, for others who wait to write in vain; `None` is the pool itself.
    pub(crate) checked_out: Option<&'static Location<'static>>,
    /// The transaction has run nothing yet.
    is_untouched: bool,
    /// Whether the upload `load` takes rows for a table.
    has_bulk_load: bool,
    /// Whether several statements can be sent in one go.
    has_pipelines: bool,
}

/// About how many bytes of rows cross at once.
pub(crate) const BATCH_BYTES: u32 = 64 * 1024;

/// What a reset may take before the connection is given up.
pub(crate) const RESET_TIMEOUT: Duration = Duration::from_secs(10);

mod levels;
mod pipeline;
mod running;
mod transfer;
mod writing;

use levels::Lost;
pub(crate) use writing::locks_at_once;

impl Session {
    pub(crate) fn new(
        connection: Connection,
        statement_cache_capacity: NonZeroUsize,
        queue: Option<Arc<WriteQueue>>,
        database: &loader::Database,
    ) -> Self {
        let has = |capability| database.capability(capability) > 0;
        Self {
            has_bulk_load: has(Capability::BULK_LOAD),
            has_pipelines: has(Capability::PIPELINES) && connection.has_pipelines(),
            connection,
            statements: Statements::new(statement_cache_capacity),
            batch: RowBatch::EMPTY,
            rows: None,
            answer: None,
            done: Done { rows_affected: 0, last_insert_id: None },
            depth: 0,
            abandoned: None,
            lost: None,
            pace: Pace::new(),
            command: None,
            parameters: None,
            queue,
            turn: None,
            checked_out: None,
            is_untouched: false,
        }
    }

    /// A statement to be run in this session; see [`Query`].
    pub fn query(&mut self, sql: impl IntoSql) -> Query<'_> {
        let parameters = self.parameters.take().unwrap_or_default();
        Query::new(Source::Session(self), sql.into_sql(), parameters)
    }

    /// The same as [`query`](Self::query), for statements that are run for what they do.
    pub fn execute(&mut self, sql: impl IntoSql) -> Query<'_> {
        self.query(sql)
    }

    /// Begins a transaction; inside a transaction, a savepoint. It is rolled back when it is dropped without
    /// [`commit`](Transaction::commit).
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DbError> {
        self.begin_with(TransactionOptions::default()).await
    }

    /// Begins a transaction with these options, which a savepoint does not look at. What the database cannot give is an
    /// error.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn begin_with(&mut self, options: TransactionOptions) -> Result<Transaction<'_>, DbError> {
        Transaction::begin(SessionRef::Borrowed(self), options).await
    }

    /// Runs the closure in a transaction, or inside a transaction in a savepoint: kept when it returns `Ok`, undone when
    /// it returns `Err`, panics, or is dropped at any await.
    ///
    /// # Errors
    ///
    /// What the closure returns; what the database says of begin and commit, turned into the closure's error.
    pub async fn transaction<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Session) -> Result<T, E>,
        E: From<DbError>,
    {
        self.begin().await?.run(work).await
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn ping(&mut self) -> Result<(), DbError> {
        self.ready().await?;
        Ok(self.connection.ping().await?)
    }

    /// Whether the last result has more rows.
    pub(crate) fn has_more(&self) -> bool {
        self.rows.is_some()
    }

    /// What the last statement did, once all its rows were fetched.
    pub(crate) fn done(&self) -> Done {
        self.done
    }

    /// Fetches the next rows of the open result, which are then at hand.
    pub(crate) async fn next(&mut self) -> Result<(), DbError> {
        self.pace.keep().await;
        let Some(rows) = &mut self.rows else { return Err(DriverError::protocol("no result is open").into()) };
        let next = self.connection.next(rows, self.batch.refill()).await;
        if next.as_ref().map_or(true, |next| next.finished) {
            self.rows = None;
        }
        self.end_turn();
        let next = next?;
        if next.finished {
            self.done.rows_affected = next.affected;
        }
        self.check()
    }

    /// Sees to it that the rows that came can be read.
    #[inline]
    fn check(&mut self) -> Result<(), DbError> {
        self.batch.check().map_err(|error| self.unreadable(error))?;
        if self.batch.rows() > 0 && self.batch.columns() != self.layout().columns().len() {
            return Err(self.unreadable(BatchError::WrongLength));
        }
        Ok(())
    }

    /// Sees to it that nobody uses the connection again: what its driver answered could not be read.
    #[cold]
    fn unreadable(&mut self, error: BatchError) -> DbError {
        self.connection.give_up();
        DbError::new(DbErrorKind::DriverProtocol, error.to_string()).after_execution()
    }

    /// The rows that came last.
    #[inline]
    pub(crate) fn batch(&self) -> &RowBatch {
        &self.batch
    }

    /// What is known of the last result.
    #[inline]
    pub(crate) fn layout(&self) -> &Layout {
        match &self.command {
            None => &self.statements.current().layout,
            Some(layout) => layout,
        }
    }

    #[inline]
    pub(crate) fn layout_mut(&mut self) -> &mut Layout {
        match &mut self.command {
            None => &mut self.statements.current_mut().layout,
            Some(layout) => layout,
        }
    }

    /// Takes the parameters of a query that was run.
    #[inline]
    pub(crate) fn recycle(&mut self, mut parameters: Box<Parameters>) {
        parameters.clear();
        self.parameters = Some(parameters);
    }

    /// Tells parameters and columns of a statement.
    pub(crate) async fn describe(&mut self, sql: &Sql) -> Result<Description, DbError> {
        self.ready().await?;
        let mut statement = self.connection.prepare(sql.as_str()).await?;
        Ok(self.connection.describe(&mut statement).await?)
    }

    /// Puts right what was left unfinished, so that an operation can run; and gives way when it is time.
    async fn ready(&mut self) -> Result<(), DbError> {
        self.pace.keep().await;
        if !self.is_settled() {
            // In a box, so that the futures of all operations stay small: they are moved about.
            Box::pin(self.put_right()).await?;
        }
        Ok(())
    }

    #[cold]
    async fn put_right(&mut self) -> Result<(), DbError> {
        self.settle().await?;
        self.lost.map_or(Ok(()), |lost| Err(lost.error()))
    }

    /// Whether nothing was left unfinished.
    #[inline]
    fn is_settled(&mut self) -> bool {
        self.rows.is_none()
            && !self.connection.needs_reset()
            && self.abandoned.is_none()
            && self.lost.is_none()
            && (self.depth == 0 || self.in_transaction())
    }

    /// Makes the session as good as new. After an error it must be given up.
    pub(crate) async fn reset(&mut self) -> Result<(), DbError> {
        self.rows = None;
        self.statements.shrink();
        self.connection.reset().await?;
        // The first one may only have ended what was abandoned.
        if self.connection.status() != ConnectionStatus::READY {
            self.connection.reset().await?;
        }
        (self.depth, self.abandoned, self.lost, self.turn) = (0, None, None, None);
        Ok(())
    }

    /// Whether the next user gets it as good as new without a reset.
    pub(crate) fn is_clean(&mut self) -> bool {
        self.depth == 0 && !self.connection.needs_reset() && self.connection.status() == ConnectionStatus::READY
    }

    pub(crate) fn is_broken(&mut self) -> bool {
        self.connection.status().contains(ConnectionStatus::BROKEN)
    }

    /// Whether an operation of the transaction has failed because another transaction was in the way.
    pub(crate) fn another_was_in_the_way(&self) -> bool {
        self.connection.another_was_in_the_way()
    }

    /// Whether the database has a transaction open, begun here or in SQL.
    pub(crate) fn in_transaction(&mut self) -> bool {
        self.connection.status().contains(ConnectionStatus::IN_TRANSACTION)
    }

    pub(crate) async fn close(self) -> Result<(), DriverError> {
        drop(self.rows);
        drop(self.statements);
        self.connection.close().await
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("transaction_depth", &self.depth).finish_non_exhaustive()
    }
}

/// Resets a session within [`RESET_TIMEOUT`].
pub(crate) async fn reset_in_time(session: &mut Session) -> Result<(), DbError> {
    tokio::time::timeout(RESET_TIMEOUT, session.reset()).await.unwrap_or_else(|_| {
        let message = format!("the connection could not be reset within {RESET_TIMEOUT:?}");
        Err(DriverError::new(ErrorKind::TIMEOUT, message).into())
    })
}
