//! sqlx as a contestant: `montrs-bench-sqlx DIRECTORY` on SQLite, `montrs-bench-sqlx DIRECTORY URL` on PostgreSQL.

#![forbid(unsafe_code)]

mod postgres;
mod sqlite;

use anyhow::{Context, Result};
use montrs_bench_worker::serve;
use std::path::PathBuf;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().context("the directory for files is missing")?);
    match arguments.next() {
        None => serve(sqlite::Sqlx, &directory),
        Some(url) => serve(postgres::Sqlx { url: url.into_string().ok().context("the URL is not text")? }, &directory),
    }
}
