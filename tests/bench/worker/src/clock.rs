//! Time: on the wall, and of the processor.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The time that something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// On the wall.
    pub wall: Duration,
    /// Of the processor, in all threads of this process.
    pub cpu: Duration,
}

/// When something began.
pub(crate) struct Start {
    wall: Instant,
    cpu: Duration,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self { cpu: process_time(), wall: Instant::now() }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { wall: self.wall.elapsed(), cpu: process_time().saturating_sub(self.cpu) }
    }
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
