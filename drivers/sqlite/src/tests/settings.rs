//! Settings: by the URL, by SQL, and what the next user of a session finds.

use super::{TestFile, fails, memory, number, open, query, run, setup, text};
use crate::{monitor::Monitor, pragma, session::Session};
use montrs_driver_sdk::{ConnectionStatus, ErrorKind, ValueRef};
use std::{collections::BTreeSet, fs, sync::Arc};

#[test]
fn parameters_and_pragmas_of_the_url_reach_the_database() {
    let file = TestFile::new();
    let parameters = "mmap_size=1048576&temp_store=memory&pragma.page_size=8192&pragma.auto_vacuum=incremental\
                      &pragma.encoding=UTF-8&pragma.cache_spill=off&pragma.wal_autocheckpoint=7&pragma.secure_delete=fast\
                      &pragma.case_sensitive_like=on";
    for _ in 0..2 {
        let mut session = file.open(parameters);
        setup(&mut session, &["CREATE TABLE IF NOT EXISTS t (a)"]);
        for (pragma, value) in [
            ("mmap_size", 1 << 20),
            ("temp_store", 2),
            ("page_size", 8192),
            ("auto_vacuum", 2),
            ("cache_spill", 0),
            ("wal_autocheckpoint", 7),
            ("secure_delete", 2),
        ] {
            assert_eq!(number(&mut session, &format!("PRAGMA {pragma}")), value, "{pragma}");
        }
        assert_eq!(number(&mut session, "SELECT 'a' LIKE 'A'"), 0);
        assert_eq!(text(&mut session, "PRAGMA encoding"), "UTF-8");
        assert_eq!(text(&mut session, "PRAGMA journal_mode"), "wal");
    }
    let mut session =
        open("sqlite::memory:?temp_store=file&pragma.encoding=utf-16&pragma.recursive_triggers=1").unwrap();
    assert_eq!(number(&mut session, "PRAGMA recursive_triggers"), 1);
    assert_eq!(number(&mut session, "PRAGMA temp_store"), 1);
    assert!(text(&mut session, "PRAGMA encoding").starts_with("UTF-16"));
}

#[test]
fn what_sqlite_would_take_for_something_else_is_refused() {
    let refused = |url: &str, part: &str| {
        let error = fails(open(url), ErrorKind::CONFIGURATION);
        let whole = format!("{error} {}", error.record().hint);
        assert!(whole.contains(part), "{url}: {whole}");
    };
    let file = TestFile::new();
    setup(&mut file.open(""), &["CREATE TABLE t (a)"]);
    refused(&file.url("pragma.page_size=8192"), "`pragma.page_size` is 4096, not 8192");
    refused(&file.url("pragma.secure_delete=perhaps"), "is 0, not perhaps");
    refused(&file.url("mmap_size=99999999999999"), "at most");
    refused("sqlite::memory:?pragma.threads=4", "threads of SQLite's own");
    refused("sqlite::memory:?pragma.cache_size=4", "write `cache_size=4`");
    refused("sqlite::memory:?pragma.recursive_trigger=1", "did you mean `recursive_triggers`?");
    refused("sqlite::memory:?pragma.cach_size=1", "did you mean `cache_size`?");
    refused("sqlite::memory:?pragma.user_version=1", "analysis_limit");
    refused("sqlite::memory:?pragma.query_only", "no value");
    refused("sqlite::memory:?mmap_size=1", "no file");
    refused("sqlite::memory:?temp_store=ram", "default, file, memory");
    refused("sqlite::memory:?pragma.query_only=1'; DROP TABLE t; --", "is 1, not 1'");
}

