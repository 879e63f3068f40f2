//! What SQLite alone has or allows, of the things that the suites for all databases test: its own placeholders, databases in
//! memory, values of another type than the column's, the lock of the whole file.

use montrs_orm::{Database, DbErrorKind, FromRow};
use montrs_tests::{TestFile, builder};
use std::time::Duration;

async fn memory() -> Database {
    builder("sqlite::memory:").connect().await.unwrap()
}

#[tokio::test]
async fn a_transaction_inside_another_one_of_an_in_memory_database_is_named() {
    let wait = Duration::from_millis(50);
    let db = builder("sqlite::memory:").acquire_timeout(wait).connect().await.unwrap();
    let tx = db.begin().await.unwrap();
    let error = db.begin().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
    assert!(error.to_string().contains("the only connection"), "{error}");
    drop(tx);
    db.begin().await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn an_in_memory_database_is_one_and_stays() {
    let db = builder("sqlite::memory:").max_connections(8).connect().await.unwrap();
    assert_eq!(db.pool_status().max, 1);
    db.execute("CREATE TABLE t (x)").await.unwrap();
    let tasks = (0..16i64).map(|x| {
        let db = db.clone();
        tokio::spawn(async move { db.execute("INSERT INTO t VALUES ($1)").bind(x).await })
    });
    for result in futures_util::future::join_all(tasks).await {
        result.unwrap().unwrap();
    }
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 16);
    // Another database of the same URL is another one.
    let other = builder("sqlite::memory:").connect().await.unwrap();
    assert_eq!(other.execute("SELECT * FROM t").await.unwrap_err().kind(), DbErrorKind::UndefinedTable);
}

#[tokio::test]
async fn one_unreadable_column_does_not_fail_a_row_that_does_not_read_it() {
    let db = memory().await;
    let sql = "SELECT 'good' AS word, CAST(x'fffe' AS TEXT) AS broken";
    #[derive(FromRow)]
    struct Word {
        word: String,
    }
    assert_eq!(db.query(sql).fetch_one::<Word>().await.unwrap().word, "good");
    let error = db.query(sql).fetch_one::<(String, String)>().await.unwrap_err();
    assert!(error.to_string().contains("\"broken\"") && error.to_string().contains("UTF-8"), "{error}");
    let row: (String, Vec<u8>) = db.query(sql).fetch_one().await.unwrap();
    assert_eq!(row.1, [0xff, 0xfe]);
}

#[tokio::test]
async fn a_lock_is_waited_for_and_then_given_up() {
    const INSERT: &str = "INSERT INTO t (id, name) VALUES ($1, $2)";
    let file = TestFile::new();
    let db = builder(file.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    let other = builder(&format!("{}?busy_timeout=10", file.url())).connect().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute(INSERT).bind(1).bind("x").await.unwrap();
    let error = other.execute_many(INSERT, [(2, "y")]).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Busy, true));
    tx.commit().await.unwrap();
    other.execute_many(INSERT, [(2, "y")]).await.unwrap();
}

#[tokio::test]
async fn the_database_s_own_placeholders_work() {
    let db = memory().await;
    let text = async |query: montrs_orm::Query<'_>| query.fetch_scalar::<String>().await.unwrap();
    assert_eq!(text(db.query("SELECT ? || ?").bind("a").bind("b")).await, "ab");
    assert_eq!(text(db.query("SELECT ?2 || ?1").bind("a").bind("b")).await, "ba");
    assert_eq!(text(db.query("SELECT :y || :x || :y").bind_named("x", "a").bind_named(":y", "b")).await, "bab");
    let mut connection = db.acquire().await.unwrap();
    drop(connection.query("SELECT $1").bind("never run"));
    assert_eq!(connection.query("SELECT :a").bind_named("a", "named").fetch_scalar::<String>().await.unwrap(), "named");
}

#[tokio::test]
async fn a_declared_type_never_makes_a_value_unreadable() {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
    let db = memory().await;
    db.execute("CREATE TABLE t (flag BOOLEAN, day DATE, at DATETIME, id UUID)").await.unwrap();
    let at = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap().and_hms_nano_opt(23, 59, 59, 123_456_789).unwrap();
    db.execute("INSERT INTO t (at) VALUES ($1)").bind(at).await.unwrap();
    assert_eq!(db.query("SELECT at FROM t").fetch_scalar::<NaiveDateTime>().await.unwrap(), at);
    let instant: DateTime<Utc> = "2024-02-29T23:59:59.5Z".parse().unwrap();
    db.execute("UPDATE t SET at = $1").bind(instant).await.unwrap();
    assert_eq!(db.query("SELECT at FROM t").fetch_scalar::<DateTime<Utc>>().await.unwrap(), instant);
    // Functions have no declared type: their text is read.
    let now: NaiveDateTime = db.query("SELECT datetime('2024-01-02 03:04:05')").fetch_scalar().await.unwrap();
    assert_eq!(now.to_string(), "2024-01-02 03:04:05");
    db.execute("UPDATE t SET day = 'soon', flag = 7, id = 'x'").await.unwrap();
    let odd: (String, i64, String) = db.query("SELECT day, flag, id FROM t").fetch_one().await.unwrap();
    assert_eq!(odd, ("soon".into(), 7, "x".into()));
}

#[tokio::test]
async fn a_column_of_text_takes_bytes() {
    let db = memory().await;
    db.execute("CREATE TABLE t (name TEXT)").await.unwrap();
    db.execute("INSERT INTO t VALUES ('x')").await.unwrap();
    db.execute_many("UPDATE t SET name = $1", [(b"bytes".to_vec(),)]).await.unwrap();
    assert_eq!(db.query("SELECT name FROM t").fetch_all::<Vec<u8>>().await.unwrap(), [b"bytes"]);
}

#[tokio::test]
async fn double_quotes_are_for_names_only() {
    let db = memory().await;
    db.execute("CREATE TABLE artists (name TEXT)").await.unwrap();
    let error = db.execute("SELECT \"nam\" FROM artists").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedColumn);
}

#[tokio::test]
async fn a_script_may_hold_triggers_pragmas_and_explanations() {
    let file = TestFile::new();
    let db = builder(file.url()).max_connections(1).connect().await.unwrap();
    let script = "CREATE TABLE t (x INTEGER); CREATE TABLE log (x INTEGER);
        CREATE TRIGGER logged AFTER INSERT ON t BEGIN
            INSERT INTO log SELECT CASE WHEN new.x > 1 THEN new.x ELSE 0 END;
            UPDATE log SET x = x + 100;
        END;
        EXPLAIN QUERY PLAN SELECT * FROM t;
        PRAGMA foreign_keys = off; PRAGMA foreign_keys;
        INSERT INTO t VALUES (1), (2)";
    let (mut script, mut last) = (db.script(script), None);
    while let Some(mut result) = script.next().await.unwrap() {
        if result.sql().ends_with("PRAGMA foreign_keys;") {
            last = Some(result.next().await.unwrap().unwrap().get::<i64>(0).unwrap());
        }
    }
    drop(script);
    assert_eq!(last, Some(0));
    // What the script has set is gone for the connection's next user.
    assert_eq!(db.query("PRAGMA foreign_keys").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(db.query("SELECT x FROM log ORDER BY x").fetch_all::<i64>().await.unwrap(), [102, 200]);
    let error = db.script("SELECT 1;\n.read other.sql\n").await.unwrap_err();
    assert!(error.to_string().starts_with("statement 2, line 2, column 1: `.read` is a command"), "{error}");
}
