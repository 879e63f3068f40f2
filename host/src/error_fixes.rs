//! What can be done about each kind of error.

use crate::{
    DbError, DbErrorKind,
    error_guide::{constraint, place},
};

/// The likeliest first.
pub(crate) fn fixes(error: &DbError) -> Vec<String> {
    use DbErrorKind as K;
    let place = place(error);
    let fixes: &[&str] = match error.kind() {
        K::UniqueViolation => {
            let constraint = constraint(error);
            let after_space = |text: Option<&str>| text.map(|text| format!(" {text}")).unwrap_or_default();
            let (name, detail) = (after_space(error.constraint()), after_space(error.detail()));
            let key = error.column().map(|columns| format!(" ({columns})")).unwrap_or_default();
            return vec![
                format!(
                    "Look for an existing row with the same value in {place}{constraint} before inserting, or update that row.{detail}"
                ),
                format!("Use INSERT ... ON CONFLICT{key} DO UPDATE or DO NOTHING."),
                format!("If equal values are legitimate, drop the constraint{name}."),
            ];
        }
        K::NotNullViolation => {
            return vec![
                format!("Give {place} a value in the statement."),
                "Give the column a DEFAULT, or allow NULL in it.".into(),
            ];
        }
        K::ForeignKeyViolation => &[
            "Insert the row that is referred to first, in the same transaction.",
            "Delete the rows that refer to it first, or declare ON DELETE CASCADE or SET NULL.",
        ],
        K::CheckViolation => &[
            "Read the rule in the table's CREATE TABLE, and send a value that it allows.",
            "Test the value in the application, where its user can still be asked for another one.",
            "If the value is legitimate, change the rule: ALTER TABLE ... DROP CONSTRAINT, then ADD CONSTRAINT.",
        ],
        K::ExclusionViolation => &[
            "Select the row that is in conflict, and choose a value that does not overlap with it.",
            "Use INSERT ... ON CONFLICT DO NOTHING to keep the row that is there.",
        ],
        K::Query => &[
            "Correct the statement by the database's report; its SQLSTATE or native code can be looked up in the database's manual.",
            "Where a trigger or function raised the error, look there for its condition.",
        ],
        K::Data => &[
            "Send a value that the column's type has, as the report names it.",
            "Guard the expression in the SQL: nullif(divisor, 0), CASE, or a CAST to a larger type.",
        ],
        K::Syntax => {
            &["Correct the SQL at the place that is named.", "Check that the SQL is of this database's dialect."]
        }
        K::UndefinedTable => &[
            "Check the spelling and, where there are schemas, the schema.",
            "Check that the URL names the database that has the table, and that its schema was set up.",
        ],
        K::UndefinedColumn => &[
            "Check the spelling against the schema.",
            "If it is meant as text, put it in single quotes: double quotes are for names.",
        ],
        K::UndefinedFunction => &[
            "Check the spelling, and how many arguments it takes.",
            "CAST the arguments to the types that the function takes.",
            "Load the extension that has it: by CREATE EXTENSION, or ?extension= in the URL.",
        ],
        K::Ambiguous => &["Put the table's name or alias before the column: t.column."],
        K::EmptyStatement => &["Pass a statement; where it is put together, see that there is something to run."],
        K::MultipleStatements => &[
            "Run them as a script: db.script(sql).",
            "Run the statements one by one, in a transaction where they belong together.",
        ],
        K::Parameters => &[
            "Call bind once for each parameter, in the order of $1, $2, …; or bind_named for each :name.",
            "Send many rows by insert_many or execute_many, not as one statement with a parameter for each value.",
        ],
        K::TooLarge => &[
            "Bind large values as parameters instead of writing them into the SQL.",
            "Split the statement, or keep the value in several rows.",
        ],
        K::Serialization => &[
            "Run the whole transaction again, from its beginning: db.transaction_with_retry does; where it has given up, allow it more attempts.",
            "Keep transactions short, and let them read no more than they need.",
        ],
        K::Deadlock => &[
            "Run the whole transaction again, from its beginning: db.transaction_with_retry does; where it has given up, allow it more attempts.",
            "Let all transactions lock rows and tables in the same order.",
        ],
        K::LockTimeout => &[
            "Try again.",
            "Keep transactions short, and do no other work inside them.",
            "Raise the time that a statement may wait for a lock: SET lock_timeout = '10s'.",
        ],
        K::Busy => &[
            "Try again: db.transaction_with_retry does.",
            "Keep transactions short, and do no other work inside them.",
            "Raise the time that a statement may wait for a lock, in milliseconds: ?busy_timeout=10000 in the URL.",
        ],
        K::Cancelled => &["Try again, if it was not meant.", "Look into the server's log for who cancelled it."],
        K::Timeout => &[
            "Look at the statement's plan (db.query(sql).explain()); an index may be missing.",
            "Raise the limit that the report names for this transaction: SET LOCAL statement_timeout = '60s'.",
        ],
        K::TransactionState => &[
            "Roll the transaction back and begin a new one.",
            "Put a savepoint (tx.begin()) around a statement that may fail.",
            "Use begin() and commit() instead of BEGIN and COMMIT in SQL.",
        ],
        K::Connection => &[
            "Check host, port, socket or path in the URL.",
            "Check that the database is running and can be reached from here.",
        ],
        K::ConnectionLost if error.is_retryable() && !error.may_have_executed() => {
            &["Try again: the statement was not performed."]
        }
        K::ConnectionLost => &["Try again; whether a statement was performed must be checked first if it writes."],
        K::Authentication => &[
            "Check user and password in the URL; what is special in a URL is written as %40 for @, %3A for :, %2F for /.",
            "Check the server's rules for who may connect from where, such as its pg_hba.conf.",
        ],
        K::Tls => &[
            "Name the certificate's issuer in the URL: ?sslrootcert=/path/ca.pem.",
            "Connect by a host name that the server's certificate is for.",
            "Check that the server speaks TLS, where ?sslmode= asks for it.",
        ],
        K::TooManyConnections => &["Lower max_connections of this application's pools, or raise the server's limit."],
        K::DatabaseNotFound => {
            &["Check the name in the URL.", "Create the database, or let the driver create it if it can."]
        }
        K::ReadOnly => &[
            "Write in a transaction that is not READ_ONLY, and on the primary: a standby or replica only reads.",
            "Where the database is a file, open it for writing, and check the permissions of the file and its directory.",
        ],
        K::DiskFull => &["Free some space, or move the database."],
        K::Corrupt => &[
            "Check that the URL names the right file.",
            "Run the database's own integrity check, and restore a backup if it fails.",
        ],
        K::Permission => &["Check the permissions of the user that this process or connection runs as."],
        K::Io => &["Check the disk, the file system and the system's log."],
        K::OutOfMemory => &[
            "Lower what a statement or connection may use: the server's work_mem, or ?cache_size= in the URL.",
            "Let the statement sort or aggregate fewer rows, or smaller values.",
            "Give the database's machine, container or process more memory.",
        ],
        K::Encode => &[
            "Bind a value that the database has, of a type that fits the parameter, as the report names them.",
            "Refuse such a value where it comes from.",
        ],
        K::Decode => &[
            "Change the Rust type to one that fits, or Option of it where NULL occurs.",
            "CAST the column in the SQL.",
        ],
        K::RowNotFound => {
            &["Use fetch_optional where no row is a legitimate answer.", "Check the WHERE clause and the values bound."]
        }
        K::ColumnNotFound => &[
            "Name the column in the SELECT list, with AS where its name differs.",
            "Put #[orm(rename = \"...\")] or #[orm(default)] on the field of the struct that is read.",
        ],
        K::Mismatch => &["Change the statement, or the types of the fields and parameters, as the report says."],
        K::PoolTimeout => &[
            "Return connections sooner: finish transactions and streams, and do not hold one connection while waiting for another.",
            "Raise max_connections, if the database can take more.",
            "Raise acquire_timeout, if waiting longer is acceptable.",
        ],
        K::PoolClosed => {
            &["Stop the tasks that use the database before close().", "Connect anew, if the application goes on."]
        }
        K::Configuration => &[
            "Correct the setting that the report names; the page of each driver in docs lists the URL's parameters.",
            "Look where it comes from: what the program sets goes before montrs.toml, and that before DATABASE_URL.",
        ],
        K::Unsupported => &[
            "Look in docs/drivers.md, under \"Where databases differ\", for what this database has instead.",
            "Use the driver's newest version: an older one may lack it.",
        ],
        K::DriverNotFound => &[
            "Run `montrs-db drivers` to see what is found where.",
            "Put the driver's library into a plugins directory, or name its directory in MONTRS_PLUGINS.",
        ],
        K::DriverRefused => &[
            "Run `montrs-db drivers` to see each file and why it is not taken.",
            "Let only its owner write to the file and its directories: chmod go-w.",
        ],
        K::DriverIncompatible => {
            &["Use a driver that was built for this application's version, or update the application."]
        }
        K::DriverPanicked | K::DriverProtocol => {
            &["Report it to the driver's authors, with the message.", "Try another version of the driver."]
        }
        K::Application => &["Look for DbError::application in the application: its message says why."],
    };
    fixes.iter().map(|fix| (*fix).to_owned()).collect()
}
