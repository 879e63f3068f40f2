//! Notifications as a stream that outlives its connections, on PostgreSQL.

mod postgres;
#[path = "postgres/proxy.rs"]
mod proxy;

use futures_util::StreamExt;
use montrs_orm::{Database, DbErrorKind, ListenEvent, Listener, Notification};
use montrs_test_clusters::{Cluster, Shutdown};
use montrs_tests::{builder, poll_then_drop};
use postgres::{over_loopback, url, with};
use proxy::{Direction, Proxy};
use std::time::Duration;

async fn notify(db: &Database, channel: &str, payload: &str) {
    let sql = "SELECT pg_notify($1, $2) IS NULL";
    db.query(sql).bind(channel).bind(payload).fetch_scalar::<bool>().await.unwrap();
}

/// The next payload, where nothing was lost.
async fn payload(listener: &mut Listener) -> String {
    match listener.next().await.unwrap().unwrap() {
        ListenEvent::Notification(notification) => notification.payload,
        ListenEvent::MayHaveMissed => panic!("nothing was missed"),
    }
}

async fn hears_of_a_loss(listener: &mut Listener) {
    assert_eq!(listener.next().await.unwrap().unwrap(), ListenEvent::MayHaveMissed);
}

/// The server's processes that listen on this channel as their last statement.
async fn listening(db: &Database, channel: &str) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN \"' || $1 || '\";'";
    db.query(sql).bind(channel).fetch_all().await.unwrap()
}

async fn terminate_listeners(db: &Database, channel: &str) {
    let pids = listening(db, channel).await;
    assert!(!pids.is_empty());
    for pid in &pids {
        db.query("SELECT pg_terminate_backend($1)").bind(pid).fetch_scalar::<bool>().await.unwrap();
    }
    while listening(db, channel).await.iter().any(|pid| pids.contains(pid)) {}
}

