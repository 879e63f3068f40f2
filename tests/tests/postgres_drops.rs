//! Ten thousand operations that are dropped at random, on two connections.

mod postgres;

use montrs_orm::{Database, DbError, DbErrorKind, Value, query};
use montrs_tests::{Numbers, builder, poll_then_drop};
use postgres::{schema, with};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::timeout;

const DROPS: u64 = 10_000;
const TASKS: u64 = 4;
const INSERT: &str = "INSERT INTO t VALUES ($1, 'x')";
/// A transaction, a statement for itself, rows, and data.
const SCRIPT: &str = "\
BEGIN;
INSERT INTO t SELECT n, 'x' FROM generate_series(0, 199) AS n;
SELECT * FROM generate_series(1, 1000);
COMMIT;
INSERT INTO t SELECT n, 'x' FROM generate_series(0, 199) AS n;
COPY t FROM stdin;
10\tx
199\tx
\\.
SELECT count(*) FROM t;
";
/// How many kinds of operations there are; the last one fails.
const KINDS: u64 = 16;
const FAILS: u64 = KINDS - 1;

static DROPPED: AtomicU64 = AtomicU64::new(0);

async fn anything(db: &Database, kind: u64) -> Result<(), DbError> {
    const MANY: &str = "SELECT n, repeat('x', 100) FROM generate_series(1, 1000) AS n";
    match kind {
        0 => db.execute(INSERT).bind(1).await.map(drop),
        1 => db.query(MANY).fetch_all::<(i32, String)>().await.map(drop),
        2 => db.query(MANY).fetch::<(i32, String)>().next().await.transpose().map(drop),
        3 => db.execute_many(INSERT, (0..200).map(|n| [n])).await.map(drop),
        4 => {
            let mut copy = db.command("copy_in").bind("COPY t FROM STDIN").upload().await?;
            copy.write_rows((0..200).map(|n| (n, "x"))).await?;
            copy.finish().await.map(drop)
        }
        5 => db
            .command("copy_out")
            .bind("COPY (SELECT * FROM generate_series(1, 2000)) TO STDOUT")
            .fetch_all::<Vec<u8>>()
            .await
            .map(drop),
        6 => {
            let mut tx = db.begin().await?;
            tx.execute(INSERT).bind(2).await?;
            let mut savepoint = tx.begin().await?;
            savepoint.execute(INSERT).bind(3).await?;
            savepoint.rollback().await?;
            tx.query(MANY).fetch::<(i32, String)>().next().await.transpose()?;
            tx.commit().await
        }
        7 => {
            let mut connection = db.acquire().await?;
            connection.execute("BEGIN").await?;
            connection.execute("INSERT INTO t VALUES (4, 'begun')").await.map(drop)
        }
        8 => db.execute("SELECT pg_sleep(0.001)").await.map(drop),
        9 => {
            let mut listener = db.listen(["drops"]).await?;
            // Nothing comes.
            let _ = timeout(Duration::from_millis(1), listener.next()).await;
            Ok(())
        }
        10 => db.query("SELECT $1::int").bind(kind as i32).describe().await.map(drop),
        11 => db.script(SCRIPT).await.map(drop),
        12 => {
            let mut copy = db.command("copy_in").bind("COPY t FROM STDIN (FORMAT binary)").upload().await?;
            copy.write_rows((0..200).map(|n| (n, "x"))).await?;
            copy.finish().await.map(drop)
        }
        13 => {
            // The numbers as text from the middle on: a second COPY, in text.
            let number = |n: i32| if n < 100 { Value::I32(n) } else { Value::Text(n.to_string()) };
            let rows = (0..200).map(|n| (number(n), "x"));
            db.loader_of::<(Value, &str)>("t", &["n", "name"]).rows(rows).await.map(drop)
        }
        14 => {
            let insert = |n: i32| query(INSERT).bind(n);
            let count = query("SELECT count(*) FROM t").scalar::<i64>();
            db.pipeline((insert(10), insert(199), count)).await.map(drop)
        }
        _ => db.transaction(async |tx| tx.execute("SELECT 1/0").await.map(drop)).await,
    }
}

async fn drop_at_random(db: Database, seed: u64) {
    let mut numbers = Numbers::new(seed);
    while DROPPED.load(Ordering::Relaxed) < DROPS {
        let (kind, polls) = (numbers.below(KINDS), numbers.below(12) as usize);
        match poll_then_drop(polls, anything(&db, kind)).await {
            None => {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
            Some(end) => {
                let failed = end.err().map(|error| (error.kind(), error.to_string()));
                assert!(
                    failed.is_none() || kind == FAILS && failed.as_ref().unwrap().0 == DbErrorKind::Data,
                    "{kind}: {failed:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_ten_thousand_drops_every_connection_works() {
    let url = with(&schema("ten_thousand_drops").await, "application_name=drops");
    let db = builder(&url).max_connections(2).connect().await.unwrap();
    let other = builder(&url.replace("application_name=drops", "application_name=other")).connect().await.unwrap();
    db.execute("CREATE TABLE t (n int, name text)").await.unwrap();
    let tasks: Vec<_> = (1..=TASKS).map(|seed| tokio::spawn(drop_at_random(db.clone(), seed))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(DROPPED.load(Ordering::Relaxed) >= DROPS);
    // Both can be had, and each works.
    let mut connections = [db.acquire().await.unwrap(), db.acquire().await.unwrap()];
    let status = db.pool_status();
    assert_eq!((status.open, status.idle, status.waiting), (2, 0, 0));
    let mut own = Vec::new();
    for connection in &mut connections {
        own.push(connection.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap());
        assert_eq!(
            connection.query("SELECT count(*) FROM pg_listening_channels()").fetch_scalar::<i64>().await.unwrap(),
            0
        );
        let mut tx = connection.begin().await.unwrap();
        tx.execute(INSERT).bind(5).await.unwrap();
        tx.rollback().await.unwrap();
    }
    // The server has these two sessions of ours, and they are idle; none is in a transaction, none holds a lock on the table.
    let sql = "SELECT pid, state FROM pg_stat_activity WHERE application_name = 'drops' AND datname = current_database() ORDER BY pid";
    let sessions = loop {
        let sessions: Vec<(i32, String)> = other.query(sql).fetch_all().await.unwrap();
        // One that was given up may still be on its way out.
        if sessions.len() == 2 {
            break sessions;
        }
    };
    own.sort_unstable();
    assert_eq!(sessions, [(own[0], "idle".to_owned()), (own[1], "idle".to_owned())]);
    let mut tx = other.begin().await.unwrap();
    tx.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT").await.unwrap();
    // What was dropped half-way is there as a whole or not at all.
    let (first, last): (i64, i64) = tx
        .query("SELECT count(*) FILTER (WHERE n = 10), count(*) FILTER (WHERE n = 199) FROM t")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(first, last);
    // A transaction that was begun and dropped is rolled back.
    assert_eq!(tx.query("SELECT count(*) FROM t WHERE name = 'begun'").fetch_scalar::<i64>().await.unwrap(), 0);
}
