//! Errors of the database, as SQLite makes them.

use super::{TestFile, fails, memory, number, query, setup};
use montrs_driver_sdk::{ConnectionStatus, ErrorKind, ValueRef};
use std::sync::Arc;

#[test]
fn constraints_name_table_and_column() {
    let mut session = memory();
    setup(
        &mut session,
        &[
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL, \
             age INTEGER CONSTRAINT adult CHECK (age >= 18))",
            "CREATE TABLE posts (a, b, user_id REFERENCES users (id), PRIMARY KEY (a, b))",
            "CREATE UNIQUE INDEX lower_name ON users (lower(name))",
            "CREATE TABLE strict (n INTEGER) STRICT",
            "CREATE TRIGGER no_zero BEFORE INSERT ON posts WHEN new.a = 0 BEGIN SELECT RAISE(ABORT, 'zero!'); END",
            "INSERT INTO users VALUES (1, 'ada@x', 'Ada', 36)",
            "INSERT INTO posts VALUES (1, 2, 1)",
        ],
    );
    let mut check = |sql: &str, kind, table: &str, column: &str, constraint: &str| {
        let error = fails(query(&mut session, sql, &[]), kind);
        let record = error.record();
        assert_eq!(
            (record.table.as_str(), record.column.as_str(), record.constraint.as_str()),
            (table, column, constraint),
            "{error}"
        );
        assert!(record.native_code > 0xFF || record.message == "datatype mismatch", "{record:?}");
    };
    let unique = ErrorKind::UNIQUE_VIOLATION;
    check("INSERT INTO users VALUES (2, 'ada@x', 'Bob', 36)", unique, "users", "email", "");
    check("INSERT INTO users VALUES (1, 'bob@x', 'Bob', 36)", unique, "users", "id", "");
    check("INSERT INTO posts VALUES (1, 2, 1)", unique, "posts", "a, b", "");
    check("INSERT INTO users VALUES (2, 'bob@x', 'ADA', 36)", unique, "", "", "lower_name");
    check("INSERT INTO users (id) VALUES (3)", ErrorKind::NOT_NULL_VIOLATION, "users", "name", "");
    check("INSERT INTO users VALUES (2, 'b', 'Bob', 1)", ErrorKind::CHECK_VIOLATION, "", "", "adult");
    check("INSERT INTO posts VALUES (3, 4, 99)", ErrorKind::FOREIGN_KEY_VIOLATION, "", "", "");
    check("INSERT INTO strict VALUES ('x')", ErrorKind::DATA, "strict", "n", "");
    check("INSERT INTO posts VALUES (0, 0, 1)", ErrorKind::QUERY, "", "", "");
    check("INSERT INTO users (id, name) VALUES ('x', 'y')", ErrorKind::DATA, "", "", "");
}

#[test]
fn mistakes_in_sql_are_told_with_their_place() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (a, b)", "CREATE TABLE u (a)"]);
    let mut check = |sql: &str, kind, at: &str, table: &str, column: &str| {
        let error = fails(session.prepare(sql), kind);
        let record = error.record();
        let position = sql.find(at).filter(|_| !at.is_empty()).map(|at| at as u32);
        assert_eq!(record.position, position.into(), "{sql}: {record:?}");
        assert_eq!((record.table.as_str(), record.column.as_str()), (table, column), "{error}");
    };
    check("SELECT 'grüße', a FORM t", ErrorKind::SYNTAX, "t", "", "");
    check("SELECT a FROM t WHERE", ErrorKind::SYNTAX, "", "", "");
    check("SELECT 'open", ErrorKind::SYNTAX, "'open", "", "");
    check("SELECT x.a FROM t", ErrorKind::UNDEFINED_COLUMN, "x.a", "x", "a");
    check("SELECT nmae FROM t", ErrorKind::UNDEFINED_COLUMN, "nmae", "", "nmae");
    // A misspelt column in double quotes is no string.
    check("SELECT \"nmae\" FROM t", ErrorKind::UNDEFINED_COLUMN, "\"nmae\"", "", "nmae");
    check("INSERT INTO t (c) VALUES (1)", ErrorKind::UNDEFINED_COLUMN, "", "t", "c");
    check("SELECT * FROM missing", ErrorKind::UNDEFINED_TABLE, "", "missing", "");
    check("SELECT soundx(a) FROM t", ErrorKind::UNDEFINED_FUNCTION, "soundx", "", "");
    check("SELECT length(a, b) FROM t", ErrorKind::UNDEFINED_FUNCTION, "length", "", "");
    check("SELECT a FROM t, u", ErrorKind::AMBIGUOUS, "a FROM", "", "a");
    check("SELECT 1 FROM other.t", ErrorKind::UNDEFINED_TABLE, "", "t", "");
}

