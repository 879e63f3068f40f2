//! `montrs.toml`.

use crate::{DbError, DbErrorKind};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use toml::Spanned;

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
        let config = toml::from_str(&text).map_err(|error| wrong(problem(&error, &text)))?;
        let names: BTreeMap<Spanned<String>, IgnoredAny> = toml::from_str(&text).unwrap_or_default();
        for name in names.keys() {
            if let Some(meant) = meant_by(name.get_ref()) {
                let problem = at_line(&text, name.span().start, format!("{:?} is not read there", name.get_ref()));
                return Err(wrong(problem).fixed_by(meant));
            }
        }
        Ok(config)
    }
}

/// What to do about a name at the top of the file that is one of ours by mistake: a setting outside of its table, or a table that
/// is misspelt.
fn meant_by(name: &str) -> Option<String> {
    const TABLES: [&str; 2] = ["database", "drivers"];
    if DatabaseTable::SETTINGS.contains(&name) {
        return Some(format!("Move {name} into the table [database], below its line."));
    }
    let is_near = |table: &&&str| strsim::osa_distance(&name.to_lowercase(), table) <= 2 && name != **table;
    TABLES
        .iter()
        .find(is_near)
        .map(|table| format!("Name the table [{table}]; one for another program must differ more."))
}

/// What is wrong and where, without the text of the line: it may hold a password.
fn problem(error: &toml::de::Error, text: &str) -> String {
    match error.span() {
        Some(span) => at_line(text, span.start, error.message()),
        None => error.message().to_owned(),
    }
}

fn at_line(text: &str, offset: usize, problem: impl std::fmt::Display) -> String {
    let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {problem}")
}

impl DatabaseTable {
    const SETTINGS: [&str; 9] = [
        "url",
        "replicas",
        "max_connections",
        "min_connections",
        "acquire_timeout_ms",
        "idle_timeout_ms",
        "max_lifetime_ms",
        "check_after_ms",
        "statement_cache_capacity",
    ];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_settings_are_all_that_the_table_has() {
        let error = toml::from_str::<DatabaseTable>("x = 1").err().unwrap();
        let listed: Vec<&str> = error.message().split('`').skip(3).step_by(2).collect();
        assert_eq!(listed, DatabaseTable::SETTINGS, "{error}");
    }
}
