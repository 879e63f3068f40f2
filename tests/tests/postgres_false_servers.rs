//! Servers that do not know the password and want to be taken for those that do, and one that ends at a bad moment.

use montrs_orm::{DbError, DbErrorKind};
use montrs_tests::builder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const OK: i32 = 0;
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

/// What the server does after the first message of SCRAM.
#[derive(Clone, Copy, Debug)]
enum Trick {
    LetInAtOnce,
    LetInWithoutProof,
    ProveWrongly,
    AskForMuchWork,
}

async fn say(stream: &mut TcpStream, code: i32, text: &[u8]) {
    let length = 8 + i32::try_from(text.len()).unwrap();
    let message = [b"R", &length.to_be_bytes()[..], &code.to_be_bytes(), text].concat();
    // Who is found out is hung up on.
    let _ = stream.write_all(&message).await;
}

/// The text of the next message, which has a tag.
async fn hear(stream: &mut TcpStream) -> String {
    let (mut head, mut text) = ([0; 5], Vec::new());
    if stream.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4;
        text.resize(length, 0);
        let _ = stream.read_exact(&mut text).await;
    }
    String::from_utf8_lossy(&text).into_owned()
}

async fn pretend(mut stream: TcpStream, trick: Trick) {
    let length = stream.read_u32().await.unwrap();
    stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
    say(&mut stream, SASL, b"SCRAM-SHA-256\0\0").await;
    let first = hear(&mut stream).await;
    let nonce = first.split("r=").nth(1).unwrap();
    let iterations = if matches!(trick, Trick::AskForMuchWork) { 2_000_000_000 } else { 4096 };
    if !matches!(trick, Trick::LetInAtOnce) {
        say(&mut stream, SASL_CONTINUE, format!("r={nonce}more,s=c2FsdA==,i={iterations}").as_bytes()).await;
        hear(&mut stream).await;
    }
    if matches!(trick, Trick::ProveWrongly) {
        let proof = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        say(&mut stream, SASL_FINAL, proof.as_bytes()).await;
    }
    say(&mut stream, OK, b"").await;
    let _ = stream.write_all(b"Z\0\0\0\x05I").await;
    hear(&mut stream).await;
}

async fn log_in(trick: Trick) -> DbError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://me:secret@{}/db?sslmode=disable", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { pretend(listener.accept().await.unwrap().0, trick).await });
    let error = builder(&url).connect().await.unwrap_err();
    server.abort();
    error
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_is_refused() {
    for (trick, why) in [
        (Trick::LetInAtOnce, "without proving"),
        (Trick::LetInWithoutProof, "without proving"),
        (Trick::ProveWrongly, "SCRAM failed"),
        (Trick::AskForMuchWork, "iterations"),
    ] {
        let error = log_in(trick).await;
        assert_eq!(error.kind(), DbErrorKind::Authentication, "{trick:?}: {error}");
        assert!(error.to_string().contains(why) && !error.to_string().contains("secret"), "{trick:?}: {error}");
    }
}

/// Lets in whoever comes, and says that it ends when it has committed and not yet said that it is ready.
async fn commit_and_end(mut stream: TcpStream) {
    let length = stream.read_u32().await.unwrap();
    stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
    say(&mut stream, OK, b"").await;
    stream.write_all(b"Z\0\0\0\x05I").await.unwrap();
    loop {
        let sql = hear(&mut stream).await;
        if sql.starts_with("COMMIT") {
            stream.write_all(b"C\0\0\0\x0bCOMMIT\0E\0\0\0\x1aSFATAL\0VFATAL\0C57P01\0\0").await.unwrap();
            return;
        }
        assert!(sql.starts_with("BEGIN"), "{sql}");
        stream.write_all(b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T").await.unwrap();
    }
}

#[tokio::test]
async fn what_was_committed_may_have_executed_even_if_the_server_then_ends_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://me@{}/db?sslmode=disable", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { commit_and_end(listener.accept().await.unwrap().0).await });
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let error = db.begin().await.unwrap().commit().await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::ConnectionLost, Some("57P01")), "{error:?}");
    assert!(error.may_have_executed() && !error.is_retryable(), "{error:?}");
    server.await.unwrap();
}
