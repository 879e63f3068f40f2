//! The pool: its limits, and what it says when it is exhausted.

use montrs_orm::{AiError, DbErrorKind};
use montrs_tests::{Place, builder};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[tokio::test]
async fn the_pool_never_opens_more_than_its_maximum() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(3).connect().await.unwrap();
    let tasks = (0..20).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.query("SELECT 1").fetch_scalar::<i64>().await })
    });
    for result in futures_util::future::join_all(tasks).await {
        assert_eq!(result.unwrap().unwrap(), 1);
    }
    let status = db.pool_status();
    assert!(status.open <= 3 && status.max == 3, "{status:?}");
}

#[tokio::test]
async fn who_waits_too_long_is_told_who_holds_what() {
    let place = Place::new();
    let wait = Duration::from_millis(500);
    let db = builder(place.url()).max_connections(2).acquire_timeout(wait).connect().await.unwrap();
    let first = db.acquire().await.unwrap();
    let second = db.acquire().await.unwrap();
    let held_at = [line!() - 2, line!() - 1];
    let error = db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
    let text = error.to_string();
    assert!(
        text.starts_with("all 2 connections of the pool stayed in use for 500ms (acquire_timeout): held for "),
        "{text}"
    );
    // One for each, the longest first, and each as long at least as the wait.
    let holders: Vec<&str> = text.split("held for ").skip(1).collect();
    assert_eq!(holders.len(), 2, "{text}");
    for (holder, line) in holders.into_iter().zip(held_at) {
        let (seconds, place) = holder.split_once(" s since ").unwrap_or_else(|| panic!("{text}"));
        assert!(seconds.parse::<f64>().unwrap() >= 0.5, "{text}");
        assert!(place.contains(&format!("pool.rs:{line}:")), "{text}");
    }
    drop((first, second));
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn a_closed_database_refuses_and_frees_its_file() {
    let place = Place::new();
    let db = place.open().await;
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let held = db.acquire().await.unwrap();
    db.close().await.unwrap();
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap_err().kind(), DbErrorKind::PoolClosed);
    drop(held);
    assert_eq!(db.pool_status().open, 0);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let (place, nanosecond) = (Place::new(), Duration::from_nanos(1));
    let new = || builder(place.url());
    for (settings, says, fix) in [
        (new().max_connections(0), "max_connections is 0", "1 or more"),
        (new().min_connections(3).max_connections(2), "min_connections is 3, more than max_connections, 2", "Lower"),
        (new().statement_cache_capacity(0), "statement_cache_capacity is 0", "1 or more"),
        (new().acquire_timeout(Duration::ZERO), "acquire_timeout is 0ns: no connection", "1 ms or more"),
        (new().acquire_timeout(nanosecond), "acquire_timeout is 1ns: no connection", "1 ms or more"),
        (new().idle_timeout(nanosecond), "idle_timeout is 1ns: each connection", "or to 0, which is for ever"),
        (new().max_lifetime(nanosecond), "max_lifetime is 1ns: each connection", "or to 0, which is for ever"),
    ] {
        let error = settings.connect().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Configuration, "{says}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.suggested_fixes()[0].contains(fix), "{error:?}");
    }
}

#[tokio::test]
async fn settings_without_measure_are_as_good_as_no_limit() {
    let (place, ever) = (Place::new(), Duration::MAX);
    let settings = builder(place.url()).max_connections(usize::MAX).statement_cache_capacity(usize::MAX);
    let settings = settings.acquire_timeout(ever).idle_timeout(ever).max_lifetime(ever).check_after(ever);
    let hooked = settings.before_acquire(|session| Box::pin(session.ping()));
    let db = hooked.connect().await.unwrap();
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    db.close_within(ever).await.unwrap();
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    let place = Place::new();
    let mut connecting = Box::pin(builder(place.url()).connect());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = connecting.as_mut().poll(&mut cx) else { panic!("it cannot succeed") };
    assert_eq!(error.kind(), DbErrorKind::Configuration);
}

#[test]
fn a_runtime_shut_down_with_connections_open_takes_nothing_with_it() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (db, tx) = runtime.block_on(async {
        let db = place.open().await;
        db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
        (db, tx)
    });
    drop(runtime);
    drop(tx);
    drop(db);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = place.open().await;
        assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
        db.execute("INSERT INTO t VALUES (2)").await.unwrap();
    });
}

#[test]
fn a_runtime_without_timers_is_refused() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(builder(place.url()).connect()).unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert!(error.suggested_fixes()[0].contains("enable_all"), "{error:?}");
}

