//! Servers that die and come back, standbys, and poolers.

mod postgres;

use montrs_orm::{Database, DbErrorKind, ListenEvent};
use montrs_test_clusters::{Bouncer, Cluster, Replicated, Shutdown};
use montrs_tests::{builder, poll_then_drop};
use postgres::{over_loopback, with};
use std::time::Duration;

/// The pool tries for so long to connect.
const PATIENCE: Duration = Duration::from_secs(2);

async fn one(db: &Database) -> Result<i32, montrs_orm::DbError> {
    db.query("SELECT 1").fetch_scalar().await
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Cluster::plain();
    let db =
        builder(&over_loopback(&server.url())).max_connections(1).acquire_timeout(PATIENCE).connect().await.unwrap();
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        assert_eq!(one(&db).await.unwrap(), 1);
        server.stop(how);
        // The first sees that the connection is gone, the others that there is no server.
        let errors = [one(&db).await.unwrap_err(), one(&db).await.unwrap_err()];
        let kinds = [errors[0].kind(), errors[1].kind()];
        assert_eq!(kinds, [DbErrorKind::ConnectionLost, DbErrorKind::Connection], "{how:?}");
        assert!(errors[1].is_retryable() && errors[1].to_string().contains("refused"), "{how:?}: {}", errors[1]);
        server.run();
        assert_eq!(one(&db).await.unwrap(), 1);
    }
    server.kill();
    // Its process for our connection ends when it notices.
    while one(&db).await.is_ok() {}
}

#[tokio::test]
async fn too_many_connections_have_a_kind_of_their_own() {
    let server = Cluster::plain_with(&[("max_connections", "4"), ("superuser_reserved_connections", "0")]);
    let db =
        builder(&over_loopback(&server.url())).max_connections(20).acquire_timeout(PATIENCE).connect().await.unwrap();
    let mut held = Vec::new();
    let error = loop {
        match db.acquire().await {
            Ok(connection) => held.push(connection),
            Err(error) => break error,
        }
        assert!(held.len() < 10);
    };
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::TooManyConnections, true));
    assert!(error.to_string().contains("acquire_timeout"), "{error}");
    let error = builder(&over_loopback(&server.url())).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::TooManyConnections, true));
}

#[tokio::test]
async fn the_server_that_is_asked_for_is_found_among_several() {
    let servers = Replicated::start();
    let list = |first: &Cluster, second: &Cluster, wanted: &str| {
        let places = format!("127.0.0.1:{},127.0.0.1:{}", first.port(), second.port());
        let login = format!("postgres:{}", first.password());
        over_loopback(&format!("postgres://{login}@{places}/postgres?target_session_attrs={wanted}"))
    };
    let is_standby = async |url: &str| -> Result<bool, DbErrorKind> {
        let db = builder(url).connect().await.map_err(|error| error.kind())?;
        Ok(db.query("SELECT pg_is_in_recovery()").fetch_scalar().await.unwrap())
    };
    let (primary, standby, none) = (&servers.primary, &servers.standby, Err(DbErrorKind::Connection));
    // Of the primary and the standby, the other way round, twice the primary, and twice the standby.
    for (wanted, first, other_first, primaries, standbys) in [
        ("any", false, true, Ok(false), Ok(true)),
        ("primary", false, false, Ok(false), none),
        ("read-write", false, false, Ok(false), none),
        ("standby", true, true, none, Ok(true)),
        ("read-only", true, true, none, Ok(true)),
        ("prefer-standby", true, true, Ok(false), Ok(true)),
    ] {
        assert_eq!(is_standby(&list(primary, standby, wanted)).await, Ok(first), "{wanted}");
        assert_eq!(is_standby(&list(standby, primary, wanted)).await, Ok(other_first), "{wanted}");
        assert_eq!(is_standby(&list(primary, primary, wanted)).await, primaries, "{wanted}");
        assert_eq!(is_standby(&list(standby, standby, wanted)).await, standbys, "{wanted}");
    }
    // A primary may be read-only by its settings.
    primary.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    let reloaded = primary.sql("SELECT pg_reload_conf()");
    assert_eq!(reloaded, "t");
    while primary.sql("SHOW default_transaction_read_only") != "on" {}
    for (wanted, expected) in
        [("read-only", Ok(false)), ("read-write", none), ("primary", Ok(false)), ("standby", none)]
    {
        assert_eq!(is_standby(&list(primary, primary, wanted)).await, expected, "{wanted}");
    }
    let db = builder(&over_loopback(&servers.standby.url())).connect().await.unwrap();
    assert_eq!(db.execute("CREATE TABLE t ()").await.unwrap_err().kind(), DbErrorKind::ReadOnly);
}

