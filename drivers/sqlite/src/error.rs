//! Errors: what SQLite says, as a kind and the names of what is concerned.
//!
//! The extended result code gives the kind. Names stand only in SQLite's messages, so those are parsed; a message that
//! is not understood costs the names and nothing else. SQLite has no SQLSTATE.

use crate::{handle::Failure, vfs};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{Error, ErrorKind};
#[cfg(unix)]
use std::{ffi::CString, mem::MaybeUninit, path::Path};
use std::{ffi::c_int, io, time::Duration};

/// Why work on a connection stopped.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite answered with this code; the handle knows more until the next call on it.
    Code(c_int),
    /// Something else is wrong.
    Error(Error),
}

impl From<c_int> for Fault {
    fn from(code: c_int) -> Self {
        Self::Code(code)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What an error's texts need to know of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    /// The file's absolute path, or `:memory:`.
    pub(crate) database: String,
    /// How long a lock is waited for.
    pub(crate) busy_timeout: Duration,
}

/// Makes an error of a failure.
pub(crate) fn error(failure: &Failure, circumstances: &Circumstances) -> Error {
    let Failure { code, message, offset, .. } = failure;
    if *code == vfs::OPEN_ELSEWHERE {
        return open_elsewhere(circumstances);
    }
    let named = names(message);
    let system = (primary(*code) == ffi::SQLITE_IOERR && failure.system_error != 0)
        .then(|| io::Error::from_raw_os_error(failure.system_error));
    let kind = match &system {
        Some(system) if is_out_of_space(system) => ErrorKind::DISK_FULL,
        _ if is_of_read_only_file_system(failure, &circumstances.database) => ErrorKind::READ_ONLY,
        _ => kind(*code, named.kind),
    };
    let mut error = Error::new(kind, message.as_str());
    if let Some(offset) = offset {
        error = error.with_position(*offset);
    }
    if let Some(hint) = hint(*code, kind, circumstances) {
        error = error.with_hint(hint);
    }
    let record = error.record_mut();
    record.native_code = (*code).into();
    record.schema = named.schema.into();
    record.table = named.table.into();
    record.column = named.columns.join(", ").into();
    record.constraint = named.constraint.into();
    record.may_have_executed = kind == ErrorKind::IO;
    if matches!(
        kind,
        ErrorKind::CORRUPT
            | ErrorKind::READ_ONLY
            | ErrorKind::IO
            | ErrorKind::CONNECTION
            | ErrorKind::CONNECTION_LOST
            | ErrorKind::DISK_FULL
    ) {
        let system = system.map(|system| format!(": {system}")).unwrap_or_default();
        record.message = format!("{}: {message}{system}", circumstances.database).into();
    }
    error
}

fn open_elsewhere(circumstances: &Circumstances) -> Error {
    let message = format!(
        "{}: this process has the database file open already, and not with this copy of SQLite; two copies can corrupt it",
        circumstances.database
    );
    let mut error = Error::new(ErrorKind::CONNECTION, message).with_hint(
        "close what has the file open: a library of the application that brings a SQLite of its own, another version of \
         this driver, or a plain file handle",
    );
    error.record_mut().native_code = vfs::OPEN_ELSEWHERE.into();
    error
}

/// What writes in a transaction that was begun to read.
#[cold]
pub(crate) fn in_read_only_transaction(what: &str) -> Error {
    Error::new(ErrorKind::READ_ONLY, format!("the transaction is read-only, and {what} writes"))
        .with_hint("write in a transaction that is not READ_ONLY")
}

/// What a lock that SQLite does not let wait for means: whoever holds it may wait for the lock that this connection holds.
pub(crate) fn not_waited_for(failure: &Failure, is_in_transaction: bool, circumstances: &Circumstances) -> Error {
    let error = error(failure, circumstances);
    if failure.code == ffi::SQLITE_BUSY_SNAPSHOT {
        return error;
    }
    error.with_hint(if is_in_transaction {
        "the transaction has read, so it cannot wait for the write lock, which another connection holds or waits for; run \
         it again from its beginning, and begin it with the lock mode IMMEDIATE"
    } else {
        "another connection or statement uses the database, and SQLite does not wait for its end here; run it again later"
    })
}

/// What a failure to attach this file is; the file's name is empty where it is not known.
pub(crate) fn of_attached(failure: &Failure, file: &str, circumstances: &Circumstances) -> Error {
    let mut database = String::from("the file to attach");
    if !file.is_empty() {
        database.push_str(&format!(" `{file}`"));
    }
    let error = error(failure, &Circumstances { database, ..circumstances.clone() });
    match error.kind() {
        ErrorKind::CONNECTION if failure.code != vfs::OPEN_ELSEWHERE => error.with_hint(
            "`ATTACH` takes the path of a file that this process may read, or that can be made in a directory",
        ),
        _ => error,
    }
}

/// What a failure is when the file is not the one at its path any more: nothing that is written to it would stay.
pub(crate) fn moved(failure: &Failure, circumstances: &Circumstances) -> Error {
    let message = "the database file was moved, removed or replaced while it was open";
    let moved = Failure { code: ffi::SQLITE_READONLY_DBMOVED, message: message.into(), ..failure.clone() };
    let mut error = error(&moved, circumstances);
    error.record_mut().native_code = failure.code.into();
    error.record_mut().may_have_executed = primary(failure.code) == ffi::SQLITE_IOERR;
    error
}

/// SQLite knows a full disk where it writes to a database, but neither a quota, nor a limit on the size of files, nor
/// another call that needs space.
fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Whether a file could not be opened or written because its file system has turned read-only. What SQLite cannot open for
/// writing, it opens for reading, and tells of what came of that.
#[cfg(unix)]
fn is_of_read_only_file_system(failure: &Failure, database: &str) -> bool {
    let is_such = match primary(failure.code) {
        ffi::SQLITE_CANTOPEN => failure.system_error != libc::EACCES,
        ffi::SQLITE_IOERR => matches!(failure.system_error, libc::EBADF | libc::EROFS),
        _ => false,
    };
    is_such && Path::new(database).exists() && is_read_only(database)
}

#[cfg(not(unix))]
fn is_of_read_only_file_system(_: &Failure, _: &str) -> bool {
    false
}

/// Whether the file system of this file is read-only.
#[cfg(unix)]
fn is_read_only(file: &str) -> bool {
    let Ok(file) = CString::new(file) else { return false };
    let mut state = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: a C string, and room for the answer.
    let answered = unsafe { libc::statvfs(file.as_ptr(), state.as_mut_ptr()) } == 0;
    // SAFETY: it is initialised where there was an answer.
    answered && unsafe { state.assume_init() }.f_flag & libc::ST_RDONLY != 0
}

/// The kind that a result code stands for, `from_message` where the code only says that the SQL is wrong.
fn kind(code: c_int, from_message: Option<ErrorKind>) -> ErrorKind {
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return ErrorKind::UNIQUE_VIOLATION;
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return ErrorKind::FOREIGN_KEY_VIOLATION,
        ffi::SQLITE_CONSTRAINT_NOTNULL => return ErrorKind::NOT_NULL_VIOLATION,
        ffi::SQLITE_CONSTRAINT_CHECK => return ErrorKind::CHECK_VIOLATION,
        ffi::SQLITE_CONSTRAINT_DATATYPE => return ErrorKind::DATA,
        ffi::SQLITE_IOERR_NOMEM => return ErrorKind::OUT_OF_MEMORY,
        ffi::SQLITE_READONLY_DBMOVED => return ErrorKind::CONNECTION_LOST,
        ffi::SQLITE_ABORT_ROLLBACK => return ErrorKind::TRANSACTION_STATE,
        // Waiting does not help: the transaction reads what is not the newest any more.
        ffi::SQLITE_BUSY_SNAPSHOT => return ErrorKind::SERIALIZATION,
        _ => {}
    }
    match primary(code) {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => ErrorKind::BUSY,
        ffi::SQLITE_READONLY => ErrorKind::READ_ONLY,
        ffi::SQLITE_FULL => ErrorKind::DISK_FULL,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => ErrorKind::CORRUPT,
        ffi::SQLITE_CANTOPEN => ErrorKind::CONNECTION,
        ffi::SQLITE_PERM | ffi::SQLITE_AUTH => ErrorKind::PERMISSION,
        ffi::SQLITE_IOERR => ErrorKind::IO,
        ffi::SQLITE_NOMEM => ErrorKind::OUT_OF_MEMORY,
        ffi::SQLITE_TOOBIG | ffi::SQLITE_NOLFS => ErrorKind::TOO_LARGE,
        ffi::SQLITE_INTERRUPT => ErrorKind::CANCELLED,
        ffi::SQLITE_MISMATCH | ffi::SQLITE_RANGE => ErrorKind::DATA,
        ffi::SQLITE_ERROR => from_message.unwrap_or(ErrorKind::QUERY),
        _ => ErrorKind::QUERY,
    }
}

