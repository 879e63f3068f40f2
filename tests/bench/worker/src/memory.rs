//! The memory of the process.

use crate::Subject;
use anyhow::{Context, Result};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What is run before, so that what is allocated once is not counted.
const WARM_UP: u64 = 100_000;

/// Runs the case so many times, and tells by how many KiB the resident memory has grown meanwhile, at most.
pub(crate) async fn growth(subject: &mut impl Subject, iterations: u64) -> Result<u64> {
    subject.run(WARM_UP).await?;
    let before = resident()?;
    let over: &'static AtomicBool = Box::leak(Box::default());
    let highest = thread::spawn(move || -> Result<u64> {
        let mut highest = resident()?;
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
            highest = highest.max(resident()?);
        }
        Ok(highest)
    });
    let run = subject.run(iterations).await;
    over.store(true, Ordering::Relaxed);
    let highest = highest.join().expect("reading a file does not panic")?;
    run?;
    Ok(highest.saturating_sub(before))
}

/// In KiB.
fn resident() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("this system does not tell the resident memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc/self/status has no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("not a number of KiB: {line}"))
}
