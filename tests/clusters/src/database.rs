//! A fresh database for a test.

use crate::{Cluster, cluster::random, sql, url};
use anyhow::Result;
use std::{env, sync::OnceLock};

/// A URL of the server that tests make their databases on: the environment's `MONTRS_TEST_POSTGRES`, whose user has to be
/// allowed to make databases, or a plain server of this process.
///
/// # Panics
///
/// When the process has to start one and it does not start.
pub fn server_under_test() -> &'static str {
    static SERVER: OnceLock<(String, Option<Cluster>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| match env::var("MONTRS_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => (url, None),
        _ => {
            let cluster = Cluster::plain();
            (cluster.url(), Some(cluster))
        }
    });
    url
}

/// A database that is empty at first, and is dropped with this value, whoever still uses it.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    server: String,
}

impl TestDatabase {
    /// A database on [the server under test](server_under_test).
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[expect(clippy::new_without_default, reason = "each one makes a database")]
    pub fn new() -> Self {
        Self::at(server_under_test())
    }

    /// A database of a cluster.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn on(cluster: &Cluster) -> Self {
        Self::at(&cluster.url())
    }

    fn at(server: &str) -> Self {
        Self::make(server).unwrap_or_else(|error| panic!("no database can be made for a test: {error:#}"))
    }

    fn make(server: &str) -> Result<Self> {
        let name = format!("montrs_test_{}", random()?);
        sql(server, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(Self { url: url::with_database(server, &name), name, server: server.to_owned() })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL in it, by `psql`. The values of all rows, in lines, with `|` in between.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn sql(&self, statements: &str) -> String {
        sql(&self.url, statements).unwrap_or_else(|error| panic!("{statements}: {error:#}"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Err(error) = sql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            // A cluster that was stopped or killed takes its databases with it.
            eprintln!("the database {} was not dropped: {error:#}", self.name);
        }
    }
}
