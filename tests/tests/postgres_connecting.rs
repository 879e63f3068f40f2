//! Which servers the PostgreSQL driver connects to, and how it logs in.

mod postgres;

use montrs_orm::{AiError, DbError, DbErrorKind};
use montrs_tests::builder;
use postgres::{url, with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

async fn scalar(url: &str, sql: &'static str) -> Result<String, DbError> {
    builder(url).max_connections(1).connect().await?.query(sql).fetch_scalar().await
}

/// The URL with another server before its own.
fn after(first: &str) -> String {
    let url = url();
    let (login, place) = url.rsplit_once('@').expect("the URL of the server under test names a user");
    format!("{login}@{first},{place}")
}

#[tokio::test]
async fn the_first_server_that_can_be_reached_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(scalar(&after(&dead.to_string()), "SELECT 'here'").await.unwrap(), "here");
    let both_dead = format!("postgres://me@{dead},{dead}/d?load_balance_hosts=random");
    let error = scalar(&both_dead, "SELECT 1").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Connection, true));
    assert!(error.to_string().contains("none of the servers"), "{error}");
}

#[tokio::test]
async fn a_server_must_be_what_is_asked_for() {
    for wanted in ["any", "primary", "read-write", "prefer-standby"] {
        let url = with(&url(), &format!("target_session_attrs={wanted}"));
        assert_eq!(scalar(&url, "SELECT 'here'").await.unwrap(), "here", "{wanted}");
    }
    for wanted in ["standby", "read-only"] {
        let url = with(&url(), &format!("target_session_attrs={wanted}"));
        let error = scalar(&url, "SELECT 'here'").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Connection, "{wanted}");
        assert!(error.to_string().contains("target_session_attrs"), "{error}");
    }
    let read_only = with(&url(), "target_session_attrs=read-only&options[default_transaction_read_only]=on");
    assert_eq!(scalar(&read_only, "SELECT 'here'").await.unwrap(), "here");
}

#[tokio::test]
async fn settings_of_the_url_hold_in_the_session() {
    let url = with(&url(), "application_name=the%20tests&options=-c%20geqo%3Doff&options[work_mem]=77MB");
    assert_eq!(scalar(&url, "SHOW application_name").await.unwrap(), "the tests");
    assert_eq!(scalar(&url, "SHOW geqo").await.unwrap(), "off");
    assert_eq!(scalar(&url, "SHOW work_mem").await.unwrap(), "77MB");
    assert_eq!(scalar(&url, "SHOW client_encoding").await.unwrap(), "UTF8");
}

#[tokio::test]
async fn what_does_not_exist_or_is_not_known_is_named() {
    let url = url();
    let (place, parameters) = url.split_once('?').unwrap();
    let (server, _) = place.rsplit_once('/').unwrap();
    let error = scalar(&format!("{server}/no_such_database?{parameters}"), "SELECT 1").await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::DatabaseNotFound, Some("3D000")));
    let error = scalar("postgres://me:geheim@127.0.0.1/d?sslmod=require", "SELECT 1").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    let text = format!("{error} {error:?} {:?}", error.suggested_fixes());
    assert!(text.contains("did you mean `sslmode`") && !text.contains("geheim"), "{text}");
}

/// A server that answers the first message with these bytes, and tells what it is sent after that.
async fn server_that_asks(answer: &'static [u8]) -> (u16, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            let _ = socket.write_all(answer).await;
            while let Ok(count @ 1..) = socket.read(&mut buffer).await {
                let _ = sender.send(buffer[..count].to_vec());
            }
        }
    });
    (port, receiver)
}

async fn refusal(answer: &'static [u8], parameters: &str) -> (DbError, Vec<u8>) {
    let (port, mut received) = server_that_asks(answer).await;
    let url = format!("postgres://me:geheim@127.0.0.1:{port}/d?sslmode=disable{parameters}");
    let error = builder(&url).connect().await.unwrap_err();
    let mut all = Vec::new();
    while let Ok(bytes) = received.try_recv() {
        all.extend(bytes);
    }
    (error, all)
}

#[tokio::test]
async fn a_password_is_not_sent_to_whoever_asks() {
    const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
    let (error, sent) = refusal(CLEARTEXT, "").await;
    assert_eq!(error.kind(), DbErrorKind::Authentication);
    assert!(error.to_string().contains("clear text") && sent.is_empty(), "{error}: {sent:?}");
    let (error, sent) = refusal(MD5, "&require_auth=scram-sha-256").await;
    assert!(error.to_string().contains("require_auth") && sent.is_empty(), "{error}: {sent:?}");
    // SCRAM does not tell the password; but the server must know it too.
    let (error, _) = refusal(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0\0\0", "").await;
    assert!(error.to_string().contains("without proving"), "{error}");
    let (error, sent) = refusal(b"R\0\0\0\x08\0\0\0\0", "&require_auth=!none").await;
    assert!(error.to_string().contains("require_auth") && sent.is_empty(), "{error}: {sent:?}");
}

#[tokio::test]
async fn a_server_cannot_make_us_compute_for_hours() {
    let answer = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x27\0\0\0\x0br=x,s=c2FsdHNhbHQ=,i=4000000000";
    let (error, _) = refusal(answer, "").await;
    assert!(error.to_string().contains("iterations"), "{error}");
}

#[tokio::test]
async fn what_is_no_postgres_server_is_an_error() {
    for answer in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"", b"Z\0\0\0\x05I", b"R\0\0\0\x05\0", b"R\0\0\0\x08\0\0\0\x63"]
    {
        let (error, _) = refusal(answer, "&connect_timeout=1").await;
        let kinds = [DbErrorKind::Connection, DbErrorKind::Authentication];
        assert!(kinds.contains(&error.kind()), "{answer:?}: {error:?}");
        assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
    }
}

/// An ErrorResponse with this SQLSTATE.
fn refusing_with(sqlstate: &str) -> &'static [u8] {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0Mrefused by the first\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat().leak()
}

/// As in libpq: who is there and refuses has answered; who is not ready is as good as not there.
#[tokio::test]
async fn a_refusal_ends_the_search_and_a_server_that_is_not_ready_does_not() {
    for (sqlstate, kind) in [
        ("28P01", DbErrorKind::Authentication),
        ("28000", DbErrorKind::Authentication),
        ("3D000", DbErrorKind::DatabaseNotFound),
    ] {
        let (port, _) = server_that_asks(refusing_with(sqlstate)).await;
        let url = with(&after(&format!("127.0.0.1:{port}")), "sslmode=disable");
        let error = scalar(&url, "SELECT 'here'").await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (kind, Some(sqlstate)));
        assert!(error.to_string().contains("refused by the first") && !error.is_retryable(), "{error}");
    }
    for sqlstate in ["57P03", "53300"] {
        let (port, _) = server_that_asks(refusing_with(sqlstate)).await;
        let url = with(&after(&format!("127.0.0.1:{port}")), "sslmode=disable");
        assert_eq!(scalar(&url, "SELECT 'here'").await.unwrap(), "here", "{sqlstate}");
    }
    // Nor does one that says nothing, once its time is over.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = with(&after(&silent.local_addr().unwrap().to_string()), "connect_timeout=1");
    assert_eq!(scalar(&url, "SELECT 'here'").await.unwrap(), "here");
}
