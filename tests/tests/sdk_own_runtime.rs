//! A driver with a tokio runtime of its own.

mod dropping;

use dropping::at_every_poll;
use futures_util::FutureExt;
use montrs_orm::{Database, DbError, DbErrorKind};
use montrs_tests::builder;
use std::time::{Duration, Instant};

/// Where other threads do the work, it depends on the weather how often a future is polled.
const ROUNDS: usize = 10;

async fn queue(connections: usize) -> Database {
    builder("mq:memory").max_connections(connections).connect().await.unwrap()
}

async fn send(db: &Database, message: &str) {
    db.execute("send").bind(message).await.unwrap();
}

async fn count(db: &Database) -> i64 {
    db.query("count").fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn timers_of_the_drivers_own_tokio_work() {
    let db = queue(1).await;
    let start = Instant::now();
    let message: Option<String> = db.query("receive within 50").fetch_optional().await.unwrap();
    assert_eq!(message, None);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn the_host_needs_neither_timers_nor_sockets_of_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let db = queue(1).await;
        assert_eq!(db.query("ticks 3 1").fetch_all::<i64>().await.unwrap(), [1, 2, 3]);
    });
}

#[tokio::test]
async fn a_receiver_is_woken_by_a_sender_on_another_connection() {
    let db = queue(2).await;
    let (received, ()) = tokio::join!(db.query("receive").fetch_one::<String>(), send(&db, "hello"));
    assert_eq!(received.unwrap(), "hello");
}

#[tokio::test]
async fn rows_come_from_a_task_of_the_drivers() {
    let db = queue(1).await;
    assert_eq!(db.query("ticks 20 1").fetch_all::<i64>().await.unwrap(), (1..=20).collect::<Vec<_>>());
    let mut some = db.query("ticks 1000000 1").fetch::<i64>();
    assert_eq!(some.next().await.unwrap().unwrap(), 1);
    drop(some);
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_dropped_future_is_dropped_on_the_drivers_runtime_too() {
    let db = queue(1).await;
    let mut receiving = db.query("receive").fetch_one::<String>().boxed();
    assert!(receiving.as_mut().now_or_never().is_none());
    drop(receiving);
    send(&db, "for a later receiver").await;
    assert_eq!(count(&db).await, 1, "a receiver that was given up took the message");
    assert_eq!(db.query("receive").fetch_one::<String>().await.unwrap(), "for a later receiver");
}

#[tokio::test]
async fn two_databases_have_two_runtimes() {
    let (one, two) = (queue(1).await, queue(1).await);
    send(&one, "x").await;
    assert_eq!((count(&one).await, count(&two).await), (1, 0));
    drop(one);
    send(&two, "y").await;
    assert_eq!(count(&two).await, 1);
}

#[tokio::test]
async fn an_error_on_the_drivers_runtime_reaches_the_caller() {
    let db = queue(1).await;
    assert_eq!(db.execute("send").await.unwrap_err().kind(), DbErrorKind::Parameters);
    assert_eq!(count(&db).await, 0);
}

#[test]
fn a_database_can_be_dropped_after_its_runtime_and_on_any_thread() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(queue(1));
    drop(runtime);
    std::thread::spawn(|| drop(db)).join().unwrap();
}

#[tokio::test]
async fn connecting_can_be_dropped_at_every_poll() {
    at_every_poll(async || queue(1).await, async || assert_eq!(count(&queue(1).await).await, 0)).await;
}

#[tokio::test]
async fn a_query_can_be_dropped_at_every_poll() {
    let db = queue(1).await;
    for _ in 0..ROUNDS {
        at_every_poll(async || count(&db).await, async || assert_eq!(count(&db).await, 0)).await;
    }
}

#[tokio::test]
async fn a_stream_can_be_dropped_at_every_poll() {
    let db = queue(1).await;
    for _ in 0..ROUNDS {
        at_every_poll(
            async || db.query("ticks 20 1").fetch_all::<i64>().await.unwrap(),
            async || assert_eq!(count(&db).await, 0),
        )
        .await;
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_at_any_poll_is_done_whole_or_not_at_all() {
    let db = queue(1).await;
    let transaction = async || {
        db.transaction(async |tx| {
            tx.execute("send").bind("one").await?;
            tx.execute("send").bind("two").await?;
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
    };
    for _ in 0..ROUNDS {
        at_every_poll(&transaction, async || assert_eq!(count(&db).await % 2, 0, "half of it was kept")).await;
    }
    assert!(count(&db).await >= 2);
}
