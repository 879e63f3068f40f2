//! A PostgreSQL server for as long as somebody wants it: `cargo run --package montrs-test-clusters`.
//!
//! It prints the server's URL, and stops and removes the server at the end of its input (Ctrl-D) or when it is killed
//! (Ctrl-C).

use anyhow::Result;
use montrs_test_clusters::Cluster;
use std::io::{Read, Write};

fn main() -> Result<()> {
    let cluster = Cluster::start(&[])?;
    println!("{}", cluster.url());
    println!("PostgreSQL {} in {}", cluster.version(), cluster.directory().display());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
