//! The pool, when connections die or cannot be opened.

use futures_util::FutureExt;
use montrs_orm::{Database, DatabaseBuilder, DbErrorKind, HookFuture, Session};
use montrs_tests::builder;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

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
    // What is locked, ErrorKind::BUSY, has been waited for already.
    let db = builder("faulty:connect=error=33@2").connect().await.unwrap();
    let held = db.acquire().await.unwrap();
    let error = db.acquire().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable(), db.pool_status().failed), (DbErrorKind::Busy, true, 1));
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

/// A hook that never ends, from its second run on.
fn hangs_later() -> impl for<'s> Fn(&'s mut Session) -> HookFuture<'s> + Send + Sync + 'static {
    let runs = AtomicU32::new(0);
    move |_| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { if run == 0 { Ok(()) } else { std::future::pending().await } })
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_hook_is_told_which_one_does_not_end_and_since_when() {
    let wait = Duration::from_secs(5);
    let new = |max| builder("faulty:ok").max_connections(max).acquire_timeout(wait);
    let told = async |db: Database, says: &str| {
        let error = db.acquire().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
        let text = error.to_string();
        assert!(text.contains("5s (acquire_timeout)") && text.contains(says), "{text}");
    };
    let after_connect = "the hook after_connect has been running for 5.0 s";
    let error = new(1).after_connect(|_| Box::pin(std::future::pending())).connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
    assert!(error.to_string().contains(after_connect), "{error}");

    let db = new(2).after_connect(hangs_later()).connect().await.unwrap();
    let _held = db.acquire().await.unwrap();
    told(db, after_connect).await;

    // The first run is that for an idle connection.
    let db = new(1).before_acquire(hangs_later()).connect().await.unwrap();
    drop(db.acquire().await.unwrap());
    told(db, "the last attempt failed: the hook before_acquire did not end within 5.0s").await;

    let db = new(1).after_release(|_| Box::pin(std::future::pending())).connect().await.unwrap();
    drop(db.acquire().await.unwrap());
    let text = db.acquire().await.unwrap_err().to_string();
    let (at, hook) = (format!("pool_faults.rs:{}:", line!() - 2), "(running the hook after_release for 5.0 s)");
    assert!(text.contains(&at) && text.contains(hook), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_the_pool_itself_holds_is_told() {
    let db = checked(|builder| builder.min_connections(1).after_connect(hangs_later())).await;
    db.execute("arm ping error=41").await.unwrap();
    // The connection is found dead, and the opening of another one dropped.
    assert!(montrs_tests::poll_then_drop(1, db.acquire()).await.is_none());
    assert_eq!(db.pool_status().open, 0);
    // The pool looks after it.
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(db.pool_status().longest_hold, None);
    let text = db.close_within(Duration::from_secs(1)).await.unwrap_err().to_string();
    assert!(text.contains("by the pool itself (running the hook after_connect for "), "{text}");
}

/// With the one that is being opened and the one that is idle there are as many as there may be.
#[tokio::test(start_paused = true)]
async fn the_pool_opens_none_by_itself_beside_the_last_that_is_being_opened() {
    let settings = builder("faulty:connect=hang@3").check_after(Duration::ZERO).acquire_timeout(Duration::MAX);
    let db = settings.max_connections(2).min_connections(2).connect().await.unwrap();
    let held = db.acquire().await.unwrap();
    // The other one is found dead, and the opening of the next does not end.
    db.execute("arm ping error=41").await.unwrap();
    let mut opening = Box::pin(db.acquire());
    assert!((&mut opening).now_or_never().is_none());
    drop(held);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let status = db.pool_status();
    assert_eq!((status.open, status.idle, status.opened), (1, 1, 2));
    drop(opening);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let status = db.pool_status();
    assert_eq!((status.open, status.idle, status.opened), (2, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_only_since_its_last_use() {
    let db = checked(|builder| builder.idle_timeout(Duration::from_secs(60))).await;
    // The pool sees it idle in between, each time for less than it may be.
    for _ in 0..10 {
        assert_eq!(number(&db).await, 1);
        tokio::time::sleep(Duration::from_secs(40)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((db.pool_status().open, db.pool_status().opened), (0, 1));
}

/// The pool's own task, which would close it as well, gets no time here.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_too_old_is_closed_when_it_is_given_back() {
    let lifetime = Duration::from_millis(20);
    let db = checked(|builder| builder.check_after(LONG).max_lifetime(lifetime)).await;
    std::thread::sleep(lifetime);
    assert_eq!(number(&db).await, 1, "it is given out all the same");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!((db.pool_status().open, db.pool_status().idle), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn half_of_the_time_is_left_for_a_new_connection_when_the_idle_one_does_not_answer() {
    let db = checked(|builder| builder.acquire_timeout(Duration::from_secs(4))).await;
    db.execute("arm ping hang").await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(number(&db).await, 2);
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}