/// The result code without what extends it.
pub(crate) fn primary(code: c_int) -> c_int {
    code & 0xFF
}

fn hint(code: c_int, kind: ErrorKind, circumstances: &Circumstances) -> Option<String> {
    Some(match (code, kind) {
        (ffi::SQLITE_BUSY_SNAPSHOT, _) => "the transaction has read before another connection wrote, so it can no \
            longer write; run it again from its beginning, and begin it with the lock mode IMMEDIATE"
            .into(),
        (ffi::SQLITE_LOCKED, _) => "a result of this connection is still open on that table".into(),
        (_, ErrorKind::BUSY) => format!(
            "another connection held the lock for longer than busy_timeout ({} ms); keep transactions that write \
             short, look for a future that has begun to write and is kept without being polled, or raise \
             `busy_timeout` in the URL",
            circumstances.busy_timeout.as_millis()
        ),
        (ffi::SQLITE_NOTADB, _) => "it is a file of another kind, or an encrypted database".into(),
        (_, ErrorKind::CORRUPT) => "`PRAGMA integrity_check` tells more; restore the file from a backup".into(),
        (_, ErrorKind::CONNECTION_LOST) => {
            "the next connection opens the file that is then at this path; do not move, \
            remove or replace a database that is in use"
                .into()
        }
        (ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY, _) => {
            "a process was killed while it wrote; open \
            the database once without mode=ro, which undoes what was half done"
                .into()
        }
        (ffi::SQLITE_READONLY_DIRECTORY, _) => {
            "the journal is made beside the file: let the directory be written".into()
        }
        (_, ErrorKind::READ_ONLY) => {
            "it was opened with mode=ro or immutable, or the operating system does not let it be written".into()
        }
        _ => return None,
    })
}