#[test]
fn extensions_cannot_be_loaded_and_the_schema_not_be_written() {
    let mut session = memory();
    fails(query(&mut session, "SELECT load_extension('/tmp/x.so')", &[]), ErrorKind::PERMISSION);
    setup(&mut session, &["PRAGMA writable_schema = on"]);
    assert!(query(&mut session, "DELETE FROM sqlite_schema", &[]).is_err());
    // Without `file:` names there is no shared cache.
    let directory = TestFile::new();
    let sql = format!("ATTACH 'file:{}?cache=shared' AS a", directory.path().display());
    fails(query(&mut session, &sql, &[]), ErrorKind::CONNECTION);
}

#[test]
fn a_lock_is_waited_for_and_then_reported() {
    let file = TestFile::new();
    let mut writer = file.open("");
    setup(&mut writer, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"]);
    let mut other = file.open("busy_timeout=30");
    assert_eq!(number(&mut other, "SELECT count(*) FROM t"), 0, "readers do not wait");
    let begun = std::time::Instant::now();
    let error = fails(query(&mut other, "INSERT INTO t VALUES (2)", &[]), ErrorKind::BUSY);
    assert!(begun.elapsed().as_millis() >= 30);
    assert!(error.record().is_retryable);
    assert!(error.record().hint.contains("30 ms"), "{error:?}");
    // What SQL says of waiting holds until the next reset.
    setup(&mut other, &["PRAGMA busy_timeout = 0"]);
    other.reset().unwrap();
    let begun = std::time::Instant::now();
    fails(query(&mut other, "INSERT INTO t VALUES (2)", &[]), ErrorKind::BUSY);
    assert!(begun.elapsed().as_millis() >= 30);
    setup(&mut writer, &["COMMIT"]);
    setup(&mut other, &["INSERT INTO t VALUES (2)"]);
}

#[test]
fn a_lock_that_is_given_back_in_time_is_no_error() {
    let file = TestFile::new();
    let mut writer = file.open("");
    setup(&mut writer, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"]);
    let url = file.url("busy_timeout=60000");
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let monitor = Arc::default();
        let mut other = super::open_watched(&url, &monitor).unwrap();
        sender.send(()).unwrap();
        query(&mut other, "INSERT INTO t VALUES (2)", &[]).map(|answer| answer.affected)
    });
    receiver.recv().unwrap();
    setup(&mut writer, &["INSERT INTO t VALUES (1)", "COMMIT"]);
    assert_eq!(waiting.join().unwrap().unwrap(), 1);
}

#[test]
fn a_snapshot_that_is_too_old_cannot_be_serialized_and_has_a_hint() {
    let file = TestFile::new();
    let (mut one, mut other) = (file.open(""), file.open(""));
    setup(&mut one, &["CREATE TABLE t (a)", "BEGIN"]);
    assert_eq!(number(&mut one, "SELECT count(*) FROM t"), 0);
    setup(&mut other, &["INSERT INTO t VALUES (1)"]);
    let error = fails(query(&mut one, "INSERT INTO t VALUES (2)", &[]), ErrorKind::SERIALIZATION);
    assert!(error.record().hint.contains("IMMEDIATE"), "{error:?}");
}

