//! A connection with its prepared statements and the state of its transaction.

use crate::{DbError, DbErrorKind, Sql};
use lru::LruCache;
use montrs_driver_abi::{
    Batch, ConnectionStatus, Description, DriverError, ErrorKind, NextBatch, Params, QueryOptions, TransactionOptions,
};
use montrs_driver_loader::{Connection, QueryResult, Rows, Statement};
use std::{num::NonZeroUsize, time::Duration};

/// A connection to the database.
///
/// Whatever a future of the caller's left unfinished is put right before the next operation, by [`ready`](Self::ready).
pub(crate) struct Session {
    connection: Connection,
    statements: LruCache<Sql, Statement>,
    /// The result whose rows are being fetched; a reader that is dropped leaves it here.
    rows: Option<Rows>,
    /// How many transactions are open: 0 is none, 1 the transaction, more are savepoints inside it.
    depth: u32,
    /// The outermost level that was dropped without an end.
    abandoned: Option<u32>,
    /// Buffers of a batch that was read.
    spare: Option<Batch>,
}

/// What a reset may take before the connection is given up.
pub(crate) const RESET_TIMEOUT: Duration = Duration::from_secs(10);

impl Session {
    pub(crate) fn new(connection: Connection, statement_cache_capacity: NonZeroUsize) -> Self {
        Self {
            connection,
            statements: LruCache::new(statement_cache_capacity),
            rows: None,
            depth: 0,
            abandoned: None,
            spare: None,
        }
    }

    /// Runs a statement and answers with its first rows; when there are more, [`next`](Self::next) has them. `depth` is
    /// the level of the caller's transaction, which may have been lost.
    pub(crate) async fn query(
        &mut self,
        depth: u32,
        sql: &Sql,
        parameters: Params<'_>,
        options: QueryOptions,
    ) -> Result<QueryResult, DbError> {
        self.ready().await?;
        self.expect_depth(depth)?;
        let spare = self.spare.take().unwrap_or(Batch::EMPTY);
        if !self.statements.contains(sql) {
            let statement = self.connection.prepare(sql.as_str()).await?;
            self.statements.put(sql.clone(), statement);
        }
        let statement = self.statements.get_mut(sql).expect("the statement was there, or was put there just now");
        let mut result = self.connection.query(statement, parameters, options, spare).await?;
        self.rows = result.rows.take();
        Ok(result)
    }

    /// Whether the last result has more rows.
    pub(crate) fn has_more(&self) -> bool {
        self.rows.is_some()
    }

    /// The next rows of the open result.
    pub(crate) async fn next(&mut self) -> Result<NextBatch, DriverError> {
        let Some(rows) = &mut self.rows else { return Err(DriverError::protocol("no result is open")) };
        let spare = self.spare.take().unwrap_or(Batch::EMPTY);
        let next = self.connection.next(rows, spare).await;
        if next.as_ref().map_or(true, |next| next.finished) {
            self.rows = None;
        }
        next
    }

    /// Takes back the buffers of a batch that was read.
    pub(crate) fn recycle(&mut self, spare: Batch) {
        self.spare = Some(spare);
    }

    /// Tells parameters and columns of a statement.
    pub(crate) async fn describe(&mut self, sql: &Sql) -> Result<Description, DbError> {
        self.ready().await?;
        let mut statement = self.connection.prepare(sql.as_str()).await?;
        Ok(self.connection.describe(&mut statement).await?)
    }

    pub(crate) async fn ping(&mut self) -> Result<(), DbError> {
        self.ready().await?;
        Ok(self.connection.ping().await?)
    }

    /// Opens one more level inside the caller's, and returns its depth.
    pub(crate) async fn begin(&mut self, outer: u32, options: TransactionOptions) -> Result<u32, DbError> {
        self.ready().await?;
        self.expect_depth(outer)?;
        let depth = outer + 1;
        // Until the level is known to be open, it counts as abandoned: this future may be dropped.
        (self.depth, self.abandoned) = (depth, Some(depth));
        let begun = match depth {
            1 => self.connection.begin(options).await,
            _ => self.connection.savepoint(depth - 1).await,
        };
        self.abandoned = None;
        if begun.is_err() {
            self.depth = depth - 1;
        }
        begun?;
        Ok(depth)
    }

