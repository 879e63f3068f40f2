//! `transaction_with_retry`: run again what another transaction was in the way of, and nothing twice.

use futures_util::FutureExt;
use montrs_orm::{Database, DbError, DbErrorKind, Isolation, LockMode, Retry, TransactionOptions};
use montrs_tests::{Place, builder, differs, on_postgres, poll_then_drop, with};
use std::{
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

const UPDATE: &str = "UPDATE t SET x = $1";

/// A row with the number 1, and two pools of one connection for it.
async fn scene() -> (Database, Database, Place) {
    let place = Place::new();
    let url = differs(with(place.url(), "journal_mode=wal&busy_timeout=50"), place.url().to_owned());
    let open = || builder(&url).max_connections(1).connect();
    let (db, other) = (open().await.unwrap(), open().await.unwrap());
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    (db, other, place)
}

fn quickly() -> Retry {
    let options = TransactionOptions { isolation: Isolation::SERIALIZABLE, ..TransactionOptions::default() };
    Retry::default().transaction(options).pauses(Duration::from_millis(1), Duration::from_millis(2))
}

async fn x(db: &Database) -> i64 {
    db.query("SELECT x FROM t").fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn what_another_transaction_was_in_the_way_of_is_run_again() {
    let (db, other, _place) = scene().await;
    let attempts = Cell::new(0);
    let seen: Result<i64, DbError> = db
        .transaction_with_retry(quickly(), async |tx| {
            attempts.set(attempts.get() + 1);
            let x: i64 = tx.query("SELECT x FROM t").fetch_scalar().await?;
            if attempts.get() <= 2 {
                // Between reading and writing.
                other.execute("UPDATE t SET x = x + 10").await?;
            }
            tx.execute(UPDATE).bind(x + 1).await?;
            Ok(x)
        })
        .await;
    assert_eq!((seen.unwrap(), attempts.get(), x(&db).await), (21, 3, 22));
}

/// The application's error is of any type: what counts is what happened in the transaction.
#[tokio::test]
async fn the_error_of_the_closure_may_be_of_any_type_and_a_savepoint_in_between() {
    let (db, other, _place) = scene().await;
    #[derive(Debug)]
    struct Opaque;
    impl From<DbError> for Opaque {
        fn from(_: DbError) -> Self {
            Self
        }
    }
    let attempts = Cell::new(0);
    let result: Result<(), Opaque> = db
        .transaction_with_retry(quickly(), async |tx| {
            attempts.set(attempts.get() + 1);
            let x: i64 = tx.query("SELECT x FROM t").fetch_scalar().await?;
            if attempts.get() == 1 {
                other.execute("UPDATE t SET x = x + 10").await?;
            }
            tx.transaction(async |tx| tx.execute(UPDATE).bind(x + 1).await).await?;
            Ok(())
        })
        .await;
    result.unwrap();
    assert_eq!((attempts.get(), x(&db).await), (2, 12));
}

#[tokio::test]
async fn there_is_a_last_attempt() {
    let (db, other, _place) = scene().await;
    let attempts = Cell::new(0);
    let result: Result<(), DbError> = db
        .transaction_with_retry(quickly().attempts(3), async |tx| {
            attempts.set(attempts.get() + 1);
            tx.query("SELECT x FROM t").fetch_scalar::<i64>().await?;
            other.execute("UPDATE t SET x = x + 10").await?;
            tx.execute(UPDATE).bind(0).await.map(drop)
        })
        .await;
    assert_eq!(result.unwrap_err().kind(), DbErrorKind::Serialization);
    assert_eq!((attempts.get(), x(&db).await), (3, 31));
}

#[tokio::test]
async fn other_errors_and_panics_are_not_run_again_and_undone() {
    let (db, _other, _place) = scene().await;
    let attempts = Cell::new(0);
    let result: Result<(), DbError> = db
        .transaction_with_retry(quickly(), async |tx| {
            attempts.set(attempts.get() + 1);
            tx.execute(UPDATE).bind(5).await?;
            tx.execute("INSERT INTO nowhere VALUES (1)").await.map(drop)
        })
        .await;
    assert_eq!((result.unwrap_err().kind(), attempts.get()), (DbErrorKind::UndefinedTable, 1));

    let attempts = AtomicU32::new(0);
    let panicking = AssertUnwindSafe(db.transaction_with_retry(quickly(), async |tx| {
        tx.execute(UPDATE).bind(6).await?;
        if attempts.fetch_add(1, Ordering::Relaxed) < 5 {
            panic!("expected by the test");
        }
        Ok::<_, DbError>(())
    }));
    assert!(panicking.catch_unwind().await.is_err());
    assert_eq!((attempts.into_inner(), x(&db).await), (1, 1));
}

#[tokio::test]
async fn it_can_be_spawned() {
    let (db, _other, _place) = scene().await;
    let task = db.clone();
    let spawned = tokio::spawn(async move {
        let add = 5;
        task.transaction_with_retry(quickly(), async |tx| {
            tx.execute("UPDATE t SET x = x + $1").bind(add).await?;
            tx.query("SELECT x FROM t").fetch_scalar::<i64>().await
        })
        .await
    });
    assert_eq!(spawned.await.unwrap().unwrap(), 6);
    assert_eq!(x(&db).await, 6);
}

#[tokio::test]
async fn it_may_be_dropped_at_every_poll() {
    let (db, other, _place) = scene().await;
    for polls in 0..1000 {
        other.execute("UPDATE t SET x = 1").await.unwrap();
        let attempts = Cell::new(0);
        let work = db.transaction_with_retry(quickly(), async |tx| {
            attempts.set(attempts.get() + 1);
            let x: i64 = tx.query("SELECT x FROM t").fetch_scalar().await?;
            if attempts.get() == 1 {
                other.execute("UPDATE t SET x = 10").await?;
            }
            tx.execute(UPDATE).bind(x + 1).await.map(drop)
        });
        let end = poll_then_drop(polls, work).await;
        let x = x(&db).await;
        match end {
            Some(result) => {
                result.unwrap();
                assert_eq!(x, 11);
                return;
            }
            None => assert!([1, 10, 11].contains(&x), "{polls}: {x}"),
        }
    }
    panic!("it does not come to its end");
}

/// SQLite's own lock, which the other pool holds for longer than `busy_timeout`: the queue of a pool knows nothing of it.
#[tokio::test]
async fn a_lock_that_another_pool_holds_is_tried_for_again() {
    if on_postgres() {
        return; // It waits for a row for as long as it takes.
    }
    let (db, other, _place) = scene().await;
    let mut holder = other.begin().await.unwrap();
    holder.execute("UPDATE t SET x = 10").await.unwrap();
    let (holder, attempts) = (RefCell::new(Some(holder)), Cell::new(0));
    let result: Result<(), DbError> = db
        .transaction_with_retry(quickly(), async |tx| {
            attempts.set(attempts.get() + 1);
            let updated = tx.execute("UPDATE t SET x = x + 1").await;
            if attempts.get() <= 2 {
                assert_eq!(updated.as_ref().unwrap_err().kind(), DbErrorKind::Busy);
            }
            if attempts.get() == 2 {
                let holder = holder.borrow_mut().take().unwrap();
                holder.commit().await?;
            }
            updated.map(drop)
        })
        .await;
    result.unwrap();
    assert_eq!((attempts.get(), x(&db).await), (3, 11));

    // The lock that is taken as the transaction begins: the closure is not run without it.
    let mut holder = other.begin().await.unwrap();
    holder.execute("UPDATE t SET x = 20").await.unwrap();
    let immediate = TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..TransactionOptions::default() };
    let runs = Cell::new(0);
    let work = async |tx: &mut montrs_orm::Session| {
        runs.set(runs.get() + 1);
        tx.execute("UPDATE t SET x = x + 1").await.map(drop)
    };
    let error = db.transaction_with_retry(quickly().transaction(immediate).attempts(2), work).await.unwrap_err();
    assert_eq!((error.kind(), runs.get()), (DbErrorKind::Busy, 0));
    assert!(error.is_retryable() && !error.may_have_executed());
    // The first attempts fail; were they the last ones, so would this.
    let release = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        holder.commit().await
    };
    let retry = quickly().transaction(immediate).attempts(1000);
    let (done, released) = tokio::join!(db.transaction_with_retry(retry, work), release);
    done.unwrap();
    released.unwrap();
    assert_eq!((runs.get(), x(&db).await), (1, 21));
}
