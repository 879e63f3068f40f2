//! Commands on the synchronous core: copies, images, values in parts.

use super::{ALL, TestFile, bound, fails, memory, number, open_watched, query, rows, setup, text};
use crate::{
    command::{Command, UploadCommand},
    session::Session,
};
use montrs_driver_abi::{ParamBuffer, RowBatch};
use montrs_driver_sdk::{Batch, ConnectionStatus, ErrorKind, Result, TransactionOptions, ValueRef};
use std::{fs, path::Path, sync::Arc};

fn parameters(positions: &[ValueRef<'_>], names: &[(&str, ValueRef<'_>)]) -> ParamBuffer {
    let mut buffer = bound(positions);
    names.iter().for_each(|(name, value)| buffer.push_named(name, *value).unwrap());
    buffer
}

type Names<'a> = [(&'a str, ValueRef<'a>)];

/// Begins a command: its first rows, and whether they were all.
fn begin(session: &mut Session, name: &str, positions: &[ValueRef<'_>], names: &Names<'_>) -> Result<(RowBatch, bool)> {
    let command = Command::parse(name, &parameters(positions, names).as_params())?;
    let mut batch = empty();
    let answer = session.command(command, ALL, &mut batch)?;
    Ok((batch.check().unwrap(), answer.is_finished))
}

/// Runs a command to its end.
pub(super) fn command(
    session: &mut Session,
    name: &str,
    positions: &[ValueRef<'_>],
    names: &Names<'_>,
) -> Result<Vec<RowBatch>> {
    let (batch, mut is_finished) = begin(session, name, positions, names)?;
    let mut batches = vec![batch];
    while !is_finished {
        let mut batch = empty();
        is_finished = session.next_of_command(&mut batch)?.finished;
        batches.push(batch.check().unwrap());
    }
    Ok(batches)
}

fn empty() -> Batch {
    Batch::EMPTY
}

fn bytes(batches: &[RowBatch]) -> Vec<u8> {
    let chunks = batches.iter().map(|batch| match batch.value(0, 0).unwrap() {
        ValueRef::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    });
    chunks.collect::<Vec<_>>().concat()
}

fn upload(session: &mut Session, name: &str, positions: &[ValueRef<'_>], names: &Names<'_>) -> Result<()> {
    session.upload(UploadCommand::parse(name, &parameters(positions, names).as_params())?)
}

fn path(path: &Path) -> ValueRef<'_> {
    ValueRef::Text(path.to_str().unwrap())
}

const CELL: [ValueRef<'_>; 3] = [ValueRef::Text("t"), ValueRef::Text("b"), ValueRef::I64(1)];

/// A table with one value of so many bytes.
fn with_value(session: &mut Session, len: usize) {
    setup(
        session,
        &["CREATE TABLE t (id INTEGER PRIMARY KEY, b)", &format!("INSERT INTO t VALUES (1, zeroblob({len}))")],
    );
}

#[test]
fn a_copy_tells_how_far_it_is_and_reads_the_same() {
    let (from, to) = (TestFile::new(), TestFile::new());
    let mut session = from.open("");
    with_value(&mut session, 100_000);
    let batches = command(&mut session, "backup", &[path(&to.path())], &[("pages", ValueRef::I64(10))]).unwrap();
    let progress: Vec<_> =
        batches.iter().map(|batch| (batch.value(0, 0).unwrap(), batch.value(0, 1).unwrap())).collect();
    assert!(progress.len() > 2, "{progress:?}");
    assert!(matches!(progress[0], (ValueRef::I64(left), ValueRef::I64(all)) if left == all - 10));
    assert_eq!(progress.last().unwrap().0, ValueRef::I64(0));
    let mut copy = to.open("mode=ro");
    assert_eq!(number(&mut copy, "SELECT length(b) FROM t"), 100_000);
    assert_eq!(text(&mut copy, "PRAGMA integrity_check"), "ok");
    // Into a database in memory, and into a file that is in use.
    let mut in_memory = memory();
    command(&mut in_memory, "restore", &[path(&to.path())], &[]).unwrap();
    assert_eq!(number(&mut in_memory, "SELECT length(b) FROM t"), 100_000);
    setup(&mut in_memory, &["INSERT INTO t VALUES (2, 'x')"]);
    setup(&mut session, &["DELETE FROM t", "CREATE TABLE more (x)"]);
    command(&mut session, "restore", &[path(&to.path())], &[]).unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 1);
    fails(query(&mut session, "SELECT * FROM more", &[]), ErrorKind::UNDEFINED_TABLE);
}

#[test]
fn a_copy_that_is_ended_early_leaves_its_destination_as_it_was() {
    let (from, to) = (TestFile::new(), TestFile::new());
    let mut session = from.open("");
    with_value(&mut session, 1_000_000);
    setup(&mut to.open("journal_mode=delete"), &["CREATE TABLE old (x)"]);
    for end in [Session::close_command, Session::reset] {
        let (_, is_finished) = begin(&mut session, "backup", &[path(&to.path())], &[]).unwrap();
        assert!(!is_finished);
        end(&mut session).unwrap();
        assert_eq!(number(&mut to.open(""), "SELECT count(*) FROM sqlite_schema WHERE name = 'old'"), 1);
    }
    // A statement ends it as well, and what is fetched then is refused.
    begin(&mut session, "backup", &[path(&to.path())], &[]).unwrap();
    assert_eq!(number(&mut session, "SELECT 1"), 1);
    fails(session.next_of_command(&mut empty()), ErrorKind::PROTOCOL);
    // A file that was made for it stays, empty.
    let made = to.directory.path().join("made.db");
    begin(&mut session, "backup", &[path(&made)], &[]).unwrap();
    session.close_command().unwrap();
    assert_eq!(fs::metadata(&made).unwrap().len(), 0);
    // The end of the session ends it too.
    begin(&mut session, "backup", &[path(&to.path())], &[]).unwrap();
    drop(session);
    assert_eq!(number(&mut to.open(""), "SELECT count(*) FROM old"), 0);
}

#[test]
fn files_that_cannot_be_copied_are_named() {
    let (from, other) = (TestFile::new(), TestFile::new());
    let mut session = from.open("busy_timeout=20");
    with_value(&mut session, 10);
    let mut backup = |to: &Path| command(&mut session, "backup", &[path(to)], &[]);
    let error = fails(backup(&from.path()), ErrorKind::PARAMETERS);
    assert!(error.to_string().contains("is the database itself"), "{error}");
    let error = fails(backup(Path::new("/no/such/place.db")), ErrorKind::NOT_FOUND);
    assert!(error.to_string().contains("/no"), "{error}");
    let text_file = from.directory.path().join("text");
    fs::write(&text_file, "not a database, and more than 100 bytes of it. ".repeat(50)).unwrap();
    let error = fails(backup(&text_file), ErrorKind::CORRUPT);
    assert!(error.to_string().contains("text"), "{error}");
    // Somebody writes to the destination, which is waited for.
    let mut holder = other.open("");
    setup(&mut holder, &["CREATE TABLE x (y)", "BEGIN IMMEDIATE"]);
    let error = fails(backup(&other.path()), ErrorKind::BUSY);
    assert!(error.to_string().contains(other.path().to_str().unwrap()), "{error}");
    setup(&mut holder, &["COMMIT"]);
    backup(&other.path()).unwrap();
    #[cfg(unix)]
    {
        let link = from.directory.path().join("link");
        fs::hard_link(from.path(), &link).unwrap();
        fails(backup(&link), ErrorKind::PARAMETERS);
    }
    let missing = other.directory.path().join("missing.db");
    fails(command(&mut session, "restore", &[path(&missing)], &[]), ErrorKind::NOT_FOUND);
    assert!(!missing.exists());
    fails(command(&mut session, "restore", &[path(&text_file)], &[]), ErrorKind::CORRUPT);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 1);
    let other_pages = TestFile::new();
    setup(&mut other_pages.open("journal_mode=delete"), &["PRAGMA page_size = 8192", "VACUUM", "CREATE TABLE x (y)"]);
    fails(command(&mut session, "restore", &[path(&other_pages.path())], &[]), ErrorKind::READ_ONLY);
    let unknown = [("schema", ValueRef::Text("nowhere"))];
    fails(command(&mut session, "backup", &[path(&missing)], &unknown), ErrorKind::UNDEFINED_TABLE);
}

#[test]
fn a_copy_in_a_transaction_sees_what_the_transaction_sees() {
    let (from, to) = (TestFile::new(), TestFile::new());
    let mut session = from.open("");
    with_value(&mut session, 10);
    session.begin(TransactionOptions::default()).unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 1);
    let mut writer = from.open("");
    let one_page = [("pages", ValueRef::I64(1))];
    let (_, mut is_finished) = begin(&mut session, "backup", &[path(&to.path())], &one_page).unwrap();
    while !is_finished {
        setup(&mut writer, &["INSERT INTO t (b) VALUES (zeroblob(5000))"]);
        is_finished = session.next_of_command(&mut empty()).unwrap().finished;
    }
    fails(command(&mut session, "restore", &[path(&to.path())], &[]), ErrorKind::TRANSACTION_STATE);
    session.commit().unwrap();
    assert_eq!(number(&mut to.open(""), "SELECT count(*) FROM t"), 1);
    session.begin(TransactionOptions::default()).unwrap();
    setup(&mut session, &["DELETE FROM t"]);
    fails(command(&mut session, "backup", &[path(&to.path())], &[]), ErrorKind::TRANSACTION_STATE);
}

