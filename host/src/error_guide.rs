//! Explanation and fixes for each kind of error.

use crate::{AiError, DbError, DbErrorKind, error_fixes::fixes};

impl DbErrorKind {
    /// What errors of this kind mean, in one sentence or two.
    pub fn meaning(self) -> String {
        meaning(&DbError::new(self, ""))
    }

    /// What can be done about errors of this kind in general, the likeliest first.
    pub fn fixes(self) -> Vec<String> {
        fixes(&DbError::new(self, ""))
    }
}

impl DbError {
    /// What the kind of error means in this case, in one sentence or two: the explanation without the report and the
    /// statement, for who shows those apart.
    pub fn meaning(&self) -> String {
        meaning(self)
    }
}

impl AiError for DbError {
    fn error_code(&self) -> &'static str {
        self.kind().code()
    }

    fn explanation(&self) -> String {
        // The report has the names that are in no field of their own: a type, a parameter, who holds a connection.
        let mut out = format!("{}\nReport: {self}", meaning(self));
        if let Some(detail) = self.detail() {
            out.push_str(&format!("\nDetail: {detail}"));
        }
        if let Some(sql) = self.sql() {
            out.push_str(&format!("\nStatement: {sql}"));
            if let Some((line, column)) = self.line_and_column() {
                out.push_str(&format!("\nPlace: line {line}, column {column}"));
            }
            if let Some(marked) = self.marked() {
                out.push_str(&format!("\n{marked}"));
            }
        }
        out
    }

    fn suggested_fixes(&self) -> Vec<String> {
        // What fits this very case is not watered down.
        match self.case_fixes() {
            [] => fixes(self),
            fixes => fixes.to_vec(),
        }
    }

    fn subsystem(&self) -> &'static str {
        "orm"
    }

    fn documentation_refs(&self) -> Vec<String> {
        vec![format!("docs/errors.md#{}", self.error_code().to_ascii_lowercase())]
    }
}

/// The column or columns concerned with their table, as far as they are known.
pub(crate) fn place(error: &DbError) -> String {
    match (error.table(), error.column()) {
        (Some(table), Some(column)) if column.contains(", ") => format!("the columns {column} of the table {table}"),
        (Some(table), Some(column)) => format!("the column {table}.{column}"),
        (Some(table), None) => format!("the table {table}"),
        (None, Some(column)) => format!("the column {column}"),
        (None, None) => "a column".into(),
    }
}

pub(crate) fn constraint(error: &DbError) -> String {
    error.constraint().map_or(String::new(), |name| format!(" (constraint {name})"))
}

