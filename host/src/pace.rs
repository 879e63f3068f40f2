//! Giving way to other tasks: a driver that answers at once never would.

use std::time::{Duration, Instant};

/// How a session uses up tokio's budget of a task, which is 128 units: then the task gives way.
///
/// Giving way takes some microseconds, because tokio wakes another thread for the task: the time of many short operations.
/// So each operation uses up a unit, but short ones use up one together. They keep a thread for about a millisecond at most,
/// which is how exact tokio's timers are.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How many operations there were since the clock was looked at.
    operations: u32,
    looked_at: Instant,
    /// Whether the operations before that were short.
    are_short: bool,
}

/// So many operations use up a unit together…
const TOGETHER: u32 = 4;

/// …if so many took no longer than this before.
const SHORT: Duration = Duration::from_micros(10);

impl Pace {
    pub(crate) fn new() -> Self {
        Self { operations: 0, looked_at: Instant::now(), are_short: false }
    }

    /// Comes before an operation. Gives way when it is time.
    #[inline]
    pub(crate) async fn keep(&mut self) {
        if self.is_due(Instant::now) {
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Whether the operation that comes uses up a unit.
    #[inline]
    fn is_due(&mut self, clock: impl FnOnce() -> Instant) -> bool {
        self.operations += 1;
        if self.operations < TOGETHER {
            return !self.are_short;
        }
        let now = clock();
        self.are_short = now.duration_since(self.looked_at) <= SHORT;
        (self.operations, self.looked_at) = (0, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a hundred groups of operations use up a unit, when each takes so long.
    fn units(operation: Duration) -> usize {
        let mut pace = Pace::new();
        let mut now = pace.looked_at;
        let operations = 0..100 * TOGETHER;
        operations
            .filter(|_| {
                now += operation;
                pace.is_due(|| now)
            })
            .count()
    }

    #[test]
    fn short_operations_use_up_a_unit_together_and_others_one_each() {
        // The first ones, of which nothing is known, use up one each.
        assert_eq!(units(Duration::from_nanos(500)), 100 + TOGETHER as usize - 1);
        assert_eq!(units(Duration::from_micros(2)), 100 + TOGETHER as usize - 1);
        assert_eq!(units(Duration::from_micros(3)), 100 * TOGETHER as usize);
    }
}
