//! One statement for many rows on PostgreSQL.

mod postgres;

use montrs_orm::{Database, DbErrorKind};
use montrs_tests::{builder, poll_then_drop};
use postgres::{open_with, schema, with};
use std::time::Duration;
use tokio::time::timeout;

const INSERT: &str = "INSERT INTO t (id, name) VALUES ($1, $2)";

async fn table(name: &str) -> Database {
    let db = open_with(name, |builder| builder.max_connections(1)).await;
    db.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text)").await.unwrap();
    db
}

async fn count(db: &Database) -> i64 {
    db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn many_rows_are_inserted_and_counted() {
    for parameter in ["prepared_statements=named", "prepared_statements=unnamed"] {
        let url = with(&schema("many_rows").await, parameter);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text)").await.unwrap();
        let done = db.execute_many(INSERT, (1..=20_000).map(|id| (id, format!("name {id}")))).await.unwrap();
        assert_eq!((done.rows_affected(), done.last_insert_id()), (20_000, None));
        let wrong: i64 = db.query("SELECT count(*) FROM t WHERE name <> 'name ' || id").fetch_scalar().await.unwrap();
        assert_eq!((count(&db).await, wrong), (20_000, 0));
        let done = db.execute_many("DELETE FROM t WHERE id <= $1", [[10], [10], [30]]).await.unwrap();
        assert_eq!(done.rows_affected(), 30);
    }
}

#[tokio::test]
async fn the_first_error_names_its_row_and_nothing_stays() {
    let db = table("many_errors").await;
    db.execute(INSERT).bind(7500).bind("there already").await.unwrap();
    let error = db.execute_many(INSERT, (1..=10_000).map(|id| (id, "x"))).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::UniqueViolation, Some(7499)), "{error}");
    assert_eq!(count(&db).await, 1);
    let error = db.execute_many("INSERT INTO t VALUES ($1::int2, 'x')", [1, 2, 100_000].map(|id| (id,))).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Encode, Some(2)), "{error}");
    let error = db.execute_many(INSERT, [(1, "a", 2)]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Parameters, Some(0)));
    for sql in ["INSERT INTO t VALUES ($1, 'x') RETURNING id", "COPY t FROM STDIN"] {
        let error = db.execute_many(sql, [(1,)]).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Unsupported, "{sql}");
    }
    // Inside of a transaction, what was done before stays.
    let mut tx = db.begin().await.unwrap();
    tx.execute_many(INSERT, [(1, "a"), (2, "b")]).await.unwrap();
    assert!(tx.execute_many(INSERT, [(3, "c"), (1, "again")]).await.is_err());
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, 3);
}

#[tokio::test]
async fn a_server_that_says_much_meanwhile_is_heard() {
    let db = table("many_answers").await;
    let function = "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE NOTICE '%', repeat('x', 100000); RETURN NEW; END $$";
    db.execute(function).await.unwrap();
    db.execute("CREATE TRIGGER say BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION say()").await.unwrap();
    // More than the sockets hold, in both directions: whoever only writes is never heard.
    let last = "y".repeat(30_000_000);
    let rows = (1..=400).map(|id| (id, if id == 400 { last.as_str() } else { "" }));
    assert_eq!(db.execute_many(INSERT, rows).await.unwrap().rows_affected(), 400);
    assert_eq!(count(&db).await, 400);
}

#[tokio::test]
async fn rows_without_columns_are_nothing_to_return() {
    let db = table("many_without_columns").await;
    let done = db.execute_many("SELECT FROM generate_series(1, $1)", [[2], [3]]).await.unwrap();
    assert_eq!(done.rows_affected(), 5);
    assert_eq!(db.execute("SELECT FROM generate_series(1, 3)").await.unwrap().rows_affected(), 0);
}

#[tokio::test]
async fn many_rows_may_be_dropped_half_way() {
    let db = table("many_dropped").await;
    let pid: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    // The last row would take a day.
    let sql = "INSERT INTO t SELECT $1, $2 FROM pg_sleep(CASE WHEN $1 = 5000 THEN 86400 ELSE 0 END)";
    for polls in 0..12 {
        // There may be fewer polls: the last one would wait for a day.
        let rows = (1..=5000).map(|id| (id, "x"));
        let _ = timeout(Duration::from_millis(50), poll_then_drop(polls, db.execute_many(sql, rows))).await;
        assert_eq!(count(&db).await, 0, "after {polls} polls");
    }
    assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), pid);
}
