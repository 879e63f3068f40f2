//! Transactions that are run again when another one was in their way.

use crate::{
    Database, DbError, DbErrorKind, Session, Transaction, TransactionOptions, pool::random, transaction::SessionRef,
};
use std::{panic::Location, time::Duration};

/// How [`transaction_with_retry`](crate::Database::transaction_with_retry) goes about it.
///
/// ```
/// use montrs_orm::{Isolation, Retry, TransactionOptions};
/// let serializable = TransactionOptions { isolation: Isolation::SERIALIZABLE, ..Default::default() };
/// let retry = Retry::default().attempts(20).transaction(serializable);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Retry {
    attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
    options: TransactionOptions,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 10,
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_secs(1),
            options: TransactionOptions::default(),
        }
    }
}

impl Retry {
    /// How often the transaction is run at most, the first time included. Defaults to 10; 0 counts as 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The pause before the second attempt; each one after it may be twice as long, up to the longest. What is waited is a
    /// random part of that, at least half. Defaults to 5 milliseconds, and 1 second.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_pause, self.longest_pause) = (first, longest);
        self
    }

    /// How each attempt begins. Defaults to what the database does when nothing is said.
    pub fn transaction(mut self, options: TransactionOptions) -> Self {
        self.options = options;
        self
    }

    /// Before which attempt, counted from 1, it is waited how long.
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.checked_pow(attempt - 1).and_then(|times| self.first_pause.checked_mul(times));
        doubled.unwrap_or(Duration::MAX).min(self.longest_pause).mul_f64(0.5 + random() / 2.0)
    }
}

/// Runs the closure in a transaction, and again in another one as long as that makes sense.
pub(crate) async fn run<T, E, F>(
    database: &Database,
    retry: Retry,
    work: F,
    at: &'static Location<'static>,
) -> Result<T, E>
where
    F: AsyncFnOnce(&mut Session) -> Result<T, E> + Clone,
    E: From<DbError>,
{
    let mut attempt = 1;
    loop {
        let session = SessionRef::Pooled(database.checkout_to_begin(retry.options, at).await?);
        match once(retry.options, work.clone(), session).await {
            Ok(value) => return Ok(value),
            Err(Failure { is_passing: true, .. }) if attempt < retry.attempts => {}
            Err(Failure { error, .. }) => return Err(error),
        }
        tokio::time::sleep(retry.pause(attempt)).await;
        attempt += 1;
    }
}

struct Failure<E> {
    error: E,
    /// Another transaction was in the way, and nothing was kept.
    is_passing: bool,
}

async fn once<T, E, F>(options: TransactionOptions, work: F, session: SessionRef<'static>) -> Result<T, Failure<E>>
where
    F: AsyncFnOnce(&mut Session) -> Result<T, E>,
    E: From<DbError>,
{
    let of_database = |error: DbError| Failure { is_passing: error.is_passing(), error: E::from(error) };
    let mut transaction = Transaction::begin(session, options).await.map_err(of_database)?;
    match work(&mut transaction).await {
        Ok(value) => {
            transaction.commit().await.map_err(of_database)?;
            Ok(value)
        }
        Err(error) => {
            let was_in_the_way = transaction.another_was_in_the_way();
            // Where this fails, a reset makes up for it before the connection is used again.
            let undone = transaction.rollback().await;
            // What SQL has ended may have been committed.
            Err(Failure { error, is_passing: was_in_the_way && undone.is_ok() })
        }
    }
}

impl DbError {
    /// Whether another transaction was in the way, and for certain nothing was done.
    pub(crate) fn is_passing(&self) -> bool {
        let was_in_the_way =
            matches!(self.kind(), DbErrorKind::Serialization | DbErrorKind::Deadlock | DbErrorKind::Busy);
        was_in_the_way && !self.may_have_executed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        let retry = Retry::default().pauses(Duration::from_millis(10), Duration::from_millis(100));
        for (attempt, longest) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (40, 100)] {
            let pauses: Vec<u128> = (0..50).map(|_| retry.pause(attempt).as_micros()).collect();
            assert!(pauses.iter().all(|&pause| (longest * 500..=longest * 1000).contains(&pause)), "{pauses:?}");
            assert!(pauses.iter().max() > pauses.iter().min());
        }
    }
}
