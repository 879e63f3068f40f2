//! Several statements in one go on PostgreSQL, and statements that are out of date.

mod postgres;

use montrs_orm::{Database, DbErrorKind, RuntimeSql, query};
use montrs_tests::{builder, poll_then_drop};
use postgres::{open_with, schema, with};
use std::time::Duration;
use tokio::time::timeout;

async fn single(name: &str) -> Database {
    open_with(name, |builder| builder.max_connections(1)).await
}

#[tokio::test]
async fn types_are_looked_up_and_lists_are_bound_with_named_and_unnamed_statements() {
    for parameter in ["prepared_statements=named", "prepared_statements=unnamed"] {
        let url = with(&schema("pipelines_kinds").await, parameter);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')").await.unwrap();
        db.execute("CREATE TABLE t (id int8 PRIMARY KEY, m mood)").await.unwrap();
        for _ in 0..3 {
            const IN: &str = "SELECT id FROM t WHERE id IN ($1) OR id IN ($2) ORDER BY id";
            let (_, one, both, first, moods, none) = db
                .pipeline((
                    query("INSERT INTO t VALUES (1, 'sad'), (2, 'happy'), (3, $1)").bind("sad"),
                    query(IN).bind(1).bind(2).all::<i64>(),
                    query(IN).bind([1, 2]).bind([3]).all::<i64>(),
                    query(IN).bind([3, 1]).bind(9).all::<i64>(),
                    query("SELECT m FROM t ORDER BY id").all::<String>(),
                    query("DELETE FROM t WHERE id IN ($1)").bind(Vec::<i64>::new()),
                ))
                .await
                .unwrap();
            assert_eq!((one, both, first), (vec![1, 2], vec![1, 2, 3], vec![1, 3]), "{parameter}");
            assert_eq!((moods, none.rows_affected()), (["sad", "happy", "sad"].map(String::from).to_vec(), 0));
            db.execute("DELETE FROM t").await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_deferred_fails_with_the_whole_pipeline() {
    let db = single("pipelines_deferred").await;
    db.execute("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)").await.unwrap();
    let insert = || query("INSERT INTO t VALUES ($1)");
    let error = db.pipeline([insert().bind(1), insert().bind(1)]).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::UniqueViolation, None), "{error}");
    assert_eq!(db.pipeline(query("SELECT count(*) FROM t").scalar::<i64>()).await.unwrap(), 0);
    for sql in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
        let error = db.pipeline((insert().bind(1), query(sql))).await.unwrap_err();
        assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::Unsupported, Some(2)), "{sql}");
    }
    let (_, savepoint, undone, count) = db
        .pipeline((
            insert().bind(1),
            query("SAVEPOINT s"),
            query("ROLLBACK TO s"),
            query("SELECT count(*) FROM t").scalar::<i64>(),
        ))
        .await
        .unwrap();
    assert_eq!((savepoint.rows_affected(), undone.rows_affected(), count), (0, 0, 1));
    // In a transaction that has failed, only a rollback helps.
    let mut tx = db.begin().await.unwrap();
    tx.execute("SELECT 1/0").await.unwrap_err();
    let error = tx.pipeline(query("SELECT 1").scalar::<i32>()).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState);
    tx.rollback().await.unwrap();
    // What it may have set is not there for the next user.
    db.pipeline(query("SELECT set_config('app.x', 'set', false)")).await.unwrap();
    let left: Option<String> = db.query("SELECT current_setting('app.x', true)").fetch_scalar().await.unwrap();
    assert_eq!(left.as_deref().unwrap_or_default(), "");
}

