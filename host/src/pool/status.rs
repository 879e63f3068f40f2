//! What a pool counts.

use super::Pool;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// The connections of a pool at one moment, and what has happened so far. For metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Open connections, in use or not.
    pub open: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// The most connections that will be open.
    pub max: usize,
    /// For how long the connection is held that has been held the longest of those in use.
    pub longest_hold: Option<Duration>,
    /// How often a connection was given out, since the pool was made.
    pub acquired: u64,
    /// How many callers had to wait because all connections were in use, whatever came of it.
    pub waited: u64,
    /// For how long they have waited, all together.
    pub wait_time: Duration,
    /// How many of them waited in vain, until `acquire_timeout`.
    pub timed_out: u64,
    /// Connections opened since the pool was made; without those that are open, so many were closed or lost.
    pub opened: u64,
    /// Connections that could not be opened.
    pub failed: u64,
}

/// What has happened so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) acquired: u64,
    pub(super) waited: u64,
    pub(super) wait_time: Duration,
    pub(super) timed_out: u64,
    pub(super) opened: u64,
    pub(super) failed: u64,
}

impl Pool {
    pub(crate) fn status(&self) -> PoolStatus {
        let connections = self.connections();
        let Counts { acquired, waited, wait_time, timed_out, opened, failed } = connections.counts;
        PoolStatus {
            open: connections.open,
            idle: connections.idle.len(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            max: self.0.options.max_connections,
            longest_hold: connections.holders.longest().map(|since| since.elapsed()),
            acquired,
            waited,
            wait_time,
            timed_out,
            opened,
            failed,
        }
    }
}

/// Counts a caller for as long as it waits.
pub(super) struct Waits<'a> {
    pool: &'a Pool,
    since: Instant,
}

impl<'a> Waits<'a> {
    pub(super) fn new(pool: &'a Pool) -> Self {
        pool.0.waiting.fetch_add(1, Ordering::Relaxed);
        Self { pool, since: Instant::now() }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.pool.0.waiting.fetch_sub(1, Ordering::Relaxed);
        let counts = &mut self.pool.connections().counts;
        counts.waited += 1;
        counts.wait_time += self.since.elapsed();
    }
}
