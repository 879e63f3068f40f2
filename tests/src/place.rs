//! Where the tests that are not about one database run.

use crate::{TestFile, builder, executable_begins_with};
use montrs_orm::Database;
use montrs_test_clusters::TestDatabase;

/// Whether [`Place`] is PostgreSQL in this test executable: its name begins with `postgres_`.
pub fn on_postgres() -> bool {
    executable_begins_with("postgres_")
}

/// What differs: the first on SQLite, the second on PostgreSQL.
pub fn differs<T>(on_sqlite: T, on_postgresql: T) -> T {
    if on_postgres() { on_postgresql } else { on_sqlite }
}

/// A fresh database without any table, on the database that the test executable is for: a file of SQLite, or a database
/// of the PostgreSQL server under test. It is removed with this value.
pub struct Place(Kind);

enum Kind {
    Sqlite(TestFile),
    Postgres { _database: TestDatabase, url: String },
}

impl Place {
    /// Makes one.
    #[expect(clippy::new_without_default, reason = "each one makes a database")]
    pub fn new() -> Self {
        if !on_postgres() {
            return Self(Kind::Sqlite(TestFile::new()));
        }
        let database = TestDatabase::new();
        let url = over_loopback(database.url());
        Self(Kind::Postgres { _database: database, url })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        match &self.0 {
            Kind::Sqlite(file) => file.url(),
            Kind::Postgres { url, .. } => url,
        }
    }

    /// Opens the database with the default settings.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    pub async fn open(&self) -> Database {
        builder(self.url()).connect().await.unwrap_or_else(|error| panic!("{}: {error}", self.url()))
    }
}

/// A new place, opened. Keep it as long as the database.
pub async fn open() -> (Database, Place) {
    let place = Place::new();
    (place.open().await, place)
}

/// A PostgreSQL URL by which a password may go over the loopback interface as it is, which the driver wants to be told.
pub fn over_loopback(url: &str) -> String {
    with(url, "require_auth=password,md5,scram-sha-256,none")
}

/// The URL with one more parameter.
pub fn with(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}
