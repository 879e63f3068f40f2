//! Read replicas: databases of their own here, so that it can be told which one has answered.

use montrs_orm::{Database, DbErrorKind, LockMode, TransactionOptions};
use montrs_tests::{Place, builder};
use std::time::Duration;

async fn with_name(name: &str) -> Place {
    let place = Place::new();
    let db = place.open().await;
    db.execute("CREATE TABLE t (name TEXT)").await.unwrap();
    db.execute("INSERT INTO t VALUES ($1)").bind(name).await.unwrap();
    db.close_within(Duration::from_secs(60)).await.unwrap();
    place
}

async fn name(db: &Database) -> String {
    db.query("SELECT name FROM t").fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn reads_take_the_replicas_in_turn_and_everything_else_the_primary() {
    let (primary, one, two) = (with_name("primary").await, with_name("one").await, with_name("two").await);
    let db = builder(primary.url()).replica(one.url()).replica(two.url()).connect().await.unwrap();
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(name(db.read()).await);
        assert_eq!(name(&db).await, "primary");
    }
    assert_eq!(names, ["one", "two", "one", "two"]);
    let kept = db.read();
    assert_eq!(name(kept).await, name(kept).await);
    db.close().await.unwrap();
    assert_eq!(db.read().acquire().await.unwrap_err().kind(), DbErrorKind::PoolClosed);
    assert_eq!(db.read().pool_status().open, 0);
}

#[tokio::test]
async fn without_replicas_the_primary_is_read() {
    let primary = with_name("primary").await;
    let db = primary.open().await;
    assert_eq!(name(db.read()).await, "primary");
}

#[tokio::test]
async fn no_read_fails_because_a_replica_is_down_and_that_is_not_tried_each_time() {
    let (primary, one) = (with_name("primary").await, with_name("one").await);
    // ErrorKind::CONNECTION, CONNECTION_LOST and TOO_MANY_CONNECTIONS; and one that says that trying again may help.
    for how in ["error=40", "error=41", "error=44", "retryable"] {
        let dead = format!("faulty:connect={how}");
        let db = builder(primary.url()).replica(&dead).replica(one.url()).connect().await.unwrap();
        let down = db.read().clone();
        assert_eq!(name(&down).await, "one", "{how}");
        for _ in 0..4 {
            assert_eq!(name(db.read()).await, "one", "{how}");
        }
        assert_eq!(down.pool_status().failed, 1, "{how}");
        // With all of them down, the primary is read; whatever is begun on the replica goes there as well.
        let db = builder(primary.url()).replica(&dead).replica(&dead).connect().await.unwrap();
        assert_eq!(name(db.read()).await, "primary", "{how}");
        assert_eq!(name(db.read()).await, "primary", "{how}");
        assert_eq!(db.read().redacted_url(), db.redacted_url(), "both are known to be down");
        assert_eq!(db.pool_status().failed, 0);
    }
}

#[tokio::test]
async fn what_is_known_to_write_does_not_go_elsewhere() {
    let primary = with_name("primary").await;
    let db = builder(primary.url()).replica("faulty:connect=error=40").connect().await.unwrap();
    let down = db.read().clone();
    let error = down.execute_many("INSERT INTO t VALUES ($1)", [("x",)]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection);
    let locking = TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..TransactionOptions::default() };
    assert_eq!(down.begin_with(locking).await.unwrap_err().kind(), DbErrorKind::Connection);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
}

