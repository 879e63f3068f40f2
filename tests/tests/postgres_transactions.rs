//! Transactions that are in each other's way on PostgreSQL, and the levels that keep them apart.

mod postgres;

use futures_util::future::join;
use montrs_orm::{Access, Database, DbError, DbErrorKind, Isolation, LockMode, Retry, Session, TransactionOptions};
use postgres::{open, open_with};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Barrier;

/// Isolation, whether it only reads, and whether it is deferrable, as the server has it.
async fn in_effect(tx: &mut Session) -> (String, String, String) {
    let sql = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'), \
               current_setting('transaction_deferrable')";
    tx.query(sql).fetch_one().await.unwrap()
}

#[tokio::test]
async fn the_options_of_a_transaction_are_in_effect() {
    let db = open_with("options_in_effect", |builder| builder.max_connections(1)).await;
    // The server's defaults differ from what is asked for, so nothing is right by chance.
    let mut connection = db.acquire().await.unwrap();
    connection.execute("SET default_transaction_isolation = 'repeatable read'").await.unwrap();
    for (isolation, level) in [
        (Isolation::DEFAULT, "repeatable read"),
        (Isolation::READ_UNCOMMITTED, "read uncommitted"),
        (Isolation::READ_COMMITTED, "read committed"),
        (Isolation::REPEATABLE_READ, "repeatable read"),
        (Isolation::SERIALIZABLE, "serializable"),
    ] {
        for default_read_only in ["off", "on"] {
            let sql = if default_read_only == "on" {
                "SET default_transaction_read_only = on"
            } else {
                "SET default_transaction_read_only = off"
            };
            connection.execute(sql).await.unwrap();
            for (access, read_only) in
                [(Access::DEFAULT, default_read_only), (Access::READ_WRITE, "off"), (Access::READ_ONLY, "on")]
            {
                for (deferrable, is_deferrable) in [(false, "off"), (true, "on")] {
                    for lock_mode in [LockMode::DEFAULT, LockMode::DEFERRED] {
                        let options = TransactionOptions { isolation, access, lock_mode, deferrable };
                        let mut tx = connection.begin_with(options).await.unwrap();
                        let expected = (level.to_owned(), read_only.to_owned(), is_deferrable.to_owned());
                        assert_eq!(in_effect(&mut tx).await, expected, "{options:?}");
                        tx.rollback().await.unwrap();
                    }
                }
            }
        }
    }
    drop(connection);
    // They end with the transaction, and closures take them too.
    let serializable = TransactionOptions { isolation: Isolation::SERIALIZABLE, ..TransactionOptions::default() };
    let retry = Retry::default().transaction(serializable);
    let found = db.transaction_with_retry(retry, async |tx| Ok::<_, DbError>(in_effect(tx).await)).await.unwrap();
    assert_eq!(found.0, "serializable");
    let mut tx = db.begin().await.unwrap();
    assert_eq!(in_effect(&mut tx).await, ("read committed".to_owned(), "off".to_owned(), "off".to_owned()));
}

/// Takes a row, waits for the other one to have done that too, and takes the other's row.
async fn cross(db: &Database, first: i32, second: i32, both: &Barrier, attempts: &AtomicU32) -> Result<(), DbError> {
    const TAKE: &str = "UPDATE t SET x = x + 1 WHERE id = $1";
    db.transaction_with_retry(Retry::default(), async |tx| {
        let is_first = attempts.fetch_add(1, Ordering::Relaxed) < 2;
        tx.execute(TAKE).bind(first).await?;
        if is_first {
            both.wait().await;
        }
        tx.execute(TAKE).bind(second).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn of_a_deadlock_one_transaction_is_run_again_and_both_succeed() {
    let db = open("deadlock").await;
    db.execute("CREATE TABLE t (id int PRIMARY KEY, x int)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1, 0), (2, 0)").await.unwrap();
    // Without another attempt it is an error of one of them.
    let (both, attempts) = (Barrier::new(2), AtomicU32::new(0));
    let take_both = async |first: i32, second: i32| -> Result<(), DbError> {
        let mut tx = db.begin().await?;
        tx.execute("UPDATE t SET x = x + 1 WHERE id = $1").bind(first).await?;
        both.wait().await;
        tx.execute("UPDATE t SET x = x + 1 WHERE id = $1").bind(second).await?;
        tx.commit().await
    };
    let (one, other) = join(take_both(1, 2), take_both(2, 1)).await;
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    let error = one.and(other).unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Deadlock, Some("40P01")));
    assert!(error.is_retryable() && !error.may_have_executed());
    assert!(error.detail().is_some_and(|detail| detail.contains("waits for")), "{error:?}");
    let (one, other) = join(cross(&db, 1, 2, &both, &attempts), cross(&db, 2, 1, &both, &attempts)).await;
    one.and(other).unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    let rows: Vec<i32> = db.query("SELECT x FROM t ORDER BY id").fetch_all().await.unwrap();
    assert_eq!(rows, [3, 3], "each of the three that were committed has changed both");
}

#[tokio::test]
async fn a_lock_that_is_not_had_in_time_has_a_kind_of_its_own() {
    let db = open("lock_timeout").await;
    db.execute("CREATE TABLE t (x int)").await.unwrap();
    let mut holder = db.begin().await.unwrap();
    holder.execute("LOCK TABLE t").await.unwrap();
    for (limit, statement) in [
        ("SET LOCAL lock_timeout = '20ms'", "SELECT * FROM t"),
        ("SET LOCAL lock_timeout = 0", "LOCK TABLE t IN SHARE MODE NOWAIT"),
    ] {
        let mut tx = db.begin().await.unwrap();
        tx.execute(limit).await.unwrap();
        let error = tx.execute(statement).await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::LockTimeout, Some("55P03")), "{statement}");
        assert!(error.is_retryable() && !error.may_have_executed(), "{statement}");
    }
}
