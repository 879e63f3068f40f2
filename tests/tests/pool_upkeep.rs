//! What the pool does by itself: it opens connections early, and closes those that are idle, old, or given back too late.

use futures_util::FutureExt;
use montrs_orm::{AiError, Connection, Database, DbErrorKind, PoolStatus};
use montrs_tests::{Place, builder};
use std::time::Duration;
use tokio::time::timeout;

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);
const NEVER: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(20);
const WAIT: Duration = Duration::from_millis(500);

async fn until(db: &Database, is_so: impl Fn(PoolStatus) -> bool) -> PoolStatus {
    let waiting = async {
        while !is_so(db.pool_status()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        db.pool_status()
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("it stays so: {:?}", db.pool_status()))
}

/// So many connections at once.
async fn hold(db: &Database, count: usize) -> Vec<Connection> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(db.acquire().await.unwrap());
    }
    held
}

#[tokio::test]
async fn connect_opens_as_many_as_are_kept_open() {
    let place = Place::new();
    let db = builder(place.url()).min_connections(3).max_connections(4).connect().await.unwrap();
    let status = db.pool_status();
    assert_eq!((status.open, status.idle, status.opened), (3, 3, 3));
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(db.pool_status().opened, 3);
}

#[tokio::test]
async fn idle_connections_are_closed_down_to_the_minimum() {
    let (place, other) = (Place::new(), Place::new());
    let settings = |place: &Place| builder(place.url()).max_connections(3).idle_timeout(SOON).max_lifetime(NEVER);
    let db = settings(&place).min_connections(1).connect().await.unwrap();
    drop(hold(&db, 3).await);
    let status = until(&db, |status| status.open == 1).await;
    assert_eq!((status.idle, status.opened), (1, 3));
    // As long as another pool takes to close its last one, which comes later, this one keeps its own.
    let clock = settings(&other).connect().await.unwrap();
    until(&clock, |status| status.open == 0).await;
    assert_eq!((db.pool_status().open, db.pool_status().opened), (1, 3));
    assert_eq!(clock.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_in_use_is_not_closed_and_one_that_is_too_old_is_when_it_comes_back() {
    let place = Place::new();
    let db = builder(place.url()).idle_timeout(NEVER).max_lifetime(SOON).connect().await.unwrap();
    let mut held = db.acquire().await.unwrap();
    let opened = db.pool_status().opened;
    tokio::time::sleep(2 * SOON).await;
    assert_eq!(held.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(db.pool_status().open, 1);
    drop(held);
    until(&db, |status| status.open == 0).await;
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(db.pool_status().opened, opened + 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_for_its_age_is_replaced_up_to_the_minimum() {
    let place = Place::new();
    let db = builder(place.url()).min_connections(2).max_lifetime(SOON).connect().await.unwrap();
    until(&db, |status| status.opened >= 6 && status.open == 2).await;
}

/// It may be the database itself, as one in memory is.
#[tokio::test]
async fn the_only_connection_of_a_database_that_can_have_no_other_is_never_closed() {
    let place = Place::new();
    let short = |url: &str| builder(url).idle_timeout(SOON).max_lifetime(SOON).max_connections(5);
    let single = short("kv:memory").connect().await.unwrap();
    assert_eq!(single.pool_status().max, 1);
    let clock = short(place.url()).min_connections(1).connect().await.unwrap();
    until(&clock, |status| status.opened >= 4).await;
    assert_eq!((single.pool_status().open, single.pool_status().opened), (1, 1));
}

#[test]
fn the_task_ends_with_the_database_and_holds_nothing_up() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        // With a pool that has nothing to look after: what the driver runs for a connection.
        let plain = builder(place.url()).idle_timeout(NEVER).max_lifetime(NEVER).connect().await.unwrap();
        let other = plain.acquire().await.unwrap();
        let of_driver = tasks();
        let db = builder(place.url()).connect().await.unwrap();
        let held = db.acquire().await.unwrap();
        assert_eq!(tasks(), 2 * of_driver + 1);
        drop(db);
        let ending = async {
            while tasks() > 2 * of_driver {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, ending).await.expect("the task ends, although a connection is held");
        drop((other, plain));
        drop(held);
    });
    let db = runtime.block_on(builder(place.url()).connect()).unwrap();
    drop(runtime);
    drop(db);
}

#[tokio::test]
async fn closing_waits_for_those_who_use_connections_until_the_time_is_up() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(3).connect().await.unwrap();
    let (first, second) = (db.acquire().await.unwrap(), db.acquire().await.unwrap());
    drop(first);
    let held_at = line!() - 2;
    let error = db.close_within(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Timeout, false));
    assert!(error.suggested_fixes()[0].contains("End the tasks"), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("10ms") && text.contains(&format!("pool_upkeep.rs:{held_at}:")), "{text}");
    assert_eq!(db.acquire().await.unwrap_err().kind(), DbErrorKind::PoolClosed);
    assert_eq!((db.pool_status().open, db.pool_status().idle), (1, 0));

    let mut closing = Box::pin(db.close_within(LONG));
    assert!((&mut closing).now_or_never().is_none());
    drop(second);
    closing.await.unwrap();
    assert_eq!(db.pool_status().open, 0);
    // Nobody is left to be waited for.
    db.close_within(NEVER).await.unwrap();
}

#[tokio::test]
async fn closing_with_a_transaction_under_way_lets_it_be_committed() {
    let place = Place::new();
    let db = place.open().await;
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let mut closing = Box::pin(db.close_within(LONG));
    assert!((&mut closing).now_or_never().is_none());
    tx.execute("INSERT INTO t VALUES (2)").await.unwrap();
    tx.commit().await.unwrap();
    closing.await.unwrap();
    assert_eq!(place.open().await.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn a_closing_that_is_dropped_half_way_has_closed_all_the_same() {
    let place = Place::new();
    for polls in 0..3 {
        let db = builder(place.url()).min_connections(2).connect().await.unwrap();
        let held = db.acquire().await.unwrap();
        drop(montrs_tests::poll_then_drop(polls, db.close_within(SOON)).await);
        assert_eq!(db.acquire().await.is_err(), polls > 0);
        drop(held);
        db.close_within(LONG).await.unwrap();
        assert_eq!(db.pool_status().open, 0, "{polls}");
    }
}

#[tokio::test]
async fn what_happened_is_counted() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).acquire_timeout(WAIT).connect().await.unwrap();
    let before = db.pool_status();
    assert_eq!((before.opened, before.waited, before.timed_out, before.longest_hold), (1, 0, 0, None));
    let held = db.acquire().await.unwrap();
    assert_eq!(db.acquire().await.unwrap_err().kind(), DbErrorKind::PoolTimeout);
    let status = db.pool_status();
    assert_eq!((status.acquired, status.waited, status.timed_out), (before.acquired + 1, 1, 1));
    assert!(status.wait_time >= WAIT && status.longest_hold.unwrap() >= WAIT, "{status:?}");
    drop(held);
    assert_eq!(db.pool_status().longest_hold, None);
}

#[tokio::test]
async fn the_settings_can_come_from_a_file() {
    let place = Place::new();
    let directory = montrs_tests::private_dir();
    let file = directory.path().join("montrs.toml");
    let settings = "[database]\nmax_connections = 4\nmin_connections = 2\nidle_timeout_ms = 20\nmax_lifetime_ms = 0\n\
                    check_after_ms = 60000\nacquire_timeout_ms = 5000\n";
    std::fs::write(&file, settings).unwrap();
    let db = builder(place.url()).config_file(&file).unwrap().connect().await.unwrap();
    assert_eq!((db.pool_status().open, db.pool_status().max), (2, 4));
    drop(hold(&db, 4).await);
    until(&db, |status| status.open == 2).await;
}
