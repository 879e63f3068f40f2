//! Each parameter of a URL does what it says, seen from outside.

use futures_util::FutureExt;
use montrs_orm::{AiError, Database, DbErrorKind, RuntimeSql, Value};
use montrs_tests::{TestFile, builder};
use std::time::Duration;
use tokio::time::{Instant, timeout};

async fn open(file: &TestFile, parameters: &str) -> Database {
    let url = format!("{}?{parameters}", file.url());
    builder(&url).connect().await.unwrap_or_else(|error| panic!("{parameters}: {error:?}"))
}

async fn table(parameters: &str) -> TestFile {
    let file = TestFile::new();
    let db = open(&file, parameters).await;
    db.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y REFERENCES t)").await.unwrap();
    db.close().await.unwrap();
    file
}

#[tokio::test]
async fn settings_are_what_sqlite_answers() {
    for (parameters, pragma, expected) in [
        ("", "journal_mode", "wal"),
        ("journal_mode=delete", "journal_mode", "delete"),
        ("journal_mode=truncate", "journal_mode", "truncate"),
        ("journal_mode=persist", "journal_mode", "persist"),
        ("journal_mode=memory", "journal_mode", "memory"),
        ("journal_mode=WAL", "journal_mode", "wal"),
        ("", "synchronous", "1"),
        ("journal_mode=delete", "synchronous", "2"),
        ("synchronous=off", "synchronous", "0"),
        ("synchronous=extra", "synchronous", "3"),
        ("", "busy_timeout", "5000"),
        ("busy_timeout=70", "busy_timeout", "70"),
        ("", "foreign_keys", "1"),
        ("foreign_keys=no", "foreign_keys", "0"),
        ("", "cache_size", "-2000"),
        ("cache_size=77", "cache_size", "77"),
        ("", "mmap_size", "0"),
        ("mmap_size=65536", "mmap_size", "65536"),
        ("", "temp_store", "0"),
        ("temp_store=memory", "temp_store", "2"),
        ("pragma.recursive_triggers=on", "recursive_triggers", "1"),
        ("pragma.page_size=8192", "page_size", "8192"),
    ] {
        let file = TestFile::new();
        let db = open(&file, parameters).await;
        let answer: Value = db.query(RuntimeSql(format!("PRAGMA {pragma}"))).fetch_scalar().await.unwrap();
        let answer = match answer {
            Value::I64(number) => number.to_string(),
            Value::Text(text) => text,
            other => panic!("{parameters}: {other:?}"),
        };
        assert_eq!(answer, expected, "`{parameters}`: {pragma}");
    }
}

#[tokio::test]
async fn a_mode_says_who_makes_the_file_and_who_writes() {
    const INSERT: &str = "INSERT INTO t VALUES (1, NULL)";
    for mode in ["ro", "rw"] {
        let missing = TestFile::new();
        let error = builder(&format!("{}?mode={mode}", missing.url())).connect().await.unwrap_err();
        assert_eq!(
            (error.kind(), missing.path().exists()),
            (DbErrorKind::DatabaseNotFound, false),
            "{mode}: {error:?}"
        );
    }
    let file = table("mode=rwc").await;
    open(&file, "mode=rw").await.execute(INSERT).await.unwrap();
    let error = open(&file, "mode=ro").await.execute(INSERT).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ReadOnly);
    assert_eq!(open(&file, "mode=ro").await.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [1]);
    let unused = TestFile::new();
    open(&unused, "mode=memory").await.execute("CREATE TABLE t (x)").await.unwrap();
    assert!(!unused.path().exists());
}

#[tokio::test]
async fn an_immutable_file_is_read_whoever_has_locked_it() {
    let file = table("journal_mode=delete").await;
    let db = open(&file, "").await;
    let mut connection = db.acquire().await.unwrap();
    connection.execute("BEGIN EXCLUSIVE").await.unwrap();
    let count = "SELECT count(*) FROM t";
    let locked = builder(&format!("{}?mode=ro&busy_timeout=0", file.url())).connect().await;
    assert_eq!(locked.unwrap_err().kind(), DbErrorKind::Busy);
    let unlocked = open(&file, "immutable=on&busy_timeout=0").await;
    assert_eq!(unlocked.query(count).fetch_scalar::<i64>().await.unwrap(), 0);
    let error = unlocked.execute("INSERT INTO t VALUES (1, NULL)").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ReadOnly);
    connection.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_lock_is_waited_for_as_long_as_the_url_says() {
    let file = table("").await;
    let holder = open(&file, "").await;
    let mut tx = holder.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1, NULL)").await.unwrap();
    let waiting = open(&file, "busy_timeout=80").await;
    let begun = Instant::now();
    let error = waiting.execute("INSERT INTO t VALUES (2, NULL)").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Busy);
    assert!(begun.elapsed() >= Duration::from_millis(80));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn foreign_keys_are_enforced_unless_they_are_switched_off() {
    const ORPHAN: &str = "INSERT INTO t VALUES (1, 7)";
    let file = table("").await;
    assert_eq!(open(&file, "").await.execute(ORPHAN).await.unwrap_err().kind(), DbErrorKind::ForeignKeyViolation);
    open(&file, "foreign_keys=off").await.execute(ORPHAN).await.unwrap();
}

#[tokio::test]
async fn a_file_system_is_chosen_by_its_name() {
    let file = table("journal_mode=delete&vfs=unix-dotfile").await;
    let db = open(&file, "vfs=unix-dotfile").await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1, NULL)").await.unwrap();
    assert!(file.path().with_extension("db.lock").exists());
    tx.commit().await.unwrap();
}

/// On the calling task a short statement ends at its first poll; on the blocking pool it never does.
#[tokio::test]
async fn statements_run_where_the_url_says() {
    for (execution, at_once) in [("coroutine", true), ("blocking", false)] {
        let db = builder(&format!("sqlite::memory:?execution={execution}")).connect().await.unwrap();
        let mut connection = db.acquire().await.unwrap();
        connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap();
        let mut polls_that_ended = 0;
        for _ in 0..20 {
            let mut query = Box::pin(connection.query("SELECT 1").fetch_scalar::<i64>());
            match query.as_mut().now_or_never() {
                Some(ended) => polls_that_ended += ended.unwrap() as usize,
                None => drop(timeout(Duration::from_secs(60), query).await.unwrap().unwrap()),
            }
        }
        // Now and then a task gives way.
        assert_eq!(polls_that_ended > 10, at_once, "{execution}: {polls_that_ended}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_told_with_the_nearest_and_all_there_are() {
    const KNOWN: [&str; 11] = [
        "mode",
        "immutable",
        "vfs",
        "journal_mode",
        "synchronous",
        "busy_timeout",
        "foreign_keys",
        "cache_size",
        "mmap_size",
        "temp_store",
        "execution",
    ];
    for known in KNOWN {
        let misspelt = format!("{}x{}", &known[..known.len() - 1], &known[known.len() - 1..]);
        let error = builder(&format!("sqlite::memory:?{misspelt}=1")).connect().await.unwrap_err();
        assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Configuration, "DB_CONFIGURATION"), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&misspelt) && text.contains(&format!("did you mean `{known}`?")), "{text}");
        let fixes = error.suggested_fixes().join("\n");
        assert!(KNOWN.iter().chain(["pragma.<name>"].iter()).all(|name| fixes.contains(name)), "{fixes}");
    }
}
