//! The suites that are not about one database, on PostgreSQL: see [`montrs_tests::Place`].

#[path = "bad_values.rs"]
mod bad_values;
#[path = "checks.rs"]
mod checks;
#[path = "composites.rs"]
mod composites;
#[path = "derives.rs"]
mod derives;
#[path = "dropped_futures.rs"]
mod dropped_futures;
#[path = "error_examples.rs"]
mod error_examples;
#[path = "errors.rs"]
mod errors;
#[path = "hooks.rs"]
mod hooks;
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
#[path = "replicas.rs"]
mod replicas;
#[path = "retries.rs"]
mod retries;
#[path = "rows.rs"]
mod rows;
#[path = "scripts.rs"]
mod scripts;
#[path = "tables.rs"]
mod tables;
#[path = "transaction_options.rs"]
mod transaction_options;
#[path = "transactions.rs"]
mod transactions;
#[path = "types.rs"]
mod types;
#[path = "write_queue.rs"]
mod write_queue;