#[tokio::test]
async fn both_sides_may_say_much_at_once() {
    let db = single("pipelines_much").await;
    let large = "y".repeat(400_000);
    // 40 MB in each direction, more than the sockets hold: whoever only writes is never heard.
    let echoes = (0..100).map(|_| query("SELECT $1::text").bind(&large).scalar::<String>());
    let echoes = db.pipeline(echoes.collect::<Vec<_>>()).await.unwrap();
    assert!(echoes.len() == 100 && echoes.iter().all(|echo| *echo == large));
    let notices = "SELECT set_config('client_min_messages', 'notice', true)";
    db.execute("CREATE FUNCTION say() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', repeat('x', 100000); RETURN 1; END $$")
        .await
        .unwrap();
    let said = (0..300).map(|_| query("SELECT say() + length($1) - length($1)").bind(&large).scalar::<i32>());
    let (_, said) = db.pipeline((query(notices), said.collect::<Vec<_>>())).await.unwrap();
    assert_eq!(said.into_iter().sum::<i32>(), 300);
}

#[tokio::test]
async fn a_pipeline_that_is_dropped_half_way_leaves_its_connection() {
    let db = single("pipelines_dropped").await;
    db.execute("CREATE TABLE t (x text)").await.unwrap();
    let pid: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let large = "y".repeat(400_000);
    for polls in 0..12 {
        // The last statement would take a day.
        let inserts = (0..50).map(|_| query("INSERT INTO t VALUES ($1)").bind(&large)).collect::<Vec<_>>();
        let rows = query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)").all::<String>();
        let pipeline = db.pipeline((inserts, rows, query("SELECT pg_sleep(86400)")));
        let _ = timeout(Duration::from_millis(50), poll_then_drop(polls, pipeline)).await;
        let count: i64 = db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap();
        assert_eq!(count, 0, "after {polls} polls");
    }
    assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), pid);
}

#[tokio::test]
async fn a_connection_that_is_lost_on_the_way_may_have_done_it() {
    let db = single("pipelines_lost").await;
    let statements =
        (query("SELECT 1").scalar::<i32>(), query("SELECT pg_terminate_backend(pg_backend_pid())"), query("SELECT 1"));
    let error = db.pipeline(statements).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ConnectionLost, "{error}");
    assert_eq!(db.pipeline(query("SELECT 1").scalar::<i32>()).await.unwrap(), 1);
}

#[tokio::test]
async fn more_statements_than_the_cache_holds_are_closed_again() {
    let db = open_with("pipelines_cache", |b| b.max_connections(1).statement_cache_capacity(10)).await;
    let many = || (0..100).map(|n| query(RuntimeSql(format!("SELECT {n}"))).scalar::<i32>()).collect::<Vec<_>>();
    let kept = "SELECT count(*) FROM pg_prepared_statements";
    db.query(kept).fetch_scalar::<i64>().await.unwrap();
    for _ in 0..3 {
        assert_eq!(db.pipeline(many()).await.unwrap(), (0..100).collect::<Vec<_>>());
        // Closed with the next request.
        let count: i64 = db.query(kept).fetch_scalar().await.unwrap();
        assert!(count <= 11, "{count}");
    }
    for polls in 0..5 {
        poll_then_drop(polls, db.pipeline(many())).await;
        for _ in 0..2 {
            db.query("SELECT 1").fetch_scalar::<i32>().await.unwrap();
        }
        let count: i64 = db.query(kept).fetch_scalar().await.unwrap();
        assert!(count <= 11, "{count} after {polls} polls");
    }
}

/// A table whose column has one type, then another one, then is gone.
async fn retype(db: &Database, to: &str) {
    db.execute("DROP TABLE IF EXISTS t").await.unwrap();
    db.execute(RuntimeSql(format!("CREATE TABLE t (x {to})"))).await.unwrap();
}

