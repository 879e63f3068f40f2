//! The suites that run on SQLite once more, with `execution=blocking`: see [`montrs_tests::builder`].

#[path = "errors.rs"]
mod errors;
#[path = "execution.rs"]
mod execution;
#[path = "pool.rs"]
mod pool;
#[path = "queries.rs"]
mod queries;
#[path = "rows.rs"]
mod rows;
#[path = "transactions.rs"]
mod transactions;