#[test]
fn an_image_of_a_file_becomes_a_database_in_memory() {
    let file = TestFile::new();
    let mut session = file.open("");
    with_value(&mut session, 300_000);
    let image = command(&mut session, "serialize", &[], &[]).unwrap();
    assert!(image.len() > 4);
    let image = bytes(&image);
    let mut in_memory = memory();
    setup(&mut in_memory, &["CREATE TABLE old (x)"]);
    let cached = in_memory.prepare("SELECT count(*) FROM sqlite_schema").unwrap();
    upload(&mut in_memory, "deserialize", &[], &[]).unwrap();
    for chunk in image.chunks(7000) {
        in_memory.upload_bytes(chunk).unwrap();
    }
    assert_eq!(in_memory.upload_end().unwrap(), image.len() as u64);
    assert_eq!(number(&mut in_memory, "SELECT length(b) FROM t"), 300_000);
    super::run(&mut in_memory, &cached, &[]).unwrap();
    in_memory.reset().unwrap();
    setup(&mut in_memory, &["BEGIN", "INSERT INTO t VALUES (2, zeroblob(1000000))", "COMMIT"]);
    assert_eq!(number(&mut in_memory, "SELECT count(*) FROM t"), 2);
    assert_eq!(text(&mut in_memory, "PRAGMA integrity_check"), "ok");
    // And out again.
    let again = bytes(&command(&mut in_memory, "serialize", &[], &[]).unwrap());
    assert!(again.len() > image.len());
}

