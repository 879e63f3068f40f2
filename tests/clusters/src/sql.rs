//! SQL without a driver of ours: by `psql`, which comes with PostgreSQL.

use crate::{supervisor::without_settings, url};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Runs SQL at a URL, or at a connection string of `psql`. The values of all rows, in lines, with `|` in between.
///
/// # Errors
///
/// What `psql` says when the server cannot be reached or refuses a statement.
pub fn sql(url: &str, sql: &str) -> Result<String> {
    let mut command = Command::new("psql");
    without_settings(&mut command);
    command.args(["-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d"]);
    // Everybody can see a program's arguments.
    match url::without_password(url) {
        Some((url, password)) => command.arg(url).env("PGPASSWORD", password),
        None => command.arg(url),
    };
    let output = command.output().context("cannot run psql: cargo xtask setup")?;
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
