//! A primary and its streaming standby.

use crate::{Cluster, Installation, cluster::SUPERUSER, settings, supervisor::PATIENCE};
use anyhow::Result;
use std::time::{Duration, Instant};

/// A primary and a standby that follows it over streaming replication.
#[derive(Debug)]
pub struct Replicated {
    /// The server that takes writes.
    pub primary: Cluster,
    /// The server that follows. It takes queries that only read.
    pub standby: Cluster,
}

impl Replicated {
    /// Two servers, made from [`Installation::chosen`].
    ///
    /// # Panics
    ///
    /// When they do not start.
    pub fn start() -> Self {
        let servers = Installation::chosen().and_then(|installation| Self::start_from(&installation));
        servers.unwrap_or_else(|error| panic!("a primary and its standby cannot be started: {error:#}"))
    }

    /// Two servers, made from this installation.
    ///
    /// # Errors
    ///
    /// One does not start.
    pub fn start_from(installation: &Installation) -> Result<Self> {
        let mut primary = Cluster::make(installation, &[])?;
        // The standby begins as a copy of a primary that has never run.
        let mut standby = Cluster::empty(installation, primary.password().to_owned())?;
        let data = primary.directory().join("data");
        standby.supervisor.run(&["cp".as_ref(), "-RP".as_ref(), data.as_os_str(), "data".as_ref()])?;
        primary.try_run()?;
        let to_primary = format!("host={} port={} user={SUPERUSER}", primary.directory().display(), primary.port());
        standby.configure(&[("primary_conninfo", &to_primary)], settings::HBA)?;
        standby.supervisor.write("data/standby.signal", "")?;
        standby.try_run()?;
        Ok(Self { primary, standby })
    }

    /// Waits until the standby has everything that the primary has committed so far.
    ///
    /// # Panics
    ///
    /// When it has not after a minute.
    pub fn catch_up(&self) {
        let position = self.primary.sql("SELECT pg_current_wal_lsn()");
        let reached = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
        let deadline = Instant::now() + PATIENCE;
        while self.standby.sql(&reached) != "t" {
            assert!(Instant::now() < deadline, "the standby does not reach {position}:\n{}", self.standby.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes the standby a primary, and waits until it is one. The other one is left as it is.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn promote(&self) {
        assert_eq!(self.standby.sql("SELECT pg_promote()"), "t", "{}", self.standby.log());
    }
}
