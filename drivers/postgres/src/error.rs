//! What the server says, as the driver's errors.

use crate::message::Body;
use montrs_driver_sdk::{Error, ErrorKind, LogLevel};

/// The SQLSTATE of what is only told, such as a `RAISE NOTICE` that names none.
const SUCCESSFUL_COMPLETION: &str = "00000";

/// An ErrorResponse or NoticeResponse.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// `ERROR`, `FATAL`, `WARNING` and so on, in English where the server is of version 9.6 or later.
    pub(crate) severity: String,
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    detail: String,
    hint: String,
    /// In characters, from 1.
    position: Option<usize>,
    /// What the server was doing.
    context: String,
    schema: String,
    table: String,
    column: String,
    data_type: String,
    constraint: String,
    /// The function of the server that reported it.
    routine: String,
}

impl Report {
    /// Reads what is there; a field that is cut off is left out.
    pub(crate) fn read(body: &[u8]) -> Self {
        let (mut body, mut report) = (Body::new(body), Self::default());
        while let Ok(field @ 1..) = body.u8() {
            let Ok(value) = body.text() else { break };
            let place = match field {
                b'S' if report.severity.is_empty() => &mut report.severity,
                b'V' => &mut report.severity,
                b'C' => &mut report.sqlstate,
                b'M' => &mut report.message,
                b'D' => &mut report.detail,
                b'H' => &mut report.hint,
                b'W' => &mut report.context,
                b's' => &mut report.schema,
                b't' => &mut report.table,
                b'c' => &mut report.column,
                b'd' => &mut report.data_type,
                b'n' => &mut report.constraint,
                b'R' => &mut report.routine,
                b'P' => {
                    report.position = value.parse().ok();
                    continue;
                }
                _ => continue,
            };
            *place = value;
        }
        report
    }

    /// How important it is.
    pub(crate) fn level(&self) -> LogLevel {
        match self.severity.as_str() {
            "WARNING" => LogLevel::WARN,
            "NOTICE" | "INFO" | "LOG" => LogLevel::INFO,
            severity if severity.starts_with("DEBUG") => LogLevel::DEBUG,
            _ => LogLevel::ERROR,
        }
    }

    /// What the log has of a notice: `message (SQLSTATE 01000); detail: …; hint: …`.
    pub(crate) fn line(&self) -> String {
        let mut line = self.message.clone();
        if self.sqlstate != SUCCESSFUL_COMPLETION {
            line.push_str(&format!(" (SQLSTATE {})", self.sqlstate));
        }
        for (name, value) in [("detail", &self.detail), ("hint", &self.hint)] {
            if !value.is_empty() {
                line.push_str(&format!("; {name}: {value}"));
            }
        }
        line
    }

    /// Whether the server ends the session with it.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// Whether a prepared statement is out of date, or gone; nothing was performed.
    pub(crate) fn is_stale_statement(&self, is_bound: bool) -> bool {
        // The same SQLSTATE has other meanings, and the message may be in any language.
        (self.sqlstate == "0A000" && self.routine == "RevalidateCachedQuery")
            || self.sqlstate == "26000"
            // Before it is bound, a statement is only analysed, and that only where something has changed since it was prepared: a
            // table or column is gone, or has a type that does not go with the parameter's. 42501 is a matter of permissions.
            || (!is_bound && self.sqlstate.starts_with("42") && self.sqlstate != "42501")
            // Before all that, it reads the parameters, as of the types that they had when it was prepared.
            || (!is_bound && matches!(self.sqlstate.as_str(), "22P02" | "22003" | "22007" | "22008"))
    }

