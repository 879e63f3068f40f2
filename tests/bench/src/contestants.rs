//! Who takes part.

use crate::{Settings, plugins, worker::Worker};
use anyhow::{Context, Result};
use std::{env::current_exe, path::Path, process::Command};

/// SQLite alone, which the others are compared with.
pub(crate) const RAW: &str = "rusqlite";

/// montrs-orm with the driver's default settings.
pub(crate) const MONTRS: &str = "montrs";

/// montrs-orm, told to run statements on the blocking pool.
pub(crate) const BLOCKING: &str = "montrs, blocking";

/// sqlx.
pub(crate) const SQLX: &str = "sqlx";

/// The workers of all contestants.
pub(crate) struct Contestants {
    /// SQLite alone.
    pub(crate) raw: Worker,
    /// All that are compared with it.
    pub(crate) others: Vec<Worker>,
}

impl Contestants {
    /// Starts the workers, each with a directory of its own. A driver that cannot be told how to execute takes part once.
    pub(crate) fn start(settings: &Settings, directory: &Path) -> Result<Self> {
        let plugins = plugins::install(&settings.driver, directory.join("plugins"))?;
        let start = |name: &'static str| -> Result<Worker> {
            let own = directory.join(name.replace(", ", "-"));
            std::fs::create_dir(&own).with_context(|| format!("cannot make {}", own.display()))?;
            let mut command = match name {
                SQLX => Command::new(&settings.sqlx),
                _ => {
                    let mut command = Command::new(current_exe()?);
                    command.args(["worker", name]).arg("--plugins").arg(&plugins);
                    command
                }
            };
            Worker::start(name, command.arg(own))
        };
        let mut others = vec![start(MONTRS)?];
        match start(BLOCKING) {
            Ok(worker) => others.push(worker),
            Err(error) => eprintln!("{BLOCKING} does not take part: {error:#}"),
        }
        others.push(start(SQLX)?);
        Ok(Self { raw: start(RAW)?, others })
    }
}