/// What a message names.
#[derive(Debug, Default, PartialEq)]
struct Names<'a> {
    /// The kind that the message alone tells.
    kind: Option<ErrorKind>,
    schema: &'a str,
    table: &'a str,
    columns: Vec<&'a str>,
    constraint: &'a str,
}

fn names(message: &str) -> Names<'_> {
    let of = |kind| Names { kind: Some(kind), ..Names::default() };
    if let Some((what, name)) = message.split_once(" constraint failed: ") {
        return constraint(what, name);
    }
    if let Some(name) = message.strip_prefix("no such table: ") {
        let (schema, table) = split_name(name);
        return Names { schema, table, ..of(ErrorKind::UNDEFINED_TABLE) };
    }
    if let Some(name) = message.strip_prefix("no such view: ") {
        let (schema, table) = split_name(name);
        return Names { schema, table, ..of(ErrorKind::UNDEFINED_TABLE) };
    }
    if let Some(schema) = message.strip_prefix("unknown database ") {
        return Names { schema: schema.trim_start_matches([':', ' ']), ..of(ErrorKind::UNDEFINED_TABLE) };
    }
    if let Some(name) = message.strip_prefix("no such column: ") {
        return column(name, ErrorKind::UNDEFINED_COLUMN);
    }
    if let Some(name) = message.strip_prefix("ambiguous column name: ") {
        return column(name, ErrorKind::AMBIGUOUS);
    }
    if let Some((table, name)) =
        message.strip_prefix("table ").and_then(|rest| rest.split_once(" has no column named "))
    {
        let (schema, table) = split_name(table);
        return Names { schema, table, columns: vec![name], ..of(ErrorKind::UNDEFINED_COLUMN) };
    }
    if let Some((_, place)) = message.strip_prefix("cannot store ").and_then(|rest| rest.split_once(" column ")) {
        let (table, column) = split_name(place);
        return Names { table, columns: vec![column], ..Names::default() };
    }
    by_beginning(message).or_else(|| by_end(message)).map_or_else(Names::default, of)
}

