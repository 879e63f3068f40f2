//! Who takes part.

use crate::Case;
use anyhow::Result;
use std::path::Path;

/// A library that takes part.
pub trait Contestant: Send + Sync + 'static {
    /// What runs a case.
    type Subject: Subject;

    /// The library's name and version, and that of its database.
    fn versions(&self) -> impl Future<Output = Result<String>> + Send;

    /// Opens a database for the case: of SQLite a new one, with the tables of [`SETUP`](crate::SETUP), in an empty place of the
    /// directory; of PostgreSQL the contestant's own, with those of [`POSTGRES_SETUP`](crate::POSTGRES_SETUP).
    fn open(&self, case: Case, directory: &Path) -> impl Future<Output = Result<Self::Subject>> + Send;
}

/// A database that was opened for a case.
pub trait Subject: Send + 'static {
    /// Makes the database as it was before the first segment. This is not measured.
    fn clean(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Runs the case so many times.
    fn run(&mut self, iterations: u64) -> impl Future<Output = Result<()>> + Send;
}