#[tokio::test]
async fn statements_that_are_out_of_date_are_prepared_anew() {
    const INSERT: &str = "INSERT INTO t (x) VALUES ($1)";
    const ALL: &str = "SELECT * FROM t WHERE x = $1";
    for parameter in ["prepared_statements=named", "prepared_statements=unnamed"] {
        let url = with(&schema("stale").await, parameter);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        let other = builder(&url).max_connections(1).connect().await.unwrap();
        for to in ["int4", "text", "int8", "numeric", "text[]"] {
            if to == "text[]" {
                retype(&other, to).await;
                let error = db.query(ALL).bind(7).fetch_all::<String>().await.unwrap_err();
                assert_eq!(error.kind(), DbErrorKind::Data, "{error}");
                assert_eq!(db.query(ALL).bind(["7"]).fetch_all::<Vec<String>>().await.unwrap().len(), 0);
                continue;
            }
            retype(&other, to).await;
            assert_eq!(db.execute(INSERT).bind(7).await.unwrap().rows_affected(), 1, "{to}");
            let mut found = db.query(ALL).bind(7).fetch_all::<montrs_orm::Value>().await;
            if let Err(error) = &found
                && parameter.ends_with("unnamed")
            {
                // It is parsed and run in one go, so it is known too late that its columns are others: it is not run twice.
                assert!(error.may_have_executed(), "{error}");
                found = db.query(ALL).bind(7).fetch_all::<montrs_orm::Value>().await;
            }
            assert_eq!(found.unwrap().len(), 1, "{to}");
            // In a pipeline both are out of date at once, also inside of a transaction.
            let pipeline = || (query(INSERT).bind(8), query(ALL).bind(8).all::<montrs_orm::Value>());
            retype(&other, if to == "text" { "int2" } else { "varchar" }).await;
            let (done, rows) = db.pipeline(pipeline()).await.unwrap();
            assert_eq!((done.rows_affected(), rows.len()), (1, 1), "{to}");
            retype(&other, to).await;
            let mut tx = db.begin().await.unwrap();
            tx.execute("SELECT 1").await.unwrap();
            let (done, rows) = tx.pipeline(pipeline()).await.unwrap();
            assert_eq!((done.rows_affected(), rows.len()), (1, 1), "{to}");
            tx.commit().await.unwrap();
        }
        // Columns that came, and a table that is gone.
        retype(&other, "int4").await;
        let pipeline = || query("SELECT * FROM t").all::<montrs_orm::Value>();
        db.pipeline(pipeline()).await.unwrap();
        other.execute("ALTER TABLE t ADD COLUMN y text").await.unwrap();
        other.execute("INSERT INTO t VALUES (1, 'a')").await.unwrap();
        let rows = db.pipeline(query("SELECT * FROM t").all::<(i32, String)>()).await.unwrap();
        assert_eq!(rows, [(1, "a".to_owned())]);
        other.execute("DROP TABLE t").await.unwrap();
        for error in [
            db.query("SELECT * FROM t").fetch_all::<i32>().await.unwrap_err(),
            db.pipeline(pipeline()).await.unwrap_err(),
            db.execute(INSERT).bind(1).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), DbErrorKind::UndefinedTable, "{error}");
        }
    }
}

#[tokio::test]
async fn many_rows_by_a_statement_that_is_out_of_date_work_when_run_again() {
    const INSERT: &str = "INSERT INTO t (x) VALUES ($1)";
    let url = schema("stale_many").await;
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let other = builder(&url).max_connections(1).connect().await.unwrap();
    retype(&other, "text").await;
    db.execute_many(INSERT, [[1], [2]]).await.unwrap();
    retype(&other, "int4").await;
    let error = db.execute_many(INSERT, [[1], [2]]).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42804"), "{error}");
    assert_eq!(db.execute_many(INSERT, [[1], [2]]).await.unwrap().rows_affected(), 2);
    // In a transaction the statement has ended it, and works in the next one.
    retype(&other, "date").await;
    let mut tx = db.begin().await.unwrap();
    tx.execute(INSERT).bind(1).await.unwrap_err();
    tx.rollback().await.unwrap();
    assert_eq!(db.execute(INSERT).bind("2024-02-29").await.unwrap().rows_affected(), 1);
}
