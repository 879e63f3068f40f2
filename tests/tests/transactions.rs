//! Transactions: kept, rolled back, nested, and dropped at whatever await.

use montrs_orm::{Database, DbError, DbErrorKind};
use montrs_tests::{Place, builder, poll_then_drop};
use std::panic::AssertUnwindSafe;

/// A pool of one: what is left unfinished shows at once.
async fn one_connection() -> (Database, Place) {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    (db, place)
}

async fn values(db: &Database) -> Vec<i64> {
    db.query("SELECT x FROM t ORDER BY x").fetch_all().await.unwrap()
}

#[tokio::test]
async fn commit_keeps_and_rollback_undoes() {
    let (db, _place) = one_connection().await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (2)").await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (3)").await.unwrap();
    drop(tx);
    assert_eq!(values(&db).await, [1]);
}

#[tokio::test]
async fn a_closure_commits_its_ok_and_rolls_back_its_error_or_panic() {
    let (db, _place) = one_connection().await;
    let n = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO t VALUES (1)").await?;
            tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await
        })
        .await
        .unwrap();
    assert_eq!(n, 1);

    #[derive(Debug, PartialEq)]
    enum MyError {
        Mine,
        Db(DbErrorKind),
    }
    impl From<DbError> for MyError {
        fn from(error: DbError) -> Self {
            Self::Db(error.kind())
        }
    }
    let failed: Result<(), MyError> = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO t VALUES (2)").await?;
            Err(MyError::Mine)
        })
        .await;
    assert_eq!(failed, Err(MyError::Mine));
    let failed: Result<(), MyError> = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO nowhere VALUES (2)").await?;
            Ok(())
        })
        .await;
    assert_eq!(failed, Err(MyError::Db(DbErrorKind::UndefinedTable)));

    let panicked = AssertUnwindSafe(db.transaction(async |tx| {
        tx.execute("INSERT INTO t VALUES (3)").await?;
        if values_are_odd() {
            panic!("expected by the test");
        }
        Ok::<_, DbError>(())
    }));
    assert!(futures_util::FutureExt::catch_unwind(panicked).await.is_err());
    assert_eq!(values(&db).await, [1]);
}

fn values_are_odd() -> bool {
    true
}

#[tokio::test]
async fn nested_transactions_are_savepoints() {
    let (db, _place) = one_connection().await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (2)").await.unwrap();
    let mut innermost = inner.begin().await.unwrap();
    innermost.execute("INSERT INTO t VALUES (3)").await.unwrap();
    innermost.commit().await.unwrap();
    drop(inner);
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (4)").await.unwrap();
    inner.commit().await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (5)").await.unwrap();
    inner.rollback().await.unwrap();
    let failed: Result<(), DbError> = tx
        .transaction(async |tx| {
            tx.execute("INSERT INTO t VALUES (6)").await?;
            tx.query("SELECT x FROM t WHERE x = 99").fetch_one::<i64>().await.map(drop)
        })
        .await;
    assert_eq!(failed.unwrap_err().kind(), DbErrorKind::RowNotFound);
    tx.commit().await.unwrap();
    assert_eq!(values(&db).await, [1, 4]);
}

#[tokio::test]
async fn a_checked_out_connection_begins_transactions_one_after_the_other() {
    let (db, _place) = one_connection().await;
    let mut connection = db.acquire().await.unwrap();
    for x in 0..4 {
        let mut tx = connection.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES ($1)").bind(x).await.unwrap();
        if x % 2 == 0 {
            tx.commit().await.unwrap();
        }
    }
    connection.execute("INSERT INTO t VALUES (9)").await.unwrap();
    drop(connection);
    assert_eq!(values(&db).await, [0, 2, 9]);
}

/// Locks are held: it is rolled back at once, not when somebody wants its connection.
#[tokio::test]
async fn a_transaction_that_is_dropped_lets_others_go_on_before_its_connection_is_used_again() {
    let (db, place) = one_connection().await;
    let other = place.open().await;
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE t SET x = 2").await.unwrap();
    drop(tx);
    let waiting = other.execute("UPDATE t SET x = x + 10").into_future();
    tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.expect("no lock is held").unwrap();
    assert_eq!(values(&other).await, [11]);
    assert_eq!(db.pool_status().acquired, 4, "nobody has used the connection");
}

#[tokio::test]
async fn a_transaction_begun_in_sql_does_not_leak_to_the_next_user() {
    let (db, _place) = one_connection().await;
    let mut connection = db.acquire().await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)").await.unwrap();
    drop(connection);
    assert_eq!(values(&db).await, [0; 0]);
}

