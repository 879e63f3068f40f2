//! Statements, parameters, rows and transactions on PostgreSQL.

mod postgres;

use futures_util::TryStreamExt;
use montrs_orm::{Access, AiError, DbError, DbErrorKind, Isolation, LockMode, RuntimeSql, TransactionOptions};
use montrs_tests::{builder, poll_then_drop};
use postgres::{open, open_with, schema, with};

#[tokio::test]
async fn every_way_to_fetch_reads_the_same_rows() {
    let db = open("every_way_to_fetch").await;
    db.execute("CREATE TABLE numbers (n int8 PRIMARY KEY, word text)").await.unwrap();
    let done = db
        .execute("INSERT INTO numbers SELECT i, 'number ' || i FROM generate_series(1, $1) AS i")
        .bind(5000)
        .await
        .unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (5000, None));
    let sql = "SELECT n, word FROM numbers ORDER BY n";
    let all: Vec<(i64, String)> = db.query(sql).fetch_all().await.unwrap();
    assert_eq!((all.len(), &all[4999]), (5000, &(5000, "number 5000".into())));
    let streamed: Vec<(i64, String)> = db.query(sql).fetch().try_collect().await.unwrap();
    assert_eq!(streamed, all);
    // Inside of a transaction rows come through a portal.
    let mut tx = db.begin().await.unwrap();
    let in_pieces: Vec<(i64, String)> = tx.query(sql).fetch_all().await.unwrap();
    assert_eq!(in_pieces, all);
    assert_eq!(tx.query(sql).fetch_one::<(i64, String)>().await.unwrap(), all[0]);
    assert_eq!(tx.query(sql).fetch_scalar::<i64>().await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(db.query(sql).fetch_one::<(i64, String)>().await.unwrap(), all[0]);
    assert_eq!(db.query("SELECT n FROM numbers WHERE n < 0").fetch_optional::<i64>().await.unwrap(), None);
}

#[tokio::test]
async fn the_number_of_changed_rows_is_told() {
    let db = open("changed_rows").await;
    assert_eq!(db.execute("CREATE TABLE t (n int)").await.unwrap().rows_affected(), 0);
    assert_eq!(db.execute("INSERT INTO t VALUES (1), (2), (3)").await.unwrap().rows_affected(), 3);
    assert_eq!(db.execute("UPDATE t SET n = n + 1 WHERE n > 1").await.unwrap().rows_affected(), 2);
    assert_eq!(db.execute("SELECT n FROM t").await.unwrap().rows_affected(), 0);
    let returned: Vec<i32> = db.execute("DELETE FROM t RETURNING n").fetch_all().await.unwrap();
    assert_eq!(returned, [1, 3, 4]);
}

#[tokio::test]
async fn a_statement_is_one_statement() {
    let db = open("one_statement").await;
    for (sql, kind) in [
        ("SELECT 1; SELECT 2", DbErrorKind::MultipleStatements),
        (" -- nothing\n /* at /* all */ */ ;", DbErrorKind::EmptyStatement),
        ("", DbErrorKind::EmptyStatement),
        ("SELEKT 1", DbErrorKind::Syntax),
        ("SELECT * FROM nowhere", DbErrorKind::UndefinedTable),
        ("SELECT nothing", DbErrorKind::UndefinedColumn),
        ("SELECT nothing()", DbErrorKind::UndefinedFunction),
        ("SELECT 1/0", DbErrorKind::Data),
        ("COPY pg_class TO STDOUT", DbErrorKind::Unsupported),
    ] {
        assert_eq!(db.execute(sql).await.unwrap_err().kind(), kind, "{sql}");
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i32>().await.unwrap(), 1, "after {sql}");
    }
    assert_eq!(db.query("SELECT 7;").fetch_scalar::<i32>().await.unwrap(), 7);
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    for copy in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
        let process: i32 = connection.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
        for refused in [
            connection.execute(copy).await.unwrap_err(),
            connection.query(copy).fetch_all::<i32>().await.unwrap_err(),
            connection.execute_many(copy, [[1], [2]]).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), DbErrorKind::Unsupported, "{copy}: {refused}");
            let command = if copy.ends_with("STDIN") { "copy_in" } else { "copy_out" };
            let fixes = refused.suggested_fixes();
            assert!(fixes.iter().any(|fix| fix.contains(command)), "{copy}: {fixes:?}");
        }
        let after = "SELECT pg_backend_pid() FROM (SELECT count(*) FROM t) AS all_of_it";
        assert_eq!(connection.query(after).fetch_scalar::<i32>().await.unwrap(), process, "{copy}");
    }
}

