//! A driver over the host's sockets: what it is given by the host, and what becomes of what is dropped or fails.

mod dropping;
mod line_server;

use dropping::at_every_poll;
use futures_util::FutureExt;
use line_server::LineServer;
use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql};
use montrs_tests::{builder, private_dir};
use std::sync::{Mutex, Once};
use tokio::sync::mpsc;

async fn pool_of(connections: usize, server: &LineServer) -> Database {
    builder(&server.url).max_connections(connections).connect().await.expect("the server listens")
}

/// The server's number of the session that the pool gives out.
async fn session(db: &Database) -> i64 {
    db.query("session").fetch_scalar().await.expect("a connection is there, and works")
}

/// Runs a statement until the server says that it waits, and drops it then.
async fn drop_while_waiting(db: &Database, server: &LineServer, sql: &'static str) {
    let waiting = server.counts().waiting;
    tokio::select! {
        end = db.execute(sql).into_future() => panic!("{end:?}"),
        () = server.until(|counts| counts.waiting > waiting) => {}
    }
}

#[tokio::test]
async fn queries_go_over_tcp() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let row: (String, i64) = db.query("echo").bind("grüße").bind(7).fetch_one().await.unwrap();
    assert_eq!(row, ("grüße".to_owned(), 7));
    assert_eq!(db.execute("add 2").await.unwrap().rows_affected(), 1);
    assert_eq!(server.value(), 2);
    db.ping().await.unwrap();
}

#[tokio::test]
async fn queries_go_over_a_unix_socket() {
    let directory = private_dir();
    let server = LineServer::unix(&directory.path().join("socket"));
    let db = pool_of(1, &server).await;
    assert_eq!(session(&db).await, 1);
}

#[tokio::test]
async fn a_host_name_is_resolved_and_its_addresses_are_tried() {
    let server = LineServer::tcp().await;
    let url = server.url.replace("127.0.0.1", "user:secret@localhost");
    let db = builder(&url).connect().await.unwrap();
    assert_eq!(session(&db).await, 1);
    assert!(db.redacted_url().starts_with("line+tcp://user:…@localhost:"), "{}", db.redacted_url());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connection_error_without_the_password() {
    let server = LineServer::tcp().await;
    let url = server.url.replace("line+tcp://", "line+tcp://user:secret@");
    drop(server);
    let error = builder(&url).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Connection, "DB_CONNECTION"));
    let text = format!("{error} {error:?} {}", error.explanation());
    assert!(text.contains("refused") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_name_without_an_address_is_a_connection_error() {
    let error = builder("line+tcp://no-such-host.invalid:1").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection, "{error}");
}

#[tokio::test]
async fn an_unknown_option_is_a_configuration_error_with_the_drivers_hint() {
    let error = builder("line+tcp://127.0.0.1:1?attemps=2").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert!(error.suggested_fixes().iter().any(|fix| fix.contains("`attempts`")), "{error:?}");
}

/// Sends the log records that contain the text from now on.
fn log_records(text: impl Into<String>) -> mpsc::UnboundedReceiver<(log::Level, String)> {
    type Listener = (String, mpsc::UnboundedSender<(log::Level, String)>);
    static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "line"
        }
        fn log(&self, record: &log::Record<'_>) {
            let message = record.args().to_string();
            for (text, sender) in LISTENERS.lock().unwrap().iter() {
                if message.contains(text) {
                    let _ = sender.send((record.level(), message.clone()));
                }
            }
        }
        fn flush(&self) {}
    }

    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&Logger).expect("no other logger is set");
        log::set_max_level(log::LevelFilter::Info);
    });
    let (sender, receiver) = mpsc::unbounded_channel();
    LISTENERS.lock().unwrap().push((text.into(), sender));
    receiver
}

