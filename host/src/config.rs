//! `montrs.toml`.

use crate::{DbError, DbErrorKind};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The parts of the file that are read here. Other tables belong to other parts of an application.
#[derive(Deserialize, Default)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) database: DatabaseTable,
    #[serde(default)]
    pub(crate) drivers: DriversTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseTable {
    url: Option<String>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) acquire_timeout_ms: Option<u64>,
    pub(crate) statement_cache_capacity: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriversTable {
    #[serde(default)]
    pub(crate) path: Vec<PathBuf>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, DbError> {
        let wrong = |problem: String| {
            DbError::new(
                DbErrorKind::Configuration,
                format!("the settings in {} cannot be read: {problem}", path.display()),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))
    }
}

impl DatabaseTable {
    /// The URL, read from the environment where it is `env:NAME`.
    pub(crate) fn url(&self) -> Result<Option<String>, DbError> {
        let Some(name) = self.url.as_deref().and_then(|url| url.strip_prefix("env:")) else {
            return Ok(self.url.clone());
        };
        std::env::var(name).map(Some).map_err(|_| {
            let message = format!("the settings take the database URL from the variable {name}, which is not set");
            DbError::new(DbErrorKind::Configuration, message)
        })
    }
}
