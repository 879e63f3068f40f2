//! For each kind of error, what leads to it: a cause and an example.

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
            Self::Parameters => "db.query(\"SELECT $1 || $2\").bind(1)",
            Self::Data => "SELECT 1 / 0, where the database refuses that",
            Self::TooLarge => "CREATE TABLE with 3000 columns",
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
            Self::OutOfMemory => {
                "a large sort, when the machine has no memory left and the database says so (SQLSTATE 53200)"
            }
            Self::PoolTimeout => "a transaction that is kept open, a pool of one, and a second query",
            Self::PoolClosed => "db.query(\"SELECT 1\") after db.close().await",
            Self::Configuration => "a URL with ?jurnal_mode=wal: the parameter is journal_mode",
            Self::Unsupported => "db.command(\"backup\") with a driver that has no such command",
            Self::DriverNotFound => "a URL with a scheme that no driver in the plugins directories serves",
            Self::DriverRefused => "a plugins directory that all users can write to",
            Self::DriverIncompatible => "a driver for another major version of the ABI",
            Self::DriverPanicked => "a bug in a driver",
            Self::DriverProtocol => "a driver that was not built with the SDK, and answers what the ABI does not allow",
            Self::Application => {
                "return Err(DbError::application(\"the account is closed\")) in the closure of for_each"
            }
        }
    }

    /// What is usually behind such an error.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::UniqueViolation => {
                "The same thing was sent twice, or two requests at about the same time added the same value."
            }
            Self::ForeignKeyViolation => {
                "Rows are inserted before those that they refer to, or deleted while others refer to them; or a key is one of another database."
            }
            Self::NotNullViolation => {
                "The INSERT leaves out a column without a DEFAULT, an Option that is None was bound, or a subquery gave no row."
            }
            Self::CheckViolation => "The application lets values through that the table's rule forbids.",
            Self::ExclusionViolation => {
                "Two requests at about the same time took the same thing, or the value was never compared with the rows that are there."
            }
            Self::Query => {
                "The database has a reason that no other kind stands for: an object that exists already, an exception of a trigger or function."
            }
            Self::Syntax => {
                "A typing error, a keyword as a name without double quotes, the dialect of another database, or SQL that was put together from pieces."
            }
            Self::UndefinedTable => {
                "The name is misspelt or in a schema that is not searched, the migrations were not run, or the URL names another database than meant, perhaps a file that was only made by connecting."
            }
            Self::UndefinedColumn => {
                "The name is misspelt, the schema is older or newer than the application, or a text stands in double quotes, which make it a name."
            }
            Self::UndefinedFunction => {
                "The function is one of another database or of an extension that is not loaded, or its arguments are of other types or of another number."
            }
            Self::Ambiguous => {
                "Two of the tables that are joined have a column of this name, and the statement does not say which."
            }
            Self::EmptyStatement => "An empty string or file, or SQL that was put together from no pieces.",
            Self::MultipleStatements => "A script or a migration was passed where one statement is expected.",
            Self::Parameters => {
                "A bind is missing or one too many, a :name is misspelt, positions and names are mixed, or there are more than the database takes in one statement, some ten thousands."
            }
            Self::Data => {
                "A number is out of range or divided by zero, a text is no date or number, or JSON is malformed."
            }
            Self::TooLarge => {
                "Values are written into the SQL instead of bound, SQL that is put together grows with the data, or a value is larger than the database keeps in a row."
            }
            Self::Encode => {
                "The Rust type has values that databases have not: integers beyond i64, leap seconds, years beyond 9999."
            }
            Self::Decode => {
                "The column can be NULL and the type is no Option, a number is too large for the type, or the column is of another kind than the field."
            }
            Self::RowNotFound => {
                "No row has the key: it was never there, was deleted meanwhile, or another value was bound than meant."
            }
            Self::ColumnNotFound => {
                "A field is named differently from its column, the SELECT list lacks the column, or a join gives two of the same name."
            }
            Self::Mismatch => "The statement, the struct or the schema was changed, and the others were not.",
            Self::Serialization => {
                "Transactions that run at the same time read and write the same rows; the longer they are, the more often."
            }
            Self::Deadlock => "Transactions lock the same rows or tables in different orders.",
            Self::LockTimeout => {
                "A transaction stays open while it does other work, or a change of the schema waits for it and others behind that."
            }
            Self::Busy => "A transaction of another connection or process writes for long, or was left open.",
            Self::Cancelled => {
                "An administrator or another connection asked for it, or the application was being shut down."
            }
            Self::Timeout => {
                "An index is missing, the statement waits for a lock, or the limit is too low for the amount of data."
            }
            Self::TransactionState => {
                "A statement before this one failed, BEGIN or COMMIT was sent as SQL, or the statement must run outside of a transaction, such as VACUUM."
            }
            Self::Connection => {
                "The server is not running, the host or port is another one, or a firewall is in between."
            }
            Self::ConnectionLost => {
                "The server was restarted or ended the connection, or the network or a proxy in between closed it."
            }
            Self::Authentication => {
                "The password was changed or is not percent-encoded in the URL, the user does not exist, or may not connect from this host."
            }
            Self::Tls => {
                "The certificate is for another host, has expired, or is by an issuer that is not trusted; or the server speaks no TLS."
            }
            Self::TooManyConnections => {
                "The pools of all instances of all applications together may open more connections than the server takes."
            }
            Self::DatabaseNotFound => {
                "The name is misspelt, a relative path is taken from another working directory, or the database was not made yet."
            }
            Self::ReadOnly => {
                "The URL says mode=ro, the transaction is read-only, the file or its directory cannot be written to by this user, or the server is a standby."
            }
            Self::DiskFull => {
                "The data, a log, or the temporary files of a sort have filled the file system, or a quota."
            }
            Self::Corrupt => {
                "The URL names another file, the file was copied while it was written to, or the disk or file system has lost what was written."
            }
            Self::Permission => {
                "The user lacks a GRANT, the file belongs to another user, or it is what the driver does not let SQL do, such as loading an extension."
            }
            Self::Io => "The disk or the network file system fails.",
            Self::OutOfMemory => {
                "The statement sorts, joins or builds more than the database can get memory for; or other processes have taken it."
            }
            Self::PoolTimeout => {
                "A connection is held while another one is waited for, transactions and streams stay open during other work, statements are slow, or the pool is too small for the load."
            }
            Self::PoolClosed => "A task goes on after the application began to shut down.",
            Self::Configuration => {
                "A parameter of the URL is misspelt or has a value that it cannot have, settings contradict each other, or one is missing."
            }
            Self::Unsupported => {
                "What was written for one database runs on another one, or the driver is older than the application."
            }
            Self::DriverNotFound => {
                "The driver's file is in none of the directories that are searched, the URL's scheme is misspelt, or MONTRS_PLUGINS is not set for this process."
            }
            Self::DriverRefused => {
                "The file or a directory above it can be changed by other users, or it was built for another machine."
            }
            Self::DriverIncompatible => "Only one of the two was updated.",
            Self::DriverPanicked => "A bug in the driver, which this statement or its values reach.",
            Self::DriverProtocol => {
                "A bug in the driver: it breaks a rule of the ABI, which the SDK keeps for those that use it."
            }
            Self::Application => "What the application says: it is not the database that refuses.",
        }
    }
}
