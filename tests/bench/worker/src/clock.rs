//! Time: on the wall, and of the processor.

use cpu_time::ProcessTime;
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
    cpu: ProcessTime,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self { cpu: ProcessTime::now(), wall: Instant::now() }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { wall: self.wall.elapsed(), cpu: self.cpu.elapsed() }
    }
}
