//! What is dropped half-way, and servers that fail.

mod postgres;

use montrs_orm::{Database, DbError, DbErrorKind};
use montrs_tests::{builder, poll_then_drop};
use postgres::{half_written, open_with, url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn one_connection(name: &str) -> Database {
    open_with(name, |builder| builder.max_connections(1)).await
}

async fn process(db: &Database) -> i32 {
    db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap()
}

/// Waits until the session of this process is in a state that the condition describes.
async fn until(admin: &Database, pid: i32, condition: &'static str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND {condition}");
    while admin.query(montrs_orm::RuntimeSql(&*sql)).bind(pid).fetch_scalar::<i64>().await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dropped_statement_is_cancelled_on_the_server() {
    let (db, admin) = (one_connection("dropped_statement").await, builder(&url()).connect().await.unwrap());
    let pid = process(&db).await;
    tokio::select! {
        end = db.execute("SELECT pg_sleep(1000)").into_future() => panic!("{end:?}"),
        () = until(&admin, pid, "state = 'active' AND query LIKE '%pg_sleep%'") => {}
    }
    assert_eq!(process(&db).await, pid, "the same session serves on");
}

#[tokio::test]
async fn no_later_statement_is_cancelled_instead() {
    let db = one_connection("later_statement").await;
    let pid = process(&db).await;
    for round in 0..100 {
        poll_then_drop(1 + round % 3, db.query("SELECT pg_sleep(0.001)").fetch_scalar::<String>()).await;
        // Long enough for a cancellation that comes late.
        let next = db.query("SELECT 1 FROM pg_sleep(0.005)").fetch_scalar::<i32>().await;
        assert_eq!(next.unwrap(), 1, "round {round}");
    }
    assert_eq!(process(&db).await, pid);
}

#[tokio::test]
async fn a_stream_may_be_dropped_at_any_row() {
    let db = one_connection("dropped_stream").await;
    let pid = process(&db).await;
    let sql = "SELECT n, repeat('x', 100) FROM generate_series(1, 1000000) AS n";
    for rows in [0, 1, 500, 5000] {
        let mut stream = db.query(sql).fetch::<(i32, String)>();
        for n in 1..=rows {
            assert_eq!(stream.next().await.unwrap().unwrap().0, n);
        }
        drop(stream);
        assert_eq!(process(&db).await, pid);
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_in_a_transaction_leaves_it_open() {
    let db = one_connection("stream_in_transaction").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    for rows in [1, 200, 5000] {
        let sql = "SELECT n, repeat('x', 1000) FROM generate_series(1, 1000000) AS n";
        let mut stream = tx.query(sql).fetch::<(i32, String)>();
        for n in 1..=rows {
            assert_eq!(stream.next().await.unwrap().unwrap().0, n);
        }
        drop(stream);
        tx.execute("INSERT INTO t VALUES (2)").await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 4);
}

#[tokio::test]
async fn a_piece_that_is_on_its_way_is_waited_for() {
    let db = one_connection("piece_on_its_way").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let sql = "SELECT repeat('x', 9000), CASE WHEN n > 20 THEN pg_sleep(0.02) END FROM generate_series(1, 30) AS n";
    let mut stream = tx.query(sql).fetch::<(String, Option<String>)>();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    tx.execute("INSERT INTO t VALUES (1)").await.expect("nothing was cancelled");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_first_row_does_not_wait_for_the_others() {
    let db = one_connection("first_row").await;
    // The server sends what fills a packet; the rest would take a day.
    let sql =
        "SELECT repeat('x', 9000), pg_sleep(CASE WHEN n > 2 THEN 86400 ELSE 0 END) FROM generate_series(1, 9) AS n";
    assert_eq!(db.query(sql).fetch_scalar::<String>().await.unwrap().len(), 9000);
    let mut tx = db.begin().await.unwrap();
    let sql = "SELECT n, pg_sleep(CASE WHEN n > 1 THEN 86400 ELSE 0 END) FROM generate_series(1, 9) AS n";
    assert_eq!(tx.query(sql).fetch_scalar::<i32>().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_operation_may_be_dropped_at_any_poll() {
    let db = one_connection("any_poll").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    for polls in 0..12 {
        poll_then_drop(polls, db.query("SELECT n FROM generate_series(1, 20000) AS n").fetch_all::<i32>()).await;
        poll_then_drop(polls, db.execute("INSERT INTO t VALUES ($1)").bind(1).into_future()).await;
        poll_then_drop(polls, async {
            let mut tx = db.begin().await?;
            tx.execute("INSERT INTO t VALUES (2)").await?;
            tx.execute("SELECT 1/0").await.map(drop)
        })
        .await;
        poll_then_drop(polls, db.query(montrs_orm::RuntimeSql(format!("SELECT {polls}"))).fetch_scalar::<i32>()).await;
        assert_eq!(db.query("SELECT count(*) FROM t WHERE n = 2").fetch_scalar::<i64>().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_request_that_is_half_written_is_ended() {
    let db = one_connection("half_written").await;
    half_written(&db).await;
}

#[tokio::test]
async fn a_copy_out_that_is_left_half_way_ends_its_transaction_and_no_more() {
    let db = one_connection("copy_out_left").await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let pid = process(&db).await;
    let sql = "COPY (SELECT n, repeat('x', 100) FROM generate_series(1, 1000000) AS n) TO STDOUT";
    for pieces in [0, 1, 3000] {
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
        let mut data = tx.command("copy_out").bind(sql).fetch::<Vec<u8>>();
        for _ in 0..pieces {
            data.next().await.unwrap().unwrap();
        }
        let has_begun = pieces > 0;
        drop(data);
        // The transaction has failed with the cancellation; nothing of it can be kept.
        let commit = async {
            tx.execute("INSERT INTO t VALUES (2)").await?;
            tx.commit().await
        };
        let error = commit.await.err();
        assert_eq!(error.as_ref().map(DbError::kind), has_begun.then_some(DbErrorKind::TransactionState), "{pieces}");
        let kept = if has_begun { 0 } else { 2 };
        let gone = "WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone";
        assert_eq!(db.query(gone).fetch_scalar::<i64>().await.unwrap(), kept, "{pieces}");
        assert_eq!(process(&db).await, pid, "{pieces}");
    }
    // A copy that is short enough to have been read has ended: the transaction goes on.
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    tx.command("copy_out").bind("COPY t TO STDOUT").fetch_all::<Vec<u8>>().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(process(&db).await, pid);
}

#[tokio::test]
async fn a_session_that_is_terminated_is_replaced() {
    let (db, admin) = (one_connection("terminated").await, builder(&url()).connect().await.unwrap());
    let pid = process(&db).await;
    let kill = async {
        until(&admin, pid, "state = 'active' AND query LIKE '%pg_sleep%'").await;
        admin.query("SELECT pg_terminate_backend($1)").bind(pid).fetch_scalar::<bool>().await.unwrap();
    };
    let (end, ()) = tokio::join!(db.execute("SELECT pg_sleep(1000)").into_future(), kill);
    let error = end.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::ConnectionLost, Some("57P01")));
    assert!(error.is_retryable() && !error.may_have_executed());
    assert_ne!(process(&db).await, pid);
}

#[tokio::test]
async fn timeouts_and_locks_have_kinds_of_their_own() {
    let db = open_with("own_kinds", |builder| builder.max_connections(2)).await;
    db.execute("CREATE TABLE t (n int)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("SET LOCAL statement_timeout = '20ms'").await.unwrap();
    assert_eq!(tx.execute("SELECT pg_sleep(100)").await.unwrap_err().kind(), DbErrorKind::Timeout);
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    tx.execute("LOCK TABLE t").await.unwrap();
    let mut other = db.begin().await.unwrap();
    let error = other.execute("LOCK TABLE t NOWAIT").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::LockTimeout, true));
}

/// A server that lets everybody in, and then answers each request with these bytes and closes.
async fn server_that_answers(bytes: &'static [u8]) -> Database {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I").await;
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(bytes).await;
            });
        }
    });
    builder(&format!("postgres://me@127.0.0.1:{port}/d?sslmode=disable")).max_connections(1).connect().await.unwrap()
}

async fn error_of(bytes: &'static [u8]) -> DbError {
    server_that_answers(bytes).await.execute("SELECT 1").await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_or_the_connection_is_an_error() {
    let error = error_of(b"").await;
    assert_eq!(error.kind(), DbErrorKind::ConnectionLost, "{error}");
    // To prepare is not to execute.
    assert!(!error.may_have_executed());
    for half in [&b"1\0\0\0"[..], b"1\0\0\0\x04t\0\0\0\x06\0\x01", b"T\x3f\xff\xff\xff\0\x01a\0"] {
        assert_eq!(error_of(half).await.kind(), DbErrorKind::ConnectionLost, "{half:?}");
    }
    for garbage in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"1\0\0\0\0", b"1\xff\xff\xff\xff", b"t\0\0\0\x06\0\x01Z\0\0\0\x05I"]
    {
        let error = error_of(garbage).await;
        assert_eq!(error.kind(), DbErrorKind::ConnectionLost, "{garbage:?}");
        assert!(error.to_string().contains("not PostgreSQL's protocol"), "{garbage:?}: {error}");
    }
    let fatal = error_of(b"E\0\0\0\x23SFATAL\0VFATAL\0C57P01\0Mbye bye\0\0").await;
    assert_eq!((fatal.kind(), fatal.to_string().as_str()), (DbErrorKind::ConnectionLost, "bye bye"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://me:secret@127.0.0.1:{port}/d?connect_timeout=1");
    let error = builder(&url).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Connection, true));
    assert!(error.to_string().contains("connect_timeout") && !format!("{error:?}").contains("secret"), "{error:?}");
    drop(listener);
    let error = builder(&url).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Connection, true));
    assert!(error.to_string().contains("refused"), "{error}");
}