#[tokio::test]
async fn notifications_have_a_channel_a_payload_and_a_sender_and_end_with_a_drop() {
    let sender = builder(&url()).max_connections(1).connect().await.unwrap();
    let db = builder(&url()).max_connections(1).connect().await.unwrap();
    let process: i32 = sender.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let own: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let mut listener = db.listen(["typed one", "typed \"two\""]).await.unwrap();
    for channel in ["typed one", "typed three", "typed \"two\""] {
        notify(&sender, channel, "news").await;
    }
    for channel in ["typed one", "typed \"two\""] {
        let expected = Notification { channel: channel.into(), payload: "news".into(), process };
        // It is a stream too.
        let event = StreamExt::next(&mut listener).await.unwrap().unwrap();
        assert_eq!(event, ListenEvent::Notification(expected));
    }
    drop(listener);
    // The same connection serves on, and listens no more.
    assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), own);
    assert_eq!(db.query("SELECT count(*) FROM pg_listening_channels()").fetch_scalar::<i64>().await.unwrap(), 0);
    for (channels, kind) in [(&[][..], DbErrorKind::Parameters), (&["a", ""], DbErrorKind::Parameters)] {
        assert_eq!(db.listen(channels.iter().copied()).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn after_a_loss_it_listens_again_and_says_that_something_may_be_missed() {
    let (db, other) = (builder(&url()).connect().await.unwrap(), builder(&url()).connect().await.unwrap());
    let mut listener = db.listen(["outlives"]).await.unwrap();
    for round in 0..3 {
        notify(&other, "outlives", "before").await;
        assert_eq!(payload(&mut listener).await, "before", "{round}");
        terminate_listeners(&other, "outlives").await;
        notify(&other, "outlives", "missed").await;
        hears_of_a_loss(&mut listener).await;
        notify(&other, "outlives", "after").await;
        assert_eq!(payload(&mut listener).await, "after", "{round}");
    }
}

#[tokio::test]
async fn to_drop_what_waits_for_the_next_one_loses_nothing() {
    let (db, other) = (builder(&url()).connect().await.unwrap(), builder(&url()).connect().await.unwrap());
    let mut listener = db.listen(["dropped waits"]).await.unwrap();
    for number in 0..200_u32 {
        if number % 50 == 10 {
            terminate_listeners(&other, "dropped waits").await;
            while poll_then_drop(1, listener.next()).await.is_none_or(|event| {
                assert_eq!(event.unwrap().unwrap(), ListenEvent::MayHaveMissed);
                false
            }) {
                tokio::task::yield_now().await;
            }
        }
        notify(&other, "dropped waits", &number.to_string()).await;
        let heard = loop {
            match poll_then_drop(1 + number as usize % 3, listener.next()).await {
                Some(event) => break event.unwrap().unwrap(),
                None => tokio::task::yield_now().await,
            }
        };
        let ListenEvent::Notification(heard) = heard else { panic!("{number}: nothing was missed") };
        assert_eq!(heard.payload, number.to_string());
    }
}

#[tokio::test]
async fn a_server_that_restarts_is_listened_to_again() {
    let mut server = Cluster::plain();
    let db = builder(&over_loopback(&server.url())).max_connections(5).connect().await.unwrap();
    let mut listener = db.listen(["restarts"]).await.unwrap();
    // The pool's other connections will be dead as well.
    let held: Vec<_> = futures_util::future::join_all((0..4).map(|_| db.acquire())).await;
    drop(held);
    assert_eq!(db.pool_status().idle, 4);
    server.stop(Shutdown::Immediate);
    // As long as there is no server, it waits and says nothing.
    let mut polls = 0;
    while db.pool_status().open > 0 {
        assert!(poll_then_drop(1, listener.next()).await.is_none(), "there is no server");
        polls += 1;
        tokio::task::yield_now().await;
    }
    assert!(polls > 0);
    server.run();
    hears_of_a_loss(&mut listener).await;
    notify(&db, "restarts", "back").await;
    assert_eq!(payload(&mut listener).await, "back");
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_told_and_tried_again() {
    let server = Cluster::plain();
    server.sql("CREATE ROLE ann LOGIN PASSWORD 'first'");
    let url = server.url_of("ann", "postgres").replace(server.password(), "first");
    let db = builder(&over_loopback(&url)).connect().await.unwrap();
    let mut listener = db.listen(["refused"]).await.unwrap();
    server.sql("ALTER ROLE ann PASSWORD 'second'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ann'");
    assert_eq!(listener.next().await.unwrap().unwrap_err().kind(), DbErrorKind::Authentication);
    // The next attempt waits: as long as the clock stands still there is none.
    tokio::time::pause();
    for _ in 0..100 {
        assert!(poll_then_drop(1, listener.next()).await.is_none());
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(db.pool_status().failed, 1);
    tokio::time::resume();
    assert_eq!(listener.next().await.unwrap().unwrap_err().kind(), DbErrorKind::Authentication);
    server.sql("ALTER ROLE ann PASSWORD 'first'");
    hears_of_a_loss(&mut listener).await;
}

async fn ends(listener: &mut Listener) {
    assert_eq!(listener.next().await.unwrap().unwrap_err().kind(), DbErrorKind::PoolClosed);
    assert!(listener.next().await.is_none());
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn it_ends_when_the_database_is_closed_and_the_closing_does_not_wait_for_it() {
    let (db, other) = (builder(&url()).connect().await.unwrap(), builder(&url()).connect().await.unwrap());
    let (mut waiting, mut behind) = (db.listen(["closed"]).await.unwrap(), db.listen(["closed"]).await.unwrap());
    let (heard, has_heard) = tokio::sync::oneshot::channel();
    let waiting = tokio::spawn(async move {
        assert_eq!(payload(&mut waiting).await, "before");
        heard.send(()).unwrap();
        ends(&mut waiting).await;
    });
    notify(&other, "closed", "before").await;
    // The other one has it as well, and does not take it.
    has_heard.await.unwrap();
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close_within(Duration::from_secs(60)).await }
    });
    waiting.await.unwrap();
    ends(&mut behind).await;
    closing.await.unwrap().unwrap();
    assert_eq!(db.pool_status().open, 0);
    assert_eq!(db.listen(["closed"]).await.unwrap_err().kind(), DbErrorKind::PoolClosed);
}

#[tokio::test]
async fn it_ends_while_there_is_no_server_and_it_waits_for_the_next_attempt() {
    let mut server = Cluster::plain();
    let db = builder(&over_loopback(&server.url())).connect().await.unwrap();
    let mut listener = db.listen(["closed"]).await.unwrap();
    server.stop(Shutdown::Immediate);
    while db.pool_status().open > 0 {
        assert!(poll_then_drop(1, listener.next()).await.is_none(), "there is no server");
        tokio::task::yield_now().await;
    }
    let ended = tokio::spawn(async move { ends(&mut listener).await });
    tokio::task::yield_now().await;
    db.close().await.unwrap();
    ended.await.unwrap();
}

#[tokio::test]
async fn it_keeps_the_pool_when_all_other_handles_are_gone() {
    let (db, other) = (builder(&url()).connect().await.unwrap(), builder(&url()).connect().await.unwrap());
    let mut listener = db.listen(["alone"]).await.unwrap();
    drop(db);
    terminate_listeners(&other, "alone").await;
    hears_of_a_loss(&mut listener).await;
    notify(&other, "alone", "still here").await;
    assert_eq!(payload(&mut listener).await, "still here");
    drop(listener);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%\"alone\"%' AND pid <> pg_backend_pid()";
    while other.query(left).fetch_scalar::<i64>().await.unwrap() > 0 {}
}

#[tokio::test]
async fn what_has_come_before_a_loss_is_heard_before_it_is_told() {
    let server = Cluster::plain();
    let proxy = Proxy::before(server.port()).await;
    let other = builder(&over_loopback(&server.url())).connect().await.unwrap();
    let db = builder(&over_loopback(&proxy.url(&server.url()))).connect().await.unwrap();
    let mut listener = db.listen(["before"]).await.unwrap();
    let before = proxy.count(Direction::ToClient);
    notify(&other, "before", "first").await;
    while proxy.count(Direction::ToClient) == before {
        tokio::task::yield_now().await;
    }
    terminate_listeners(&other, "before").await;
    assert_eq!(payload(&mut listener).await, "first");
    hears_of_a_loss(&mut listener).await;
}

/// Lets so much time pass for whoever has asked for it so far.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_network_that_is_dead_is_noticed() {
    let server = Cluster::plain();
    let proxy = Proxy::before(server.port()).await;
    let url = with(&over_loopback(&proxy.url(&server.url())), "keepalives=0");
    let (db, other) = (builder(&url).connect().await.unwrap(), builder(&over_loopback(&server.url())));
    let other = other.connect().await.unwrap();
    let mut listener = db.listen(["dead network"]).await.unwrap();
    // When nothing comes for long, the server is asked for a sign of life, and gives it.
    let sent = proxy.count(Direction::ToServer);
    while proxy.count(Direction::ToServer) == sent {
        tokio::select! {
            biased;
            event = listener.next() => panic!("nothing has happened: {event:?}"),
            () = pass(Duration::from_secs(31)) => {}
        }
    }
    notify(&other, "dead network", "alive").await;
    assert_eq!(payload(&mut listener).await, "alive");
    // Then nothing comes any more, and there is no sign of it.
    let connections = proxy.connections();
    proxy.cut_off();
    proxy.restore();
    while proxy.connections() == connections {
        tokio::select! {
            biased;
            event = listener.next() => panic!("it has not connected yet: {event:?}"),
            () = pass(Duration::from_secs(31)) => {}
        }
    }
    hears_of_a_loss(&mut listener).await;
    notify(&other, "dead network", "again").await;
    assert_eq!(payload(&mut listener).await, "again");
}

#[tokio::test]
async fn what_is_not_read_waits_in_the_server_and_is_all_heard() {
    let (db, other) = (builder(&url()).connect().await.unwrap(), builder(&url()).connect().await.unwrap());
    let mut listener = db.listen(["slow reader"]).await.unwrap();
    let flood = "SELECT count(pg_notify('slow reader', n || repeat('x', 7900))) FROM generate_series(1, 3000) AS n";
    other.query(flood).fetch_scalar::<i64>().await.unwrap();
    for number in 1..=3000 {
        let payload = payload(&mut listener).await;
        assert_eq!(payload.trim_end_matches('x'), number.to_string());
    }
}
