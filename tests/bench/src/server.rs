//! The PostgreSQL server of the benchmark, which is stopped and removed at the end.

use anyhow::{Context, Result};
use montrs_test_clusters::{Cluster, sql};

/// A server on a processor of its own, where there are two. This process, and what it starts from then on, has another.
pub(crate) struct Server {
    cluster: Cluster,
    /// Whether server and clients have processors of their own.
    pub(crate) is_apart: bool,
}

/// Nothing that the server does by itself is to disturb what is measured, nor the disk. (`fsync` is off, as for all throwaway
/// servers.)
const SETTINGS: &[(&str, &str)] =
    &[("shared_buffers", "256MB"), ("max_wal_size", "8GB"), ("autovacuum", "off"), ("synchronous_commit", "off")];

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let processors = processors::allowed()?;
        let (first, last) = (processors.first(), processors.last());
        let is_apart = first != last;
        if let Some(first) = first.filter(|_| is_apart) {
            processors::keep_to(*first)?;
        }
        let cluster = Cluster::start(SETTINGS).context("the benchmark needs PostgreSQL: cargo xtask setup")?;
        if let Some(last) = last.filter(|_| is_apart) {
            processors::keep_to(*last)?;
        }
        Ok(Self { cluster, is_apart })
    }

    /// The URL of the database of a contestant, which is made when it is not there.
    pub(crate) fn database(&self, contestant: &str) -> Result<String> {
        let (url, name) = (self.cluster.url(), contestant.replace('-', "_"));
        if sql(&url, &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"))? == "0" {
            sql(&url, &format!("CREATE DATABASE {name}"))?;
        }
        Ok(self.cluster.url_of("postgres", &name))
    }

    pub(crate) fn version(&self) -> &str {
        self.cluster.version()
    }
}

#[cfg(target_os = "linux")]
mod processors {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };

    /// Those that this thread may run on.
    pub(super) fn allowed() -> nix::Result<Vec<usize>> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        Ok((0..CpuSet::count()).filter(|index| set.is_set(*index).unwrap_or_default()).collect())
    }

    /// Lets this thread, and all threads and processes that it starts, run on this one only.
    pub(super) fn keep_to(processor: usize) -> nix::Result<()> {
        let mut set = CpuSet::new();
        set.set(processor)?;
        sched_setaffinity(Pid::from_raw(0), &set)
    }
}

#[cfg(not(target_os = "linux"))]
mod processors {
    pub(super) fn allowed() -> std::io::Result<Vec<usize>> {
        Ok(Vec::new())
    }

    pub(super) fn keep_to(_processor: usize) -> std::io::Result<()> {
        Ok(())
    }
}