async fn poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test]
async fn whoever_asks_first_is_served_first_and_nobody_overtakes() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    let held = db.acquire().await.unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(db.acquire())).collect();
    for future in &mut waiting {
        assert!(poll(future).await.is_pending());
    }
    assert_eq!(db.pool_status().waiting, 3);
    drop(held);
    let mut late = Box::pin(db.query("SELECT 1").fetch_scalar::<i64>());
    assert!(poll(&mut late).await.is_pending());
    // Whoever goes away leaves the turn to the next.
    drop(waiting.remove(0));
    assert!(poll(&mut waiting[1]).await.is_pending());
    let std::task::Poll::Ready(held) = poll(&mut waiting[0]).await else { panic!("it is the first one's turn") };
    drop(held.unwrap());
    drop(waiting);
    assert_eq!(late.await.unwrap(), 1);
    let status = db.pool_status();
    assert_eq!((status.open, status.idle, status.waiting), (1, 1, 0));
}

/// Each connection that comes back goes to the one that has waited longest, whoever asks again in the meantime.
#[tokio::test]
async fn many_on_few_connections_are_served_in_the_order_of_asking() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(8).connect().await.unwrap();
    let mut held = VecDeque::new();
    for _ in 0..8 {
        held.push_back(db.acquire().await.unwrap());
    }
    let mut waiting: VecDeque<_> = (0..64).map(|_| Box::pin(db.acquire())).collect();
    for future in &mut waiting {
        assert!(poll(future).await.is_pending());
    }
    while let Some(mut first) = waiting.pop_front() {
        drop(held.pop_front());
        for future in waiting.iter_mut().rev() {
            assert!(poll(future).await.is_pending(), "{} wait", db.pool_status().waiting);
        }
        let std::task::Poll::Ready(connection) = poll(&mut first).await else { panic!("it is the first one's turn") };
        held.push_back(connection.unwrap());
    }
    assert_eq!((db.pool_status().open, db.pool_status().waiting), (8, 0));
}

#[tokio::test]
async fn holders_are_named_from_the_longest_on_and_forgotten_when_they_give_back() {
    let place = Place::new();
    let wait = Duration::from_millis(500);
    let db = builder(place.url()).max_connections(2).acquire_timeout(wait).connect().await.unwrap();
    let place = |line: u32| format!("pool.rs:{line}:");
    let (a, at_a) = (db.acquire().await.unwrap(), place(line!()));
    let (_b, at_b) = (db.acquire().await.unwrap(), place(line!()));
    let text = db.acquire().await.unwrap_err().to_string();
    assert!(text.find(&at_a).unwrap() < text.find(&at_b).unwrap(), "{text}");
    drop(a);
    let (_c, at_c) = (db.acquire().await.unwrap(), place(line!()));
    let text = db.acquire().await.unwrap_err().to_string();
    assert!(!text.contains(&at_a) && text.find(&at_b).unwrap() < text.find(&at_c).unwrap(), "{text}");
}

/// Counted, not timed: when the first of 64 tasks on 8 connections has had all its turns, the last one has had at least half.
/// On one thread, so that it is the pool's order and not that of the operating system.
#[tokio::test]
async fn many_tasks_are_served_alike() {
    const TURNS: usize = 50;
    let place = Place::new();
    let db = builder(place.url()).max_connections(8).min_connections(8).connect().await.unwrap();
    let served: Arc<Vec<AtomicUsize>> = Arc::new((0..64).map(|_| AtomicUsize::new(0)).collect());
    let start = Arc::new(tokio::sync::Barrier::new(64));
    let tasks = (0..64).map(|task| {
        let (db, served, start) = (db.clone(), served.clone(), start.clone());
        tokio::spawn(async move {
            start.wait().await;
            for _ in 0..TURNS {
                let mut connection = db.acquire().await.unwrap();
                assert_eq!(connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
                // So that others ask for it meanwhile.
                tokio::task::yield_now().await;
                served[task].fetch_add(1, Ordering::SeqCst);
            }
            served.iter().map(|count| count.load(Ordering::SeqCst)).min().unwrap()
        })
    });
    let least = futures_util::future::join_all(tasks).await.into_iter().map(Result::unwrap).min().unwrap();
    assert!(least >= TURNS / 2, "when one had {TURNS} turns, another had {least}");
}

#[tokio::test]
async fn a_stream_dropped_inside_a_transaction_leaves_it_open() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000) SELECT i FROM n";
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut rows = tx.query(many).fetch::<i64>();
    assert_eq!(rows.next().await.unwrap().unwrap(), 1);
    drop(rows);
    tx.execute("INSERT INTO t VALUES (2)").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}
