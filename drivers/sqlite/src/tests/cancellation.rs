//! Cancelling the operation that runs, and no other.

use super::{TestFile, fails, number, open_watched, query, setup};
use crate::monitor::Monitor;
use montrs_driver_sdk::{ConnectionStatus, ErrorKind, TransactionOptions};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// Cancels an operation from another thread until it has ended.
fn cancelling<T>(monitor: &Arc<Monitor>, operation: u64, work: impl FnOnce() -> T) -> T {
    monitor.begin(operation);
    let (ended, has_ended) = std::sync::mpsc::channel::<()>();
    let canceller = monitor.clone();
    let thread = thread::spawn(move || {
        // Not at once, so that the work has most likely begun; nothing depends on it.
        let _ = has_ended.recv_timeout(Duration::from_millis(20));
        canceller.cancel(operation);
    });
    let result = work();
    drop(ended);
    thread.join().unwrap();
    result
}

#[test]
fn an_endless_query_is_stopped_and_the_next_one_is_not() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    let result = cancelling(&monitor, 1, || query(&mut session, ENDLESS, &[]));
    fails(result, ErrorKind::CANCELLED);
    monitor.begin(2);
    session.reset().unwrap();
    monitor.begin(3);
    assert_eq!(number(&mut session, "SELECT 1"), 1);
}

#[test]
fn waiting_for_a_lock_is_stopped() {
    let file = TestFile::new();
    let mut holder = file.open("");
    setup(&mut holder, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"]);
    let monitor = Arc::default();
    let mut session = open_watched(&file.url("busy_timeout=600000"), &monitor).unwrap();
    let begun = Instant::now();
    let result = cancelling(&monitor, 1, || query(&mut session, "INSERT INTO t VALUES (1)", &[]));
    fails(result, ErrorKind::CANCELLED);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn an_operation_that_is_cancelled_before_it_begins_does_not_run() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    monitor.cancel(1);
    monitor.begin(1);
    fails(query(&mut session, "CREATE TABLE t (a)", &[]), ErrorKind::CANCELLED);
    monitor.begin(2);
    assert_eq!(number(&mut session, "SELECT count(*) FROM sqlite_schema"), 0);
}

#[test]
fn a_write_that_is_stopped_in_a_transaction_is_undone() {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    setup(&mut session, &["CREATE TABLE t (a)"]);
    session.begin(TransactionOptions::default()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (1)"]);
    let endless = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let result = cancelling(&monitor, 1, || query(&mut session, endless, &[]));
    fails(result, ErrorKind::CANCELLED);
    // SQLite has rolled back the whole transaction.
    assert!(monitor.status().contains(ConnectionStatus::FAILED_TRANSACTION));
    monitor.begin(2);
    session.reset().unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
}