#[test]
fn what_is_no_database_is_refused_and_changes_nothing() {
    let mut session = memory();
    with_value(&mut session, 50_000);
    let image = bytes(&command(&mut session, "serialize", &[], &[]).unwrap());
    let mut wrong_root = image.clone();
    wrong_root[100..4096].fill(0xEE);
    for bytes in [&b""[..], b"short", &[7; 10_000], &image[..5000], &wrong_root] {
        upload(&mut session, "deserialize", &[], &[]).unwrap();
        session.upload_bytes(bytes).unwrap();
        fails(session.upload_end(), ErrorKind::CORRUPT);
        assert_eq!(number(&mut session, "SELECT length(b) FROM t"), 50_000);
    }
    fails(session.upload_end(), ErrorKind::PROTOCOL);
    fails(session.upload_bytes(b"x"), ErrorKind::PROTOCOL);
    session.begin(TransactionOptions::default()).unwrap();
    fails(upload(&mut session, "deserialize", &[], &[]), ErrorKind::TRANSACTION_STATE);
    let file = TestFile::new();
    fails(upload(&mut file.open(""), "deserialize", &[], &[]), ErrorKind::UNSUPPORTED);
}

#[test]
fn a_value_is_read_in_parts() {
    let mut session = memory();
    setup(
        &mut session,
        &["CREATE TABLE t (id INTEGER PRIMARY KEY, b)", "INSERT INTO t VALUES (1, 'grüße'), (2, x''), (3, 7)"],
    );
    let mut read = |row, names: &Names<'_>| {
        let place = [ValueRef::Text("t"), ValueRef::Text("b"), ValueRef::I64(row)];
        command(&mut session, "blob_read", &place, names).map(|batches| bytes(&batches))
    };
    let number = ValueRef::I64;
    assert_eq!(read(1, &[]).unwrap(), "grüße".as_bytes());
    assert_eq!(read(1, &[("offset", number(1)), ("length", number(1))]).unwrap(), b"r");
    assert_eq!(read(1, &[("offset", number(4)), ("length", number(i64::MAX))]).unwrap(), &"grüße".as_bytes()[4..]);
    assert_eq!(read(1, &[("offset", number(99))]).unwrap(), b"");
    assert_eq!(read(2, &[]).unwrap(), b"");
    let error = fails(read(3, &[]), ErrorKind::DATA);
    assert!(error.record().hint.contains("zeroblob"), "{error:?}");
    let error = fails(read(4, &[]), ErrorKind::DATA);
    assert!(error.to_string().contains("no such rowid: 4"), "{error}");
    fails(read(1, &[("offset", number(-1))]), ErrorKind::PARAMETERS);
    let place = [ValueRef::Text("nowhere"), ValueRef::Text("b"), number(1)];
    fails(command(&mut session, "blob_read", &place, &[]), ErrorKind::UNDEFINED_TABLE);
    let place = [ValueRef::Text("t"), ValueRef::Text("c"), number(1)];
    fails(command(&mut session, "blob_read", &place, &[]), ErrorKind::UNDEFINED_COLUMN);
}

