//! How fast montrs-orm is, measured against its peers. `cargo xtask bench` builds all that it needs and runs it.
//!
//! Each contestant runs in a worker of its own, and one at a time. In each round each contestant runs a segment of each
//! case, and beside it, before or after, the one that all are compared with runs one too; the ratio of the two is what counts. So what
//! disturbs the machine for longer than a segment disturbs both.

#![forbid(unsafe_code)]

mod contest;
mod measure;
mod montrs;
mod plugins;
mod psql;
mod raw;
mod raw_postgres;
mod report;
mod server;
mod table;
mod worker;

use anyhow::Result;
use clap::{Parser, Subcommand};
use montrs::Kind;
use montrs_bench_worker::serve;
use std::path::PathBuf;

/// Measures montrs-orm against its peers, and prints Markdown.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all contestants on SQLite.
    Sqlite(Settings),
    /// Run all contestants on a PostgreSQL server, which is started for it.
    Postgres(Settings),
    /// Be one of them, and do what is asked on standard input.
    Worker(WorkerSettings),
}

#[derive(clap::Args)]
struct WorkerSettings {
    /// The contestant's name.
    name: String,
    /// Where it puts its files.
    directory: PathBuf,
    /// Its database on a server; without one, it is measured on SQLite.
    url: Option<String>,
    /// The plugins directory with the driver.
    #[arg(long)]
    plugins: PathBuf,
}

/// What is run, and how often.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// The library of the driver.
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
        Command::Sqlite(settings) => report::sqlite(&settings),
        Command::Postgres(settings) => report::postgres(&settings),
        Command::Worker(WorkerSettings { name, directory, plugins, url }) => match (name.as_str(), url) {
            (contest::RUSQLITE, None) => serve(raw::Raw, &directory),
            (contest::MONTRS, None) => serve(montrs::Montrs { plugins, kind: Kind::Sqlite("") }, &directory),
            (contest::BLOCKING, None) => {
                serve(montrs::Montrs { plugins, kind: Kind::Sqlite("?execution=blocking") }, &directory)
            }
            (contest::MONTRS, Some(url)) => {
                // The server asks for it in clear text, which the driver does not send to a server that it was not told to trust.
                let url = format!("{url}?require_auth=password");
                serve(montrs::Montrs { plugins, kind: Kind::Postgres(url) }, &directory)
            }
            (contest::TOKIO_POSTGRES, Some(url)) => serve(raw_postgres::TokioPostgres { url }, &directory),
            (contest::PSQL, Some(url)) => serve(psql::Psql { url }, &directory),
            _ => anyhow::bail!("no such contestant: {name}"),
        },
    }
}
