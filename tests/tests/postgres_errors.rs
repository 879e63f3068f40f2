//! What a PostgreSQL server's errors say, and of which kind they are.

mod postgres;

use montrs_orm::{AiError, Database, DbError, DbErrorKind, Isolation, RuntimeSql, TransactionOptions};
use montrs_tests::builder;
use postgres::{open, open_with, url, with};

async fn fail(db: &Database, sql: &str) -> DbError {
    db.execute(RuntimeSql(sql)).await.unwrap_err()
}

/// Schema, table, column and constraint.
fn names(error: &DbError) -> [Option<&str>; 4] {
    [error.schema(), error.table(), error.column(), error.constraint()]
}

#[tokio::test]
async fn every_field_of_a_report_arrives() {
    let db = open("report_fields").await;
    let sql = "DO $$ BEGIN RAISE EXCEPTION 'the message' USING ERRCODE = 'MX001', DETAIL = 'the detail', HINT = 'the hint', \
               SCHEMA = 's', TABLE = 't', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 'd'; END $$";
    let error = fail(&db, sql).await;
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Query, Some("MX001")));
    assert_eq!(names(&error), [Some("s"), Some("t"), Some("c"), Some("k")]);
    assert_eq!(error.detail(), Some("the detail"));
    let (text, debug, explanation) = (error.to_string(), format!("{error:?}"), error.explanation());
    assert!(text.contains("the message"), "{text}");
    assert!(explanation.contains("the message") && explanation.contains("the detail"), "{explanation}");
    assert!(error.suggested_fixes().iter().any(|fix| fix.contains("the hint")), "{:?}", error.suggested_fixes());
    // What it was doing, and the type, are for people only.
    assert!(debug.contains("PL/pgSQL function") && debug.contains(r#"data_type: "d""#), "{debug}");
    assert!(!error.is_retryable() && !error.may_have_executed());
}

#[tokio::test]
async fn the_servers_own_errors_name_what_they_concern() {
    let db = open("own_errors").await;
    for sql in [
        "CREATE DOMAIN age AS int CONSTRAINT is_born CHECK (VALUE >= 0)",
        "CREATE TABLE bookings (room int NOT NULL, during int4range, CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&))",
        "INSERT INTO bookings VALUES (1, '[1,5)')",
    ] {
        db.execute(RuntimeSql(sql)).await.unwrap();
    }
    let own = Some("own_errors");
    let exclusion = fail(&db, "INSERT INTO bookings VALUES (2, '[4,9)')").await;
    assert_eq!((exclusion.kind(), exclusion.sqlstate()), (DbErrorKind::ExclusionViolation, Some("23P01")));
    assert_eq!(names(&exclusion), [own, Some("bookings"), Some("during"), Some("one_at_a_time")]);
    let detail = "Key (during)=([4,9)) conflicts with existing key (during)=([1,5)).";
    assert_eq!(exclusion.detail(), Some(detail));
    let null = fail(&db, "INSERT INTO bookings VALUES (NULL, NULL)").await;
    assert_eq!(null.kind(), DbErrorKind::NotNullViolation);
    assert_eq!(names(&null), [own, Some("bookings"), Some("room"), None]);
    let domain = fail(&db, "SELECT (-1)::age").await;
    assert_eq!((domain.kind(), names(&domain)), (DbErrorKind::CheckViolation, [own, None, None, Some("is_born")]));
    assert!(format!("{domain:?}").contains(r#"data_type: "age""#), "{domain:?}");
    let place = fail(&db, "SELECT 'ä',\n  no_function('b')").await;
    assert_eq!((place.kind(), place.line_and_column()), (DbErrorKind::UndefinedFunction, Some((2, 3))));
    assert!(place.suggested_fixes().iter().any(|fix| fix.contains("type casts")), "{:?}", place.suggested_fixes());
}

#[tokio::test]
async fn who_has_no_right_is_told_so() {
    let db = open_with("no_right", |builder| builder.max_connections(1)).await;
    db.execute("CREATE TABLE secrets (n int)").await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    connection.execute("GRANT USAGE ON SCHEMA no_right TO pg_monitor").await.unwrap();
    connection.execute("SET ROLE pg_monitor").await.unwrap();
    for sql in ["SELECT * FROM secrets", "DROP TABLE secrets", "CREATE TABLE no_right.more ()"] {
        let error = connection.execute(sql).await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Permission, Some("42501")), "{sql}");
        assert!(!error.is_retryable(), "{sql}");
    }
    drop(connection);
    // Whoever has the connection next has the role of the login.
    assert_eq!(db.query("SELECT count(*) FROM secrets").fetch_scalar::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn a_statement_that_somebody_else_cancels_was_cancelled_and_the_connection_works() {
    let db = open_with("cancelled_by_others", |builder| builder.max_connections(1)).await;
    let other = builder(&url()).max_connections(1).connect().await.unwrap();
    let process: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let sleeping = tokio::spawn({
        let db = db.clone();
        async move { db.execute("SELECT pg_sleep(1000)").await.unwrap_err() }
    });
    let is_asleep = "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
    while !other.query(is_asleep).bind(process).fetch_scalar::<bool>().await.unwrap() {}
    let cancel = "SELECT pg_cancel_backend($1)";
    assert!(other.query(cancel).bind(process).fetch_scalar::<bool>().await.unwrap());
    let error = sleeping.await.unwrap();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Cancelled, Some("57014")));
    assert!(!error.may_have_executed());
    assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), process);
}

