//! Everything that is measured, in Markdown.

use crate::{
    Settings,
    contest::{Contest, Starter},
    measure,
    server::Server,
    table,
};
use anyhow::{Context, Result};
use montrs_bench_worker::Case;
use std::{process::Command, time::Duration};

/// How long the statement takes that timers run beside.
const LONG_STATEMENT: Duration = Duration::from_secs(10);

/// Runs what is asked for on SQLite, and prints it.
pub(crate) fn sqlite(settings: &Settings) -> Result<()> {
    let (has_stream, has_ticker) = (settings.includes("stream"), settings.includes("ticker"));
    if !has_stream && !has_ticker && !includes_any(settings, Case::SQLITE) {
        return Ok(());
    }
    let directory = directory()?;
    let mut contest = Starter::new(settings, directory.path())?.sqlite()?;
    let mut text = machine(settings, "sqlite");
    text += "A tokio runtime of two threads; every contestant in a process and with files of its own.\n\n";
    text += &versions(&contest);

    let measured = measure::rounds(settings, &mut contest)?;
    if !measured.is_empty() {
        let rounds = settings.rounds();
        text += &format!(
            "\nWall-clock time in multiples of SQLite alone, which is rusqlite with prepared statements, called from the \
             task itself; in brackets, processor time. Of eight tasks, SQLite alone does the work one after the other. Medians of \
             {rounds} rounds. What misses its target is bold.\n\n"
        );
        text += &table::ratios(contest.reference.name, &measured);
    }
    if has_stream {
        let rows = if settings.quick { 1_000_000 } else { 10_000_000 };
        text += &format!("\nResident memory during a stream of {rows} rows:\n\n{}", stream(&mut contest, rows)?);
    }
    if has_ticker {
        let duration = if settings.quick { LONG_STATEMENT / 4 } else { LONG_STATEMENT };
        text += &format!(
            "\nHow late a timer of 1 ms comes on a runtime of one thread, idle and beside a statement of {duration:?}:\n\n{}",
            ticker(&mut contest, duration)?
        );
    }
    print!("{text}");
    Ok(())
}

/// Runs what is asked for on PostgreSQL, and prints it.
pub(crate) fn postgres(settings: &Settings) -> Result<()> {
    let (has_statements, has_copy) = (includes_any(settings, Case::POSTGRES), includes_any(settings, Case::COPY));
    if !has_statements && !has_copy {
        return Ok(());
    }
    let directory = directory()?;
    let starter = Starter::new(settings, directory.path())?;
    let rounds = settings.rounds();
    let mut text = machine(settings, "postgres");
    let server = Server::start()?;
    text += &format!("PostgreSQL {} over TCP on the loopback interface, with `fsync` off. ", server.version());
    text += "Every contestant has a process with a tokio runtime, and a database of its own. ";
    if server.is_apart {
        text += "The server has one processor, and the client whose turn it is another one. ";
    }
    text += "Processor time is that of the client alone.\n\n";
    let mut contest = starter.postgres(&server)?;
    text += &versions(&contest);

    let measured = measure::rounds(settings, &mut contest)?;
    if !measured.is_empty() {
        text += &format!(
            "\nWall-clock time in multiples of tokio-postgres with prepared statements; in brackets, processor time. \
             tokio-postgres has no pool: there it holds a connection. sqlx does not pipeline. Medians of {rounds} rounds. What \
             misses its target is bold.\n\n{}",
            table::ratios(contest.reference.name, &measured)
        );
    }
    let find = |case: Case| measured.iter().find(|measured| measured.case == case);
    for (what, one_by_one, pipelined) in [
        ("The 1,000 inserts, in one transaction each time", Case::ONE_BY_ONE, Case::PIPELINED),
        ("1,000 rows by 50 different queries, each by its key", Case::QUERIES, Case::QUERIES_PIPELINED),
    ] {
        if let (Some(one_by_one), Some(pipelined)) = (find(one_by_one), find(pipelined)) {
            text += &format!("\n{what}:\n\n{}", table::pipelining(contest.reference.name, one_by_one, pipelined));
        }
    }
    drop(contest);
    if has_copy {
        let mut contest = starter.copy(&server)?;
        let measured = measure::rounds(settings, &mut contest)?;
        text += &format!(
            "\nA million rows by COPY, in multiples of `\\copy` of a text file by {}, which is started each time. Rows go in \
             binary; but sqlx is given lines that the program writes.\n\n{}",
            contest.reference.versions,
            table::ratios(contest.reference.name, &measured)
        );
    }
    print!("{text}");
    Ok(())
}

fn includes_any(settings: &Settings, cases: &[Case]) -> bool {
    cases.iter().any(|case| settings.includes(case.name))
}

fn directory() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("montrs-bench-").tempdir().context("no temporary directory")
}

fn stream(contest: &mut Contest, rows: u64) -> Result<String> {
    let mut measured = Vec::new();
    for worker in &mut contest.others {
        eprintln!("a stream of {rows} rows: {}", worker.name);
        worker.open(Case::STREAM)?;
        measured.push((worker.name, worker.memory(Case::STREAM, rows)?));
    }
    Ok(table::growth(&measured))
}

fn ticker(contest: &mut Contest, duration: Duration) -> Result<String> {
    let mut measured = Vec::new();
    for worker in &mut contest.others {
        eprintln!("a timer: {}", worker.name);
        measured.push((worker.name, worker.lateness(duration)?));
    }
    Ok(table::lateness(&measured))
}

/// What it was run on.
fn machine(settings: &Settings, database: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = format!("cargo xtask bench {database} --rounds {}", settings.rounds());
    if let Some(only) = &settings.only {
        command += &format!(" --only '{only}'");
    }
    if settings.quick {
        command += " --quick";
    }
    format!(
        "Measured by `{command}` on {}, {cores} cores, {} {}, {}. ",
        processor().unwrap_or_else(|| "an unknown processor".into()),
        std::env::consts::OS,
        std::env::consts::ARCH,
        compiler().unwrap_or_else(|| "an unknown compiler".into()),
    )
}

/// What it was run with.
fn versions(contest: &Contest) -> String {
    let workers = std::iter::once(&contest.reference).chain(&contest.others);
    workers.map(|worker| format!("- {}: {}\n", worker.name, worker.versions)).collect()
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
