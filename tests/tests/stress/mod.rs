//! Work of every kind at once, of which much is dropped half-way, on threads that take it from each other.

use futures_util::{StreamExt, stream::FuturesUnordered};
use montrs_orm::{Database, DatabaseBuilder, DbErrorKind};
use montrs_tests::{Numbers, poll_then_drop};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use tokio::time::timeout;

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(120);
const TASKS: u64 = 24;
const CONNECTIONS: usize = 8;

/// Operations that ended on another thread than they began on.
static MIGRATIONS: AtomicUsize = AtomicUsize::new(0);

/// Runs it on a new database, on a runtime with several threads, with so many rounds in each task.
///
/// # Panics
///
/// When anything is lost, broken, or held for ever.
pub(crate) async fn stress(database: DatabaseBuilder, rounds: u64) {
    let db = database.max_connections(CONNECTIONS).connect().await.unwrap();
    db.execute("CREATE TABLE t (a INTEGER, b TEXT)").await.unwrap();
    db.execute("CREATE INDEX t_b ON t (b)").await.unwrap();
    db.execute("CREATE TABLE totals (n INTEGER)").await.unwrap();
    db.execute("INSERT INTO totals VALUES (0)").await.unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                INSERT INTO t SELECT i, hex(randomblob(50)) FROM n";
    db.execute(fill).await.unwrap();
    let mut tasks: FuturesUnordered<_> = (1..=TASKS)
        .map(|seed| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut numbers = Numbers::new(seed);
                for _ in 0..rounds {
                    anything(&db, &mut numbers).await;
                }
            })
        })
        .collect();
    while let Some(task) = tasks.next().await {
        task.unwrap();
    }
    assert!(MIGRATIONS.load(Ordering::Relaxed) > 0, "nothing has changed its thread");
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(timeout(LONG, db.acquire()).await.expect("all come free").unwrap());
    }
    for connection in &mut connections {
        connection.execute("UPDATE totals SET n = n + 0").await.unwrap();
        assert_eq!(connection.query("SELECT n FROM totals").fetch_scalar::<i64>().await.unwrap(), 0);
        assert_eq!(connection.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
    }
}

/// Runs something, of which much is dropped half-way; what is not must end well.
async fn anything(db: &Database, numbers: &mut Numbers) {
    let (kind, key) = (numbers.below(10), numbers.below(500) as i64);
    let work = async {
        match kind {
            0 => db.execute("INSERT INTO t (a, b) VALUES ($1, hex(randomblob(50)))").bind(key).await.map(drop),
            1 => db.execute("UPDATE t SET b = b || 'x' WHERE a = $1").bind(key).await.map(drop),
            2 => db.query("SELECT b FROM t ORDER BY b").fetch_all::<String>().await.map(drop),
            3 => {
                let sql = "SELECT count(*) FROM t x JOIN t y ON x.b < y.b WHERE x.a = $1";
                db.query(sql).bind(key).fetch_scalar::<i64>().await.map(drop)
            }
            4 => {
                let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
                           SELECT count(*) FROM n";
                db.query(sql).fetch_scalar::<i64>().await.map(drop)
            }
            5 => {
                db.transaction(async |tx| {
                    tx.execute("UPDATE totals SET n = n + 1").await?;
                    tx.query("SELECT b FROM t ORDER BY b DESC").fetch_all::<String>().await?;
                    tx.execute("UPDATE totals SET n = n - 1").await.map(drop)
                })
                .await
            }
            6 => db.execute("DELETE FROM t WHERE a > $1").bind(key + 400).await.map(drop),
            7 => {
                let sql = "SELECT x.a, group_concat(y.b, ',') FROM t x JOIN t y ON x.a = y.a + 1 \
                           WHERE x.a < $1 GROUP BY x.a ORDER BY length(x.b), 2";
                db.query(sql).bind(key).for_each(|_| Ok(())).await
            }
            8 => {
                let mut tx = db.begin().await?;
                let mut savepoint = tx.begin().await?;
                savepoint.execute("UPDATE t SET b = hex(randomblob(40)) WHERE a % 50 = $1").bind(key % 50).await?;
                if key % 2 == 0 {
                    savepoint.rollback().await?;
                } else {
                    savepoint.commit().await?;
                }
                tx.commit().await
            }
            _ => {
                let mut rows = db.query("SELECT a, b FROM t").fetch::<(i64, String)>();
                for _ in 0..key {
                    if rows.next().await.transpose()?.is_none() {
                        break;
                    }
                }
                Ok(())
            }
        }
    };
    let polls = if numbers.below(2) == 0 { usize::MAX } else { numbers.below(30) as usize };
    let thread = thread::current().id();
    let end = poll_then_drop(polls, work).await;
    if thread != thread::current().id() {
        MIGRATIONS.fetch_add(1, Ordering::Relaxed);
    }
    match end {
        // A reader whose transaction has become a writer's is refused when somebody else has written meanwhile.
        Some(Err(error)) if !matches!(error.kind(), DbErrorKind::Busy | DbErrorKind::Serialization) => {
            panic!("{kind}: {error}")
        }
        _ => {}
    }
}
