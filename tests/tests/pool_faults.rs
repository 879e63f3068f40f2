//! The pool, when connections die or cannot be opened.

use futures_util::FutureExt;
use montrs_orm::{Database, DatabaseBuilder, DbErrorKind};
use montrs_tests::builder;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// The driver's number of the connection that the pool gives out.
async fn number(db: &Database) -> i64 {
    db.query("number").fetch_scalar().await.unwrap()
}

async fn checked(set: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Database {
    set(builder("faulty:ok").check_after(Duration::ZERO)).connect().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_gives_no_sign_of_life_is_replaced_unseen() {
    let db = checked(|builder| builder).await;
    for (wanted, how) in [(1, "error=41"), (2, "hang"), (3, "panic"), (4, "panic-later")] {
        assert_eq!(number(&db).await, wanted);
        db.execute(montrs_orm::RuntimeSql(format!("arm ping {how}"))).await.unwrap();
        assert_eq!(number(&db).await, wanted + 1, "{how}");
        assert_eq!(db.pool_status().open, 1);
    }
}

#[tokio::test]
async fn a_connection_that_was_not_used_for_long_enough_is_asked_and_then_counts_as_used() {
    const CHECK_AFTER: Duration = Duration::from_millis(20);
    let db = checked(|builder| builder.check_after(CHECK_AFTER)).await;
    for wanted in [1, 2] {
        assert_eq!(number(&db).await, wanted);
        db.execute("arm ping error=41").await.unwrap();
        // At least so long.
        std::thread::sleep(CHECK_AFTER);
        let before = db.pool_status().acquired;
        assert_eq!(number(&db).await, wanted + 1);
        assert_eq!(db.pool_status().acquired, before + 1);
    }
}

#[tokio::test]
async fn a_connection_that_was_used_lately_is_not_asked() {
    let db = checked(|builder| builder.check_after(LONG)).await;
    db.execute("arm ping error=41").await.unwrap();
    assert_eq!(number(&db).await, 1);
    let db = checked(|builder| builder.check_after(Duration::MAX)).await;
    db.execute("arm ping error=41").await.unwrap();
    assert_eq!(number(&db).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    // ErrorKind::CONNECTION_LOST does not say so.
    let db = builder("faulty:connect=error=41@2").connect().await.unwrap();
    let held = db.acquire().await.unwrap();
    assert_eq!(db.acquire().await.unwrap_err().kind(), DbErrorKind::ConnectionLost);
    drop(held);
    // Nor is anything tried again while the database is opened.
    let error = builder("faulty:connect=retryable").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection);

    let db = builder("faulty:connect=retryable@2").connect().await.unwrap();
    let _held = db.acquire().await.unwrap();
    assert_eq!(number(&db).await, 3);
    assert_eq!((db.pool_status().failed, db.pool_status().opened, db.pool_status().open), (1, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_for_a_new_connection_is_told_why_there_is_none() {
    let wait = Duration::from_secs(5);
    let open = |url| builder(url).max_connections(2).acquire_timeout(wait).connect();
    let db = open("faulty:connect=hang@2").await.unwrap();
    let _held = db.acquire().await.unwrap();
    let error = db.acquire().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
    assert_eq!(error.to_string(), "no connection could be opened within 5s (acquire_timeout)");

    let db = open("faulty:connect=retryable@2+").await.unwrap();
    let held = db.acquire().await.unwrap();
    let error = db.acquire().await.unwrap_err();
    assert_ne!(error.kind(), DbErrorKind::PoolTimeout, "the kind is that of the failure");
    let text = error.to_string();
    assert!(text.contains("5s") && text.contains("the last attempt failed: connect was told to fail"), "{text}");
    assert!(db.pool_status().failed > 5);

    // One that comes back in the meantime is taken.
    let mut waiting = Box::pin(db.acquire());
    assert!((&mut waiting).now_or_never().is_none());
    drop(held);
    let mut connection = waiting.await.unwrap();
    assert_eq!(connection.query("number").fetch_scalar::<i64>().await.unwrap(), 1);
}
