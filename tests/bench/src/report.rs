//! Everything that is measured, in Markdown.

use crate::{
    Settings,
    contestants::{Contestants, RAW},
    measure, table,
};
use anyhow::{Context, Result};
use montrs_bench_worker::Case;
use std::{process::Command, time::Duration};

/// How long the statement takes that timers run beside.
const LONG_STATEMENT: Duration = Duration::from_secs(10);

/// Runs what is asked for, and prints it.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("montrs-bench-").tempdir().context("no temporary directory")?;
    let mut contestants = Contestants::start(settings, directory.path())?;
    let mut text = machine(settings, &contestants);

    let measured = measure::rounds(settings, &mut contestants)?;
    if !measured.is_empty() {
        let rounds = settings.rounds();
        text += &format!(
            "\nWall-clock time in multiples of SQLite alone, which is rusqlite with prepared statements, called from the \
             task itself; in brackets, processor time. Of eight tasks, SQLite alone does the work one after the other. Medians of \
             {rounds} rounds. What misses its target is bold.\n\n"
        );
        text += &table::ratios(&measured);
    }
    if settings.includes("stream") {
        let rows = if settings.quick { 1_000_000 } else { 10_000_000 };
        text += &format!("\nResident memory during a stream of {rows} rows:\n\n{}", stream(&mut contestants, rows)?);
    }
    if settings.includes("ticker") {
        let duration = if settings.quick { LONG_STATEMENT / 4 } else { LONG_STATEMENT };
        text += &format!(
            "\nHow late a timer of 1 ms comes on a runtime of one thread, idle and beside a statement of {duration:?}:\n\n{}",
            ticker(&mut contestants, duration)?
        );
    }
    print!("{text}");
    Ok(())
}

fn stream(contestants: &mut Contestants, rows: u64) -> Result<String> {
    let mut measured = Vec::new();
    for worker in &mut contestants.others {
        eprintln!("a stream of {rows} rows: {}", worker.name);
        worker.open(Case::STREAM)?;
        measured.push((worker.name, worker.memory(Case::STREAM, rows)?));
    }
    Ok(table::growth(&measured))
}

fn ticker(contestants: &mut Contestants, duration: Duration) -> Result<String> {
    let mut measured = Vec::new();
    for worker in &mut contestants.others {
        eprintln!("a timer: {}", worker.name);
        measured.push((worker.name, worker.lateness(duration)?));
    }
    Ok(table::lateness(&measured))
}

/// What it was run on, and with.
fn machine(settings: &Settings, contestants: &Contestants) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = format!("cargo xtask bench --rounds {}", settings.rounds());
    if let Some(only) = &settings.only {
        command += &format!(" --only '{only}'");
    }
    if settings.quick {
        command += " --quick";
    }
    let mut text = format!(
        "Measured by `{command}` on {}, {cores} cores, {} {}, {}. A tokio runtime of two threads; every contestant in a \
         process and with files of its own.\n\n",
        processor().unwrap_or_else(|| "an unknown processor".into()),
        std::env::consts::OS,
        std::env::consts::ARCH,
        compiler().unwrap_or_else(|| "an unknown compiler".into()),
    );
    text += &format!("- {RAW}: {}\n", contestants.raw.versions);
    for worker in &contestants.others {
        text += &format!("- {}: {}\n", worker.name, worker.versions);
    }
    text
}

fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