#[tokio::test]
async fn errors_name_what_they_concern() {
    let db = open("errors_name").await;
    db.execute("CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age > 0))")
        .await
        .unwrap();
    db.execute("INSERT INTO users VALUES (1, 'a', 1)").await.unwrap();
    let unique = db.execute("INSERT INTO users VALUES (2, $1, 1)").bind("a").await.unwrap_err();
    assert_eq!(unique.kind(), DbErrorKind::UniqueViolation);
    assert_eq!(unique.sqlstate(), Some("23505"));
    assert_eq!((unique.table(), unique.constraint()), (Some("users"), Some("users_email_key")));
    assert!(!unique.is_retryable());
    let null = db.execute("INSERT INTO users VALUES (2, NULL, 1)").await.unwrap_err();
    assert_eq!((null.kind(), null.column()), (DbErrorKind::NotNullViolation, Some("email")));
    let check = db.execute("INSERT INTO users VALUES (2, 'b', 0)").await.unwrap_err();
    assert_eq!((check.kind(), check.constraint()), (DbErrorKind::CheckViolation, Some("users_age_check")));
    // PostgreSQL counts characters; the position is one of bytes.
    let sql = "SELECT 'äöü', nothing";
    let error = db.execute(sql).await.unwrap_err();
    assert_eq!(error.position(), sql.find("nothing"), "{error:?}");
    assert!(!error.explanation().is_empty());
}

#[tokio::test]
async fn parameters_are_counted() {
    let db = open("parameters_counted").await;
    let missing = db.query("SELECT $1::int + $2::int").bind(1).fetch_scalar::<i32>().await.unwrap_err();
    assert_eq!(missing.kind(), DbErrorKind::Parameters);
    assert_eq!(missing.to_string(), "the statement has 2 parameters ($1, $2), 1 was bound");
    let large = db.query("SELECT $1::int2").bind(100_000).fetch_scalar::<i32>().await.unwrap_err();
    assert_eq!(large.kind(), DbErrorKind::Encode);
    assert_eq!(db.query("SELECT $2::int - $1::int").bind(1).bind(3).fetch_scalar::<i32>().await.unwrap(), 2);
}

#[tokio::test]
async fn names_are_told_from_casts_slices_and_strings() {
    let db = open("names_and_colons").await;
    let sql = "SELECT :n::int + (ARRAY[10, :n, 30])[2], (ARRAY[1, 2, 3])[:2], E'\\':n' || $x$:n$x$ || ':n'::text, \
               '{\"a\": 1}'::jsonb ? :key, make_date(year := :n::int, month := 1, day := 2)::text /* :n */";
    let mut cursor = db.query(sql).bind_named("n", 2024).bind_named("key", "a").cursor().await.unwrap();
    let row = cursor.next().await.unwrap().unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 4048);
    assert_eq!(row.get::<&str>(2).unwrap(), "':n:n:n");
    assert!(row.get::<bool>(3).unwrap());
    assert_eq!(row.get::<&str>(4).unwrap(), "2024-01-02");
    drop(cursor);
    let error = db.query("SELECT 1 + :value::int2").bind_named("value", 100_000).await.unwrap_err();
    assert!(error.to_string().contains("the parameter :value"), "{error}");
    let mut connection = db.acquire().await.unwrap();
    connection.execute("SET standard_conforming_strings = off").await.unwrap();
    let text: String = connection.query("SELECT '\\':n' || :n").bind_named("n", "x").fetch_scalar().await.unwrap();
    assert_eq!(text, "':nx");
}