fn meaning(error: &DbError) -> String {
    use DbErrorKind as K;
    let (place, constraint) = (place(error), constraint(error));
    match error.kind() {
        K::Query => "The database failed the statement.".into(),
        K::UniqueViolation => format!(
            "A row with the same value exists already: {place} may hold each value only once{constraint}."
        ),
        K::ForeignKeyViolation => format!(
            "The statement would leave a reference without its row: a row refers to one that does not exist, or one that is still referred to would go{constraint}."
        ),
        K::NotNullViolation => format!("No value was given for {place}, which must have one{constraint}."),
        K::CheckViolation => format!("A value breaks a rule of the table{constraint}."),
        K::ExclusionViolation => format!("A row conflicts with another one{constraint}."),
        K::Syntax => "The database cannot parse the SQL.".into(),
        K::UndefinedTable => match error.table() {
            Some(table) => format!("There is no table or view {table} in this database."),
            None => "The statement names a table or view that does not exist in this database.".into(),
        },
        K::UndefinedColumn => match error.column() {
            Some(_) => format!("The statement names a column that does not exist: {place}."),
            None => "The statement names a column that does not exist.".into(),
        },
        K::UndefinedFunction => "The statement calls a function that this database does not have, or not for these types.".into(),
        K::Ambiguous => "A name in the statement fits columns of several tables.".into(),
        K::EmptyStatement => "The SQL holds no statement: it is empty or has only comments.".into(),
        K::MultipleStatements => "The SQL holds more than one statement where one is expected.".into(),
        K::Parameters => "The values that were bound do not fit the statement's parameters.".into(),
        K::Data => "The database cannot store or compute a value.".into(),
        K::TooLarge => "A text or value is larger than the database allows.".into(),
        K::Serialization => "Another transaction changed the same data at the same time, so this one cannot be made to look as if it ran alone. It was rolled back.".into(),
        K::Deadlock => "Two transactions waited for each other, and this one was chosen to give way.".into(),
        K::LockTimeout => "Another transaction held a lock for longer than this statement may wait.".into(),
        K::Busy => "Another connection or process held the database's lock for longer than this statement may wait.".into(),
        K::Cancelled => "The operation was cancelled before it ended.".into(),
        K::Timeout => "The operation took longer than allowed.".into(),
        K::TransactionState => "The statement does not fit the state of the transaction.".into(),
        K::Connection => "No connection to the database could be made.".into(),
        K::ConnectionLost => "The connection to the database was lost.".into(),
        K::Authentication => "The database refused the user or the password.".into(),
        K::Tls => "An encrypted connection could not be set up as the URL asks for.".into(),
        K::TooManyConnections => "The database server takes no more connections.".into(),
        K::DatabaseNotFound => "The database that the URL names does not exist.".into(),
        K::ReadOnly => "The statement writes, but the database or the connection can only be read.".into(),
        K::DiskFull => "There is no space left where the database lies.".into(),
        K::Corrupt => "The file is damaged, is encrypted, or is no database of this kind.".into(),
        K::Permission => "The operating system or the database denies the access.".into(),
        K::Io => "Reading or writing failed.".into(),
        K::OutOfMemory => "Memory is exhausted.".into(),
        K::Encode => "A value that was bound cannot be sent to this database.".into(),
        K::Decode => "A value of the result does not fit the Rust type that it is read into.".into(),
        K::RowNotFound => "The statement returned no row, and fetch_one and fetch_scalar need one.".into(),
        K::ColumnNotFound => "The result does not have the column that is asked for, or has it twice.".into(),
        K::Mismatch => "A check has found that a statement does not fit the types that it is used with.".into(),
        K::PoolTimeout => "No connection could be had for as long as a caller may wait: all of them stayed in use, or none could be opened or made ready.".into(),
        K::PoolClosed => "The database was closed by this application.".into(),
        K::Configuration => "The URL or another setting is wrong.".into(),
        K::Unsupported => "This database or its driver cannot do what is asked for.".into(),
        K::DriverNotFound => "No driver library that serves the URL's scheme was found.".into(),
        K::DriverRefused => "A driver library was found but is not trusted or cannot be used.".into(),
        K::DriverIncompatible => "The driver library was made for another version of the interface between drivers and applications.".into(),
        K::DriverPanicked => "The driver has a fault: it panicked. The panic was caught and the connection given up.".into(),
        K::DriverProtocol => "Driver and application do not understand each other. The connection was given up.".into(),
        K::Application => "The application's own code failed: a hook of the pool, or a closure.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue as the documentation has it.
    fn catalogue() -> String {
        let mut out = String::from(
            "# Errors\n\n\
             Every error is a `DbError`. Its kind has a stable code, which never changes its meaning; `AiError` gives the code,\n\
             an explanation with the names of the case at hand, and fixes; so does `montrs-db explain CODE`. This page is written by\n\
             the tests from the code: for each code what it means, what causes it, an example, and what can be done.\n",
        );
        for kind in DbErrorKind::ALL {
            out.push_str(&format!("\n## {}\n\n{}\n\n", kind.code(), kind.meaning()));
            out.push_str(&format!("Cause: {}\n\n", in_markdown(kind.cause())));
            out.push_str(&format!("Example: {}\n\n", in_markdown(kind.example())));
            kind.fixes().iter().for_each(|fix| out.push_str(&format!("- {}\n", in_markdown(fix))));
        }
        out
    }

    fn in_markdown(text: &str) -> String {
        text.chars().flat_map(|c| "*_<".contains(c).then_some('\\').into_iter().chain([c])).collect()
    }

    #[test]
    fn the_catalogue_in_the_documentation_is_that_of_the_code() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
        if std::env::var_os("MONTRS_WRITE_DOCS").is_some() {
            std::fs::write(&path, catalogue()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(
            written == catalogue(),
            "docs/errors.md is outdated: run the tests with MONTRS_WRITE_DOCS=1 to write it anew"
        );
    }
}