/// Which database has answered: those of the driver for faults count their connections.
async fn number(db: &Database) -> i64 {
    db.query("number").fetch_scalar().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn of_a_replica_that_was_down_one_reader_finds_out_whether_it_is_back() {
    let db = builder("faulty:ok").replica("faulty:connect=error=40").connect().await.unwrap();
    let down = db.read().clone();
    for failures in 1..5 {
        for _ in 0..5 {
            assert_eq!(number(db.read()).await, 1);
        }
        assert_eq!(down.pool_status().failed, failures);
        tokio::time::advance(Duration::from_millis(4_900)).await;
        assert_eq!(number(db.read()).await, 1);
        assert_eq!(down.pool_status().failed, failures);
        tokio::time::advance(Duration::from_millis(200)).await;
        // One tries it; who comes meanwhile does not.
        assert_eq!(db.read().redacted_url(), "faulty:connect=error=40");
        assert_eq!(db.read().redacted_url(), "faulty:ok");
        tokio::time::advance(Duration::from_millis(5_000)).await;
    }
    // Once it answers, it is read from again.
    let db = builder("faulty:ok").replica("faulty:connect=error=40@1").connect().await.unwrap();
    let replica = db.read().clone();
    assert_eq!((number(&replica).await, replica.pool_status().open), (1, 0));
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        assert_eq!(number(db.read()).await, 2, "the second connection of the replica");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_answer_is_not_waited_for_until_the_end() {
    let begun = tokio::time::Instant::now();
    let db = builder("faulty:ok").replica("faulty:connect=hang").connect().await.unwrap();
    assert_eq!(number(db.read()).await, 1);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let begun = tokio::time::Instant::now();
    let quick = builder("faulty:ok").acquire_timeout(Duration::from_secs(2)).replica("faulty:connect=hang");
    let db = quick.connect().await.unwrap();
    assert_eq!(number(db.read()).await, 1);
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_waiting_does_not_mend_and_a_pool_in_use_are_errors() {
    // ErrorKind::AUTHENTICATION.
    let db = builder("faulty:ok").replica("faulty:connect=error=42").connect().await.unwrap();
    let error = db.read().ping().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Authentication);
    assert!(error.to_string().starts_with("the replica faulty:connect=error=42: "), "{error}");
    let db = builder("faulty:ok").replica("faulty:connect=error=44@2+").max_connections(2).connect().await.unwrap();
    let replica = db.read().clone();
    let held = replica.acquire().await.unwrap();
    // Its server takes no more: that is read elsewhere, and the one that is open serves on.
    assert_eq!(number(&replica).await, 1);
    assert_eq!(db.pool_status().acquired, 2);
    drop(held);
    assert_eq!(db.read().redacted_url(), replica.redacted_url());
    // After a failure that was of one connection, it is read from again as soon as one is idle.
    let db = builder("faulty:ok").replica("faulty:connect=error=40@2").connect().await.unwrap();
    let replica = db.read().clone();
    let held = replica.acquire().await.unwrap();
    assert_eq!(number(&replica).await, 1);
    drop(held);
    assert_eq!(db.read().redacted_url(), "faulty:ok");
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..2 {
        assert_eq!(db.read().redacted_url(), replica.redacted_url());
    }
    let db = builder("faulty:ok").replica("faulty:ok").max_connections(1).connect().await.unwrap();
    let _held = db.read().acquire().await.unwrap();
    let error = db.read().ping().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::PoolTimeout);
    assert!(error.to_string().starts_with("the replica faulty:ok: the only connection"), "{error}");
}

#[tokio::test]
async fn the_list_can_come_from_a_file_and_a_wrong_url_is_told() {
    let (primary, one) = (with_name("primary").await, with_name("one").await);
    let directory = montrs_tests::private_dir();
    let file = directory.path().join("montrs.toml");
    std::fs::write(&file, format!("[database]\nreplicas = [\"{}\"]\n", one.url())).unwrap();
    let db = builder(primary.url()).config_file(&file).unwrap().connect().await.unwrap();
    assert_eq!((name(&db).await, name(db.read()).await), ("primary".into(), "one".into()));
    let error = builder(primary.url()).replica("nothing:x").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::DriverNotFound);
    assert!(error.to_string().starts_with("replica 1: no driver"), "{error}");
    let error = builder(primary.url()).replica(one.url()).replica("nonsense").connect().await.unwrap_err();
    assert!(error.to_string().starts_with("replica 2: the database URL has no scheme"), "{error}");
}
