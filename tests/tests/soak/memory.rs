//! The memory of the process.

use std::time::Duration;
use tokio::time::{Instant, interval};

/// The most resident memory in each half of the time, in KiB, where the system tells it.
pub(crate) async fn highest_of_halves(time: Duration) -> Option<[u64; 2]> {
    let (begin, mut ticks) = (Instant::now(), interval(Duration::from_millis(50)));
    let mut highest = [0; 2];
    while begin.elapsed() < time {
        ticks.tick().await;
        let half = usize::from(begin.elapsed() > time / 2);
        highest[half] = resident()?.max(highest[half]);
    }
    Some(highest)
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
