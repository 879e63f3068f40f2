//! The server that the tests of the PostgreSQL driver run on.

#![allow(dead_code, unused_imports, reason = "each test executable uses some of it")]

use montrs_orm::{Database, DatabaseBuilder};
use montrs_test_clusters::server_under_test;
use montrs_tests::{builder, poll_then_drop};
pub(crate) use montrs_tests::{over_loopback, with};

/// The URL of a server on which the tests may make what they like.
pub(crate) fn url() -> String {
    over_loopback(server_under_test())
}

/// A schema of the test's own, empty, in which everything is that has no schema in its name.
pub(crate) async fn schema(name: &str) -> String {
    let admin = builder(&url()).max_connections(1).connect().await.expect("the server under test can be connected to");
    let drop = format!("DROP SCHEMA IF EXISTS {name} CASCADE");
    admin.execute(montrs_orm::RuntimeSql(drop)).await.expect("a schema can be dropped");
    admin.execute(montrs_orm::RuntimeSql(format!("CREATE SCHEMA {name}"))).await.expect("a schema can be made");
    admin.close().await.expect("the connection ends in order");
    with(&url(), &format!("options[search_path]={name},public"))
}

/// A database whose schema is the test's own.
pub(crate) async fn open(name: &str) -> Database {
    open_with(name, |builder| builder).await
}

/// As [`open`], with settings.
pub(crate) async fn open_with(name: &str, set: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Database {
    let url = schema(name).await;
    set(builder(&url)).connect().await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Drops requests of which a part has been written: more than the sockets hold, while the server says much that nobody reads.
/// Of one connection; its session stays the same.
pub(crate) async fn half_written(db: &Database) {
    let process = "SELECT pg_backend_pid()";
    let pid: i32 = db.query(process).fetch_scalar().await.expect("the connection works");
    let large = "y".repeat(20_000_000);
    db.execute("CREATE TABLE half (x text)").await.expect("a table can be made");
    let sql = "SELECT length($1), repeat('x', 1000) FROM generate_series(1, 100)";
    for polls in 0..6 {
        poll_then_drop(polls, db.query(sql).bind(&large).fetch_all::<(i32, String)>()).await;
        assert_eq!(db.query(process).fetch_scalar::<i32>().await.expect("it is put right"), pid, "{polls} polls");
        let rows = (0..100).map(|_| [large.get(..400_000)]);
        poll_then_drop(polls, db.execute_many("INSERT INTO half VALUES ($1)", rows)).await;
        assert_eq!(db.query(process).fetch_scalar::<i32>().await.expect("it is put right"), pid, "{polls} polls");
    }
    assert_eq!(db.query("SELECT count(*) % 100 FROM half").fetch_scalar::<i64>().await.expect("it works"), 0);
    db.execute("DROP TABLE half").await.expect("the table is there");
}
