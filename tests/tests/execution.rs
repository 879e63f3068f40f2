//! How operations are executed: they hold up nobody, end soon when they are dropped, and survive every change of thread.

#[path = "stress/mod.rs"]
mod stress;

use futures_util::FutureExt;
use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql};
use montrs_tests::{TestFile, builder, poll_then_drop};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Barrier, time::timeout};

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);

fn counting_to(last: u64) -> RuntimeSql<String> {
    RuntimeSql(format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT count(*) FROM n"
    ))
}

/// Would run for minutes.
fn endless() -> RuntimeSql<String> {
    counting_to(1 << 40)
}

async fn one_connection(file: &TestFile) -> Database {
    builder(file.url()).max_connections(1).connect().await.unwrap()
}

/// Drops a future after so many polls, or when it was waited for in vain: it may run elsewhere. Its result, if it ended.
async fn dropped<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    timeout(Duration::from_millis(20), poll_then_drop(polls, future)).await.ok().flatten()
}

async fn answers(db: &Database) {
    let answer = timeout(LONG, db.query("SELECT 1").fetch_scalar::<i64>()).await;
    assert_eq!(answer.expect("the connection comes free").unwrap(), 1);
}

#[tokio::test]
async fn a_long_query_leaves_room_for_other_tasks_on_the_only_thread() {
    let file = TestFile::new();
    let db = one_connection(&file).await;
    let ticks = Arc::new(AtomicUsize::new(0));
    let ticker = {
        let ticks = ticks.clone();
        tokio::spawn(async move {
            loop {
                ticks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        })
    };
    let count: i64 = db.query(counting_to(1_000_000)).fetch_scalar().await.unwrap();
    assert_eq!(count, 1_000_000);
    assert!(ticks.load(Ordering::Relaxed) > 5);
    ticker.abort();
}

/// Counting is one step of SQLite's virtual machine; it pauses where it reads a page.
#[tokio::test]
async fn a_single_step_that_reads_thousands_of_pages_is_paused() {
    let file = TestFile::new();
    let url = format!("{}?cache_size=10&execution=coroutine", file.url());
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x)").await.unwrap();
    db.execute(
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) \
         SELECT zeroblob(3000) FROM n",
    )
    .await
    .unwrap();
    let mut count = pin!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>());
    let mut polls = 0;
    let count = poll_fn(|cx| {
        polls += 1;
        count.as_mut().poll(cx)
    });
    assert_eq!(count.await.unwrap(), 8000);
    assert!(polls > 3, "{polls} polls");
}

#[tokio::test]
async fn many_short_queries_leave_room_for_other_tasks_on_the_only_thread() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    let ticks = Arc::new(AtomicUsize::new(0));
    let ticker = {
        let ticks = ticks.clone();
        tokio::spawn(async move {
            loop {
                ticks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        })
    };
    let mut connection = db.acquire().await.unwrap();
    // A task gives way after 512 short statements, if not before.
    for _ in 0..8000 {
        connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap();
    }
    assert!(ticks.load(Ordering::Relaxed) > 5);
    ticker.abort();
}