/// `UNIQUE constraint failed: t.a, t.b`, `… failed: index 'i'`, `NOT NULL … failed: t.a`, `CHECK … failed: name`.
fn constraint<'a>(what: &str, name: &'a str) -> Names<'a> {
    if let Some(index) = name.strip_prefix("index '").and_then(|name| name.strip_suffix('\'')) {
        return Names { constraint: index, ..Names::default() };
    }
    if what != "UNIQUE" && what != "NOT NULL" {
        return Names { constraint: name, ..Names::default() };
    }
    let columns: Vec<(&str, &str)> = name.split(", ").map(split_name).collect();
    Names {
        table: columns.first().map_or("", |(table, _)| table),
        columns: columns.into_iter().map(|(_, column)| column).collect(),
        ..Names::default()
    }
}

/// `column`, `table.column`, `schema.table.column`, or `"column" - should this be a string literal …`.
fn column(name: &str, kind: ErrorKind) -> Names<'_> {
    let name = name.split_once("\" - should this").map_or(name, |(name, _)| name).trim_matches('"');
    let (table, column) = split_name(name);
    let (schema, table) = split_name(table);
    Names { kind: Some(kind), schema, table, columns: vec![column], constraint: "" }
}

/// Splits at the last point; what stands before is empty where there is none.
fn split_name(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

fn by_beginning(message: &str) -> Option<ErrorKind> {
    const BEGINNINGS: &[(&str, ErrorKind)] = &[
        ("no such function: ", ErrorKind::UNDEFINED_FUNCTION),
        ("wrong number of arguments to function ", ErrorKind::UNDEFINED_FUNCTION),
        ("unrecognized token: ", ErrorKind::SYNTAX),
        ("incomplete input", ErrorKind::SYNTAX),
        ("cannot start a transaction", ErrorKind::TRANSACTION_STATE),
        ("cannot commit", ErrorKind::TRANSACTION_STATE),
        ("cannot rollback", ErrorKind::TRANSACTION_STATE),
        ("no such savepoint: ", ErrorKind::TRANSACTION_STATE),
        ("too many SQL variables", ErrorKind::PARAMETERS),
        ("variable number must be between ", ErrorKind::PARAMETERS),
        ("Expression tree is too large", ErrorKind::TOO_LARGE),
        ("LIKE or GLOB pattern too complex", ErrorKind::TOO_LARGE),
        ("Recursion limit", ErrorKind::TOO_LARGE),
        ("triggers nested too deep", ErrorKind::TOO_LARGE),
        ("JSON path too deep", ErrorKind::TOO_LARGE),
        ("too many ", ErrorKind::TOO_LARGE),
        ("integer overflow", ErrorKind::DATA),
        ("malformed JSON", ErrorKind::DATA),
        ("bad JSON path", ErrorKind::DATA),
        ("not authorized", ErrorKind::PERMISSION),
    ];
    BEGINNINGS.iter().find(|(beginning, _)| message.starts_with(beginning)).map(|(_, kind)| *kind)
}

fn by_end(message: &str) -> Option<ErrorKind> {
    const ENDS: &[(&str, ErrorKind)] =
        &[(": syntax error", ErrorKind::SYNTAX), ("stack overflow", ErrorKind::TOO_LARGE)];
    ENDS.iter().find(|(end, _)| message.ends_with(end)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: c_int, message: &str) -> Error {
        let circumstances = Circumstances { database: "/data/app.db".into(), busy_timeout: Duration::from_millis(250) };
        error(&Failure::of(code, message), &circumstances)
    }

    fn assert_names(error: &Error, schema: &str, table: &str, column: &str, constraint: &str) {
        let record = error.record();
        assert_eq!(
            (record.schema.as_str(), record.table.as_str(), record.column.as_str(), record.constraint.as_str()),
            (schema, table, column, constraint),
            "{error}"
        );
    }

    #[test]
    fn constraints_name_what_they_hold() {
        let unique = of(ffi::SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: users.email");
        assert_eq!(unique.kind(), ErrorKind::UNIQUE_VIOLATION);
        assert_eq!(unique.record().native_code, 2067);
        assert_names(&unique, "", "users", "email", "");
        let several = of(ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "UNIQUE constraint failed: t.a, t.b");
        assert_eq!(several.kind(), ErrorKind::UNIQUE_VIOLATION);
        assert_names(&several, "", "t", "a, b", "");
        let index = of(ffi::SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: index 'lower_email'");
        assert_names(&index, "", "", "", "lower_email");
        let check = of(ffi::SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: age >= 0.5");
        assert_eq!(check.kind(), ErrorKind::CHECK_VIOLATION);
        assert_names(&check, "", "", "", "age >= 0.5");
        let not_null = of(ffi::SQLITE_CONSTRAINT_NOTNULL, "NOT NULL constraint failed: t.c");
        assert_eq!(not_null.kind(), ErrorKind::NOT_NULL_VIOLATION);
        assert_names(&not_null, "", "t", "c", "");
        let strict = of(ffi::SQLITE_CONSTRAINT_DATATYPE, "cannot store TEXT value in INTEGER column t.c");
        assert_eq!(strict.kind(), ErrorKind::DATA);
        assert_names(&strict, "", "t", "c", "");
        let trigger = of(ffi::SQLITE_CONSTRAINT_TRIGGER, "no such table: fooled you");
        assert_eq!(trigger.kind(), ErrorKind::QUERY);
    }

    #[test]
    fn names_that_do_not_exist_are_told() {
        let table = of(ffi::SQLITE_ERROR, "no such table: aux.missing");
        assert_eq!(table.kind(), ErrorKind::UNDEFINED_TABLE);
        assert_names(&table, "aux", "missing", "", "");
        let column = of(ffi::SQLITE_ERROR, "no such column: main.t.c");
        assert_eq!(column.kind(), ErrorKind::UNDEFINED_COLUMN);
        assert_names(&column, "main", "t", "c", "");
        let quoted =
            of(ffi::SQLITE_ERROR, "no such column: \"nmae\" - should this be a string literal in single-quotes?");
        assert_names(&quoted, "", "", "nmae", "");
        let inserted = of(ffi::SQLITE_ERROR, "table t has no column named c");
        assert_eq!(inserted.kind(), ErrorKind::UNDEFINED_COLUMN);
        assert_names(&inserted, "", "t", "c", "");
        let ambiguous = of(ffi::SQLITE_ERROR, "ambiguous column name: id");
        assert_eq!(ambiguous.kind(), ErrorKind::AMBIGUOUS);
        assert_names(&ambiguous, "", "", "id", "");
    }

    #[test]
    fn codes_have_their_kinds() {
        for (code, kind) in [
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::SERIALIZATION),
            (ffi::SQLITE_LOCKED, ErrorKind::BUSY),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::CONNECTION_LOST),
            (ffi::SQLITE_FULL, ErrorKind::DISK_FULL),
            (ffi::SQLITE_NOTADB, ErrorKind::CORRUPT),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::IO),
            (ffi::SQLITE_IOERR_NOMEM, ErrorKind::OUT_OF_MEMORY),
            (ffi::SQLITE_TOOBIG, ErrorKind::TOO_LARGE),
            (ffi::SQLITE_INTERRUPT, ErrorKind::CANCELLED),
            (ffi::SQLITE_MISMATCH, ErrorKind::DATA),
            (ffi::SQLITE_AUTH, ErrorKind::PERMISSION),
            (ffi::SQLITE_MISUSE, ErrorKind::QUERY),
            (99, ErrorKind::QUERY),
        ] {
            assert_eq!(of(code, "x").kind(), kind, "{code}");
        }
        assert!(of(ffi::SQLITE_BUSY, "database is locked").record().is_retryable);
        assert!(of(ffi::SQLITE_BUSY, "database is locked").record().hint.contains("250 ms"));
        assert_eq!(
            of(ffi::SQLITE_NOTADB, "file is not a database").to_string(),
            "/data/app.db: file is not a database"
        );
    }

    #[test]
    fn any_message_is_taken() {
        for message in ["", " constraint failed: ", "UNIQUE constraint failed: ", "no such column: ", "table  has no"] {
            for code in [ffi::SQLITE_ERROR, ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT] {
                let _ = of(code, message);
            }
        }
    }
}