#[tokio::test]
async fn a_driver_sleeps_and_logs_while_it_waits_for_its_server() {
    let directory = private_dir();
    let path = directory.path().join("late");
    let mut records = log_records(path.to_str().unwrap());
    let url = format!("line+unix://{}?attempts=100000", path.display());
    let mut connecting = tokio::spawn(async move { builder(&url).connect().await });
    for attempt in 1..=3 {
        let (level, message) = tokio::select! {
            record = records.recv() => record.unwrap(),
            end = &mut connecting => panic!("{end:?}"),
        };
        assert_eq!(level, log::Level::Warn);
        assert!(message.ends_with(&format!("; attempt {attempt}")), "{message}");
    }
    let _server = LineServer::unix(&path);
    let db = connecting.await.unwrap().unwrap();
    assert_eq!(session(&db).await, 1);
    while records.recv().await.unwrap().0 != log::Level::Info {}
}

#[tokio::test]
async fn an_error_of_the_server_leaves_the_connection_as_it_was() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let error = db.execute("fail no-such-thing").await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (DbErrorKind::Query, "no-such-thing"));
    assert_eq!(session(&db).await, 1);
    assert!(!server.take_commands().iter().any(|command| command.starts_with("reset")), "nothing was abandoned");
}

#[tokio::test]
async fn rows_come_in_portions_and_only_when_they_are_asked_for() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let mut rows = db.query("rows 1000 300").fetch::<i64>();
    for wanted in (701..=1000).rev() {
        assert_eq!(rows.next().await.unwrap().unwrap(), wanted);
    }
    assert!(!server.take_commands().contains(&"next".to_owned()), "the first portion is enough for these rows");
    let mut wanted = 700;
    while let Some(row) = rows.next().await {
        assert_eq!(row.unwrap(), wanted);
        wanted -= 1;
    }
    assert_eq!(wanted, 0);
    assert_eq!(server.take_commands(), ["next"; 3]);
}

#[tokio::test]
async fn a_result_that_is_not_read_to_its_end_is_given_up() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let first: i64 = db.query("rows 1000 10").fetch_scalar().await.unwrap();
    assert_eq!(first, 1000);
    assert_eq!(session(&db).await, 1);
    let mut connection = db.acquire().await.unwrap();
    drop(connection.query("rows 1000 10").fetch::<i64>().next().await);
    let session: i64 = connection.query("session").fetch_scalar().await.unwrap();
    assert_eq!(session, 1);
    assert!(server.take_commands().contains(&"close".to_owned()), "the same caller goes on, so closing is enough");
}

#[tokio::test]
async fn a_dropped_query_is_waited_for_and_the_connection_stays() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    drop_while_waiting(&db, &server, "wait").await;
    assert!(session(&db).now_or_never().is_none(), "the server has not answered yet");
    server.let_go_on();
    assert_eq!(session(&db).await, 1);
}

#[tokio::test]
async fn a_query_that_is_dropped_in_the_middle_of_a_row_leaves_nothing_behind() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    drop_while_waiting(&db, &server, "half").await;
    server.let_go_on();
    let row: (String, i64) = db.query("echo").bind("third").bind(3).fetch_one().await.unwrap();
    assert_eq!(row, ("third".to_owned(), 3));
    assert_eq!(session(&db).await, 1);
}

#[tokio::test]
async fn a_query_that_is_never_answered_can_be_dropped() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    drop_while_waiting(&db, &server, "hang").await;
    assert_eq!(session(&db).await, 1);
}

#[tokio::test]
async fn a_connection_whose_server_hangs_up_is_replaced() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let error = db.execute("hang-up").await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_executed()), (DbErrorKind::ConnectionLost, true));
    assert_eq!(session(&db).await, 2);
    server.until(|counts| counts.open == 1).await;
}

