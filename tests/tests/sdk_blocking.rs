//! A driver for a library that blocks.

mod dropping;

use dropping::at_every_poll;
use futures_util::FutureExt;
use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql};
use montrs_tests::{builder, private_dir};
use tokio::{io::AsyncWriteExt, net::TcpListener};

/// Where other threads do the work, it depends on the weather how often a future is polled.
const ROUNDS: usize = 10;

async fn memory() -> Database {
    builder("kv:memory").connect().await.unwrap()
}

async fn set(db: &Database, value: &str) {
    assert_eq!(db.execute("set key").bind(value).await.unwrap().rows_affected(), 1);
}

async fn get(db: &Database) -> Option<String> {
    db.query("get key").fetch_optional::<String>().await.unwrap()
}

#[tokio::test]
async fn statements_run_on_the_blocking_pool() {
    let db = memory().await;
    assert_eq!(get(&db).await, None);
    set(&db, "grüße").await;
    assert_eq!(get(&db).await.as_deref(), Some("grüße"));
    assert_eq!(db.execute("set key").bind("grüße").await.unwrap().rows_affected(), 0);
    assert_eq!(db.execute("delete key").await.unwrap().rows_affected(), 1);
    assert_eq!(get(&db).await, None);
}

#[tokio::test]
async fn an_error_of_the_library_says_where_and_what() {
    let db = memory().await;
    let error = db.execute(" sett key").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Syntax, Some(1)));
    let error = db.execute("set key").await.unwrap_err();
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Parameters, "DB_PARAMETERS"));
    set(&db, "no number").await;
    assert_eq!(db.execute("add key").bind(1).await.unwrap_err().kind(), DbErrorKind::Data);
    assert_eq!(get(&db).await.as_deref(), Some("no number"));
}

#[tokio::test]
async fn an_error_while_the_connection_is_made_reaches_the_caller() {
    let directory = private_dir();
    let error = builder(&format!("kv:{}", directory.path().display())).connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection);
    assert!(error.to_string().contains("cannot open the store"), "{error}");
}

#[tokio::test]
async fn rows_cross_in_several_batches() {
    let db = memory().await;
    for number in 100..400 {
        db.execute(RuntimeSql(format!("set {number}{}", "k".repeat(1000)))).bind(number).await.unwrap();
    }
    let keys = db.query("keys").fetch_all::<String>().await.unwrap();
    assert_eq!(keys.len(), 300);
    assert!((100..400).zip(&keys).all(|(number, key)| key.starts_with(&number.to_string())));
    let mut some = db.query("keys").fetch::<String>();
    some.next().await.unwrap().unwrap();
    drop(some);
    assert_eq!(get(&db).await, None);
}

#[tokio::test]
async fn a_driver_can_say_that_one_connection_is_all() {
    let db = memory().await;
    assert_eq!(db.pool_status().max, 1);
}

#[tokio::test]
async fn a_call_that_blocks_holds_up_no_other_task() {
    let (db, other) = (memory().await, memory().await);
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let import = RuntimeSql(format!("import key {}", peer.local_addr().unwrap()));
    // There is one thread for all of this.
    let (done, ()) = tokio::join!(db.execute(import).into_future(), async {
        let (mut socket, _) = peer.accept().await.unwrap();
        set(&other, "meanwhile").await;
        socket.write_all(b"at last").await.unwrap();
    });
    assert_eq!(done.unwrap().rows_affected(), 1);
    assert_eq!(get(&db).await.as_deref(), Some("at last"));
    assert_eq!(get(&other).await.as_deref(), Some("meanwhile"));
}

#[tokio::test]
async fn dropped_work_goes_on_to_its_end_and_the_next_user_waits_for_it() {
    let db = memory().await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let import = RuntimeSql(format!("import key {}", peer.local_addr().unwrap()));
    let (mut socket, _) = tokio::select! {
        end = db.execute(import).into_future() => panic!("{end:?}"),
        socket = peer.accept() => socket.unwrap(),
    };
    let mut next = Box::pin(get(&db));
    assert!(next.as_mut().now_or_never().is_none(), "the library is still in use");
    socket.write_all(b"all the same").await.unwrap();
    drop(socket);
    assert_eq!(next.await.as_deref(), Some("all the same"));
}

#[tokio::test]
async fn closing_waits_until_everything_is_stored() {
    let directory = private_dir();
    let url = format!("kv:{}", directory.path().join("store").display());
    let db = builder(&url).connect().await.unwrap();
    set(&db, "stored").await;
    db.close().await.unwrap();
    let db = builder(&url).connect().await.unwrap();
    assert_eq!(get(&db).await.as_deref(), Some("stored"));
}

#[test]
fn a_connection_that_outlives_its_runtime_is_still_dropped() {
    let directory = private_dir();
    let path = directory.path().join("store");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let db = builder(&format!("kv:{}", path.display())).connect().await.unwrap();
        set(&db, "stored").await;
        db
    });
    drop(runtime);
    assert!(!path.exists());
    // No thread of the pool is left, so this one does the work.
    drop(db);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "key\tstored\n");
}

#[tokio::test]
async fn connecting_can_be_dropped_at_every_poll() {
    at_every_poll(memory, async || assert_eq!(get(&memory().await).await, None)).await;
}

#[tokio::test]
async fn a_query_can_be_dropped_at_every_poll() {
    let db = memory().await;
    set(&db, "x").await;
    for _ in 0..ROUNDS {
        at_every_poll(
            async || get(&db).await.unwrap(),
            async || assert_eq!(get(&db).await.as_deref(), Some("x"), "an in-memory connection must not be replaced"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_stream_can_be_dropped_at_every_poll() {
    let db = memory().await;
    for number in 0..300 {
        db.execute(RuntimeSql(format!("set {number}{}", "k".repeat(1000)))).bind(number).await.unwrap();
    }
    set(&db, "x").await;
    for _ in 0..ROUNDS {
        at_every_poll(
            async || db.query("keys").fetch_all::<String>().await.unwrap(),
            async || assert_eq!(get(&db).await.as_deref(), Some("x")),
        )
        .await;
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_at_any_poll_is_done_whole_or_not_at_all() {
    let db = memory().await;
    let transaction = async || {
        db.transaction(async |tx| {
            tx.execute("add key").bind(1).await?;
            tx.execute("add key").bind(1).await?;
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
    };
    let number = async || get(&db).await.map_or(0, |value| value.parse::<i64>().unwrap());
    for _ in 0..ROUNDS {
        at_every_poll(&transaction, async || assert_eq!(number().await % 2, 0, "half of it was kept")).await;
    }
    assert!(number().await >= 2);
}