#[test]
fn a_row_that_is_changed_ends_the_reading_and_the_writing_of_its_value() {
    let mut session = memory();
    with_value(&mut session, 200_000);
    begin(&mut session, "blob_read", &CELL, &[]).unwrap();
    session.handle.execute("UPDATE t SET b = 'x'").unwrap();
    let error = fails(session.next_of_command(&mut empty()), ErrorKind::TRANSACTION_STATE);
    assert!(error.to_string().contains("the row was changed"), "{error}");
    with_value_again(&mut session);
    upload(&mut session, "blob_write", &CELL, &[]).unwrap();
    session.handle.execute("UPDATE t SET b = 'y'").unwrap();
    fails(session.upload_bytes(b"z"), ErrorKind::TRANSACTION_STATE);
    assert_eq!(number(&mut session, "SELECT length(b) FROM t"), 10, "all since the upload began is undone");
}

fn with_value_again(session: &mut Session) {
    setup(session, &["UPDATE t SET b = zeroblob(10)"]);
}

#[test]
fn a_value_is_written_in_place_and_does_not_grow() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    with_value(&mut session, 10);
    upload(&mut session, "blob_write", &CELL, &[("offset", ValueRef::I64(2))]).unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY, "the savepoint is the driver's own");
    session.upload_bytes(b"abc").unwrap();
    session.upload_bytes(b"def").unwrap();
    assert_eq!(session.upload_end().unwrap(), 6);
    assert_eq!(text(&mut session, "SELECT hex(b) FROM t"), "00006162636465660000");
    // More than there is room for undoes all of it.
    upload(&mut session, "blob_write", &CELL, &[("offset", ValueRef::I64(5))]).unwrap();
    session.upload_bytes(b"zzz").unwrap();
    let error = fails(session.upload_bytes(b"zzz"), ErrorKind::TOO_LARGE);
    assert_eq!(error.to_string(), "the value has 10 bytes, and 6 bytes were written from byte 5 on");
    assert_eq!(text(&mut session, "SELECT hex(b) FROM t"), "00006162636465660000");
    upload(&mut session, "blob_write", &CELL, &[("offset", ValueRef::I64(i64::MAX))]).unwrap();
    fails(session.upload_bytes(b"z"), ErrorKind::TOO_LARGE);
    upload(&mut session, "blob_write", &CELL, &[("offset", ValueRef::I64(11))]).unwrap();
    let error = fails(session.upload_bytes(b""), ErrorKind::TOO_LARGE);
    assert_eq!(error.to_string(), "the value has 10 bytes, and 0 bytes were written from byte 11 on");
    upload(&mut session, "blob_write", &CELL, &[("offset", ValueRef::I64(10))]).unwrap();
    session.upload_bytes(b"").unwrap();
    assert_eq!(session.upload_end().unwrap(), 0);
    fails(upload(&mut session, "blob_write", &[CELL[0], CELL[1], ValueRef::I64(7)], &[]), ErrorKind::DATA);
    setup(&mut session, &["CREATE INDEX i ON t (b)"]);
    let error = fails(upload(&mut session, "blob_write", &CELL, &[]), ErrorKind::DATA);
    assert!(error.to_string().contains("indexed column"), "{error}");
    assert!(session.handle.is_autocommit());
}

