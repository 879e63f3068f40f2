//! A commit that fails, or whose answer is lost.

use montrs_orm::{Database, DbError, DbErrorKind, Retry, RuntimeSql};
use montrs_tests::builder;
use std::{cell::Cell, time::Duration};

/// How often a transaction was run whose first commit fails so, and what came of it.
async fn commits(db: &Database, how: &str) -> (u32, Result<(), DbError>) {
    let attempts = Cell::new(0);
    let retry = Retry::default().pauses(Duration::ZERO, Duration::ZERO);
    let result = db
        .transaction_with_retry(retry, async |tx| {
            attempts.set(attempts.get() + 1);
            if attempts.get() == 1 {
                tx.execute(RuntimeSql(format!("arm commit {how}"))).await?;
            }
            Ok(())
        })
        .await;
    (attempts.get(), result)
}

#[tokio::test]
async fn a_commit_is_tried_again_only_where_nothing_can_be_done_twice() {
    let db = builder("faulty:ok").max_connections(1).connect().await.unwrap();
    // ErrorKind::SERIALIZATION, DEADLOCK, BUSY.
    for kind in [30, 31, 33] {
        let (attempts, result) = commits(&db, &format!("error={kind}")).await;
        result.unwrap();
        assert_eq!(attempts, 2, "{kind}");
    }
    // The same, and ErrorKind::CONNECTION_LOST, but it may have been performed.
    for kind in [30, 31, 33, 41] {
        let (attempts, result) = commits(&db, &format!("maybe={kind}")).await;
        assert!(result.unwrap_err().may_have_executed(), "{kind}");
        assert_eq!(attempts, 1, "{kind}");
    }
    // ErrorKind::QUERY.
    let (attempts, result) = commits(&db, "error=1").await;
    assert_eq!((attempts, result.unwrap_err().kind()), (1, DbErrorKind::Query));
}

#[tokio::test]
async fn a_begin_is_tried_again_as_well() {
    let db = builder("faulty:ok").max_connections(1).connect().await.unwrap();
    db.execute("arm begin error=33").await.unwrap();
    let attempts = Cell::new(0);
    let result: Result<(), DbError> = db
        .transaction_with_retry(Retry::default(), async |_| {
            attempts.set(attempts.get() + 1);
            Ok(())
        })
        .await;
    result.unwrap();
    assert_eq!(attempts.get(), 1);
    db.execute("arm begin error=33").await.unwrap();
    let only_once: Result<(), DbError> =
        db.transaction_with_retry(Retry::default().attempts(0), async |_| Ok(())).await;
    assert_eq!(only_once.unwrap_err().kind(), DbErrorKind::Busy);
}

#[tokio::test]
async fn what_could_not_be_undone_is_not_run_again() {
    let db = builder("faulty:ok").max_connections(1).connect().await.unwrap();
    let attempts = Cell::new(0);
    let result: Result<(), DbError> = db
        .transaction_with_retry(Retry::default(), async |tx| {
            attempts.set(attempts.get() + 1);
            tx.execute("arm rollback error=1").await?;
            tx.execute("arm query error=33").await?;
            tx.query("number").fetch_scalar::<i64>().await.map(drop)
        })
        .await;
    assert_eq!((attempts.get(), result.unwrap_err().kind()), (1, DbErrorKind::Busy));
}

#[tokio::test]
async fn a_begin_that_fails_leaves_its_connection_outside_of_a_transaction() {
    let db = builder("faulty:ok").max_connections(1).connect().await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    connection.execute("arm begin error=33").await.unwrap();
    assert_eq!(connection.begin().await.unwrap_err().kind(), DbErrorKind::Busy);
    assert_eq!(connection.query("number").fetch_scalar::<i64>().await.unwrap(), 1);
    connection.begin().await.unwrap().commit().await.unwrap();
}
