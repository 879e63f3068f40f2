//! Read replicas: databases of their own here, so that it can be told which one has answered.

use montrs_orm::{Database, DbErrorKind};
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
async fn a_replica_that_is_down_is_passed_over_and_does_not_keep_the_program_from_starting() {
    let (primary, one) = (with_name("primary").await, with_name("one").await);
    let wait = Duration::from_secs(5);
    let db = builder(primary.url())
        .replica("faulty:connect=error=40")
        .replica(one.url())
        .acquire_timeout(wait)
        .connect()
        .await
        .unwrap();
    let down = db.read();
    assert_eq!(down.acquire().await.unwrap_err().kind(), DbErrorKind::Connection);
    for _ in 0..4 {
        assert_eq!(name(db.read()).await, "one");
    }
    let db = builder(primary.url()).replica("faulty:connect=error=40").connect().await.unwrap();
    drop(db.read().acquire().await.unwrap_err());
    assert_eq!(name(db.read()).await, "primary");
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
}
