//! Connections of one's own, and transactions.

use super::Database;
use crate::{Connection, DbError, Retry, Session, Transaction, TransactionOptions, retry, transaction::SessionRef};
use std::panic::Location;

impl Database {
    /// Checks out a connection, for statements that must run on the same one.
    ///
    /// # Errors
    ///
    /// [`PoolTimeout`](crate::DbErrorKind::PoolTimeout), which says who holds the connections; or why none could be
    /// opened.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Connection, DbError>> + Send + '_ {
        let at = Location::caller();
        async move { Ok(Connection::new(self.checkout(at).await?)) }
    }

    /// Begins a transaction. It is rolled back when it is dropped without [`commit`](Transaction::commit).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire), and what the database says.
    #[track_caller]
    pub fn begin(&self) -> impl Future<Output = Result<Transaction<'static>, DbError>> + Send + '_ {
        self.begin_with(TransactionOptions::default())
    }

    /// Begins a transaction with these options. What the database cannot give is an error.
    ///
    /// # Errors
    ///
    /// As for [`begin`](Self::begin).
    #[track_caller]
    pub fn begin_with(
        &self,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Transaction<'static>, DbError>> + Send + '_ {
        let at = Location::caller();
        async move { Transaction::begin(SessionRef::Pooled(self.checkout_to_begin(options, at).await?), options).await }
    }

    /// Runs the closure in a transaction: committed when it returns `Ok`, rolled back when it returns `Err`, panics, or
    /// is dropped at any await.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let id: i64 = db
    ///     .transaction(async |tx| {
    ///         tx.execute("INSERT INTO users (name) VALUES ($1)").bind("Ada").await?;
    ///         tx.query("SELECT max(id) FROM users").fetch_scalar().await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the closure returns; what begin and commit return, turned into the closure's error.
    #[track_caller]
    pub fn transaction<'a, T, E, F>(&'a self, work: F) -> impl Future<Output = Result<T, E>> + use<'a, T, E, F>
    where
        F: AsyncFnOnce(&mut Session) -> Result<T, E> + 'a,
        E: From<DbError>,
    {
        let at = Location::caller();
        async move {
            let session = SessionRef::Pooled(self.checkout(at).await?);
            Transaction::begin(session, TransactionOptions::default()).await?.run(work).await
        }
    }

    /// Runs the closure in a transaction, as [`transaction`](Self::transaction), and once more in another one when a transaction
    /// beside it was in the way: a failure to serialize, a deadlock, or a locked database, be it in a statement of the closure or
    /// in the commit. What the failed attempt did in the database is undone before; what the closure does elsewhere, it must be
    /// able to do twice. Each attempt runs a copy of the closure: what it captures is shared, or is cloned.
    ///
    /// Nothing is run again that may have been kept: when the connection is lost during the commit, that is the error. Nor is a
    /// closure that returns an error of its own, or panics. In the pauses between the attempts no connection is held.
    ///
    /// ```no_run
    /// use montrs_orm::{DbError, Isolation, Retry, TransactionOptions};
    /// # async fn example(db: montrs_orm::Database) -> Result<(), DbError> {
    /// let serializable = TransactionOptions { isolation: Isolation::SERIALIZABLE, ..Default::default() };
    /// db.transaction_with_retry(Retry::default().transaction(serializable), async |tx| {
    ///     let balance: i64 = tx.query("SELECT balance FROM accounts WHERE id = 1").fetch_scalar().await?;
    ///     tx.execute("UPDATE accounts SET balance = $1 WHERE id = 1").bind(balance - 10).await?;
    ///     Ok::<_, DbError>(())
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`transaction`](Self::transaction); of the last attempt, when all have failed.
    #[track_caller]
    pub fn transaction_with_retry<'a, T, E, F>(
        &'a self,
        retry: Retry,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + use<'a, T, E, F>
    where
        F: AsyncFnOnce(&mut Session) -> Result<T, E> + Clone + 'a,
        E: From<DbError>,
    {
        retry::run(self, retry, work, Location::caller())
    }
}
