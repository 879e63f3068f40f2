//! The suites that run on SQLite once more, with `execution=blocking`: see [`montrs_tests::builder`].

#[path = "bad_values.rs"]
mod bad_values;
#[path = "checks.rs"]
mod checks;
#[path = "commands.rs"]
mod commands;
#[path = "composites.rs"]
mod composites;
#[path = "damaged_files.rs"]
mod damaged_files;
#[path = "derives.rs"]
mod derives;
#[path = "dropped_futures.rs"]
mod dropped_futures;
#[path = "errors.rs"]
mod errors;
#[path = "execution.rs"]
mod execution;
#[path = "full_disk.rs"]
mod full_disk;
#[path = "hooks.rs"]
mod hooks;
#[path = "locked_by_others.rs"]
mod locked_by_others;
#[path = "many.rs"]
mod many;
#[path = "parameters.rs"]
mod parameters;
#[path = "pipelines.rs"]
mod pipelines;
#[path = "pool.rs"]
mod pool;
#[path = "pool_upkeep.rs"]
mod pool_upkeep;
#[path = "queries.rs"]
mod queries;
#[path = "query_builder.rs"]
mod query_builder;
#[path = "replaced_files.rs"]
mod replaced_files;
#[path = "replicas.rs"]
mod replicas;
#[path = "retries.rs"]
mod retries;
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
#[path = "tables.rs"]
mod tables;
#[path = "transactions.rs"]
mod transactions;
#[path = "types.rs"]
mod types;
#[path = "write_queue.rs"]
mod write_queue;
