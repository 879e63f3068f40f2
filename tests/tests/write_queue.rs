//! Many who read and write one database at once. Where one connection may write at a time, those who write wait in a queue of the
//! pool's and not for the database's lock; on other databases the same is to be true of what they see.

use futures_util::{FutureExt, future::join_all};
use montrs_orm::{AiError, Capability, Database, DbError, DbErrorKind, LockMode, TransactionOptions, query};
use montrs_tests::{Place, builder, differs, poll_then_drop, with};
use std::time::Duration;
use tokio::time::timeout;

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);
const INSERT: &str = "INSERT INTO t VALUES ($1)";
/// Its rows come in several batches.
const INSERT_MANY: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000) \
                           SELECT i FROM n RETURNING x";

/// A table, and a pool whose connections never wait for a lock of SQLite's.
async fn scene(connections: usize) -> (Database, Place) {
    let place = Place::new();
    let url = differs(with(place.url(), "journal_mode=wal&busy_timeout=0"), place.url().to_owned());
    let db = builder(&url).max_connections(connections).min_connections(connections).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    (db, place)
}

fn locking() -> TransactionOptions {
    TransactionOptions { lock_mode: differs(LockMode::IMMEDIATE, LockMode::DEFAULT), ..TransactionOptions::default() }
}

async fn values(db: &Database) -> Vec<i64> {
    db.query("SELECT x FROM t").fetch_all().await.unwrap()
}