    /// The error, of a statement with this text.
    pub(crate) fn into_error(self, sql: &str) -> Error {
        let kind = self.kind();
        let mut error = Error::new(kind, self.message);
        let record = error.record_mut();
        record.is_retryable = is_retryable(kind, &self.sqlstate);
        record.position = self.position.and_then(|position| byte_offset(sql, position)).into();
        let advice = advice(&self.sqlstate, &self.routine);
        record.sqlstate = self.sqlstate.into();
        if matches!(kind, ErrorKind::UNIQUE_VIOLATION | ErrorKind::EXCLUSION_VIOLATION) && self.column.is_empty() {
            record.column = key(&self.detail).unwrap_or_default().into();
        }
        record.detail = self.detail.into();
        // The server has no more to say of these than what they are; the host knows what helps.
        let hint = if matches!(kind, ErrorKind::SERIALIZATION | ErrorKind::DEADLOCK) { "" } else { &self.hint };
        record.hint = if hint.is_empty() { advice } else { hint }.into();
        record.schema = self.schema.into();
        record.table = self.table.into();
        if !self.column.is_empty() {
            record.column = self.column.into();
        }
        record.constraint = self.constraint.into();
        for (name, value) in
            [("where", self.context), ("data_type", self.data_type), ("severity", self.severity), ("hint", self.hint)]
        {
            if !value.is_empty() && value != "ERROR" && value != record.hint.as_str() {
                record.extra.push((name.to_owned().into(), value.into()).into());
            }
        }
        error
    }

    fn kind(&self) -> ErrorKind {
        match self.sqlstate.as_str() {
            // The message may be in any language; a statement timeout is told apart where it is in English.
            "57014" if self.message.contains("timeout") => ErrorKind::TIMEOUT,
            "42601" if self.routine == "exec_parse_message" => ErrorKind::MULTIPLE_STATEMENTS,
            sqlstate => match kind(sqlstate) {
                // It is another connection that was lost: one of the server's own, to a foreign server.
                ErrorKind::CONNECTION_LOST if !self.is_fatal() => ErrorKind::QUERY,
                kind => kind,
            },
        }
    }
}

/// The kind of error for a SQLSTATE, after PostgreSQL's appendix A.
fn kind(sqlstate: &str) -> ErrorKind {
    match sqlstate {
        "23505" => ErrorKind::UNIQUE_VIOLATION,
        "23503" | "23001" => ErrorKind::FOREIGN_KEY_VIOLATION,
        "23502" => ErrorKind::NOT_NULL_VIOLATION,
        "23514" | "44000" => ErrorKind::CHECK_VIOLATION,
        "23P01" => ErrorKind::EXCLUSION_VIOLATION,
        "42601" | "42000" => ErrorKind::SYNTAX,
        "42P01" | "3F000" => ErrorKind::UNDEFINED_TABLE,
        "42703" => ErrorKind::UNDEFINED_COLUMN,
        "42883" => ErrorKind::UNDEFINED_FUNCTION,
        "42702" | "42725" | "42P08" | "42P09" => ErrorKind::AMBIGUOUS,
        "42P02" | "08P01" => ErrorKind::PARAMETERS,
        "42501" => ErrorKind::PERMISSION,
        "40001" => ErrorKind::SERIALIZATION,
        "40P01" => ErrorKind::DEADLOCK,
        "55P03" => ErrorKind::LOCK_TIMEOUT,
        "55006" => ErrorKind::BUSY,
        "57014" => ErrorKind::CANCELLED,
        "25P03" | "25P04" | "57P05" => ErrorKind::TIMEOUT,
        "25006" => ErrorKind::READ_ONLY,
        "57P01" | "57P02" => ErrorKind::CONNECTION_LOST,
        "57P03" => ErrorKind::CONNECTION,
        "3D000" | "57P04" => ErrorKind::NOT_FOUND,
        "28P01" => ErrorKind::AUTHENTICATION,
        "53100" => ErrorKind::DISK_FULL,
        "53200" => ErrorKind::OUT_OF_MEMORY,
        "53300" => ErrorKind::TOO_MANY_CONNECTIONS,
        "58030" => ErrorKind::IO,
        "XX001" | "XX002" => ErrorKind::CORRUPT,
        other => match other.get(..2) {
            Some("08") => ErrorKind::CONNECTION_LOST,
            Some("0A") => ErrorKind::UNSUPPORTED,
            Some("21" | "22") => ErrorKind::DATA,
            Some("25" | "2D" | "3B" | "0B") => ErrorKind::TRANSACTION_STATE,
            Some("28") => ErrorKind::AUTHENTICATION,
            Some("54") => ErrorKind::TOO_LARGE,
            _ => ErrorKind::QUERY,
        },
    }
}

/// What helps where the server does not say it; empty where it is not known here.
fn advice(sqlstate: &str, routine: &str) -> &'static str {
    match (sqlstate, routine) {
        ("0A000", "record_in") => {
            "write the type of the parameter behind it, such as `$1::name_of_the_type`; compare a row such as `(a, b)` with \
             `($1, $2)`"
        }
        ("25006", _) => "write in a transaction that is not READ_ONLY, and on the primary server: a standby only reads",
        _ => "",
    }
}

