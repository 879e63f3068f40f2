//! What a pool is made with.

use super::SHORT;
use crate::Capability;
use montrs_driver_loader as loader;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

/// How often a pool is looked after at least.
pub(super) const LONGEST_PERIOD: Duration = Duration::from_secs(30);

/// What the pool is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) max_connections: usize,
    pub(crate) min_connections: usize,
    pub(crate) acquire_timeout: Duration,
    /// `None` is never.
    pub(crate) idle_timeout: Option<Duration>,
    /// `None` is for ever.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) check_after: Duration,
    pub(crate) statement_cache_capacity: NonZeroUsize,
    /// There are others to read from: opening a connection is not tried again, and must not take long.
    pub(crate) is_replica: bool,
}

impl PoolOptions {
    /// What of it the database can have.
    pub(crate) fn limited_by(mut self, database: &loader::Database) -> Self {
        let limit = usize::try_from(database.capability(Capability::MAX_CONNECTIONS)).unwrap_or(usize::MAX);
        if limit > 0 {
            self.max_connections = self.max_connections.min(limit);
            self.min_connections = self.min_connections.min(limit);
        }
        if limit == 1 {
            // The database may live in its connection.
            (self.idle_timeout, self.max_lifetime) = (None, None);
        }
        self
    }

    /// When a connection that is opened now has been open for as long as it may. Up to a tenth less, so that those that were
    /// opened together do not end together.
    pub(super) fn expires(&self, now: Instant) -> Option<Instant> {
        let lifetime = self.max_lifetime?;
        now.checked_add(lifetime - (lifetime / 10).mul_f64(random()))
    }

    /// Until when a connection must be opened that is wanted now, by somebody who waits until the deadline.
    pub(super) fn time_to_open(&self, deadline: tokio::time::Instant) -> tokio::time::Instant {
        if !self.is_replica {
            return deadline;
        }
        deadline.min(tokio::time::Instant::now() + SHORT.min(self.acquire_timeout / 2))
    }

    /// How often somebody must look after the connections, if at all.
    pub(super) fn maintenance_period(&self) -> Option<Duration> {
        const SHORTEST: Duration = Duration::from_millis(10);
        let limits = self.idle_timeout.into_iter().chain(self.max_lifetime);
        let filling = (self.min_connections > 0).then_some(LONGEST_PERIOD);
        let period = limits.map(|limit| limit / 4).chain(filling).min()?;
        Some(period.clamp(SHORTEST, LONGEST_PERIOD))
    }
}

/// From 0 to below 1. Not for secrets.
pub(crate) fn random() -> f64 {
    // Each `RandomState` has keys of its own.
    f64::from((RandomState::new().build_hasher().finish() >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_differ_by_up_to_a_tenth() {
        let options = PoolOptions {
            max_connections: 1,
            min_connections: 0,
            acquire_timeout: Duration::ZERO,
            idle_timeout: None,
            max_lifetime: Some(Duration::from_secs(100)),
            check_after: Duration::ZERO,
            statement_cache_capacity: NonZeroUsize::MIN,
            is_replica: false,
        };
        let now = Instant::now();
        let lifetimes: Vec<f64> = (0..100).map(|_| (options.expires(now).unwrap() - now).as_secs_f64()).collect();
        assert!(lifetimes.iter().all(|seconds| (90.0..=100.0).contains(seconds)), "{lifetimes:?}");
        let (least, most) = lifetimes.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
        assert!(most - least > 2.0, "{lifetimes:?}");
        let never = PoolOptions { max_lifetime: Some(Duration::MAX), ..options };
        assert_eq!(never.expires(now), None);
    }
}
