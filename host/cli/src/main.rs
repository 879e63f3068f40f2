//! `montrs-db`: runs SQL on any database that there is a driver for, lists the drivers that are installed, and explains errors.
//!
//! It is an application of `montrs_orm` like any other: it names no database and links no database client.
//!
//! The way of a query: [`args`] → [`settings`] → [`mod@query`] → [`bindings`] → a [`rows::RowWriter`] ([`table`], [`json`],
//! [`csv_rows`]). [`mod@script`] does the same for many statements. Whatever fails becomes a [`failure::Failure`], which
//! [`report`] prints.

#![forbid(unsafe_code)]

mod args;
mod bindings;
mod calendar;
mod csv_rows;
mod drivers;
mod drivers_table;
mod excerpt;
mod explain;
mod failure;
mod interrupt;
mod json;
mod parameter;
mod printable;
mod query;
mod report;
mod rows;
mod script;
mod settings;
mod table;
mod value_text;

use args::{Command, DriversArgs, Format, QueryArgs, ScriptArgs, TextFormat};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::read();
    let (outcome, as_json) = match args.command {
        Command::Query(command) => {
            let as_json = command.format == Format::Json;
            (query(args.settings, command), as_json)
        }
        Command::Script(command) => (script(args.settings, command), false),
        Command::Drivers(command) => (drivers(&args.settings, &command), command.format.is_json()),
        Command::Explain(command) => {
            (explain::explain(command.code.as_deref(), command.format), command.format == TextFormat::Json)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::print(&failure, as_json);
            failure.exit_code()
        }
    }
}

fn query(settings: args::Settings, command: QueryArgs) -> Result<(), Failure> {
    // Before Ctrl-C is handled here: reading standard input can be waiting for a person.
    let sql = query::sql_text(&command.sql)?;
    block_on(query::run(settings, command, sql))
}

fn script(settings: args::Settings, command: ScriptArgs) -> Result<(), Failure> {
    let text = script::text(&command.file)?;
    block_on(script::run(settings, command, text))
}

/// Runs the work on a runtime of its own.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::system("CLI_RUNTIME", format!("the async runtime cannot be started: {error}")))?;
    let outcome = runtime.block_on(work);
    // A driver's blocking call that does not end must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn drivers(settings: &args::Settings, command: &DriversArgs) -> Result<(), Failure> {
    let search_path = settings::builder(settings)?.drivers_path();
    drivers::list(&search_path, command.format)
}
