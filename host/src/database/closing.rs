//! Closing a database.

use super::Database;
use crate::DbError;
use std::time::Duration;

impl Database {
    /// Waits until the database is closed.
    pub(crate) async fn closed(self) {
        self.0.pool.closed().await;
    }

    /// Closes the database, and its replicas: idle connections at once and in an orderly way, those in use when they are given back.
    /// Whoever waits for a connection, or asks for one later, gets [`PoolClosed`](crate::DbErrorKind::PoolClosed);
    /// so does whoever awaits the next item of a [`Listener`](crate::Listener), which then ends.
    ///
    /// # Errors
    ///
    /// What the driver says of the last connection that failed to close; all are closed nevertheless.
    pub async fn close(&self) -> Result<(), DbError> {
        let mut result = self.0.pool.close().await;
        for replica in self.0.replicas.all() {
            result = replica.0.pool.close().await.and(result);
        }
        result
    }

    /// As [`close`](Self::close), and waits until those who use connections have given them back, and these are closed.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) {
    /// if let Err(error) = db.close_within(std::time::Duration::from_secs(10)).await {
    ///     eprintln!("{error}"); // Says who still holds a connection, and since when.
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::DbErrorKind::Timeout), which says who still holds connections when the time is up; they are
    /// closed when they are given back. What the driver says of the last idle connection that failed to close.
    pub async fn close_within(&self, limit: Duration) -> Result<(), DbError> {
        let begun = std::time::Instant::now();
        let mut result = self.0.pool.close_within(limit).await;
        for replica in self.0.replicas.all() {
            result = replica.0.pool.close_within(limit.saturating_sub(begun.elapsed())).await.and(result);
        }
        result
    }
}
