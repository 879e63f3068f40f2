//! A connection that was checked out.

use crate::{DbError, Query, Sql, Transaction, TransactionOptions, pool::PooledSession, query::Source};

/// One connection, for statements that must run on the same one. Dropping it gives it back to the pool, as good as new:
/// what was left unfinished is stopped, an open transaction is rolled back.
pub struct Connection(PooledSession);

impl Connection {
    pub(crate) fn new(session: PooledSession) -> Self {
        Self(session)
    }

    /// A statement to be run on this connection; see [`Query`].
    pub fn query(&mut self, sql: impl Into<Sql>) -> Query<'_> {
        Query::new(Source::Session(&mut self.0, 0), sql.into())
    }

    /// The same as [`query`](Self::query), for statements that are run for what they do.
    pub fn execute(&mut self, sql: impl Into<Sql>) -> Query<'_> {
        self.query(sql)
    }

    /// Begins a transaction on this connection. It is rolled back when it is dropped without
    /// [`commit`](Transaction::commit).
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DbError> {
        self.begin_with(TransactionOptions::default()).await
    }

    /// Begins a transaction with these options. What the database cannot give is an error.
    ///
    /// # Errors
    ///
    /// As for [`begin`](Self::begin).
    pub async fn begin_with(&mut self, options: TransactionOptions) -> Result<Transaction<'_>, DbError> {
        Transaction::begin_on((&mut *self.0).into(), 0, options).await
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn ping(&mut self) -> Result<(), DbError> {
        self.0.ping().await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
