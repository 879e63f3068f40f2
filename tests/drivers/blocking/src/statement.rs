//! What can be asked of a store.

use crate::store::Store;
use montrs_driver_sdk::{Error, ErrorKind, Result};

/// A statement.
#[derive(Clone)]
pub enum Statement {
    /// Sets a key to the parameter.
    Set(String),
    /// Adds the parameter to a key's number.
    Add(String),
    /// Removes a key.
    Delete(String),
    /// The value of a key.
    Get(String),
    /// All keys.
    Keys,
    /// Sets a key to what a TCP peer sends.
    Import(String, String),
}

/// What a statement did.
pub(crate) enum Outcome {
    Changed(u64),
    /// The name of the column, and its values.
    Values(&'static str, Vec<String>),
}

impl Statement {
    pub(crate) fn parse(sql: &str) -> Result<Self> {
        let words: Vec<&str> = sql.split_whitespace().collect();
        Ok(match words[..] {
            [] => return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty")),
            ["set", key] => Self::Set(key.to_owned()),
            ["add", key] => Self::Add(key.to_owned()),
            ["delete", key] => Self::Delete(key.to_owned()),
            ["get", key] => Self::Get(key.to_owned()),
            ["keys"] => Self::Keys,
            ["import", key, address] => Self::Import(key.to_owned(), address.to_owned()),
            [word, ..] => {
                let message = format!("`{word}` is no command, or its arguments are not those that it takes");
                return Err(Error::new(ErrorKind::SYNTAX, message).with_position(sql.find(word).unwrap_or(0)));
            }
        })
    }

    /// Runs on the blocking pool.
    pub(crate) fn run(&self, store: &mut Store, parameter: Option<String>) -> Result<Outcome> {
        let value = || {
            parameter.clone().ok_or_else(|| Error::new(ErrorKind::PARAMETERS, "the statement takes one parameter, $1"))
        };
        Ok(match self {
            Self::Set(key) => Outcome::Changed(store.set(key, Some(value()?)).into()),
            Self::Add(key) => {
                let sum = number(store.get(key).unwrap_or("0"))? + number(&value()?)?;
                Outcome::Changed(store.set(key, Some(sum.to_string())).into())
            }
            Self::Delete(key) => Outcome::Changed(store.set(key, None).into()),
            Self::Get(key) => Outcome::Values("value", store.get(key).map(str::to_owned).into_iter().collect()),
            Self::Keys => Outcome::Values("key", store.keys().map(str::to_owned).collect()),
            Self::Import(key, address) => {
                let import = store.import(key, address);
                import.map_err(|error| Error::new(ErrorKind::IO, format!("nothing from {address}: {error}")))?;
                Outcome::Changed(1)
            }
        })
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::new(ErrorKind::DATA, format!("{text:?} is no number")))
}
