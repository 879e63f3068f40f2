//! A timer beside a long statement, on a runtime of one thread: does it still come in time?

use crate::{Case, Contestant, Subject};
use anyhow::Result;
use std::{path::Path, time::Duration};
use tokio::{runtime::Builder, time::Instant};

/// How late a timer of one millisecond comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// Half of the time, at most so late.
    pub median: Duration,
    /// 99 times out of 100, at most so late.
    pub p99: Duration,
    /// The latest of all.
    pub max: Duration,
}

const PERIOD: Duration = Duration::from_millis(1);

/// How many steps the statement takes to tell how long one is.
const TRIAL: u64 = 500_000;

/// The lateness on an idle runtime, and beside a statement that takes so long.
pub(crate) fn lateness(
    contestant: &impl Contestant,
    directory: &Path,
    duration: Duration,
) -> Result<(Lateness, Lateness)> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut subject = contestant.open(Case::COUNT, directory).await?;
        let trial = Instant::now();
        subject.run(TRIAL).await?;
        let steps = TRIAL as f64 * duration.as_secs_f64() / trial.elapsed().as_secs_f64();

        let end = Instant::now() + duration / 2;
        let idle = tick(|| Instant::now() < end).await;
        let statement = tokio::spawn(async move { subject.run(steps as u64).await });
        let busy = tick(|| !statement.is_finished()).await;
        statement.await??;
        Ok((idle, busy))
    })
}

async fn tick(mut go_on: impl FnMut() -> bool) -> Lateness {
    let mut lateness = Vec::new();
    while go_on() || lateness.is_empty() {
        let due = Instant::now() + PERIOD;
        tokio::time::sleep_until(due).await;
        lateness.push(due.elapsed());
    }
    lateness.sort_unstable();
    let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize];
    Lateness { median: at(0.5), p99: at(0.99), max: at(1.0) }
}
