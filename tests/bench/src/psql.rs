//! PostgreSQL's own client, for COPY.

use anyhow::{Context, Result, bail, ensure};
use montrs_bench_worker::{Case, Contestant, POSTGRES_CLEAN, POSTGRES_SETUP, Subject, Workload, copied_file};
use montrs_test_clusters::sql;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// psql with this URL. Starting it, and connecting, is part of what is measured.
pub(crate) struct Psql {
    pub(crate) url: String,
}

pub(crate) struct CopyFrom {
    workload: Workload,
    url: String,
    file: PathBuf,
}

impl Contestant for Psql {
    type Subject = CopyFrom;

    async fn versions(&self) -> Result<String> {
        let output = Command::new("psql").arg("--version").output().context("cannot run psql: cargo xtask setup")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<CopyFrom> {
        for statement in POSTGRES_SETUP {
            sql(&self.url, statement)?;
        }
        Ok(CopyFrom { workload: case.workload, url: self.url.clone(), file: copied_file(directory)? })
    }
}

impl Subject for CopyFrom {
    async fn clean(&mut self) -> Result<()> {
        sql(&self.url, POSTGRES_CLEAN).map(drop)
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        for _ in 0..iterations {
            match self.workload {
                // It has no rows of its own.
                Workload::CopyFile | Workload::CopyRows => {
                    let copy = format!("\\copy copied FROM '{}'", self.file.display());
                    let status = Command::new("psql").args(["-X", "-q", "-w", "-d", &self.url, "-c", &copy]).status();
                    ensure!(status.context("cannot run psql")?.success(), "psql failed");
                }
                other => bail!("psql has no {other:?}"),
            }
        }
        Ok(())
    }
}