#[tokio::test]
async fn what_is_not_the_protocol_ends_that_connection_and_no_other() {
    let server = LineServer::tcp().await;
    let db = pool_of(2, &server).await;
    let mut other = db.acquire().await.unwrap();
    for (number, sql) in (2..).zip(["garbage", "flood", "nonsense"]) {
        assert_eq!(session(&db).await, number);
        let error = db.query(sql).fetch_all::<(String,)>().await.unwrap_err();
        assert_eq!((error.kind(), error.error_code()), (DbErrorKind::DriverProtocol, "DB_DRIVER_PROTOCOL"), "{sql}");
        let first: i64 = other.query("session").fetch_scalar().await.unwrap();
        assert_eq!(first, 1);
    }
    assert_eq!(session(&db).await, 5);
}

#[tokio::test]
async fn a_dropped_connection_says_goodbye_in_a_task() {
    let server = LineServer::tcp().await;
    drop(pool_of(1, &server).await);
    server.until(|counts| counts.byes == 1 && counts.open == 0).await;
}

#[tokio::test]
async fn a_closed_database_has_said_goodbye() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    db.close().await.unwrap();
    server.until(|counts| counts.open == 0).await;
    assert_eq!(server.counts().byes, 1);
}

#[tokio::test]
async fn connecting_can_be_dropped_at_every_poll() {
    let server = LineServer::tcp().await;
    let drops = at_every_poll(
        || pool_of(1, &server),
        async || {
            let db = pool_of(1, &server).await;
            session(&db).await;
            drop(db);
            server.until(|counts| counts.open == 0).await;
        },
    );
    assert!(drops.await >= 3, "the socket and the greeting are waited for");
}

#[tokio::test]
async fn a_query_can_be_dropped_at_every_poll() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let drops = at_every_poll(
        async || db.query("echo").bind("x").bind(1).fetch_one::<(String, i64)>().await.unwrap(),
        async || assert_eq!(session(&db).await, 1),
    );
    assert!(drops.await >= 2, "the answer is waited for");
}

#[tokio::test]
async fn a_query_can_be_dropped_while_its_parameters_are_sent() {
    let directory = private_dir();
    let server = LineServer::unix(&directory.path().join("socket"));
    let db = pool_of(1, &server).await;
    // More than the buffers of a socket hold.
    let parameter = "x".repeat(1 << 20);
    let drops = at_every_poll(
        async || db.query("value").bind(parameter.as_str()).fetch_scalar::<i64>().await.unwrap(),
        async || assert_eq!(session(&db).await, 1),
    );
    assert!(drops.await >= 4, "the socket takes so much only bit by bit");
}

#[tokio::test]
async fn a_stream_can_be_dropped_at_every_poll() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let drops = at_every_poll(
        async || db.query("rows 1000 250").fetch_all::<i64>().await.unwrap(),
        async || assert_eq!(session(&db).await, 1),
    );
    assert!(drops.await >= 10, "each portion is waited for, and after each hundred rows there is a turn for others");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_at_any_poll_is_done_whole_or_not_at_all() {
    let server = LineServer::tcp().await;
    let db = pool_of(1, &server).await;
    let transaction = async || {
        db.transaction(async |tx| {
            tx.execute("add 1").await?;
            tx.execute("add 1").await?;
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
    };
    let drops = at_every_poll(transaction, async || {
        let value: i64 = db.query("value").fetch_scalar().await.unwrap();
        assert_eq!(value % 2, 0, "half of a transaction was kept");
        assert_eq!(session(&db).await, 1);
    });
    assert!(drops.await >= 5, "begin, both statements and commit are waited for");
    assert!(server.value() >= 2);
}

#[tokio::test]
async fn many_connections_are_used_at_once() {
    let server = LineServer::tcp().await;
    let db = pool_of(8, &server).await;
    let sessions = futures_util::future::join_all((0..64).map(async |n: i64| {
        let (echo,): (i64,) = db.query("echo").bind(n).fetch_one().await.unwrap();
        assert_eq!(echo, n);
        db.query(RuntimeSql(format!("rows {} 10", n + 1))).fetch_all::<i64>().await.unwrap().len()
    }));
    assert_eq!(sessions.await.iter().sum::<usize>(), 64 * 65 / 2);
    assert_eq!(db.pool_status().open, 8);
}
