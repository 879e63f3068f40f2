//! For each kind of error, what leads to it.

use crate::DbErrorKind;

impl DbErrorKind {
    /// The kind that has this [code](Self::code), in whatever case it is written.
    ///
    /// ```
    /// use montrs_orm::DbErrorKind;
    /// assert_eq!(DbErrorKind::from_code("DB_UNIQUE_VIOLATION"), Some(DbErrorKind::UniqueViolation));
    /// ```
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code().eq_ignore_ascii_case(code))
    }

    /// What leads to such an error: SQL, Rust, a setting, or a situation.
    pub const fn example(self) -> &'static str {
        match self {
            Self::UniqueViolation => {
                "INSERT INTO users (email) VALUES ('ada@example.org'), twice, where email is UNIQUE"
            }
            Self::ForeignKeyViolation => "INSERT INTO orders (user_id) VALUES (7), where there is no user 7",
            Self::NotNullViolation => "INSERT INTO users (name) VALUES (NULL), where name is NOT NULL",
            Self::CheckViolation => "UPDATE products SET price = -1, where the table says CHECK (price >= 0)",
            Self::ExclusionViolation => "a second booking of a room for the same hours, where EXCLUDE forbids it",
            Self::Query => "CREATE TABLE users (id INT), where there is such a table already",
            Self::Syntax => "SELEC * FROM users",
            Self::UndefinedTable => "SELECT * FROM usrs",
            Self::UndefinedColumn => "SELECT nmae FROM users",
            Self::UndefinedFunction => "SELECT no_such_function(1)",
            Self::Ambiguous => {
                "SELECT id FROM users JOIN orders ON orders.user_id = users.id, where both tables have an id"
            }
            Self::EmptyStatement => "db.query(\"-- nothing\")",
            Self::MultipleStatements => "db.query(\"DELETE FROM a; DELETE FROM b\")",
            Self::Parameters => "db.query(\"SELECT $1 + $2\").bind(1)",
            Self::Data => "SELECT 1 / 0, where the database refuses that",
            Self::TooLarge => "an INSERT with 70,000 parameters",
            Self::Encode => ".bind(u64::MAX): databases have integers up to i64::MAX",
            Self::Decode => "db.query(\"SELECT 'Ada'\").fetch_scalar::<i64>()",
            Self::RowNotFound => "db.query(\"SELECT name FROM users WHERE id = 0\").fetch_one::<User>()",
            Self::ColumnNotFound => "a struct with the field email, read from SELECT id, name FROM users",
            Self::Mismatch => "db.check::<(i64,)>(\"SELECT name FROM users\")",
            Self::Serialization => "two SERIALIZABLE transactions that each read what the other one writes",
            Self::Deadlock => "two transactions that each update a row which the other one has updated before",
            Self::LockTimeout => "SET lock_timeout = '1s', and a row that another transaction keeps locked for longer",
            Self::Busy => {
                "a write to a database file that another process keeps locked for longer than the busy timeout"
            }
            Self::Cancelled => "an administrator cancels the statement while it runs",
            Self::Timeout => "SET statement_timeout = '1s', and a statement that takes longer",
            Self::TransactionState => {
                "a statement in a transaction in which one has failed already, where that ends the transaction"
            }
            Self::Connection => "a URL with localhost:1, where no server listens",
            Self::ConnectionLost => "the server is restarted while a statement runs",
            Self::Authentication => "a URL with app:wrong-password@db.example.org",
            Self::Tls => {
                "a URL that asks for a verified certificate, and a server whose certificate is for another host"
            }
            Self::TooManyConnections => "more pools than the server's max_connections has room for",
            Self::DatabaseNotFound => {
                "a URL with localhost/no_such_database, or with a file that does not exist and may not be created"
            }
            Self::ReadOnly => "an INSERT with ?mode=ro in the URL, or on a standby server",
            Self::DiskFull => "an INSERT when the file system is full",
            Self::Corrupt => "a URL that names photo.jpg as the database's file",
            Self::Permission => "SELECT * FROM salaries, without the right to read that table",
            Self::Io => "a disk that fails, or a network file system that went away",
            Self::OutOfMemory => "fetch_all of more rows than fit into memory",
            Self::PoolTimeout => "a transaction that is kept open, a pool of one, and a second query",
            Self::PoolClosed => "db.query(\"SELECT 1\") after db.close().await",
            Self::Configuration => "a URL with ?jurnal_mode=wal: the parameter is journal_mode",
            Self::Unsupported => "db.command(\"backup\") with a driver that has no such command",
            Self::DriverNotFound => "a URL with a scheme that no driver in the plugins directories serves",
            Self::DriverRefused => "a plugins directory that all users can write to",
            Self::DriverIncompatible => "a driver for another major version of the ABI",
            Self::DriverPanicked => "a bug in a driver",
            Self::DriverProtocol => "a driver that was not built with the SDK, and answers what the ABI does not allow",
        }
    }
}
