//! Which connection an operation gets.

use super::Database;
use crate::{DbError, TransactionOptions, pool::PooledSession, session::locks_at_once, writer};
use std::panic::Location;

impl Database {
    /// A connection, where one is idle.
    pub(crate) fn try_checkout(&self, at: &'static Location<'static>) -> Option<PooledSession> {
        self.0.pool.try_acquire(at)
    }

    /// A connection; of another database to read from, if this one is a replica that cannot be reached.
    pub(crate) async fn checkout(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        match self.checkout_here(at).await {
            Err(error) if self.0.primary.get().is_some() => Box::pin(self.elsewhere(error, at)).await,
            checked_out => checked_out,
        }
    }

    /// A connection of this very database.
    pub(crate) async fn checkout_here(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        match self.try_checkout(at) {
            Some(session) => Ok(session),
            None => self.0.pool.acquire(at).await.map_err(|error| match self.0.primary.get() {
                // The application has named several databases.
                Some(_) => error.during(format_args!("the replica {}", self.redacted_url())),
                None => error,
            }),
        }
    }

    /// A connection that has the turn to write, where there is such a thing.
    pub(crate) async fn checkout_to_write(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        match self.0.pool.queue() {
            Some(queue) => writer::checkout(self, queue, at).await,
            None => self.checkout_here(at).await,
        }
    }

    /// A connection for a transaction.
    pub(crate) async fn checkout_to_begin(
        &self,
        options: TransactionOptions,
        at: &'static Location<'static>,
    ) -> Result<PooledSession, DbError> {
        if locks_at_once(options) { self.checkout_to_write(at).await } else { self.checkout(at).await }
    }

    /// Whether those who write wait for their turn.
    #[inline]
    pub(crate) fn queues_writers(&self) -> bool {
        self.0.pool.queue().is_some()
    }
}