#[tokio::test]
async fn a_time_limit_of_the_server_is_told_from_a_cancellation() {
    let url = with(&url(), "options[statement_timeout]=20ms");
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let error = db.execute("SELECT pg_sleep(1000)").await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Timeout, Some("57014")));
    let mut connection = db.acquire().await.unwrap();
    connection.execute("SET statement_timeout = 0").await.unwrap();
    connection.execute("SET idle_in_transaction_session_timeout = '20ms'").await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let process: i32 = tx.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let other = builder(&postgres::url()).max_connections(1).connect().await.unwrap();
    let is_there = "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $1";
    while other.query(is_there).bind(process).fetch_scalar::<bool>().await.unwrap() {}
    let idle = tx.execute("SELECT 1").await.unwrap_err();
    assert_eq!((idle.kind(), idle.sqlstate()), (DbErrorKind::Timeout, Some("25P03")));
}

#[tokio::test]
async fn what_is_wrong_with_a_parameter_is_told_with_its_name_and_what_helps() {
    let db = open("parameter_advice").await;
    for sql in [
        "CREATE TYPE money_t AS (amount int, currency text)",
        "CREATE TABLE orders (id int8, name text, total money_t)",
    ] {
        db.execute(RuntimeSql(sql)).await.unwrap();
    }
    let list = vec![1_i64, 2];
    let cases: [(Option<DbError>, DbErrorKind, &str, &str); 9] = [
        // No placeholder here.
        (
            db.query("SELECT 1 FROM orders WHERE name = ? AND id = ?").bind("x").bind(1).await.err(),
            DbErrorKind::Syntax,
            "AND",
            "`$1`",
        ),
        (
            db.query("SELECT 1 FROM orders WHERE name = '?' AND").await.err(),
            DbErrorKind::Syntax,
            "end of input",
            "this database's dialect",
        ),
        (db.query("SELECT 1 FROM orders WHERE id = $1").bind(true).await.err(), DbErrorKind::Encode, "$1", "::boolean"),
        (
            db.query("SELECT 1 FROM orders WHERE id = $1").bind("abc").await.err(),
            DbErrorKind::Data,
            "parameter $1",
            "Send a value",
        ),
        (
            db.query("SELECT 1 FROM orders WHERE name = :name AND id = :id")
                .bind_named("id", "abc")
                .bind_named("name", "x")
                .await
                .err(),
            DbErrorKind::Data,
            "parameter :id",
            "Send a value",
        ),
        (
            db.query("SELECT 1 FROM orders WHERE id IN ($1::bigint)").bind(&list).await.err(),
            DbErrorKind::Encode,
            "$1",
            "cast",
        ),
        (
            db.query("SELECT 1 FROM orders WHERE total = $1").bind("(1,EUR)").await.err(),
            DbErrorKind::Unsupported,
            "composite",
            "`$1::",
        ),
        (
            db.query("SELECT 1 FROM orders WHERE (id, name) IN ($1)").bind("(1,x)").await.err(),
            DbErrorKind::Unsupported,
            "composite",
            "`$1::",
        ),
        (db.query("SELECT 1; SELECT 2").await.err(), DbErrorKind::MultipleStatements, "multiple", "db.script"),
    ];
    for (error, kind, says, fix) in cases {
        let error = error.unwrap();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(says), "{error:?}");
        let fixes = error.suggested_fixes();
        assert!(fixes.iter().any(|text| text.contains(fix)), "{error}: {fixes:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_was_in_the_way_is_advised_to_run_again_by_the_function_for_it() {
    let db = open("advice_to_retry").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let serializable = TransactionOptions { isolation: Isolation::SERIALIZABLE, ..TransactionOptions::default() };
    let (mut one, mut two) = (db.begin_with(serializable).await.unwrap(), db.begin_with(serializable).await.unwrap());
    for tx in [&mut one, &mut two] {
        tx.query("SELECT n FROM t").fetch_all::<i32>().await.unwrap();
        tx.execute("INSERT INTO t VALUES (2)").await.unwrap();
    }
    one.commit().await.unwrap();
    let error = two.commit().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Serialization);
    assert!(error.suggested_fixes()[0].contains("transaction_with_retry"), "{:?}", error.suggested_fixes());
    // What the server has said of it is there.
    assert!(format!("{error:?}").contains("might succeed if retried"), "{error:?}");
}
