//! The suites that run on SQLite once more, with `execution=blocking`: see [`montrs_tests::builder`].

#[path = "commands.rs"]
mod commands;
#[path = "damaged_files.rs"]
mod damaged_files;
#[path = "dropped_futures.rs"]
mod dropped_futures;
#[path = "errors.rs"]
mod errors;
#[path = "execution.rs"]
mod execution;
#[path = "full_disk.rs"]
mod full_disk;
#[path = "locked_by_others.rs"]
mod locked_by_others;
#[path = "many.rs"]
mod many;
#[path = "pool.rs"]
mod pool;
#[path = "queries.rs"]
mod queries;
#[path = "replaced_files.rs"]
mod replaced_files;
#[path = "rows.rs"]
mod rows;
#[path = "scripts.rs"]
mod scripts;
#[path = "shutdown.rs"]
mod shutdown;
#[path = "sqlite_dates.rs"]
mod sqlite_dates;
#[path = "sqlite_features.rs"]
mod sqlite_features;
#[path = "sqlite_json.rs"]
mod sqlite_json;
#[path = "sqlite_only.rs"]
mod sqlite_only;
#[path = "transactions.rs"]
mod transactions;
