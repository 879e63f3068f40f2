//! What a connection and the work on it tell each other without waiting: which operation runs, which are cancelled, and
//! the connection's state.

use montrs_driver_sdk::ConnectionStatus;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Shared by a connection and its session.
///
/// Operations are numbered. Cancelling names the operation, so it never meets the one after it, however late it comes;
/// `sqlite3_interrupt` could not promise that.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    /// The number of the operation that the session works at, or has worked at last.
    running: AtomicU64,
    /// Operations up to this one are cancelled.
    cancelled: AtomicU64,
    status: AtomicU32,
    is_broken: AtomicBool,
}

impl Monitor {
    /// Says which operation begins; numbers start at 1 and rise.
    pub(crate) fn begin(&self, operation: u64) {
        self.running.store(operation, Ordering::Relaxed);
    }

    /// Cancels an operation, whether it is still to begin, runs or has ended.
    pub(crate) fn cancel(&self, operation: u64) {
        self.cancelled.fetch_max(operation, Ordering::Relaxed);
    }

    /// Cancels the operation that runs.
    pub(crate) fn cancel_running(&self) {
        self.cancel(self.running.load(Ordering::Relaxed));
    }

    /// Whether the operation that runs is cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        let running = self.running.load(Ordering::Relaxed);
        running != 0 && running <= self.cancelled.load(Ordering::Relaxed)
    }

    /// Says what is true of the connection after an operation.
    pub(crate) fn set_status(&self, status: ConnectionStatus) {
        self.status.store(status.0, Ordering::Release);
    }

    /// The connection cannot be used again.
    pub(crate) fn set_broken(&self) {
        self.is_broken.store(true, Ordering::Release);
    }

    /// Whether the connection cannot be used again.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// What was said last.
    pub(crate) fn status(&self) -> ConnectionStatus {
        let status = ConnectionStatus(self.status.load(Ordering::Acquire));
        if self.is_broken() { status.with(ConnectionStatus::BROKEN) } else { status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_an_operation_leaves_the_next_one_alone() {
        let monitor = Monitor::default();
        assert!(!monitor.is_cancelled());
        monitor.begin(1);
        monitor.cancel(1);
        assert!(monitor.is_cancelled());
        monitor.begin(2);
        assert!(!monitor.is_cancelled());
        // A cancellation that comes late.
        monitor.cancel(1);
        assert!(!monitor.is_cancelled());
    }
}