#[test]
fn a_transaction_that_has_read_does_not_wait_and_is_told_why() {
    let file = TestFile::new();
    let mut writer = file.open("");
    setup(&mut writer, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"]);
    let mut reader = file.open("busy_timeout=40");
    // A lock that this connection has waited for before is another matter.
    let waited = fails(query(&mut reader, "INSERT INTO t VALUES (2)", &[]), ErrorKind::BUSY);
    assert!(waited.record().hint.contains("40 ms"), "{waited:?}");
    setup(&mut reader, &["BEGIN", "SELECT count(*) FROM t"]);
    let error = fails(query(&mut reader, "INSERT INTO t VALUES (2)", &[]), ErrorKind::BUSY);
    assert_eq!(error.record().native_code, 5);
    assert!(error.record().is_retryable);
    let hint = error.record().hint.as_str();
    assert!(hint.contains("has read") && hint.contains("IMMEDIATE") && !hint.contains("busy_timeout"), "{hint}");
    setup(&mut reader, &["ROLLBACK", "BEGIN"]);
    let first = fails(query(&mut reader, "INSERT INTO t VALUES (2)", &[]), ErrorKind::BUSY);
    assert!(first.record().hint.contains("40 ms"), "{first:?}");
    // A change of the journal mode is not waited for either, and needs no transaction.
    setup(&mut writer, &["ROLLBACK"]);
    setup(&mut reader, &["ROLLBACK"]);
    let journal = fails(query(&mut reader, "PRAGMA journal_mode = delete", &[]), ErrorKind::BUSY);
    assert!(!journal.record().hint.contains("40 ms"), "{journal:?}");
}

#[test]
fn what_cannot_be_attached_is_named_and_the_main_database_is_not() {
    let file = TestFile::new();
    let mut session = file.open("");
    let other = file.path().with_file_name("notes.txt");
    std::fs::write(&other, "no database at all, but long enough to have a header ".repeat(9)).unwrap();
    let (main, other) = (file.path().display().to_string(), other.display().to_string());
    let directory = file.path().parent().unwrap().display().to_string();
    let missing = format!("{directory}/missing/x.db");
    for (path, kind) in
        [(&other, ErrorKind::CORRUPT), (&directory, ErrorKind::CONNECTION), (&missing, ErrorKind::CONNECTION)]
    {
        let error = fails(query(&mut session, &format!("ATTACH '{path}' AS n"), &[]), kind);
        assert!(error.to_string().contains(&format!("`{path}`")) && !error.to_string().contains(&main), "{error}");
        assert!(!error.record().hint.is_empty());
        let bound = fails(query(&mut session, "ATTACH $1 AS n", &[ValueRef::Text(path)]), kind);
        assert!(bound.to_string().contains("the file to attach") && !bound.to_string().contains(&main), "{bound}");
    }
    assert_eq!(number(&mut session, "SELECT 1"), 1, "the connection is as before");
}

#[test]
fn a_file_damaged_while_it_is_open_is_corrupt() {
    let file = TestFile::new();
    let mut session = file.open("journal_mode=delete");
    setup(&mut session, &["CREATE TABLE t (a)"]);
    query(&mut session, "INSERT INTO t VALUES ($1)", &[ValueRef::Text(&"x".repeat(100_000))]).unwrap();
    drop(session);
    let mut bytes = std::fs::read(file.path()).unwrap();
    bytes[4096..].fill(0xA5);
    std::fs::write(file.path(), bytes).unwrap();
    let mut session = file.open("");
    let error = fails(query(&mut session, "SELECT * FROM t", &[]), ErrorKind::CORRUPT);
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
}

#[test]
fn a_full_database_is_told_and_breaks_nothing() {
    let file = TestFile::new();
    let mut session = file.open("");
    setup(&mut session, &["CREATE TABLE t (a)", "PRAGMA max_page_count = 10"]);
    let large = "x".repeat(100_000);
    let error = query(&mut session, "INSERT INTO t VALUES ($1)", &[ValueRef::Text(&large)]);
    fails(error, ErrorKind::DISK_FULL);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
}

#[test]
fn a_file_that_was_removed_breaks_the_connection() {
    for journal in ["delete", "wal"] {
        let file = TestFile::new();
        let monitor = Arc::default();
        let url = file.url(&format!("journal_mode={journal}"));
        let mut session = super::open_watched(&url, &monitor).unwrap();
        setup(&mut session, &["CREATE TABLE t (a)"]);
        std::fs::remove_file(file.path()).unwrap();
        let error = fails(query(&mut session, "INSERT INTO t VALUES (1)", &[]), ErrorKind::CONNECTION_LOST);
        assert!(error.to_string().contains("removed") && error.record().hint.contains("in use"), "{error:?}");
        assert!(monitor.status().contains(ConnectionStatus::BROKEN));
        fails(query(&mut session, "SELECT 1", &[]), ErrorKind::CONNECTION_LOST);
    }
}

#[test]
fn values_that_cannot_be_computed_are_data_errors() {
    let mut session = memory();
    fails(query(&mut session, "SELECT json_extract('{', '$')", &[]), ErrorKind::DATA);
    fails(query(&mut session, "SELECT abs(-9223372036854775808)", &[]), ErrorKind::DATA);
    fails(query(&mut session, "SELECT zeroblob(2000000000)", &[]), ErrorKind::TOO_LARGE);
}
