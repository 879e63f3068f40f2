//! Time: on the wall, and of the processor.

use nix::sys::resource::{UsageWho, getrusage};
use std::{
    io,
    time::{Duration, Instant},
};

/// The time that something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// On the wall.
    pub wall: Duration,
    /// Of the processor, in all threads of this process, and in processes that it has run to their end.
    pub cpu: Duration,
}

/// When something began.
pub(crate) struct Start {
    wall: Instant,
    cpu: Duration,
}

impl Start {
    pub(crate) fn now() -> io::Result<Self> {
        Ok(Self { cpu: processor()?, wall: Instant::now() })
    }

    pub(crate) fn spent(&self) -> io::Result<Spent> {
        let wall = self.wall.elapsed();
        Ok(Spent { wall, cpu: processor()?.saturating_sub(self.cpu) })
    }
}

/// What this process has used so far.
fn processor() -> io::Result<Duration> {
    let mut microseconds = 0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            microseconds += time.tv_sec() * 1_000_000 + time.tv_usec();
        }
    }
    Ok(Duration::from_micros(microseconds.try_into().unwrap_or_default()))
}
