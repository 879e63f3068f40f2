//! The error of everything here.

use crate::{DbErrorKind, error_mark::marked, script::Place};
use montrs_driver_abi::{DriverError, ErrorRecord, abi_stable::std_types::RString};
use montrs_driver_loader::{LoadError, LoadErrorKind};
use std::fmt;

/// What went wrong, with what, and how to mend it.
///
/// `Display` says what failed, in one or a few lines; [`AiError`](crate::AiError) has the code, the explanation and the
/// fixes. The error is one pointer.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct DbError(Box<Inner>);

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Inner {
    kind: DbErrorKind,
    message: String,
    /// What can be done in this very case.
    fixes: Vec<String>,
    /// What the driver reported, where it was the driver.
    record: Option<ErrorRecord>,
    /// The statement concerned, shortened.
    sql: Option<String>,
    /// The place in the statement, from 1.
    line_and_column: Option<(usize, usize)>,
    /// The line of the statement that it is in, with a mark under it.
    marked: Option<String>,
    /// Which of many rows of parameters is concerned, from 0.
    row: Option<u64>,
    /// Where in a script, when the statement is part of one.
    place: Option<Place>,
    /// Which statement of a script or pipeline is concerned, from 1.
    statement: Option<usize>,
    /// Whether the error came after the database had answered.
    after_execution: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// More of a statement is not kept in an error.
const SQL_SHOWN: usize = 500;

impl DbError {
    pub(crate) fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            message,
            fixes: Vec::new(),
            record: None,
            sql: None,
            line_and_column: None,
            marked: None,
            row: None,
            place: None,
            statement: None,
            after_execution: false,
            source: None,
        }))
    }

    /// A value that cannot be read, for implementations of `Decode` and `FromRow`.
    ///
    /// ```
    /// use montrs_orm::{DbError, DbErrorKind};
    /// let error = DbError::decode("a temperature below absolute zero");
    /// assert_eq!(error.kind(), DbErrorKind::Decode);
    /// ```
    pub fn decode(message: impl Into<String>) -> Self {
        Self::new(DbErrorKind::Decode, message)
    }

    /// An error of the application's own, for hooks and closures that must return one.
    ///
    /// ```
    /// use montrs_orm::{DbError, DbErrorKind};
    /// let error = DbError::application("the account is closed");
    /// assert_eq!((error.kind(), error.to_string().as_str()), (DbErrorKind::Application, "the account is closed"));
    /// ```
    pub fn application(message: impl Into<String>) -> Self {
        Self::new(DbErrorKind::Application, message)
    }

    pub(crate) fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        self.0.fixes.push(fix.into());
        self
    }

    /// Adds the statement concerned, unless one is there already.
    pub(crate) fn in_statement(mut self, sql: &str) -> Self {
        if self.0.sql.is_none() {
            let shown =
                sql.char_indices().nth(SQL_SHOWN).map_or(sql.to_owned(), |(end, _)| format!("{}…", &sql[..end]));
            self.0.sql = Some(shown);
            let before = self.position().and_then(|position| sql.get(..position));
            self.0.line_and_column = before.map(|before| Place::default().after(before)).map(|p| (p.line, p.column));
            // Of the whole statement, which is not kept.
            self.0.marked = before.map(|before| marked(sql, before.len()));
        }
        self
    }

    /// Adds the statement of a script that is concerned, which begins at this place, and puts the place before the message.
    pub(crate) fn in_script(mut self, sql: &str, start: Place) -> Self {
        if self.0.place.is_some() {
            return self;
        }
        let place = start.after(self.position().and_then(|position| sql.get(..position)).unwrap_or_default());
        let Place { number, line, column, .. } = place;
        (self.0.place, self.0.statement) = (Some(place), Some(number));
        self.in_statement(sql).during(format_args!("statement {number}, line {line}, column {column}"))
    }

    /// Adds which statement of a pipeline is concerned, from 0, and how many there are.
    pub(crate) fn in_pipeline(mut self, sql: &str, index: usize, count: usize) -> Self {
        // The driver counts statements in the same place as rows of parameters.
        (self.0.row, self.0.statement) = (None, Some(index + 1));
        let number = index + 1;
        let error = self.in_statement(sql);
        match error.0.line_and_column {
            Some((line, column)) => {
                error.during(format_args!("statement {number} of {count}, line {line}, column {column}"))
            }
            None => error.during(format_args!("statement {number} of {count}")),
        }
    }

    /// Adds which of many rows of parameters is concerned, from 0, and how many there are if that is known.
    pub(crate) fn in_row(mut self, row: u64, total: Option<usize>) -> Self {
        self.0.row = Some(row);
        let number = row + 1;
        match total {
            Some(total) => self.during(format_args!("row {number} of {total}")),
            None => self.during(format_args!("row {number}")),
        }
    }

    /// Notes that the statement was run: what failed came after it.
    pub(crate) fn after_execution(mut self) -> Self {
        self.0.after_execution = true;
        self
    }

    /// Puts what was being done before the message.
    pub(crate) fn during(mut self, what: impl std::fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> DbErrorKind {
        self.0.kind
    }

    /// The SQLSTATE, where the database has them.
    pub fn sqlstate(&self) -> Option<&str> {
        self.text(|record| &record.sqlstate)
    }

    /// The database's own number of the error, such as SQLite's extended result code.
    pub fn native_code(&self) -> Option<i64> {
        self.0.record.as_ref().map(|record| record.native_code).filter(|code| *code != 0)
    }

    /// The schema concerned.
    pub fn schema(&self) -> Option<&str> {
        self.text(|record| &record.schema)
    }

    /// The table concerned.
    pub fn table(&self) -> Option<&str> {
        self.text(|record| &record.table)
    }

    /// The column concerned; several are separated by a comma and a space.
    pub fn column(&self) -> Option<&str> {
        self.text(|record| &record.column)
    }

    /// The constraint concerned.
    pub fn constraint(&self) -> Option<&str> {
        self.text(|record| &record.constraint)
    }

    /// More than the message says, where the database said more.
    pub fn detail(&self) -> Option<&str> {
        self.text(|record| &record.detail)
    }

    /// Where in the SQL text, as a byte offset: in the statement; in the whole script, where it was one, with the beginning
    /// of the statement for an error that has no place in it.
    pub fn position(&self) -> Option<usize> {
        if let Some(place) = &self.0.place {
            return Some(place.offset);
        }
        self.position_in_sql()
    }

    /// Where in the statement, as a byte offset, also when that is part of a script.
    pub(crate) fn position_in_sql(&self) -> Option<usize> {
        self.0.record.as_ref()?.position.into_option().map(|position| position as usize)
    }

    /// The same place as a line and a column of the text, both from 1, the column in characters.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        match &self.0.place {
            Some(Place { line, column, .. }) => Some((*line, *column)),
            None => self.0.line_and_column,
        }
    }

    /// Which of the rows that were given to [`execute_many`](crate::Session::execute_many) failed: its index, from 0. The
    /// message counts from 1.
    pub fn row(&self) -> Option<u64> {
        self.0.row
    }

    /// Which statement of a [script](crate::Script) or [pipeline](crate::Session::pipeline) failed, from 1.
    pub fn statement_number(&self) -> Option<usize> {
        self.0.statement
    }

    /// The statement concerned; long ones are cut and end in `…`.
    pub fn sql(&self) -> Option<&str> {
        self.0.sql.as_deref()
    }

    /// Whether the same may succeed when it is tried again, unchanged: the statement, or the whole transaction where it is
    /// part of one.
    pub fn is_retryable(&self) -> bool {
        match &self.0.record {
            Some(record) => record.is_retryable,
            None => matches!(self.0.kind, DbErrorKind::PoolTimeout | DbErrorKind::Busy),
        }
    }

    /// Whether the database may have performed the statement although it is reported as failed: the connection was lost on
    /// the way, or the rows that came back could not be read. A statement that writes must then not simply be run again.
    pub fn may_have_executed(&self) -> bool {
        self.0.after_execution || self.0.record.as_ref().is_some_and(|record| record.may_have_executed)
    }

    /// The line that the place is in, as far as is good to read, and a mark under the place.
    pub(crate) fn marked(&self) -> Option<&str> {
        self.0.marked.as_deref()
    }

    /// What can be done in this very case.
    pub(crate) fn case_fixes(&self) -> &[String] {
        &self.0.fixes
    }

    fn text(&self, field: impl FnOnce(&ErrorRecord) -> &RString) -> Option<&str> {
        self.0.record.as_ref().map(|record| field(record).as_str()).filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("DbError");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        let texts = [
            ("sqlstate", self.sqlstate()),
            ("schema", self.schema()),
            ("table", self.table()),
            ("column", self.column()),
            ("constraint", self.constraint()),
            ("detail", self.detail()),
            ("sql", self.sql()),
        ];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            out.field(name, &text);
        }
        // What has no field of its own, such as the database's own stack of calls.
        for pair in self.0.record.iter().flat_map(|record| &record.extra) {
            out.field(&pair.0, &pair.1);
        }
        if let Some(row) = self.0.row {
            out.field("row", &row);
        }
        if let Some(code) = self.native_code() {
            out.field("native_code", &code);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl From<DriverError> for DbError {
    fn from(error: DriverError) -> Self {
        let record = error.into_record();
        let mut out = Self::new(DbErrorKind::of(record.kind), record.message.as_str());
        out.0.row = record.row.into_option();
        if !record.hint.is_empty() {
            out = out.fixed_by(record.hint.as_str());
        }
        out.0.record = Some(record);
        out
    }
}

impl From<LoadError> for DbError {
    fn from(error: LoadError) -> Self {
        let kind = match error.kind() {
            LoadErrorKind::MalformedUrl => DbErrorKind::Configuration,
            LoadErrorKind::NoDriver => DbErrorKind::DriverNotFound,
            LoadErrorKind::Incompatible => DbErrorKind::DriverIncompatible,
            LoadErrorKind::Panicked => DbErrorKind::DriverPanicked,
            _ => DbErrorKind::DriverRefused,
        };
        let mut out = Self::new(kind, error.message());
        out.0.fixes = error.fixes().to_vec();
        match error.into_source() {
            Some(source) => {
                out.0.source = Some(source);
                out
            }
            None => out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<DbError>(), size_of::<usize>());
    }

    #[test]
    fn the_statement_is_the_one_that_failed_and_not_one_around_it() {
        let error = DbError::new(DbErrorKind::Query, "x").in_statement("SELECT inner").in_statement("SELECT outer");
        assert_eq!(error.sql(), Some("SELECT inner"));
        let error = error
            .in_script("SELECT outer", Place::default())
            .in_script("SELECT outer", Place { number: 2, ..Place::default() });
        assert_eq!((error.sql(), error.statement_number()), (Some("SELECT inner"), Some(1)));
    }

    #[test]
    fn a_long_statement_is_cut_at_a_character() {
        let sql = "ü".repeat(10_000_000);
        let error = DbError::new(DbErrorKind::Syntax, "x").in_statement(&sql);
        assert_eq!(error.sql().unwrap().chars().count(), SQL_SHOWN + 1);
        assert!(format!("{error:?}").len() < 3000);
    }
}
