//! Transactions, and savepoints inside them.

use crate::{DbError, Session, TransactionOptions, pool::PooledSession};
use std::ops::{Deref, DerefMut};

/// A transaction, or a savepoint inside one. It dereferences to the [`Session`] that it runs in.
///
/// It is rolled back when it is dropped without [`commit`](Self::commit), at whatever await.
/// [`begin`](Session::begin) and [`transaction`](Session::transaction) nest.
///
/// ```no_run
/// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
/// let mut tx = db.begin().await?;
/// tx.execute("DELETE FROM sessions").await?;
/// let mut savepoint = tx.begin().await?;
/// savepoint.execute("DELETE FROM users").await?;
/// drop(savepoint); // The users stay.
/// tx.commit().await
/// # }
/// ```
///
/// One that has ended cannot be used again, nor can it while a stream of its rows is open:
///
/// ```compile_fail,E0382
/// # async fn example(mut tx: montrs_orm::Transaction<'_>) -> Result<(), montrs_orm::DbError> {
/// tx.commit().await?;
/// tx.execute("DELETE FROM users").await?; // does not compile
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0499
/// # async fn example(mut tx: montrs_orm::Transaction<'_>) -> Result<(), montrs_orm::DbError> {
/// let mut names = tx.query("SELECT name FROM users").fetch::<String>();
/// tx.execute("DELETE FROM users").await?; // does not compile
/// names.next().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
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

impl Deref for SessionRef<'_> {
    type Target = Session;

    #[inline]
    fn deref(&self) -> &Session {
        match self {
            Self::Pooled(session) => session,
            Self::Borrowed(session) => session,
        }
    }
}

impl DerefMut for SessionRef<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Session {
        match self {
            Self::Pooled(session) => session,
            Self::Borrowed(session) => session,
        }
    }
}

impl<'c> Transaction<'c> {
    pub(crate) async fn begin(mut session: SessionRef<'c>, options: TransactionOptions) -> Result<Self, DbError> {
        let depth = session.enter(options).await?;
        Ok(Self { session, depth, ended: false })
    }

    /// Runs the closure, then commits or rolls back.
    pub(crate) async fn run<T, E, F>(mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Session) -> Result<T, E>,
        E: From<DbError>,
    {
        match work(&mut self.session).await {
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

    /// Commits; a savepoint's work becomes part of the transaction around it. What comes later does not compile:
    ///
    /// ```compile_fail,E0382
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let mut tx = db.begin().await?;
    /// tx.commit().await?;
    /// tx.execute("DELETE FROM users").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says. The transaction is then rolled back.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let depth = self.depth;
        self.session.keep(depth).await?;
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
        self.session.undo(depth).await?;
        self.ended = true;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let depth = self.depth;
            self.session.abandon(depth);
        }
    }
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("depth", &self.depth).finish_non_exhaustive()
    }
}
