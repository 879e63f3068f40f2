//! Several processes with several connections each, at work on one file: nobody is told that it is locked, every reader
//! sees a state that some writer has left, and nothing is lost.

use futures_util::future::join_all;
use montrs_orm::{Connection, Database, DbError, Retry};
use montrs_tests::{Numbers, TestFile, builder, process};

const PROCESSES: usize = 3;
const CONNECTIONS: usize = 3;
const ROUNDS: usize = 50;
/// What one connection adds in each round: a row by a statement, one by a transaction, and three at once.
const ROWS: i64 = 5;

/// Each writer counts its rows, in the transaction that inserts them.
const TABLES: &str = "CREATE TABLE counters (writer TEXT PRIMARY KEY, n INTEGER NOT NULL);
    CREATE TABLE log (writer TEXT NOT NULL, x INTEGER);
    CREATE TRIGGER counted AFTER INSERT ON log BEGIN
        INSERT INTO counters VALUES (new.writer, 1) ON CONFLICT DO UPDATE SET n = n + 1;
    END";
const INSERT: &str = "INSERT INTO log VALUES ($1, $2)";
/// Two reads in one snapshot.
const DIFFERENCE: &str = "SELECT (SELECT count(*) FROM log) - (SELECT coalesce(sum(n), 0) FROM counters)";

/// A connection is held for all but the transactions, which find one in the pool.
async fn write(db: &Database, writer: &str, seed: u64) -> Result<(), DbError> {
    let mut numbers = Numbers::new(seed);
    let mut connection: Connection = db.acquire().await?;
    for _ in 0..ROUNDS {
        connection.execute(INSERT).bind(writer).bind(numbers.below(100) as i64).await?;
        // It reads before it writes, so that another one may have written in between.
        db.transaction_with_retry(Retry::default().attempts(1000), async |tx| {
            let before: i64 = tx.query("SELECT count(*) FROM log").fetch_scalar().await?;
            if before % 2 == 0 {
                tokio::task::yield_now().await;
            }
            tx.execute(INSERT).bind(writer).bind(before).await.map(drop)
        })
        .await?;
        connection.execute_many(INSERT, (0..3).map(|x| (writer, x))).await?;
        let difference: i64 = connection.query(DIFFERENCE).fetch_scalar().await?;
        assert_eq!(difference, 0, "{writer} has seen half of a transaction");
    }
    Ok(())
}

async fn work(url: &str, name: &str) {
    let db = builder(url).max_connections(2 * CONNECTIONS).connect().await.unwrap();
    let writers = (0..CONNECTIONS).map(|number| {
        let (db, writer) = (db.clone(), format!("{name}-{number}"));
        tokio::spawn(async move { write(&db, &writer, number as u64).await })
    });
    for written in join_all(writers).await {
        written.unwrap().unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    db.close().await.unwrap();
}

/// This executable runs the same test once more, as several processes, of which some execute statements in another way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_and_connections_write_and_read_one_file_and_lose_nothing() {
    let this = processes_and_connections_write_and_read_one_file_and_lose_nothing;
    if let Some(role) = process::role() {
        let (name, url) = role.split_once(' ').unwrap();
        return work(url, name).await;
    }
    for journal in ["wal", "delete"] {
        let file = TestFile::new();
        let db = builder(&format!("{}?journal_mode={journal}&busy_timeout=60000", file.url())).connect().await.unwrap();
        db.script(TABLES).await.unwrap();
        let others: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let execution = ["coroutine", "blocking"][number % 2];
                let role = format!("{number} {}?busy_timeout=60000&execution={execution}", file.url());
                let other = process::command(this, &role);
                tokio::task::spawn_blocking(move || process::run(other))
            })
            .collect();
        // A reader that holds a snapshot open beside them.
        while !others.iter().all(tokio::task::JoinHandle::is_finished) {
            let mut tx = db.begin().await.unwrap();
            let before: i64 = tx.query("SELECT count(*) FROM log").fetch_scalar().await.unwrap();
            assert_eq!(tx.query(DIFFERENCE).fetch_scalar::<i64>().await.unwrap(), 0);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            assert_eq!(tx.query("SELECT count(*) FROM log").fetch_scalar::<i64>().await.unwrap(), before);
            tx.commit().await.unwrap();
        }
        for other in others {
            other.await.unwrap();
        }
        let each = ROUNDS as i64 * ROWS;
        let counters: Vec<i64> = db.query("SELECT n FROM counters").fetch_all().await.unwrap();
        assert_eq!(counters, vec![each; PROCESSES * CONNECTIONS], "{journal}");
        assert_eq!(db.query(DIFFERENCE).fetch_scalar::<i64>().await.unwrap(), 0, "{journal}");
        assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok", "{journal}");
        db.close().await.unwrap();
    }
}
