//! The commands of this repository: `cargo xtask --help`.

mod bench;
mod demo;
mod features;
mod run;
mod sanitize;
mod setup;
mod test;

use clap::Parser;
use std::process::ExitCode;

/// The commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Show the main job on SQLite: one program, compiled without a database client, and a driver file.
    Demo,
    /// Install what the tests need and this system lacks.
    Setup,
    /// Run every test: formatting, lints, unit and integration tests, documentation.
    Test,
    /// Run the tests of what crosses the boundary under AddressSanitizer. Needs a nightly toolchain.
    Sanitize,
    /// Measure how fast it is, against rusqlite, tokio-postgres, psql and sqlx. The machine should do nothing else.
    Bench(bench::Settings),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Demo => demo::demo(),
        Command::Setup => setup::setup(),
        Command::Test => test::test(),
        Command::Sanitize => sanitize::sanitize(),
        Command::Bench(settings) => bench::bench(&settings),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
