//! The SQLite driver as it is on platforms without coroutines: nobody has to ask for `execution=blocking` there, and the
//! suites run as everywhere.

#[path = "dropped_futures.rs"]
mod dropped_futures;
#[path = "queries.rs"]
mod queries;
#[path = "stress/mod.rs"]
mod stress;
#[path = "transactions.rs"]
mod transactions;

use montrs_orm::{AiError, DbErrorKind};
use montrs_tests::{TestFile, builder};

#[tokio::test]
async fn to_ask_for_coroutines_is_refused_with_what_there_is_instead() {
    let error = builder("sqlite::memory:?execution=coroutine").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration, "{error:?}");
    assert!(error.to_string().contains("there are no coroutines on this platform"), "{error}");
    assert!(error.suggested_fixes().join("\n").contains("`execution=blocking`"), "{error:?}");
    let db = builder("sqlite::memory:?execution=blocking").connect().await.unwrap();
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_is_dropped_anywhere_leaves_the_file_and_all_connections_whole() {
    let file = TestFile::new();
    stress::stress(builder(&format!("{}?busy_timeout=60000", file.url())), 30).await;
}