#[tokio::test]
async fn a_query_of_minutes_is_dropped_at_any_poll_and_the_only_connection_goes_on() {
    for url in [TestFile::new().url(), "sqlite::memory:"] {
        let file = TestFile::new();
        let db =
            if url.contains("memory") { builder(url).connect().await.unwrap() } else { one_connection(&file).await };
        for polls in 0..20 {
            assert!(dropped(polls, db.query(endless()).fetch_scalar::<i64>()).await.is_none());
            answers(&db).await;
        }
        db.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_is_dropped_with_its_query_gives_back_its_locks() {
    let file = TestFile::new();
    let db = file.open().await;
    db.execute("CREATE TABLE t (x)").await.unwrap();
    for polls in 1..16 {
        let other = one_connection(&file).await;
        let mut tx = other.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
        assert!(dropped(polls, tx.query(endless()).fetch_scalar::<i64>()).await.is_none());
        drop(tx);
        drop(other);
        db.execute("INSERT INTO t VALUES (2)").await.unwrap();
    }
    assert_eq!(db.query("SELECT min(x) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

/// Two pools on a file, whose writers do not queue for each other: they meet at SQLite's lock.
async fn two_pools(file: &TestFile) -> [Database; 2] {
    let url = format!("{}?busy_timeout=30000", file.url());
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x)").await.unwrap();
    [db, builder(&url).max_connections(1).connect().await.unwrap()]
}

/// It holds the lock to write: nobody knows that it will never be polled again.
#[tokio::test]
async fn a_write_that_is_kept_without_being_polled_makes_others_busy_until_it_is_dropped() {
    let file = TestFile::new();
    let [db, _] = two_pools(&file).await;
    let mut connection = db.acquire().await.unwrap();
    let write = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let mut kept = Box::pin(connection.execute(write).into_future());
    let impatient = builder(&format!("{}?busy_timeout=30", file.url())).max_connections(1).connect().await.unwrap();
    // It is polled until it has the lock, and never again.
    let busy = async {
        loop {
            assert!(kept.as_mut().now_or_never().is_none());
            if let Err(error) = impatient.execute("INSERT INTO t VALUES (0)").await {
                return error;
            }
        }
    };
    let error = timeout(LONG, busy).await.expect("it takes the lock");
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Busy, "DB_BUSY"), "{error:?}");
    let fixes = error.suggested_fixes().join("\n");
    assert!(fixes.contains("busy_timeout (30 ms)") && fixes.contains("without being polled"), "{fixes}");
    assert!(impatient.query("SELECT sum(x) FROM t").fetch_scalar::<Option<i64>>().await.unwrap().unwrap_or(0) == 0);

    let patient = builder(&format!("{}?busy_timeout=60000", file.url())).max_connections(1).connect().await.unwrap();
    let mut waiting = Box::pin(patient.execute("INSERT INTO t VALUES (7)").into_future());
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(kept);
    timeout(LONG, waiting).await.expect("the lock comes free").unwrap();
    connection.execute("INSERT INTO t VALUES (8)").await.unwrap();
    assert_eq!(patient.query("SELECT sum(x) FROM t").fetch_scalar::<i64>().await.unwrap(), 15);
}

/// With a handler that sleeps, the task that holds the lock would never come to its commit.
#[tokio::test]
async fn a_lock_is_waited_for_while_its_holder_runs_on_the_same_thread() {
    let file = TestFile::new();
    let [db, holder] = two_pools(&file).await;
    let mut tx = holder.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let waiter = {
        let (db, barrier) = (db.clone(), barrier.clone());
        tokio::spawn(async move {
            let mut insert = Box::pin(db.execute("INSERT INTO t VALUES (2)").into_future());
            assert!(insert.as_mut().now_or_never().is_none());
            barrier.wait().await;
            insert.await
        })
    };
    barrier.wait().await;
    tx.commit().await.unwrap();
    timeout(LONG, waiter).await.expect("it gets the lock").unwrap().unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

/// A statement that was begun in vain would be in the way of the commit.
#[tokio::test]
async fn a_transaction_goes_on_after_a_statement_that_found_the_database_locked() {
    let file = TestFile::new();
    let [_, other] = two_pools(&file).await;
    let db = builder(&format!("{}?busy_timeout=5", file.url())).max_connections(1).connect().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    holder.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let error = tx.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Busy);
    assert_eq!(tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
    tx.commit().await.unwrap();
    holder.commit().await.unwrap();
}

#[tokio::test]
async fn waiting_for_a_lock_can_be_dropped_at_any_poll() {
    let file = TestFile::new();
    let [db, holder] = two_pools(&file).await;
    let mut tx = holder.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    for polls in 0..8 {
        assert!(dropped(polls, db.execute("INSERT INTO t VALUES (2)").into_future()).await.is_none());
        answers(&db).await;
    }
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
}

/// Commits of a rollback journal write through to the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_commit_that_is_dropped_at_any_poll_is_done_whole_or_not_at_all() {
    for journal in ["delete", "wal"] {
        let file = TestFile::new();
        let url = format!("{}?journal_mode={journal}&synchronous=full", file.url());
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (x)").await.unwrap();
        let mut done = 0;
        for polls in 0..40 {
            let work = db.transaction(async |tx| {
                tx.execute("INSERT INTO t VALUES (1)").await?;
                tx.execute("INSERT INTO t VALUES (2)").await?;
                Ok::<_, DbError>(())
            });
            done += usize::from(poll_then_drop(polls, work).await.is_some());
            let rows: i64 = db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap();
            assert_eq!(rows % 2, 0, "{journal}: half of it was kept");
        }
        assert!(done > 0, "{journal}: it never came to its end");
    }
}

#[test]
fn short_statements_in_a_row_give_way() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = TestFile::new();
        let db = file.open().await;
        let mut connection = db.acquire().await.unwrap();
        // Statements that are alike, so that the last ones are known to be short when the other task comes.
        for _ in 0..1000 {
            connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap();
        }
        let other = tokio::spawn(async {});
        for _ in 0..100_000 {
            if other.is_finished() {
                break;
            }
            connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap();
        }
        assert!(other.is_finished(), "the other task never had its turn");
    });
}

#[test]
fn a_runtime_that_ends_with_operations_under_way_takes_nothing_with_it() {
    let file = TestFile::new();
    for polls in 1..16 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let db = runtime.block_on(async {
            let db = builder(file.url()).max_connections(2).connect().await.unwrap();
            db.execute("CREATE TABLE IF NOT EXISTS t (x)").await.unwrap();
            let task = db.clone();
            tokio::spawn(async move { task.query(endless()).fetch_scalar::<i64>().await });
            let mut tx = db.begin().await.unwrap();
            tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
            let slow = tx.query(endless()).fetch_scalar::<i64>();
            assert!(dropped(polls, slow).await.is_none());
            drop(tx);
            db
        });
        drop(runtime);
        drop(db);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = file.open().await;
        assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
        assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_changes_threads_and_is_dropped_anywhere_leaves_the_file_and_all_connections_whole() {
    let file = TestFile::new();
    stress::stress(
        builder(&format!("{}?busy_timeout=60000", file.url())),
        if cfg!(debug_assertions) { 30 } else { 300 },
    )
    .await;
}
