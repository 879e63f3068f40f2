//! Opening files that exist, do not exist, are something else, or may not be touched.

use super::{TestFile, commands::command, fails, memory, number, open, query, setup, text};
use crate::session::Session;
use montrs_driver_sdk::{Error, ErrorKind, ValueRef};
use std::{fs, path::Path};

fn refused(url: &str, kind: ErrorKind) -> Error {
    match open(url) {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error:?}");
            error
        }
    }
}

fn journal(session: &mut Session) -> (String, i64) {
    (text(session, "PRAGMA journal_mode"), number(session, "PRAGMA synchronous"))
}

const NORMAL: i64 = 1;
const FULL: i64 = 2;

#[test]
fn a_new_file_has_wal_and_an_existing_one_keeps_its_journal() {
    let file = TestFile::new();
    assert_eq!(journal(&mut file.open("")), ("wal".into(), NORMAL));
    assert_eq!(journal(&mut file.open("")), ("wal".into(), NORMAL));
    assert_eq!(journal(&mut file.open("synchronous=extra")), ("wal".into(), 3));
    let old = TestFile::new();
    let mut session = old.open("journal_mode=delete");
    setup(&mut session, &["CREATE TABLE t (a)"]);
    assert_eq!(journal(&mut session), ("delete".into(), FULL));
    drop(session);
    assert_eq!(journal(&mut old.open("")), ("delete".into(), FULL));
    assert_eq!(journal(&mut old.open("journal_mode=wal")), ("wal".into(), NORMAL));
    let empty = TestFile::new();
    fs::write(empty.path(), "").unwrap();
    assert_eq!(journal(&mut empty.open("")), ("wal".into(), NORMAL));
}

#[test]
fn parameters_reach_the_database() {
    let file = TestFile::new();
    let mut session = file.open("foreign_keys=off&cache_size=-123");
    assert_eq!(number(&mut session, "PRAGMA foreign_keys"), 0);
    assert_eq!(number(&mut session, "PRAGMA cache_size"), -123);
    let mut defaults = file.open("");
    assert_eq!(number(&mut defaults, "PRAGMA foreign_keys"), 1);
    assert_eq!(number(&mut defaults, "PRAGMA trusted_schema"), 0);
    assert_eq!(number(&mut defaults, "PRAGMA threads"), 0);
}

#[test]
fn names_with_special_characters_are_files_of_that_name() {
    let file = TestFile::new();
    let path = file.path().with_file_name("a ?#%ü'.db");
    let url = format!("sqlite:{}/a%20%3F%23%25%C3%BC'.db", file.directory.path().display());
    setup(&mut open(&url).unwrap(), &["CREATE TABLE t (a)"]);
    assert!(path.exists());
    let mut immutable = open(&format!("{url}?immutable=1")).unwrap();
    assert_eq!(number(&mut immutable, "SELECT count(*) FROM sqlite_schema"), 1);
}

#[test]
fn a_missing_file_is_created_only_where_that_is_asked_for() {
    let file = TestFile::new();
    for mode in ["ro", "rw"] {
        let error = refused(&file.url(&format!("mode={mode}")), ErrorKind::NOT_FOUND);
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        assert!(error.record().hint.contains("rwc"), "{error:?}");
    }
    refused(&file.url("immutable=1"), ErrorKind::NOT_FOUND);
    assert!(!file.path().exists());
    file.open("mode=rwc");
    file.open("mode=ro");
}

#[test]
fn a_missing_directory_is_named() {
    let file = TestFile::new();
    let missing = file.directory.path().join("missing");
    let error = refused(&format!("sqlite:{}/deep/x.db", missing.display()), ErrorKind::NOT_FOUND);
    assert!(error.to_string().starts_with(&format!("the directory {} does not exist", missing.display())), "{error}");
}

#[test]
fn what_is_no_file_of_sqlite_is_refused_when_connecting() {
    let file = TestFile::new();
    fs::write(file.path(), "This is a text and no database. ".repeat(100)).unwrap();
    for parameters in ["", "mode=ro", "immutable=1", "synchronous=full"] {
        let error = refused(&file.url(parameters), ErrorKind::CORRUPT);
        assert!(error.to_string().starts_with(file.path().to_str().unwrap()), "{error}");
        assert!(error.record().hint.contains("encrypted"), "{error:?}");
    }
    let directory = refused(&format!("sqlite:{}", file.directory.path().display()), ErrorKind::CONNECTION);
    assert!(directory.to_string().contains("is a directory"), "{directory}");
    let below = refused(&format!("sqlite:{}/x.db", file.path().display()), ErrorKind::CONNECTION);
    assert!(below.to_string().contains("x.db"), "{below}");
}

