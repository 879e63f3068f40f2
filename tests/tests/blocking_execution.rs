//! The suites that run on SQLite once more, with `execution=blocking`: see [`montrs_tests::builder`].

#[path = "commands.rs"]
mod commands;
#[path = "errors.rs"]
mod errors;
#[path = "execution.rs"]
mod execution;
#[path = "many.rs"]
mod many;
#[path = "pool.rs"]
mod pool;
#[path = "queries.rs"]
mod queries;
#[path = "rows.rs"]
mod rows;
#[path = "transactions.rs"]
mod transactions;
