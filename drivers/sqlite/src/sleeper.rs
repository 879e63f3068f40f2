//! Waiting on a thread that may block: a lock that another connection holds is tried again after a short sleep.

use crate::{handle::Watch, monitor::Monitor};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Answers SQLite's questions for work that runs on a blocking thread.
#[derive(Debug)]
pub(crate) struct Sleeper {
    monitor: Arc<Monitor>,
    busy_timeout: Duration,
    /// When the wait for a lock began. Only the thread that works uses it.
    waiting_since: Mutex<Option<Instant>>,
}

impl Sleeper {
    /// Waits so long for a lock.
    pub(crate) fn new(monitor: Arc<Monitor>, busy_timeout: Duration) -> Self {
        Self { monitor, busy_timeout, waiting_since: Mutex::new(None) }
    }
}

impl Watch for Sleeper {
    fn keep_running(&self) -> bool {
        !self.monitor.is_cancelled()
    }

    fn keep_waiting(&self, attempt: u32) -> bool {
        /// As SQLite's own handler does it, but never so long that a cancelled operation stays for long.
        const DELAYS_MS: &[u64] = &[1, 2, 5, 10, 15, 20];
        if self.monitor.is_cancelled() {
            return false;
        }
        let now = Instant::now();
        let since = {
            let mut since = self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner);
            if attempt == 0 {
                *since = None;
            }
            *since.get_or_insert(now)
        };
        let left = self.busy_timeout.saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() {
            return false;
        }
        let delay = DELAYS_MS.get(attempt as usize).or(DELAYS_MS.last()).copied().unwrap_or(1);
        thread::sleep(left.min(Duration::from_millis(delay)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_at_the_timeout_and_when_cancelled() {
        let monitor = Arc::new(Monitor::default());
        let sleeper = Sleeper::new(monitor.clone(), Duration::from_millis(8));
        monitor.begin(1);
        let begun = Instant::now();
        let attempts = (0..1000).take_while(|attempt| sleeper.keep_waiting(*attempt)).count();
        assert!((1..1000).contains(&attempts));
        assert!(begun.elapsed() >= Duration::from_millis(8));
        assert!(sleeper.keep_waiting(0), "another lock is waited for anew");
        monitor.cancel(1);
        assert!(!sleeper.keep_waiting(0));
        assert!(!sleeper.keep_running());
        assert!(!Sleeper::new(Arc::default(), Duration::ZERO).keep_waiting(0));
    }
}
