//! Processes that are killed: what was acknowledged is there afterwards, what was half done is not.

use montrs_orm::{AiError, Database, DbErrorKind};
use montrs_tests::{
    TestFile, builder, private_dir,
    process::{self, Conversation},
};
use std::{fs, path::Path, thread, time::Duration};
use tokio::{runtime::Runtime, sync::Barrier};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn is_whole(db: &Database) -> bool {
    db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap() == "ok"
}

/// Each way to write to a file, by the database's name.
fn databases(directory: &Path) -> Vec<(String, String)> {
    let mut databases = Vec::new();
    for execution in ["coroutine", "blocking"] {
        for journal in ["wal&synchronous=full", "wal&synchronous=normal", "delete&cache_size=5"] {
            let name = format!("{}.db", databases.len());
            let path = directory.join(&name);
            let url = format!("sqlite://{}?execution={execution}&journal_mode={journal}", path.display());
            databases.push((name, url));
        }
    }
    databases
}

/// Commits pairs of rows until it is killed, and says each number once it is committed.
async fn commit_for_ever(name: String, url: String, all: &Barrier) {
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let last: i64 = db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap();
    if all.wait().await.is_leader() {
        println!("begun");
    }
    for n in last + 1.. {
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES ($1, zeroblob(3000))").bind(n).await.unwrap();
        tx.execute("INSERT INTO twin SELECT n, b FROM t WHERE n = $1").bind(n).await.unwrap();
        tx.execute("UPDATE total SET n = n + 1").await.unwrap();
        tx.commit().await.unwrap();
        println!("{name} {n}");
    }
}

/// What is in a database: all of each transaction, or nothing. How many there were.
async fn transactions(url: &str) -> i64 {
    let db = builder(url).connect().await.unwrap();
    assert!(is_whole(&db).await, "{url}");
    let count = async |sql: &'static str| db.query(sql).fetch_scalar::<i64>().await.unwrap();
    let rows = count("SELECT count(*) FROM t").await;
    assert_eq!(count("SELECT coalesce(max(n), 0) FROM t").await, rows, "{url}");
    assert_eq!(count("SELECT count(*) FROM twin").await, rows, "{url}: half of a transaction was kept");
    assert_eq!(count("SELECT n FROM total").await, rows, "{url}: half of a transaction was kept");
    db.close().await.unwrap();
    rows
}

/// A process is killed again and again, at moments that have nothing to do with what it does.
#[test]
fn what_was_committed_survives_a_kill_at_any_moment() {
    const ROUNDS: u64 = 15;
    let this = what_was_committed_survives_a_kill_at_any_moment;
    if let Some(directory) = process::role() {
        return runtime().block_on(async {
            let databases = databases(directory.as_ref());
            let all = Barrier::new(databases.len());
            let work = databases.into_iter().map(|(name, url)| commit_for_ever(name, url, &all));
            futures_util::future::join_all(work).await;
        });
    }
    let directory = private_dir();
    let databases = databases(directory.path());
    let runtime = runtime();
    runtime.block_on(async {
        for (_, url) in &databases {
            let db = builder(url).connect().await.unwrap();
            db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b)").await.unwrap();
            db.execute("CREATE TABLE twin (n INTEGER PRIMARY KEY, b)").await.unwrap();
            db.execute("CREATE TABLE total AS SELECT 0 AS n").await.unwrap();
            db.close().await.unwrap();
        }
    });
    let mut acknowledged = vec![0; databases.len()];
    for round in 0..ROUNDS {
        let mut child = Conversation::start(process::command(this, directory.path().to_str().unwrap()));
        child.until("begun");
        thread::sleep(Duration::from_micros(20_000 + round * 7919 % 60_000));
        let said = child.kill();
        for ((name, url), acknowledged) in databases.iter().zip(&mut acknowledged) {
            // The last line may have been cut.
            let lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let numbers = lines.filter_map(|line| line.trim_end().strip_prefix(name)?.trim_start().parse::<i64>().ok());
            let said = numbers.max().unwrap_or(0).max(*acknowledged);
            let rows = runtime.block_on(transactions(url));
            assert!(rows == said || rows == said + 1, "{url}: {rows} are there, {said} were acknowledged");
            *acknowledged = rows;
        }
    }
    assert!(acknowledged.iter().all(|commits| *commits > 0), "{acknowledged:?} commits");
}

/// Changes all rows, so that pages are written before the commit, and waits.
async fn stop_half_way(url: &str) {
    let db = builder(url).connect().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let done = tx.execute("UPDATE t SET b = b + 1").await.unwrap();
    assert_eq!(done.rows_affected(), 5000);
    println!("half way");
    process::is_told("go on");
}

#[test]
fn what_a_killed_process_has_half_written_is_undone_by_who_opens_the_file_next() {
    let this = what_a_killed_process_has_half_written_is_undone_by_who_opens_the_file_next;
    if let Some(url) = process::role() {
        return runtime().block_on(stop_half_way(&url));
    }
    for journal in ["delete", "truncate", "persist", "wal"] {
        let file = TestFile::new();
        let url = format!("{}?journal_mode={journal}&cache_size=5", file.url());
        let runtime = runtime();
        let before = runtime.block_on(async {
            let db = builder(&url).connect().await.unwrap();
            db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER, c TEXT)").await.unwrap();
            let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                        INSERT INTO t SELECT i, 0, hex(zeroblob(50)) FROM n";
            db.execute(fill).await.unwrap();
            db.close().await.unwrap();
            fs::read(file.path()).unwrap()
        });
        let mut child = Conversation::start(process::command(this, &url));
        child.until("half way");
        child.kill();
        let beside = file.path().with_file_name(if journal == "wal" { "test.db-wal" } else { "test.db-journal" });
        assert!(fs::metadata(&beside).unwrap().len() > 100_000, "{journal}: pages were written before the commit");
        if journal != "wal" {
            assert_ne!(fs::read(file.path()).unwrap(), before, "{journal}: the file is half changed");
        }
        runtime.block_on(async {
            // Who may not write cannot put it right, and must not read it as it is. A log needs no putting right.
            match builder(&format!("{}?mode=ro", file.url())).connect().await {
                Ok(db) => {
                    assert_eq!(journal, "wal");
                    assert_eq!(db.query("SELECT sum(b) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
                }
                Err(error) => {
                    assert_ne!(journal, "wal");
                    assert_eq!(error.kind(), DbErrorKind::ReadOnly, "{error:?}");
                    let fixes = error.suggested_fixes().join("\n");
                    assert!(fixes.contains("killed") && fixes.contains("mode=ro"), "{fixes}");
                }
            }
            let db = builder(file.url()).max_connections(4).connect().await.unwrap();
            let sums = (0..4).map(|_| db.query("SELECT sum(b) FROM t").fetch_scalar::<i64>());
            for sum in futures_util::future::join_all(sums).await {
                assert_eq!(sum.unwrap(), 0, "{journal}");
            }
            assert!(is_whole(&db).await, "{journal}");
            db.close().await.unwrap();
        });
        if journal != "wal" {
            assert_eq!(fs::read(file.path()).unwrap().len(), before.len(), "{journal}");
        }
    }
}
