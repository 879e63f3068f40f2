//! Transactions, and savepoints inside them.

use crate::{DbError, Query, Sql, TransactionOptions, pool::PooledSession, query::Source, session::Session};

/// A transaction, or a savepoint inside one.
///
/// It is rolled back when it is dropped without [`commit`](Self::commit), at whatever await. [`begin`](Self::begin) and
/// [`transaction`](Self::transaction) nest: a transaction inside a transaction is a savepoint.
pub struct Transaction<'c> {
    session: SessionRef<'c>,
    /// 1 for the transaction itself, more for a savepoint.
    depth: u32,
    ended: bool,
}

/// A session: checked out for the purpose, or the caller's.
pub(crate) enum SessionRef<'c> {
    Pooled(PooledSession),
    Borrowed(&'c mut Session),
}

impl SessionRef<'_> {
    pub(crate) fn get(&mut self) -> &mut Session {
        match self {
            Self::Pooled(session) => session,
            Self::Borrowed(session) => session,
        }
    }
}

impl From<PooledSession> for SessionRef<'_> {
    fn from(session: PooledSession) -> Self {
        Self::Pooled(session)
    }
}

impl<'c> From<&'c mut Session> for SessionRef<'c> {
    fn from(session: &'c mut Session) -> Self {
        Self::Borrowed(session)
    }
}

impl<'c> Transaction<'c> {
    /// Begins a transaction inside the level `outer`; 0 is none.
    pub(crate) async fn begin_on(
        mut session: SessionRef<'c>,
        outer: u32,
        options: TransactionOptions,
    ) -> Result<Self, DbError> {
        let depth = session.get().begin(outer, options).await?;
        Ok(Self { session, depth, ended: false })
    }

    /// Runs the closure, then commits or rolls back.
    pub(crate) async fn run<T, E, F>(mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Transaction<'c>) -> Result<T, E>,
        E: From<DbError>,
    {
        match work(&mut self).await {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The closure's error is what the caller needs to see. A rollback that fails is made up for by the
                // reset before the connection is used again.
                let _ = self.rollback().await;
                Err(error)
            }
        }
    }

    /// A statement to be run in the transaction; see [`Query`].
    pub fn query(&mut self, sql: impl Into<Sql>) -> Query<'_> {
        Query::new(Source::Session(self.session.get(), self.depth), sql.into())
    }

    /// The same as [`query`](Self::query), for statements that are run for what they do.
    pub fn execute(&mut self, sql: impl Into<Sql>) -> Query<'_> {
        self.query(sql)
    }

    /// Sets a savepoint, as a transaction inside this one.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DbError> {
        let outer = self.depth;
        Transaction::begin_on(SessionRef::Borrowed(self.session.get()), outer, TransactionOptions::default()).await
    }

    /// Runs the closure in a savepoint: kept when it returns `Ok`, undone when it returns `Err`, panics, or is dropped.
    ///
    /// # Errors
    ///
    /// What the closure returns; what the database says of the savepoint, turned into the closure's error.
    pub async fn transaction<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
        E: From<DbError>,
    {
        self.begin().await?.run(work).await
    }

    /// Commits; a savepoint's work becomes part of the transaction around it.
    ///
    /// # Errors
    ///
    /// What the database says. The transaction is then rolled back.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let depth = self.depth;
        self.session.get().commit(depth).await?;
        self.ended = true;
        Ok(())
    }

    /// Rolls back. Dropping the transaction does the same, without telling whether it worked.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn rollback(mut self) -> Result<(), DbError> {
        let depth = self.depth;
        self.session.get().rollback(depth).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let depth = self.depth;
            self.session.get().abandon(depth);
        }
    }
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("depth", &self.depth).finish_non_exhaustive()
    }
}
