//! Two tokio runtimes in one process, each with a database of the same driver: services belong to a database and its
//! runtime, never to the process.

mod line_server;

use line_server::LineServer;
use montrs_orm::{Database, DbErrorKind};
use montrs_tests::builder;
use std::time::Duration;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    Runtime::new().expect("threads can be started")
}

async fn open(url: &str) -> Database {
    builder(url).acquire_timeout(Duration::from_secs(60)).connect().await.unwrap()
}

async fn session(db: &Database) -> i64 {
    db.query("session").fetch_scalar().await.unwrap()
}

#[test]
fn a_database_goes_on_when_the_runtime_of_another_is_shut_down() {
    let (servers, one, two) = (runtime(), runtime(), runtime());
    let server = servers.block_on(LineServer::tcp());
    let first = one.block_on(open(&server.url));
    let second = two.block_on(open(&server.url));

    // On the first runtime a query waits, a result is open, and a transaction.
    let waiting = first.clone();
    one.spawn(async move { waiting.execute("wait").await });
    servers.block_on(server.until(|counts| counts.waiting == 1));
    let mut rows = first.query("rows 100 10").fetch::<i64>();
    assert_eq!(one.block_on(rows.next()).unwrap().unwrap(), 100);
    let mut transaction = one.block_on(first.begin()).unwrap();
    one.block_on(transaction.execute("add 5").into_future()).unwrap();
    let reading = two.spawn({
        let second = second.clone();
        async move { second.query("rows 10000 7").fetch_all::<i64>().await }
    });
    drop(one);

    assert_eq!(two.block_on(reading).unwrap().unwrap().len(), 10_000);
    assert_eq!(two.block_on(session(&second)), 2);
    // What belongs to the first runtime ends, without harm for whoever drops it where.
    drop((rows, transaction));
    drop(first);
    server.let_go_on();
    servers.block_on(server.until(|counts| counts.open == 1));
    assert_eq!(server.value(), 0, "the transaction was not committed");
    assert_eq!(two.block_on(session(&second)), 2);
}

#[test]
fn a_database_whose_runtime_has_ended_answers_with_an_error() {
    let (servers, one, two) = (runtime(), runtime(), runtime());
    let server = servers.block_on(LineServer::tcp());
    let db = one.block_on(open(&server.url));
    drop(one);
    let error = two.block_on(db.query("session").fetch_scalar::<i64>()).unwrap_err();
    assert!(matches!(error.kind(), DbErrorKind::ConnectionLost | DbErrorKind::Connection), "{error:?}");
    // The connection is broken, and a new one cannot be opened.
    let error = two.block_on(db.query("session").fetch_scalar::<i64>()).unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection, "{error:?}");
}

#[test]
fn a_connection_that_another_runtime_asked_for_belongs_to_the_runtime_of_its_database() {
    let (servers, one, two) = (runtime(), runtime(), runtime());
    let server = servers.block_on(LineServer::tcp());
    let db = one.block_on(open(&server.url));
    two.block_on(async {
        let mut connections = [db.acquire().await.unwrap(), db.acquire().await.unwrap()];
        for (number, connection) in (1..).zip(&mut connections) {
            let session: i64 = connection.query("session").fetch_scalar().await.unwrap();
            assert_eq!(session, number);
            assert_eq!(connection.query("rows 1000 10").fetch_all::<i64>().await.unwrap().len(), 1000);
        }
    });
    drop(two);
    one.block_on(async {
        let mut connections = [db.acquire().await.unwrap(), db.acquire().await.unwrap()];
        for connection in &mut connections {
            let session: i64 = connection.query("session").fetch_scalar().await.unwrap();
            assert!(session <= 2, "the connections are those from before");
        }
    });
}

#[test]
fn drivers_that_block_or_have_a_runtime_of_their_own_go_on_too() {
    for (url, write, read) in [("kv:memory", "set key", "get key"), ("mq:memory", "send", "receive")] {
        let (one, two) = (runtime(), runtime());
        let (first, second) = (one.block_on(open(url)), two.block_on(open(url)));
        one.block_on(first.execute(write).bind("first").into_future()).unwrap();
        two.block_on(second.execute(write).bind("second").into_future()).unwrap();
        drop(one);
        let value: String = two.block_on(second.query(read).fetch_scalar()).unwrap();
        assert_eq!(value, "second", "{url}");
        drop(first);
        two.block_on(second.execute(write).bind("third").into_future()).unwrap();
    }
}