/// The heart of it: whatever is dropped, at whatever poll, the transaction is committed or it is not, and the only
/// connection of the pool goes on outside of any transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_dropped_at_any_poll_is_rolled_back() {
    let (db, _place) = one_connection().await;
    let mut finished = 0;
    for polls in 0..60 {
        let work = async {
            let mut tx = db.begin().await?;
            tx.execute("INSERT INTO t VALUES (1)").await?;
            let mut inner = tx.begin().await?;
            inner.execute("INSERT INTO t VALUES (1)").await?;
            inner.commit().await?;
            tx.commit().await
        };
        let result = poll_then_drop(polls, work).await;
        let rows = values(&db).await;
        match result {
            Some(result) => {
                result.unwrap();
                finished += 1;
                assert_eq!(rows, [1, 1], "polls: {polls}");
            }
            // A commit that was dropped may have been performed, but never in part.
            None => assert!(rows.is_empty() || rows == [1, 1], "polls: {polls}: {rows:?}"),
        }
        db.execute("DELETE FROM t").await.unwrap();
    }
    assert!(finished > 0, "60 polls were not enough to finish once");
}

/// A statement after a lost transaction must not run outside of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_lost_a_statement_half_way_takes_no_more_statements() {
    let (db, _place) = one_connection().await;
    let slow =
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 50000000) SELECT count(*) FROM s";
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert!(poll_then_drop(1, tx.query(slow).fetch_scalar::<i64>()).await.is_none());
    for _ in 0..2 {
        let error = tx.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::TransactionState, "{error}");
    }
    assert_eq!(tx.commit().await.unwrap_err().kind(), DbErrorKind::TransactionState);
    assert_eq!(values(&db).await, [0; 0]);
}

/// Whatever follows would be committed by itself.
#[tokio::test]
async fn a_transaction_that_was_ended_in_sql_takes_no_more_statements_and_says_so() {
    let (db, _place) = one_connection().await;
    for (sql, kept) in [("ROLLBACK", &[][..]), ("COMMIT", &[1][..])] {
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
        tx.execute(sql).await.unwrap();
        let error = tx.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::TransactionState, "{sql}");
        assert_eq!(tx.commit().await.unwrap_err().kind(), DbErrorKind::TransactionState, "{sql}");
        assert_eq!(values(&db).await, kept, "{sql}");
        db.execute("DELETE FROM t").await.unwrap();

        let mut tx = db.begin().await.unwrap();
        tx.execute(sql).await.unwrap();
        assert_eq!(tx.rollback().await.unwrap_err().kind(), DbErrorKind::TransactionState, "{sql}");
    }
    assert_eq!(values(&db).await, [0; 0]);
}

#[tokio::test]
async fn a_transaction_begun_in_sql_on_a_connection_of_the_pool_is_an_error() {
    let (db, _place) = one_connection().await;
    let error = db.execute("BEGIN").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState);
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(values(&db).await, [1]);
}

#[tokio::test]
async fn a_transaction_dropped_right_after_its_savepoint_is_rolled_back_as_a_whole() {
    let (db, _place) = one_connection().await;
    let mut connection = db.acquire().await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    drop(tx.begin().await.unwrap());
    drop(tx);
    connection.execute("INSERT INTO t VALUES (2)").await.unwrap();
    drop(connection);
    assert_eq!(values(&db).await, [2]);
}

#[tokio::test]
async fn a_savepoint_that_was_forgotten_is_not_kept_by_the_commit_around_it() {
    let (db, _place) = one_connection().await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut savepoint = tx.begin().await.unwrap();
    savepoint.execute("INSERT INTO t VALUES (2)").await.unwrap();
    std::mem::forget(savepoint);
    tx.commit().await.unwrap();
    assert_eq!(values(&db).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_begun_in_sql_that_lost_a_statement_half_way_says_so() {
    let (db, _place) = one_connection().await;
    let slow =
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 50000000) SELECT count(*) FROM s";
    let mut connection = db.acquire().await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    connection.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert!(poll_then_drop(1, connection.query(slow).fetch_scalar::<i64>()).await.is_none());
    let error = connection.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState, "{error}");
    // Told once, it goes on outside of the transaction.
    connection.execute("INSERT INTO t VALUES (3)").await.unwrap();
    drop(connection);
    assert_eq!(values(&db).await, [3]);
}
