//! What SQLite is answered while it works: whether its time is up, whether it is cancelled, how to wait for a lock.
//!
//! On a coroutine the answers come after a pause, elsewhere after a short sleep.

use crate::{
    coroutine::{self, Pause, Place},
    handle::Watch,
    monitor::Monitor,
    runtime::Runtime,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Moves to a thread that may block, for what takes long and cannot be suspended.
pub(crate) fn leave_executor() {
    if coroutine::place() == Some(Place::Executor) {
        coroutine::pause(Pause::Syncing);
    }
}

/// Answers SQLite's questions. Its times are those of the work that runs, which is one at a time.
pub(crate) struct Governor {
    monitor: Arc<Monitor>,
    runtime: Arc<Runtime>,
    /// In milliseconds.
    busy_timeout: AtomicU64,
    /// What the times are counted from.
    epoch: Instant,
    /// When the wait for a lock began, in nanoseconds.
    waiting_since: AtomicU64,
    was_asked_to_wait: AtomicBool,
}

impl Governor {
    /// Waits so long for a lock.
    pub(crate) fn new(monitor: Arc<Monitor>, runtime: Arc<Runtime>, busy_timeout: Duration) -> Self {
        let busy_timeout = AtomicU64::new(milliseconds(busy_timeout));
        Self {
            monitor,
            runtime,
            busy_timeout,
            epoch: Instant::now(),
            waiting_since: AtomicU64::new(0),
            was_asked_to_wait: AtomicBool::new(false),
        }
    }

    /// Whether what runs is to stop. On the blocking pool the end of the runtime is a reason too: it waits for that.
    fn is_cancelled(&self) -> bool {
        if self.runtime.has_ended() && coroutine::place() != Some(Place::Executor) {
            self.monitor.cancel_running();
        }
        self.monitor.is_cancelled()
    }

    /// Nanoseconds since the epoch.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Watch for Governor {
    fn keep_running(&self) -> bool {
        if self.is_cancelled() {
            return false;
        }
        coroutine::pause_if_spent();
        !self.is_cancelled()
    }

    fn keep_waiting(&self, attempt: u32) -> bool {
        /// As SQLite's own handler does it, but never so long that a cancelled operation stays for long.
        const DELAYS_MS: &[u64] = &[1, 2, 5, 10, 15, 20];
        self.was_asked_to_wait.store(true, Ordering::Relaxed);
        if self.is_cancelled() {
            return false;
        }
        let now = self.now();
        if attempt == 0 {
            self.waiting_since.store(now, Ordering::Relaxed);
        }
        let waited = Duration::from_nanos(now - self.waiting_since.load(Ordering::Relaxed));
        let busy_timeout = Duration::from_millis(self.busy_timeout.load(Ordering::Relaxed));
        let left = busy_timeout.saturating_sub(waited);
        if left.is_zero() {
            return false;
        }
        let delay = DELAYS_MS.get(attempt as usize).or(DELAYS_MS.last()).copied().unwrap_or(1);
        let delay = left.min(Duration::from_millis(delay));
        match coroutine::place() {
            Some(_) => coroutine::pause(Pause::Waiting(delay)),
            None => thread::sleep(delay),
        }
        !self.is_cancelled()
    }

    fn begin(&self) {
        self.was_asked_to_wait.store(false, Ordering::Relaxed);
    }

    fn was_asked_to_wait(&self) -> bool {
        self.was_asked_to_wait.load(Ordering::Relaxed)
    }

    fn set_busy_timeout(&self, timeout: Duration) {
        self.busy_timeout.store(milliseconds(timeout), Ordering::Relaxed);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coroutine::{Fiber, Step};

    #[test]
    fn waiting_ends_at_the_timeout_and_when_cancelled() {
        let monitor = Arc::new(Monitor::default());
        let governor = Governor::new(monitor.clone(), Runtime::endless(), Duration::from_millis(8));
        monitor.begin(1);
        let begun = Instant::now();
        let attempts = (0..1000).take_while(|attempt| governor.keep_waiting(*attempt)).count();
        assert!((1..1000).contains(&attempts));
        assert!(begun.elapsed() >= Duration::from_millis(8));
        assert!(governor.keep_waiting(0), "another lock is waited for anew");
        monitor.cancel(1);
        assert!(!governor.keep_waiting(0));
        assert!(!governor.keep_running());
        assert!(!Governor::new(Arc::default(), Runtime::endless(), Duration::ZERO).keep_waiting(0));
    }

    #[test]
    fn on_an_executor_work_is_paused_when_its_time_is_up_and_while_it_waits() {
        let monitor = Arc::new(Monitor::default());
        monitor.begin(1);
        let fiber = Fiber::new(Governor::new(monitor.clone(), Runtime::endless(), Duration::from_secs(60))).unwrap();
        let step = fiber.start(Place::Executor, |governor| {
            let goes_on = governor.keep_waiting(0);
            while governor.keep_running() {}
            goes_on
        });
        let Step::Paused(running, Pause::Waiting(_)) = step else { panic!("it waits") };
        let Step::Paused(running, Pause::Spent) = running.go_on(Place::Executor) else { panic!("its time is up") };
        monitor.cancel(1);
        let Step::Ended(_, Ok(goes_on)) = running.go_on(Place::Thread) else { panic!("it is cancelled") };
        assert!(goes_on);
    }
}