#[test]
fn a_file_that_is_only_read_refuses_writes() {
    let file = TestFile::new();
    setup(&mut file.open("journal_mode=delete"), &["CREATE TABLE t (a)"]);
    for parameters in ["mode=ro", "immutable=1"] {
        let mut session = file.open(parameters);
        let error = fails(query(&mut session, "INSERT INTO t VALUES (1)", &[]), ErrorKind::READ_ONLY);
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
    }
    refused(&file.url("mode=ro&journal_mode=wal"), ErrorKind::READ_ONLY);
}

#[test]
fn an_in_memory_database_lives_in_its_connection() {
    let mut session = open("sqlite://:memory:").unwrap();
    setup(&mut session, &["CREATE TABLE t (a)"]);
    session.reset().unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
    let file = TestFile::new();
    setup(&mut file.open("mode=memory"), &["CREATE TABLE t (a)"]);
    assert!(!file.path().exists());
}

#[test]
fn closing_the_last_connection_leaves_one_file() {
    let file = TestFile::new();
    let mut session = file.open("");
    setup(&mut session, &["CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"]);
    let token = session.prepare("SELECT a FROM t").unwrap();
    drop(session);
    let names: Vec<_> = fs::read_dir(file.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["test.db"]);
    drop(token);
}

#[test]
fn many_connections_open_one_new_file_at_once() {
    let file = TestFile::new();
    let url = file.url("");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || journal(&mut open(&url).unwrap()).0)
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(journal(&mut file.open("")).0, "wal");
}

#[cfg(unix)]
#[test]
fn a_file_system_without_shared_memory_is_told() {
    let file = TestFile::new();
    setup(&mut file.open(""), &["CREATE TABLE t (a)"]);
    for vfs in ["unix-none", "unix-dotfile"] {
        let error = refused(&file.url(&format!("vfs={vfs}")), ErrorKind::CONNECTION);
        let hint = error.record().hint.as_str();
        assert!(hint.contains("shared memory") && hint.contains(vfs) && !hint.contains("immutable"), "{hint}");
    }
    assert_eq!(journal(&mut file.open("journal_mode=delete")).0, "delete");
    file.open("vfs=unix-none");
}

/// The operating system's permissions do not bind root, so root runs this test once more as nobody.
#[cfg(unix)]
#[test]
fn what_may_not_be_written_is_told() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    const NOBODY: u32 = 65_534;
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let file = TestFile::new();
    setup(&mut file.open("journal_mode=delete"), &["CREATE TABLE t (a)"]);
    chmod(&file.path(), 0o444);
    if fs::OpenOptions::new().append(true).open(file.path()).is_ok() {
        let program = file.directory.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        chmod(&program, 0o755);
        chmod(file.directory.path(), 0o755);
        let name = std::thread::current().name().unwrap().to_owned();
        let output = std::process::Command::new(program)
            .args(["--exact", &name])
            .current_dir("/")
            .env("TMPDIR", "/tmp")
            .uid(NOBODY)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(output.contains("1 passed"), "{output}");
        return;
    }
    for mode in ["rw", "rwc"] {
        let error = refused(&file.url(&format!("mode={mode}")), ErrorKind::PERMISSION);
        assert!(error.record().hint.contains("mode=ro"), "{error:?}");
    }
    let mut session = file.open("");
    fails(query(&mut session, "INSERT INTO t VALUES (1)", &[]), ErrorKind::READ_ONLY);
    drop(session);
    chmod(&file.path(), 0o000);
    let error = refused(&file.url(""), ErrorKind::PERMISSION);
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    chmod(&file.path(), 0o644);
    setup(&mut file.open("journal_mode=wal"), &["CREATE TABLE u (a)"]);
    chmod(file.directory.path(), 0o555);
    let error = refused(&format!("{}.new", file.url("").trim_end_matches('?')), ErrorKind::PERMISSION);
    assert!(error.to_string().contains("cannot be created"), "{error}");
    chmod(&file.path(), 0o444);
    let error = refused(&file.url("mode=ro"), ErrorKind::CONNECTION);
    assert!(error.record().hint.contains("immutable=1"), "{error:?}");
    let path = file.path();
    let source = [ValueRef::Text(path.to_str().unwrap())];
    let error = fails(command(&mut memory(), "restore", &source, &[]), ErrorKind::CONNECTION);
    assert!(error.record().hint.contains("WAL mode needs files beside it"), "{error:?}");
    file.open("immutable=1");
    chmod(file.directory.path(), 0o755);
}