    /// Keeps what was done at this level. When it fails, the level is abandoned.
    pub(crate) async fn commit(&mut self, depth: u32) -> Result<(), DbError> {
        self.ready().await?;
        self.expect_depth(depth)?;
        self.abandoned = Some(depth);
        match depth {
            1 => self.connection.commit().await?,
            _ => self.connection.release(depth - 1).await?,
        }
        (self.depth, self.abandoned) = (depth - 1, None);
        Ok(())
    }

    /// Undoes what was done at this level and in the levels inside it.
    pub(crate) async fn rollback(&mut self, depth: u32) -> Result<(), DbError> {
        self.abandon(depth);
        self.ready().await
    }

    /// Notes that a level was dropped; it is rolled back before the next operation.
    pub(crate) fn abandon(&mut self, depth: u32) {
        if depth <= self.depth {
            self.abandoned = Some(self.abandoned.map_or(depth, |outermost| outermost.min(depth)));
        }
    }

    fn expect_depth(&self, depth: u32) -> Result<(), DbError> {
        if self.depth == depth {
            return Ok(());
        }
        Err(DbError::new(DbErrorKind::TransactionState, "the transaction was rolled back already"))
    }

    /// Puts right what was left unfinished: closes an open result, rolls back what was abandoned, resets the connection
    /// after an operation whose future was dropped.
    async fn ready(&mut self) -> Result<(), DbError> {
        if let Some(rows) = self.rows.take() {
            self.connection.close_rows(rows).await?;
        }
        if self.connection.needs_reset() {
            return self.recover().await;
        }
        let Some(depth) = self.abandoned else { return Ok(()) };
        match depth {
            1 if self.in_transaction() => self.connection.rollback().await?,
            1 => {}
            _ => self.connection.rollback_to(depth - 1).await?,
        }
        (self.depth, self.abandoned) = (depth - 1, None);
        Ok(())
    }

    /// After an operation whose future was dropped: resets the connection, which rolls back an open transaction. When
    /// that was not what the caller gave up, it is an error: going on would be outside of the transaction.
    async fn recover(&mut self) -> Result<(), DbError> {
        let lost = (self.depth > 0 && self.abandoned != Some(1)) || (self.depth == 0 && self.in_transaction());
        self.reset().await?;
        if lost {
            let message =
                "an operation of this transaction was dropped before its end, so the transaction was rolled back";
            return Err(DbError::new(DbErrorKind::TransactionState, message));
        }
        Ok(())
    }

    /// Makes the session as good as new. After an error it must be given up.
    pub(crate) async fn reset(&mut self) -> Result<(), DbError> {
        self.rows = None;
        self.connection.reset().await?;
        (self.depth, self.abandoned) = (0, None);
        Ok(())
    }

    /// Whether the next user gets it as good as new without a reset.
    pub(crate) fn is_clean(&mut self) -> bool {
        self.depth == 0 && !self.connection.needs_reset() && self.connection.status() == ConnectionStatus::READY
    }

    pub(crate) fn is_broken(&mut self) -> bool {
        self.connection.status().contains(ConnectionStatus::BROKEN)
    }

    fn in_transaction(&mut self) -> bool {
        self.connection.status().contains(ConnectionStatus::IN_TRANSACTION)
    }

    pub(crate) async fn close(self) -> Result<(), DriverError> {
        drop(self.rows);
        drop(self.statements);
        self.connection.close().await
    }
}

/// Resets a session within [`RESET_TIMEOUT`].
pub(crate) async fn reset_in_time(session: &mut Session) -> Result<(), DbError> {
    tokio::time::timeout(RESET_TIMEOUT, session.reset()).await.unwrap_or_else(|_| {
        let message = format!("the connection could not be reset within {RESET_TIMEOUT:?}");
        Err(DriverError::new(ErrorKind::TIMEOUT, message).into())
    })
}