/// Whether there is a queue; what is said of it has no meaning elsewhere.
fn has_queue(db: &Database) -> bool {
    db.capability(Capability::SINGLE_WRITER) == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_that_the_database_is_locked() {
    let (db, _place) = scene(8).await;
    let tasks = (0..64_i64).map(|task| {
        let db = db.clone();
        tokio::spawn(async move {
            for round in 0..40_i64 {
                match (task + round) % 10 {
                    0 => drop(db.execute(INSERT).bind(round).await?),
                    1 => {
                        let mut tx = db.begin_with(locking()).await?;
                        tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await?;
                        tx.execute(INSERT).bind(round).await?;
                        tx.commit().await?;
                    }
                    2 => db.transaction(async |tx| tx.execute(INSERT).bind(round).await.map(drop)).await?,
                    3 => drop(db.execute_many(INSERT, [(round,)]).await?),
                    4 => drop(db.acquire().await?.execute(INSERT).bind(round).await?),
                    5 => drop(db.query("INSERT INTO t VALUES (1) RETURNING x").fetch_one::<i64>().await?),
                    _ => drop(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await?),
                }
            }
            Ok::<_, DbError>(())
        })
    });
    for result in timeout(LONG, join_all(tasks)).await.expect("nobody waits for ever") {
        result.unwrap().unwrap();
    }
    assert_eq!(values(&db).await.len(), 64 * 40 * 6 / 10);
}

#[tokio::test]
async fn who_waits_to_write_holds_no_connection_and_readers_go_on() {
    let (db, _place) = scene(2).await;
    if !has_queue(&db) {
        return;
    }
    let mut tx = db.begin_with(locking()).await.unwrap();
    tx.execute(INSERT).bind(1).await.unwrap();
    let mut waiting: Vec<_> = (2..5).map(|x| db.execute(INSERT).bind(x).into_future()).collect();
    // Each finds out that it writes, on a thread or at once, and gives its connection back.
    let all_wait = async {
        loop {
            for writer in &mut waiting {
                assert!(writer.now_or_never().is_none());
            }
            if db.pool_status().idle == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, all_wait).await.expect("who waits to write holds no connection");
    assert_eq!(values(&db).await, [0; 0]);
    tx.commit().await.unwrap();
    // In the order of asking, although they are polled in another one.
    waiting.reverse();
    assert!(join_all(waiting).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(values(&db).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn transactions_that_hold_all_connections_and_then_write_are_not_waited_for_in_vain() {
    let (db, _place) = scene(2).await;
    let (mut one, mut two) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    // Has the turn, where there is one, and waits for a connection.
    let first = db.clone();
    let outside = tokio::spawn(async move { first.execute_many(INSERT, [(1,)]).await });
    tokio::task::yield_now().await;
    let work = async {
        one.execute(INSERT).bind(2).await.unwrap();
        one.commit().await.unwrap();
        two.execute(INSERT).bind(3).await.unwrap();
        two.commit().await.unwrap();
        outside.await.unwrap().unwrap();
    };
    timeout(LONG, work).await.expect("nobody waits for ever");
    let mut values = values(&db).await;
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3]);
}

#[tokio::test]
async fn who_waits_in_vain_is_told() {
    let place = Place::new();
    let wait = Duration::from_millis(500);
    let db = builder(place.url()).max_connections(2).acquire_timeout(wait).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    if !has_queue(&db) {
        return;
    }
    let mut tx = db.begin_with(locking()).await.unwrap();
    let began_at = format!("write_queue.rs:{}:", line!() - 1);
    let error = db.execute(INSERT).bind(1).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Busy);
    assert!(error.to_string().contains("500ms") && error.is_retryable(), "{error}");
    assert!(error.to_string().contains(&began_at), "{error}");
    assert!(error.suggested_fixes()[0].contains("tx.execute"), "{:?}", error.suggested_fixes());
    // A connection that was checked out waits as well, and is not taken for the one that writes.
    let error = db.acquire().await.unwrap().execute(INSERT).bind(1).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Busy);
    assert!(error.to_string().contains(&began_at), "{error}");
    tx.execute(INSERT).bind(1).await.unwrap();
    drop(tx);
    // The turn may also be taken later than the connection, which may be a new one.
    let (mut one, mut two) = (db.acquire().await.unwrap(), db.acquire().await.unwrap());
    let acquired_at = format!("write_queue.rs:{}:", line!() - 1);
    two.execute(INSERT).bind(1).await.unwrap();
    let mut tx = two.begin().await.unwrap();
    tx.execute(INSERT).bind(1).await.unwrap();
    let error = one.execute(INSERT).bind(1).await.unwrap_err();
    assert!(error.to_string().contains(&acquired_at), "{error}");
}

/// What ends with the turn: a statement, its error, a result that is not read to its end, a connection, a transaction that is
/// dropped.
#[tokio::test]
async fn the_turn_comes_back_whatever_happens() {
    let (db, _place) = scene(2).await;
    let next = async || {
        let inserted = timeout(LONG, db.execute(INSERT).bind(7).into_future()).await;
        inserted.expect("the turn has come back").unwrap();
    };
    db.execute("CREATE TABLE u (x INTEGER NOT NULL)").await.unwrap();
    assert_eq!(db.execute("INSERT INTO u VALUES (NULL)").await.unwrap_err().kind(), DbErrorKind::NotNullViolation);
    next().await;
    let mut held = db.acquire().await.unwrap();
    drop(held.execute("INSERT INTO u VALUES (NULL)").await.unwrap_err());
    next().await;
    held.execute(INSERT).bind(1).await.unwrap();
    next().await;
    drop(db.begin_with(locking()).await.unwrap());
    next().await;
    let mut tx = held.begin_with(locking()).await.unwrap();
    tx.execute(INSERT).bind(1).await.unwrap();
    tx.rollback().await.unwrap();
    next().await;
    let mut rows = db.query(INSERT_MANY).fetch::<i64>();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    next().await;
    drop(held.query(INSERT_MANY).fetch::<i64>().next().await);
    drop(held);
    next().await;
    let mut held = db.acquire().await.unwrap();
    held.execute("BEGIN").await.unwrap();
    held.execute(INSERT).bind(1).await.unwrap();
    held.execute("COMMIT").await.unwrap();
    next().await;
    drop(held);
    db.script("BEGIN; INSERT INTO t VALUES (1); COMMIT").await.unwrap();
    next().await;
    db.script("INSERT INTO t VALUES (1); INSERT INTO u VALUES (NULL)").await.unwrap_err();
    next().await;
    db.pipeline(query(INSERT).bind(1)).await.unwrap();
    next().await;
    db.execute_many("INSERT INTO u VALUES ($1)", [(Some(1),), (None,)]).await.unwrap_err();
    next().await;
    db.begin_with(locking()).await.unwrap().execute("COMMIT").await.unwrap();
    next().await;
}

/// The database is locked until they are read, or dropped.
#[tokio::test]
async fn a_result_that_is_open_keeps_the_turn() {
    let (db, _place) = scene(2).await;
    if !has_queue(&db) {
        return;
    }
    let mut rows = db.query(INSERT_MANY).fetch::<i64>();
    rows.next().await.unwrap().unwrap();
    let mut second = db.execute(INSERT).bind(7).into_future();
    for _ in 0..100 {
        assert!((&mut second).now_or_never().is_none());
        rows.next().await.unwrap().unwrap();
        tokio::task::yield_now().await;
    }
    drop(rows);
    timeout(LONG, second).await.expect("the turn has come back").unwrap();
}

/// It holds a lock that the writer may wait for: the database decides, and at once.
#[tokio::test]
async fn a_transaction_that_has_read_does_not_wait_for_its_turn() {
    let (db, _place) = scene(3).await;
    if !has_queue(&db) {
        return;
    }
    let mut reader = db.begin().await.unwrap();
    reader.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap();
    let _writer = db.begin_with(locking()).await.unwrap();
    let error = reader.execute(INSERT).bind(1).await.unwrap_err();
    assert!(error.kind() == DbErrorKind::Busy && !error.to_string().contains("acquire_timeout"), "{error}");
}

#[tokio::test]
async fn writing_may_be_dropped_at_every_poll_also_while_it_waits() {
    let (db, _place) = scene(2).await;
    for is_taken in [false, true] {
        for polls in 0..1000 {
            let taken = if is_taken { Some(db.begin_with(locking()).await.unwrap()) } else { None };
            let mut work = Box::pin(async {
                db.execute(INSERT).bind(1).await?;
                db.begin_with(locking()).await?.commit().await?;
                db.transaction(async |tx| tx.execute(INSERT).bind(1).await.map(drop)).await?;
                db.execute_many(INSERT, [(1,)]).await
            });
            if is_taken && has_queue(&db) {
                assert!(work.as_mut().now_or_never().is_none());
            }
            drop(taken);
            let has_ended = poll_then_drop(polls, work).await.is_some();
            timeout(LONG, db.execute("DELETE FROM t").into_future()).await.expect("the turn has come back").unwrap();
            if has_ended {
                break;
            }
            assert!(polls < 999, "it does not end");
        }
    }
}
