//! The server that the tests of the PostgreSQL driver run on.

#![allow(dead_code, unused_imports, reason = "each test executable uses some of it")]

use montrs_orm::{Database, DatabaseBuilder};
use montrs_test_clusters::server_under_test;
use montrs_tests::builder;
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