#[test]
fn a_transaction_that_ends_under_an_upload_has_failed() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    with_value(&mut session, 3);
    session.begin(TransactionOptions::default()).unwrap();
    upload(&mut session, "blob_write", &CELL, &[]).unwrap();
    // As SQLite does after an error such as a full disk.
    session.handle.execute("ROLLBACK").unwrap();
    fails(session.upload_bytes(b"abc"), ErrorKind::TRANSACTION_STATE);
    assert!(monitor.status().contains(ConnectionStatus::FAILED_TRANSACTION));
    fails(upload(&mut session, "blob_write", &CELL, &[]), ErrorKind::TRANSACTION_STATE);
    session.rollback().unwrap();
    assert_eq!(text(&mut session, "SELECT hex(b) FROM t"), "000000");
}

#[test]
fn a_value_that_is_not_finished_is_as_before_also_inside_a_transaction() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    with_value(&mut session, 3);
    upload(&mut session, "blob_write", &CELL, &[]).unwrap();
    session.upload_bytes(b"abc").unwrap();
    session.reset().unwrap();
    assert_eq!(text(&mut session, "SELECT hex(b) FROM t"), "000000");
    session.begin(TransactionOptions::default()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (2, 'kept')"]);
    upload(&mut session, "blob_write", &CELL, &[]).unwrap();
    assert!(monitor.status().contains(ConnectionStatus::IN_TRANSACTION));
    session.upload_bytes(b"abc").unwrap();
    fails(session.upload_bytes(b"d"), ErrorKind::TOO_LARGE);
    let sql = "SELECT hex(b) FROM t WHERE id = 1";
    assert_eq!(text(&mut session, sql), "000000", "the upload is undone, the transaction is not");
    upload(&mut session, "blob_write", &CELL, &[]).unwrap();
    session.upload_bytes(b"xyz").unwrap();
    session.upload_end().unwrap();
    session.commit().unwrap();
    assert_eq!(rows(&mut session, "SELECT b FROM t", &[]).rows(), 2);
    assert_eq!(text(&mut session, sql), "78797A");
}
