//! How fast montrs-orm is on SQLite, measured against its peers. `cargo xtask bench` builds all that it needs and runs it.
//!
//! Each contestant runs in a worker of its own, and one at a time. In each round each contestant runs a segment of each
//! case, and beside it, before or after, SQLite alone runs one too; the ratio of the two is what counts. So what
//! disturbs the machine for longer than a segment disturbs both.

#![forbid(unsafe_code)]

mod contestants;
mod measure;
mod montrs;
mod plugins;
mod raw;
mod report;
mod table;
mod worker;

use anyhow::Result;
use clap::{Parser, Subcommand};
use montrs_bench_worker::serve;
use std::path::PathBuf;

/// Measures montrs-orm on SQLite against its peers, and prints Markdown.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all contestants.
    Run(Settings),
    /// Be one of them, and do what is asked on standard input.
    Worker(WorkerSettings),
}

#[derive(clap::Args)]
struct WorkerSettings {
    /// The contestant's name.
    name: String,
    /// Where it puts its databases.
    directory: PathBuf,
    /// The plugins directory with the SQLite driver.
    #[arg(long)]
    plugins: PathBuf,
}

/// What is run, and how often.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// The library of the SQLite driver.
    #[arg(long)]
    driver: PathBuf,
    /// The program that is sqlx's worker.
    #[arg(long)]
    sqlx: PathBuf,
    /// How many rounds are measured, after one that is not.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Only the cases with this in their name; `stream` and `ticker` are names too.
    #[arg(long)]
    only: Option<String>,
    /// Three rounds, and less of the rest.
    #[arg(long)]
    quick: bool,
}

impl Settings {
    /// How many rounds are measured.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { self.rounds.min(3) } else { self.rounds.max(1) }
    }

    /// Whether this is to be run.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Run(settings) => report::run(&settings),
        Command::Worker(WorkerSettings { name, directory, plugins }) => match name.as_str() {
            contestants::RAW => serve(raw::Raw, &directory),
            contestants::MONTRS => serve(montrs::Montrs { plugins, parameters: "" }, &directory),
            contestants::BLOCKING => serve(montrs::Montrs { plugins, parameters: "execution=blocking" }, &directory),
            _ => anyhow::bail!("no such contestant: {name}"),
        },
    }
}
