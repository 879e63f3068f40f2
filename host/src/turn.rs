//! Giving way to other tasks: a driver that answers at once never would.

use std::time::{Duration, Instant};

/// How a session uses up tokio's budget of a task, which is 128 units: then the task gives way.
///
/// Giving way takes some microseconds, the time of many short operations. So each operation uses up a unit, but short ones
/// use up one together.
#[derive(Debug)]
pub(crate) struct Turn {
    /// How many operations there were since the clock was looked at.
    operations: u32,
    begun: Instant,
    /// Whether the operations before those were short.
    are_short: bool,
}

/// So many operations use up a unit together…
const TOGETHER: u32 = 8;

/// …as long as they take no more than this.
const SHORT: Duration = Duration::from_micros(10);

impl Turn {
    pub(crate) fn new() -> Self {
        Self { operations: 0, begun: Instant::now(), are_short: false }
    }

    /// Comes before an operation. Gives way when it is time.
    #[inline]
    pub(crate) async fn take(&mut self) {
        if self.is_due(Instant::now) {
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Whether the operation that comes uses up a unit.
    #[inline]
    fn is_due(&mut self, now: impl FnOnce() -> Instant) -> bool {
        self.operations += 1;
        if self.operations < TOGETHER {
            return !self.are_short;
        }
        let now = now();
        self.are_short = now.duration_since(self.begun) < SHORT;
        (self.operations, self.begun) = (0, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a hundred groups of operations use up a unit, when each takes so long.
    fn units(operation: Duration) -> usize {
        let mut turn = Turn::new();
        let mut now = turn.begun;
        let operations = 0..100 * TOGETHER;
        operations
            .filter(|_| {
                now += operation;
                turn.is_due(|| now)
            })
            .count()
    }

    #[test]
    fn short_operations_use_up_a_unit_together_and_others_one_each() {
        assert_eq!(units(Duration::from_nanos(500)), 100 + TOGETHER as usize - 1);
        assert_eq!(units(Duration::from_micros(2)), 100 * TOGETHER as usize);
    }
}