#[test]
fn every_pragma_of_this_sqlite_is_known() {
    /// They only answer, or do something to the file, when they have no value.
    const ANSWERS: &[&str] = &[
        "collation_list",
        "compile_options",
        "data_version",
        "database_list",
        "default_cache_size",
        "freelist_count",
        "function_list",
        "module_list",
        "page_count",
        "pragma_list",
        "shrink_memory",
        // Refused by the defence of the file.
        "writable_schema",
    ];
    let mut session = memory();
    let sql = "SELECT group_concat(name, ' ') FROM pragma_pragma_list";
    let names: BTreeSet<String> = text(&mut session, sql).split(' ').map(Into::into).collect();
    let unknown: Vec<&String> = names
        .iter()
        .filter(|name| {
            let is_asked_for = pragma::of_url(name, "x").is_ok_and(|(found, _)| found == name.as_str())
                || pragma::of_url(name, "x").is_err_and(|error| error.to_string().contains("parameter of its own"));
            !is_asked_for
                && pragma::refusal(name).is_none()
                && pragma::leaves_trace(name)
                && !ANSWERS.contains(&name.as_str())
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_file_system_is_chosen_by_name() {
    let file = TestFile::new();
    let error = fails(open(&file.url("vfs=unix-dotfil")), ErrorKind::CONFIGURATION);
    assert!(error.to_string().contains("did you mean `unix-dotfile`?"), "{error}");
    assert!(error.record().hint.contains("memdb") && !error.record().hint.contains("montrs"), "{error:?}");
    fails(open(&file.url("vfs=montrs-unix")), ErrorKind::CONFIGURATION);
    let mut session = file.open("vfs=unix-dotfile&journal_mode=delete");
    setup(&mut session, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"]);
    assert!(file.path().with_extension("db.lock").exists());
    setup(&mut session, &["COMMIT"]);
    assert!(!file.path().with_extension("db.lock").exists());
}

/// What a session is for its user, beyond its transaction.
fn state(session: &mut Session) -> String {
    let settings = "SELECT (SELECT foreign_keys FROM pragma_foreign_keys) || ' ' || (SELECT cache_size FROM pragma_cache_size) \
                    || ' ' || (SELECT query_only FROM pragma_query_only) || ' ' || (SELECT timeout FROM pragma_busy_timeout) \
                    || ' ' || (SELECT locking_mode FROM pragma_locking_mode) \
                    || ' ' || (SELECT trusted_schema FROM pragma_trusted_schema) \
                    || ' ' || (SELECT temp_store FROM pragma_temp_store) || ' ' || ('a' LIKE 'A') \
                    || ' ' || (SELECT group_concat(name) FROM pragma_database_list) \
                    || ' ' || (SELECT count(*) FROM sqlite_temp_schema)";
    text(session, settings)
}

const CHANGES: &[&str] = &[
    "PRAGMA foreign_keys = off",
    "PRAGMA cache_size = 77",
    "PRAGMA trusted_schema(on)",
    "PRAGMA case_sensitive_like = on",
    "PRAGMA locking_mode = exclusive",
    "PRAGMA temp_store = memory",
    "PRAGMA busy_timeout = 7",
    "PRAGMA recursive_triggers = yes",
    "EXPLAIN PRAGMA reverse_unordered_selects = on",
    "ATTACH ':memory:' AS \"o\"\"ther\"",
    "CREATE TABLE \"o\"\"ther\".t (a)",
    "CREATE TEMP TABLE t (a)",
    "CREATE TABLE temp.u (a)",
    "CREATE VIRTUAL TABLE temp.words USING fts5 (word)",
    "INSERT INTO temp.words VALUES ('x')",
    "CREATE TEMP VIEW v AS SELECT 1",
    "PRAGMA query_only = on",
];

#[test]
fn a_reset_takes_away_what_sql_has_changed() {
    let file = TestFile::new();
    for url in ["sqlite::memory:?busy_timeout=1234".to_owned(), file.url("busy_timeout=1234&cache_size=55")] {
        let mut session = open(&url).unwrap();
        setup(&mut session, &["CREATE TABLE kept (a)"]);
        let before = state(&mut session);
        for _ in 0..2 {
            setup(&mut session, CHANGES);
            assert_eq!(number(&mut session, "PRAGMA busy_timeout"), 7);
            let changed = state(&mut session);
            assert!(changed.contains("main,temp,o\"ther"), "{changed}");
            session.put_right().unwrap();
            assert_eq!(state(&mut session), changed, "it stays with its user");
            session.reset().unwrap();
            assert_eq!(state(&mut session), before);
            assert_eq!(number(&mut session, "PRAGMA busy_timeout"), 1234);
            assert_eq!(number(&mut session, "PRAGMA recursive_triggers"), 0);
            assert_eq!(number(&mut session, "PRAGMA reverse_unordered_selects"), 0);
            assert_eq!(number(&mut session, "SELECT count(*) FROM kept"), 0);
            setup(&mut session, &["INSERT INTO kept VALUES (1)", "DELETE FROM kept"]);
        }
    }
}

/// The journal is the file's, and stays; how safely is written goes with it, unless the URL says it.
#[test]
fn a_reset_writes_as_safely_as_the_journal_needs() {
    for (parameters, synchronous) in [("", 2), ("synchronous=off", 0)] {
        let file = TestFile::new();
        let mut session = file.open(parameters);
        setup(&mut session, &["CREATE TABLE t (a)"]);
        assert_eq!(text(&mut session, "PRAGMA journal_mode"), "wal");
        setup(&mut session, &["PRAGMA journal_mode = delete", "PRAGMA synchronous = extra"]);
        session.reset().unwrap();
        assert_eq!(text(&mut session, "PRAGMA journal_mode"), "delete");
        assert_eq!(number(&mut session, "PRAGMA synchronous"), synchronous);
        setup(&mut session, &["PRAGMA journal_mode = wal"]);
        session.reset().unwrap();
        assert_eq!(number(&mut session, "PRAGMA synchronous"), if parameters.is_empty() { 1 } else { 0 });
    }
}

#[test]
fn each_change_is_told_and_nothing_else_is() {
    for sql in CHANGES.iter().filter(|sql| !sql.contains("\".t") && !sql.starts_with("INSERT")) {
        let monitor: Arc<Monitor> = Arc::default();
        let mut session = super::open_watched("sqlite::memory:", &monitor).unwrap();
        setup(&mut session, &[sql]);
        assert_eq!(monitor.status(), ConnectionStatus::CHANGED, "{sql}");
        session.reset().unwrap();
        assert_eq!(monitor.status(), ConnectionStatus::READY, "{sql}");
    }
    let monitor: Arc<Monitor> = Arc::default();
    let mut session = super::open_watched("sqlite::memory:", &monitor).unwrap();
    for sql in [
        "CREATE TABLE t (a)",
        "CREATE VIRTUAL TABLE words USING fts5 (word)",
        "INSERT INTO words VALUES ('x')",
        "PRAGMA table_info(t)",
        "PRAGMA user_version = 3",
        "PRAGMA foreign_keys",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA optimize",
        "ANALYZE",
        "VACUUM",
        "SELECT * FROM pragma_table_info('t')",
    ] {
        setup(&mut session, &[sql]);
        assert_eq!(monitor.status(), ConnectionStatus::READY, "{sql}");
    }
}

#[test]
fn a_statement_that_is_kept_does_and_tells_the_same_at_each_run() {
    let mut session = memory();
    let (set, get) =
        (session.prepare("PRAGMA cache_size = 77").unwrap(), session.prepare("PRAGMA cache_size").unwrap());
    let size = |session: &mut Session| {
        let answer = run(session, &get, &[]).unwrap();
        match answer.batch.check().unwrap().value(0, 0) {
            Ok(ValueRef::I64(size)) => size,
            other => panic!("{other:?}"),
        }
    };
    session.reset().unwrap();
    for _ in 0..2 {
        assert_eq!(size(&mut session), -2000);
        run(&mut session, &set, &[]).unwrap();
        assert_eq!(size(&mut session), 77);
        session.reset().unwrap();
    }
}

#[test]
fn sql_cannot_set_what_concerns_more_than_the_session() {
    let mut session = memory();
    for sql in ["PRAGMA threads = 4", "PRAGMA hard_heap_limit = 1", "PRAGMA temp_store_directory = '/x'"] {
        let error = fails(query(&mut session, sql, &[]), ErrorKind::UNSUPPORTED);
        assert!(error.to_string().contains("would"), "{error}");
    }
    assert_eq!(number(&mut session, "PRAGMA threads"), 0);
}

#[test]
fn a_value_that_a_pragma_of_the_url_refuses_is_a_configuration_error() {
    let error = fails(open("sqlite::memory:?pragma.encoding=UTF-17"), ErrorKind::CONFIGURATION);
    assert!(error.to_string().contains("`pragma.encoding` cannot be UTF-17"), "{error}");
}

#[test]
fn what_something_else_in_the_process_has_open_is_not_opened() {
    let file = TestFile::new();
    setup(&mut file.open(""), &["CREATE TABLE t (a)"]);
    let link = file.path().with_file_name("link.db");
    fs::hard_link(file.path(), &link).unwrap();
    let elsewhere = fs::File::open(&link).unwrap();
    for parameters in ["", "mode=ro", "immutable=1", "vfs=unix-none"] {
        let error = fails(open(&file.url(parameters)), ErrorKind::CONNECTION);
        assert!(error.to_string().contains("has the database file open already"), "{error}");
    }
    let attach = format!("ATTACH '{}' AS other", file.path().display());
    let error = fails(query(&mut memory(), &attach, &[]), ErrorKind::CONNECTION);
    assert!(error.to_string().contains("open already"), "{error}");
    drop(elsewhere);
    let mut first = file.open("");
    let mut second = open(&format!("sqlite:{}", link.display())).unwrap();
    setup(&mut memory(), &[&attach]);
    drop(first);
    setup(&mut second, &["INSERT INTO t VALUES (1)"]);
    drop(second);
    first = file.open("");
    assert_eq!(number(&mut first, "SELECT count(*) FROM t"), 1);
}
