//! Who takes part in what.

use crate::{Settings, plugins, server::Server, worker::Worker};
use anyhow::{Context, Result};
use montrs_bench_worker::Case;
use std::{env::current_exe, path::Path, process::Command};

/// SQLite alone.
pub(crate) const RUSQLITE: &str = "rusqlite";

/// tokio-postgres, linked into the program.
pub(crate) const TOKIO_POSTGRES: &str = "tokio-postgres";

/// PostgreSQL's own client.
pub(crate) const PSQL: &str = "psql";

/// montrs-orm with the driver's default settings.
pub(crate) const MONTRS: &str = "montrs";

/// montrs-orm, with the SQLite driver told to run statements on the blocking pool.
pub(crate) const BLOCKING: &str = "montrs, blocking";

/// sqlx.
pub(crate) const SQLX: &str = "sqlx";

/// Cases, and the workers of all contestants.
pub(crate) struct Contest {
    pub(crate) cases: &'static [Case],
    /// With whom the others are compared.
    pub(crate) reference: Worker,
    pub(crate) others: Vec<Worker>,
}

/// Starts workers, each with a directory of its own.
pub(crate) struct Starter<'a> {
    settings: &'a Settings,
    directory: &'a Path,
    plugins: std::path::PathBuf,
}

impl<'a> Starter<'a> {
    /// The directory is empty, and outlives the workers.
    pub(crate) fn new(settings: &'a Settings, directory: &'a Path) -> Result<Self> {
        let plugins = plugins::install(&settings.driver, directory.join("plugins"))?;
        Ok(Self { settings, directory, plugins })
    }

    /// The contest on SQLite. A driver that cannot be told how to execute takes part once.
    pub(crate) fn sqlite(&self) -> Result<Contest> {
        let mut others = vec![self.start(MONTRS, None)?];
        match self.start(BLOCKING, None) {
            Ok(worker) => others.push(worker),
            Err(error) => eprintln!("{BLOCKING} does not take part: {error:#}"),
        }
        others.push(self.start(SQLX, None)?);
        Ok(Contest { cases: Case::SQLITE, reference: self.start(RUSQLITE, None)?, others })
    }

    /// The contest of libraries on PostgreSQL.
    pub(crate) fn postgres(&self, server: &Server) -> Result<Contest> {
        let start = |name| self.start(name, Some(server));
        Ok(Contest {
            cases: Case::POSTGRES,
            reference: start(TOKIO_POSTGRES)?,
            others: vec![start(MONTRS)?, start(SQLX)?],
        })
    }

    /// The contest of COPY.
    pub(crate) fn copy(&self, server: &Server) -> Result<Contest> {
        let start = |name| self.start(name, Some(server));
        let others = vec![start(MONTRS)?, start(TOKIO_POSTGRES)?, start(SQLX)?];
        Ok(Contest { cases: Case::COPY, reference: start(PSQL)?, others })
    }

    fn start(&self, name: &'static str, server: Option<&Server>) -> Result<Worker> {
        let own = self.directory.join(name.replace(", ", "-"));
        std::fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
        let mut command = match name {
            SQLX => Command::new(&self.settings.sqlx),
            _ => {
                let mut command = Command::new(current_exe()?);
                command.args(["worker", name]).arg("--plugins").arg(&self.plugins);
                command
            }
        };
        command.arg(own);
        if let Some(server) = server {
            command.arg(server.database(name)?);
        }
        Worker::start(name, &mut command)
    }
}
