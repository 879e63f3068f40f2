//! Giving way to other tasks: a driver that answers at once never would.

use std::time::{Duration, Instant};

/// How a session uses up tokio's budget of a task, which is 128 units: then the task gives way.
///
/// Giving way takes some microseconds, because tokio wakes another thread for the task: the time of many short operations.
/// So each operation uses up a unit, but short ones use up one together. They keep a thread for about a millisecond at most,
/// which is how exact tokio's timers are.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How many operations use up a unit together.
    together: u32,
    /// How many of them are still to come.
    left: u32,
    /// When the clock was looked at last, which is done for each unit.
    looked_at: Instant,
}

/// Operations that use up a unit together are to take no longer than this…
const SHORT: Duration = Duration::from_micros(10);

/// …and are no more than this: what was short may suddenly take long.
const MOST: u32 = 16;

impl Pace {
    pub(crate) fn new() -> Self {
        Self { together: 1, left: 1, looked_at: Instant::now() }
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
    pub(crate) fn is_due(&mut self, clock: impl FnOnce() -> Instant) -> bool {
        self.left -= 1;
        if self.left > 0 {
            return false;
        }
        self.begin_unit(clock());
        true
    }

    fn begin_unit(&mut self, now: Instant) {
        self.together = match now.duration_since(self.looked_at) {
            took if took > SHORT => 1,
            took if took > SHORT / 2 => self.together,
            _ => MOST.min(self.together * 2),
        };
        (self.left, self.looked_at) = (self.together, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many units 400 operations use up, when each takes so long.
    fn units(operation: Duration) -> usize {
        let mut pace = Pace::new();
        let mut now = pace.looked_at;
        let operations = 0..400;
        operations
            .filter(|_| {
                now += operation;
                pace.is_due(|| now)
            })
            .count()
    }

    #[test]
    fn short_operations_use_up_a_unit_together_and_others_one_each() {
        assert_eq!(units(Duration::from_micros(11)), 400);
        assert_eq!(units(Duration::from_micros(6)), 400);
        // After those of which nothing is known yet.
        assert_eq!(units(Duration::from_micros(3)), 1 + 399 / 2);
        assert_eq!(units(Duration::from_micros(2)), 2 + 397 / 4);
        assert_eq!(units(Duration::from_nanos(100)), 4 + 385 / 16);
    }

    #[test]
    fn one_that_takes_long_ends_that() {
        let mut pace = Pace::new();
        let mut now = pace.looked_at;
        for _ in 0..100 {
            now += Duration::from_nanos(100);
            pace.is_due(|| now);
        }
        now += Duration::from_millis(1);
        while !pace.is_due(|| now) {}
        assert!((0..100).all(|_| {
            now += Duration::from_millis(1);
            pace.is_due(|| now)
        }));
    }
}
