//! `montrs.toml`.

use crate::{DbError, DbErrorKind};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The tables of the file that are read here.
const TABLES: [&str; 2] = ["database", "drivers"];

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
    #[serde(default)]
    replicas: Vec<String>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) min_connections: Option<usize>,
    pub(crate) acquire_timeout_ms: Option<u64>,
    pub(crate) idle_timeout_ms: Option<u64>,
    pub(crate) max_lifetime_ms: Option<u64>,
    pub(crate) check_after_ms: Option<u64>,
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
        let tables: HashMap<String, IgnoredAny> =
            toml::from_str(&text).map_err(|error| wrong(problem(&error, &text)))?;
        let is_misspelt = |name: &str| TABLES.iter().find(|table| (1..3).contains(&strsim::osa_distance(name, table)));
        for name in tables.keys() {
            if let Some(table) = is_misspelt(name) {
                return Err(
                    wrong(format!("there is a table [{name}]")).fixed_by(format!("Did you mean the table [{table}]?"))
                );
            }
        }
        toml::from_str(&text).map_err(|error| wrong(problem(&error, &text)))
    }
}

/// What is wrong and where, without the text of the line: it may hold a password.
fn problem(error: &toml::de::Error, text: &str) -> String {
    let start = error.span().and_then(|span| text.get(..span.start));
    match start {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}

impl DatabaseTable {
    /// Where the URL comes from, if the file says so.
    pub(crate) fn url(&self) -> Option<ConfiguredUrl> {
        self.url.as_deref().map(ConfiguredUrl::new)
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = ConfiguredUrl> {
        self.replicas.iter().map(|url| ConfiguredUrl::new(url))
    }
}

/// A URL, or where to find it when it is needed.
#[derive(Clone)]
pub(crate) enum ConfiguredUrl {
    Literal(String),
    /// In the environment variable of this name.
    Environment(String),
}

impl ConfiguredUrl {
    fn new(url: &str) -> Self {
        match url.strip_prefix("env:") {
            Some(name) => Self::Environment(name.into()),
            None => Self::Literal(url.into()),
        }
    }

    pub(crate) fn read(&self) -> Result<String, DbError> {
        match self {
            Self::Literal(url) => Ok(url.clone()),
            Self::Environment(name) => std::env::var(name).map_err(|_| {
                let message = format!("the settings take the database URL from the variable {name}, which is not set");
                DbError::new(DbErrorKind::Configuration, message)
            }),
        }
    }
}