#[tokio::test]
async fn transactions_and_savepoints_keep_and_undo() {
    let db = open("tx_and_savepoints").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (2)").await.unwrap();
    assert!(inner.execute("SELECT 1/0").await.is_err());
    inner.rollback().await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (3)").await.unwrap();
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT n FROM t ORDER BY n").fetch_all::<i32>().await.unwrap(), [1, 3]);
    drop(db.begin().await.unwrap());
    let failed: Result<(), DbError> = db
        .transaction(async |tx| {
            tx.execute("DELETE FROM t").await?;
            tx.execute("SELECT 1/0").await.map(drop)
        })
        .await;
    assert_eq!(failed.unwrap_err().kind(), DbErrorKind::Data);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn the_commit_of_a_failed_transaction_is_an_error() {
    let db = open("failed_commit").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert!(tx.execute("SELECT 1/0").await.is_err());
    let refused = tx.execute("SELECT 1").await.unwrap_err();
    assert_eq!((refused.kind(), refused.sqlstate()), (DbErrorKind::TransactionState, Some("25P02")));
    assert_eq!(tx.commit().await.unwrap_err().kind(), DbErrorKind::TransactionState);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn options_of_transactions_are_given_or_refused() {
    let db = open_with("tx_options", |builder| builder.max_connections(1)).await;
    let options =
        TransactionOptions { isolation: Isolation::SERIALIZABLE, access: Access::READ_ONLY, ..Default::default() };
    let mut tx = db.begin_with(options).await.unwrap();
    assert_eq!(tx.query("SHOW transaction_isolation").fetch_scalar::<String>().await.unwrap(), "serializable");
    let refused = tx.execute("CREATE TABLE t ()").await.unwrap_err();
    assert_eq!(refused.kind(), DbErrorKind::ReadOnly);
    drop(tx);
    let options = TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..Default::default() };
    assert_eq!(db.begin_with(options).await.map(drop).unwrap_err().kind(), DbErrorKind::Unsupported);
}

#[tokio::test]
async fn a_changed_table_does_not_break_its_prepared_statements() {
    for parameter in ["prepared_statements=named", "prepared_statements=unnamed"] {
        let url = with(&schema("changed_table").await, parameter);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (n int)").await.unwrap();
        db.execute("INSERT INTO t VALUES ($1)").bind(1).await.unwrap();
        let all = "SELECT * FROM t WHERE n = $1";
        assert_eq!(db.query(all).bind(1).fetch_one::<(i32,)>().await.unwrap(), (1,));
        db.execute("ALTER TABLE t ADD COLUMN word text DEFAULT 'x'").await.unwrap();
        if parameter.ends_with("=named") {
            assert_eq!(db.query(all).bind(1).fetch_one::<(i32, String)>().await.unwrap(), (1, "x".into()));
            // In a transaction it cannot be put right: the transaction has failed. It is when it is run again.
            db.execute("ALTER TABLE t ADD COLUMN more int DEFAULT 7").await.unwrap();
            let mut tx = db.begin().await.unwrap();
            assert_eq!(
                tx.query(all).bind(1).fetch_one::<(i32, String, i32)>().await.unwrap_err().sqlstate(),
                Some("0A000")
            );
            tx.rollback().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let row = tx.query(all).bind(1).fetch_one::<(i32, String, i32)>().await.unwrap();
            assert_eq!(row, (1, "x".into(), 7));
            drop(tx);
            db.execute("DEALLOCATE ALL").await.unwrap();
            let row = db.query(all).bind(1).fetch_one::<(i32, String, i32)>().await.unwrap();
            assert_eq!(row, (1, "x".into(), 7));
        } else {
            assert!(db.query(all).bind(1).fetch_one::<(i32, String)>().await.is_err());
            assert_eq!(db.query(all).bind(1).fetch_one::<(i32, String)>().await.unwrap(), (1, "x".into()));
        }
    }
}

/// Inside of a transaction a statement that the server has forgotten could not be put right when it is run.
#[tokio::test]
async fn statements_that_the_server_was_told_to_forget_are_prepared_again_before_they_run() {
    let db = open_with("forgotten_statements", |builder| builder.max_connections(1)).await;
    for forget in ["PREPARE other AS SELECT 1", "DEALLOCATE ALL", "DISCARD ALL"] {
        let kept = "SELECT 7 AS kept";
        assert_eq!(db.query(kept).fetch_scalar::<i32>().await.unwrap(), 7);
        db.execute(forget).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert_eq!(tx.query(kept).fetch_scalar::<i32>().await.expect(forget), 7);
        tx.commit().await.unwrap();
        let mut connection = db.acquire().await.unwrap();
        connection.execute(forget).await.unwrap();
        let mut tx = connection.begin().await.unwrap();
        assert_eq!(tx.query(kept).fetch_scalar::<i32>().await.expect(forget), 7);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn dropped_statements_are_closed_on_the_server() {
    let db = open_with("dropped_statements", |builder| builder.max_connections(1).statement_cache_capacity(2)).await;
    for n in 0..20 {
        db.query(RuntimeSql(format!("SELECT {n}"))).fetch_scalar::<i32>().await.unwrap();
    }
    let count: i64 = db.query("SELECT count(*) FROM pg_prepared_statements").fetch_scalar().await.unwrap();
    assert!(count <= 4, "{count} statements are open");
}

#[tokio::test]
async fn describe_tells_parameters_and_columns_with_their_tables() {
    let db = open("describe_tells").await;
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')").await.unwrap();
    db.execute("CREATE TABLE people (id int PRIMARY KEY, mood mood)").await.unwrap();
    let info =
        db.query("SELECT id, mood AS m, 1 + 1 FROM people WHERE mood = $1 AND id = $2").describe().await.unwrap();
    let parameters: Vec<&str> = info.parameters().iter().map(|parameter| parameter.type_name()).collect();
    assert_eq!(parameters, ["mood", "int4"]);
    let columns: Vec<(&str, &str)> = info.columns().iter().map(|column| (column.name(), column.type_name())).collect();
    assert_eq!(columns, [("id", "int4"), ("m", "mood"), ("?column?", "int4")]);
}

#[tokio::test]
async fn what_a_user_leaves_in_a_session_the_next_one_does_not_find() {
    let db = open_with("session_state", |builder| builder.max_connections(1)).await;
    let pid: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let path: String = db.query("SHOW search_path").fetch_scalar().await.unwrap();
    db.execute("SET search_path = pg_catalog").await.unwrap();
    assert_eq!(db.query("SHOW search_path").fetch_scalar::<String>().await.unwrap(), path);
    db.query("SELECT set_config('work_mem', '99MB', false)").fetch_scalar::<String>().await.unwrap();
    assert_ne!(db.query("SHOW work_mem").fetch_scalar::<String>().await.unwrap(), "99MB");
    db.execute("CREATE TEMP TABLE left_behind (n int)").await.unwrap();
    assert_eq!(db.execute("SELECT * FROM left_behind").await.unwrap_err().kind(), DbErrorKind::UndefinedTable);
    db.execute("SELECT pg_advisory_lock(7)").await.unwrap();
    let locks: i64 = db
        .query("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'")
        .fetch_scalar()
        .await
        .unwrap();
    assert_eq!(locks, 0);
    db.execute("PREPARE mine AS SELECT 1").await.unwrap();
    db.execute("PREPARE mine AS SELECT 1").await.expect("the name is free again");
    db.execute("LISTEN news").await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM pg_listening_channels()").fetch_scalar::<i64>().await.unwrap(), 0);
    assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), pid, "it is the same session");
}

#[tokio::test]
async fn what_a_user_has_set_outlives_a_dropped_statement() {
    let db = open_with("set_and_dropped", |builder| builder.max_connections(1)).await;
    let mut connection = db.acquire().await.unwrap();
    connection.execute("SET work_mem = '99MB'").await.unwrap();
    for polls in 0..4 {
        poll_then_drop(polls, connection.execute("SELECT pg_sleep(0.02)").into_future()).await;
        assert_eq!(connection.query("SHOW work_mem").fetch_scalar::<String>().await.unwrap(), "99MB", "{polls}");
    }
    drop(connection);
    assert_ne!(db.query("SHOW work_mem").fetch_scalar::<String>().await.unwrap(), "99MB");
}

#[tokio::test]
async fn rows_larger_than_a_batch_cross() {
    let db = open("large_rows").await;
    let sql = "SELECT repeat('x', $1) FROM generate_series(1, 5)";
    let mut tx = db.begin().await.unwrap();
    for length in [1, 70_000, 3_000_000] {
        let rows: Vec<String> = tx.query(sql).bind(length).fetch_all().await.unwrap();
        assert!(rows.len() == 5 && rows.iter().all(|row| row.len() == length as usize));
    }
    drop(tx);
    let large = "y".repeat(3_000_000);
    assert_eq!(db.query("SELECT $1::text").bind(&large).fetch_scalar::<String>().await.unwrap(), large);
}