#[tokio::test]
async fn unnamed_statements_work_through_a_pooler_in_transaction_mode() {
    let server = Cluster::plain();
    let bouncer = Bouncer::start(&server, 0);
    let db = builder(&over_loopback(&format!("{}?prepared_statements=unnamed", bouncer.url())))
        .max_connections(4)
        .connect()
        .await
        .unwrap();
    db.execute("CREATE TABLE t (n int, word text)").await.unwrap();
    let work = (0..8).map(|task| {
        let db = db.clone();
        tokio::spawn(async move {
            for n in 0..20 {
                db.execute("INSERT INTO t VALUES ($1, $2)").bind(task * 100 + n).bind("x").await.unwrap();
                let mut tx = db.begin().await.unwrap();
                let found: i64 =
                    tx.query("SELECT count(*) FROM t WHERE n = $1").bind(task * 100 + n).fetch_scalar().await.unwrap();
                assert_eq!(found, 1);
                tx.commit().await.unwrap();
            }
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for polls in 1..5 {
        poll_then_drop(polls, db.execute("SELECT pg_sleep(0.02)").into_future()).await;
    }
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 160);
}

#[tokio::test]
async fn a_failover_is_followed_by_the_pool_and_by_who_listens() {
    let mut servers = Replicated::start();
    let place = |server: &Cluster| server.url().rsplit_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let url = servers
        .primary
        .url()
        .replace(&place(&servers.primary), &format!("{},{}", place(&servers.primary), place(&servers.standby)));
    let url = over_loopback(&with(&url, "target_session_attrs=read-write"));
    let db = builder(&url).max_connections(3).acquire_timeout(PATIENCE).connect().await.unwrap();
    let mut listener = db.listen(["failover"]).await.unwrap();
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    servers.catch_up();
    servers.primary.kill();
    // The standby takes no writes yet, so there is no server: each error says so, and that trying again is right.
    let lost = db.execute("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!(lost.kind(), DbErrorKind::ConnectionLost);
    let none = db.execute("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!((none.kind(), none.is_retryable()), (DbErrorKind::Connection, true));
    assert!(none.to_string().contains("target_session_attrs"), "{none}");
    assert!(poll_then_drop(1, listener.next()).await.is_none());
    servers.promote();
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(listener.next().await.unwrap().unwrap(), ListenEvent::MayHaveMissed);
    db.execute("NOTIFY failover, 'here'").await.unwrap();
    let heard = listener.next().await.unwrap().unwrap();
    assert!(matches!(heard, ListenEvent::Notification(heard) if heard.payload == "here"));
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn a_standby_that_dies_costs_no_read_and_is_read_from_again_when_it_is_back() {
    let mut servers = Replicated::start();
    let db = builder(&over_loopback(&servers.primary.url()))
        .replica(over_loopback(&servers.standby.url()))
        .check_after(Duration::ZERO)
        .acquire_timeout(PATIENCE)
        .connect()
        .await
        .unwrap();
    let from_standby =
        async || -> bool { db.read().query("SELECT pg_is_in_recovery()").fetch_scalar().await.expect("no read fails") };
    let standby = db.read().clone();
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        assert!(from_standby().await);
        servers.standby.stop(how);
        let failed = standby.pool_status().failed;
        for _ in 0..20 {
            assert!(!from_standby().await, "{how:?}");
        }
        assert_eq!(standby.pool_status().failed, failed + 1, "{how:?}: it is not tried each time");
        servers.standby.run();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(5)).await;
        tokio::time::resume();
    }
    assert!(from_standby().await);
}