/// Whether the same operation may succeed when it is tried again, unchanged.
fn is_retryable(kind: ErrorKind, sqlstate: &str) -> bool {
    let by_kind = matches!(
        kind,
        ErrorKind::SERIALIZATION
            | ErrorKind::DEADLOCK
            | ErrorKind::LOCK_TIMEOUT
            | ErrorKind::BUSY
            | ErrorKind::TOO_MANY_CONNECTIONS
    );
    by_kind || matches!(sqlstate, "57P01" | "57P02" | "57P03")
}

/// The columns in `Key (a, b)=(1, 2) already exists.`, which has its brackets in every language. Of an index on expressions they
/// are these.
fn key(detail: &str) -> Option<String> {
    let (columns, _) = detail.split_once(")=(")?;
    let (_, columns) = columns.split_once('(')?;
    Some(columns.replace('"', ""))
}

/// PostgreSQL counts characters from 1.
fn byte_offset(sql: &str, position: usize) -> Option<u32> {
    let characters = position.checked_sub(1)?;
    let offset = sql.char_indices().map(|(offset, _)| offset).chain([sql.len()]).nth(characters)?;
    u32::try_from(offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(fields: &[(u8, &str)]) -> Report {
        let mut body = Vec::new();
        for (field, value) in fields {
            body.push(*field);
            body.extend(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        Report::read(&body)
    }

    #[test]
    fn all_fields_are_read() {
        let error = report(&[
            (b'S', "FEHLER"),
            (b'V', "ERROR"),
            (b'C', "23505"),
            (b'M', "doppelter Schlüssel"),
            (b'D', "Key (a)=(1)"),
            (b's', "public"),
            (b't', "users"),
            (b'n', "users_pkey"),
            (b'P', "10"),
        ])
        .into_error("SELECT 'ä', x");
        let record = error.record();
        assert_eq!(error.kind(), ErrorKind::UNIQUE_VIOLATION);
        assert_eq!(
            (&*record.sqlstate, &*record.message, &*record.detail),
            ("23505", "doppelter Schlüssel", "Key (a)=(1)")
        );
        assert_eq!((&*record.schema, &*record.table, &*record.constraint), ("public", "users", "users_pkey"));
        assert_eq!(record.position.into_option(), Some(10));
    }

    #[test]
    fn positions_become_offsets_of_bytes() {
        assert_eq!(byte_offset("äöx", 3), Some(4));
        assert_eq!(byte_offset("ä", 2), Some(2));
        assert_eq!((byte_offset("ä", 3), byte_offset("ä", 0)), (None, None));
    }

    #[test]
    fn kinds_say_whether_to_try_again() {
        for (sqlstate, kind, is_retryable) in [
            ("40001", ErrorKind::SERIALIZATION, true),
            ("40P01", ErrorKind::DEADLOCK, true),
            ("53300", ErrorKind::TOO_MANY_CONNECTIONS, true),
            ("57P03", ErrorKind::CONNECTION, true),
            ("57P01", ErrorKind::CONNECTION_LOST, true),
            ("28P01", ErrorKind::AUTHENTICATION, false),
            ("22012", ErrorKind::DATA, false),
            ("25P02", ErrorKind::TRANSACTION_STATE, false),
            ("P0001", ErrorKind::QUERY, false),
            ("", ErrorKind::QUERY, false),
            ("ä", ErrorKind::QUERY, false),
        ] {
            let error = report(&[(b'V', "FATAL"), (b'C', sqlstate), (b'M', "x")]).into_error("");
            assert_eq!((error.kind(), error.record().is_retryable), (kind, is_retryable), "{sqlstate}");
        }
        let foreign = report(&[(b'V', "ERROR"), (b'C', "08001"), (b'M', "could not connect to server")]);
        assert_eq!(foreign.into_error("").kind(), ErrorKind::QUERY);
        let timeout = report(&[(b'C', "57014"), (b'M', "canceling statement due to statement timeout")]);
        assert_eq!(timeout.into_error("").kind(), ErrorKind::TIMEOUT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let report = Report::read(&bytes);
            let _ = (report.level(), report.is_stale_statement(false));
            let _ = report.into_error("SELECT");
        }
    }
}
