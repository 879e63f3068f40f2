//! What a pool does by itself: it closes connections that are idle or old, and keeps some open.

use super::{Pool, holders::Holder, lease::Lease, options::LONGEST_PERIOD};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// The task that looks after a pool. Dropping it ends the task.
pub(crate) struct Maintenance(AbortHandle);

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pool {
    /// Begins to look after the connections, where there is something to do.
    pub(crate) fn maintain(&self) -> Option<Maintenance> {
        let period = self.0.options.maintenance_period()?;
        let pool = self.clone();
        let task = self.0.runtime.spawn(async move {
            let mut pause = period;
            loop {
                tokio::time::sleep(pause).await;
                let begun = Instant::now();
                pool.tend().await;
                pause = rest(period, begun.elapsed());
            }
        });
        Some(Maintenance(task.abort_handle()))
    }

    async fn tend(&self) {
        while let Some(lease) = self.due() {
            lease.close().await;
        }
        while let Some(mut lease) = self.missing() {
            // What fails is tried again the next time; who needs a connection is told why there is none.
            if !matches!(lease.open(self.0.options.acquire_timeout).await, Ok(Ok(()))) {
                break;
            }
        }
    }

    /// An idle connection whose time is over.
    fn due(&self) -> Option<Lease> {
        let options = &self.0.options;
        let now = Instant::now();
        let mut connections = self.connections();
        let may_idle = connections.open <= options.min_connections;
        let index = connections.idle.iter_mut().position(|connection| {
            let idle = connection.idle_since.get_or_insert_with(tokio::time::Instant::now).elapsed();
            connection.expires.is_some_and(|expires| now >= expires)
                || !may_idle && options.idle_timeout.is_some_and(|timeout| idle >= timeout)
        })?;
        self.0.permits.try_acquire().ok()?.forget();
        let mut connection = connections.idle.remove(index);
        (connection.is_fresh, connection.session.checked_out) = (false, None);
        let number = connections.holders.enter(Holder { at: None, since: now });
        Some(Lease { pool: self.clone(), number, connection: Some(connection) })
    }

    /// The right to a connection, where there are fewer than there should be.
    fn missing(&self) -> Option<Lease> {
        let mut connections = self.connections();
        if connections.open >= self.0.options.min_connections {
            return None;
        }
        let permit = self.0.permits.try_acquire().ok()?;
        // With the one that is to be opened, those in use and those that are idle must not be too many.
        if connections.idle.len() > self.0.permits.available_permits() {
            return None;
        }
        permit.forget();
        let number = connections.holders.enter(Holder { at: None, since: Instant::now() });
        Some(Lease { pool: self.clone(), number, connection: None })
    }
}

/// How long to wait after a round that took so long: with lifetimes so short that what is opened is too old at once, no more
/// than a tenth of the time goes into opening.
fn rest(period: Duration, took: Duration) -> Duration {
    period.max(LONGEST_PERIOD.min(9 * took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_takes_long_is_followed_by_a_longer_rest() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(10), ms(1)), ms(10));
        assert_eq!(rest(ms(10), ms(100)), ms(900));
        assert_eq!(rest(ms(10), Duration::from_secs(60)), LONGEST_PERIOD);
        assert_eq!(rest(LONGEST_PERIOD, Duration::ZERO), LONGEST_PERIOD);
    }
}
