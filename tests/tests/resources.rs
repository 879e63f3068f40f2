//! What is given back: processors, files, memory. Each test counts what its whole process uses, so it has one of its own.

#![cfg(target_os = "linux")]

use montrs_orm::{Database, RuntimeSql};
use montrs_tests::{TestFile, builder, process};
use std::{fs, time::Duration};
use tokio::{runtime::Runtime, time::timeout};

const LONG: Duration = Duration::from_secs(60);

/// Runs the test in a process of its own.
fn alone(test: impl Fn(), work: impl FnOnce()) {
    match process::role() {
        Some(_) => work(),
        None => drop(process::run(process::command(test, "alone"))),
    }
}

const EXECUTIONS: [&str; 2] = ["coroutine", "blocking"];

fn runtimes() -> [Runtime; 2] {
    let mut several = tokio::runtime::Builder::new_multi_thread();
    let mut one = tokio::runtime::Builder::new_current_thread();
    [several.worker_threads(2).enable_all().build().unwrap(), one.enable_all().build().unwrap()]
}

/// Threads that run, or would if they had a processor, besides the one that asks.
fn running_threads() -> usize {
    let own = fs::read_link("/proc/thread-self").unwrap();
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let states = threads.filter_map(|entry| {
        let thread = entry.ok()?.path();
        (thread.file_name() != own.file_name()).then(|| fs::read_to_string(thread.join("stat")).ok()).flatten()
    });
    // The state is the first field after the name, which is in brackets.
    states.filter(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))).count()
}

/// Waits until no thread runs for a while.
async fn until_quiet() {
    const QUIET_LOOKS: usize = 30;
    let quiet = async {
        let mut looks = 0;
        while looks < QUIET_LOOKS {
            tokio::time::sleep(Duration::from_millis(3)).await;
            looks = if running_threads() == 0 { looks + 1 } else { 0 };
        }
    };
    timeout(LONG, quiet).await.expect("something goes on running");
}

/// Statements that would run for years: computing, sorting, and writing.
const ENDLESS: [&str; 3] = [
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n a, n b WHERE a.i < b.i",
    "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0",
];

#[test]
fn a_query_of_years_that_is_dropped_leaves_no_thread_busy_and_the_connection_usable() {
    alone(a_query_of_years_that_is_dropped_leaves_no_thread_busy_and_the_connection_usable, || {
        let runtimes = runtimes();
        for (runtime, execution) in runtimes.iter().flat_map(|runtime| EXECUTIONS.map(|execution| (runtime, execution)))
        {
            runtime.block_on(async {
                let file = TestFile::new();
                let url = format!("{}?execution={execution}", file.url());
                let db = builder(&url).max_connections(1).connect().await.unwrap();
                db.execute("CREATE TABLE t (x)").await.unwrap();
                for sql in ENDLESS {
                    let run = db.query(sql).fetch_all::<i64>();
                    assert!(timeout(Duration::from_millis(300), run).await.is_err(), "{sql}");
                    let answer = timeout(LONG, db.query("SELECT count(*) FROM t").fetch_scalar::<i64>()).await;
                    assert_eq!(answer.expect("the connection comes free").unwrap(), 0, "{sql}");
                    until_quiet().await;
                    // The connection is not given back, but closed.
                    let other = builder(&url).connect().await.unwrap();
                    assert!(timeout(Duration::from_millis(50), other.query(sql).fetch_all::<i64>()).await.is_err());
                    drop(other);
                    until_quiet().await;
                    timeout(LONG, db.execute("DELETE FROM t").into_future()).await.expect("no lock is held").unwrap();
                }
            });
        }
    });
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The resident memory, in KiB.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The threads of this process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Holds so many connections at once, and closes the database, or only drops it and them.
async fn use_up(db: Database, connections: usize, is_closed: bool) {
    let mut held = Vec::new();
    for number in 0..connections {
        let mut connection = db.acquire().await.unwrap();
        let sql = RuntimeSql(format!("SELECT max({number}, count(*)) FROM sqlite_schema"));
        connection.query(sql).fetch_scalar::<i64>().await.unwrap();
        held.push(connection);
    }
    if is_closed {
        drop(held);
        db.close().await.unwrap();
    }
}

/// Waits until there are no more of these than before: what ends on other threads takes its time.
async fn until_gone(what: &str, count: fn() -> usize, before: usize) {
    let gone = async {
        while count() > before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_gone = timeout(LONG, gone).await.is_ok();
    assert!(is_gone, "{} {what}, {before} were before", count());
}

#[test]
fn ten_thousand_connections_leave_no_files_no_threads_and_no_memory_behind() {
    const CONNECTIONS: usize = 10_000;
    // A connection takes 50 KiB and more; what memory allocators keep comes to a few hundred bytes for each.
    const MOST_GROWTH_KIB: usize = 60_000;
    alone(ten_thousand_connections_leave_no_files_no_threads_and_no_memory_behind, || {
        let mut several = tokio::runtime::Builder::new_multi_thread();
        // Threads of the blocking pool that have nothing to do.
        several.thread_keep_alive(Duration::from_millis(50));
        let runtime = several.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let threads_before = threads();
            let file = TestFile::new();
            let files = open_files();
            let open_all = async |count: usize| {
                for round in 0..count / 200 {
                    let execution = EXECUTIONS[round % 2];
                    let is_closed = round / 2 % 2 == 0;
                    let url = format!("{}?execution={execution}", file.url());
                    let db = builder(&url).max_connections(189).connect().await.unwrap();
                    use_up(db, 189, is_closed).await;
                    // In the middle of a transaction.
                    let db = builder(&url).connect().await.unwrap();
                    let mut tx = db.begin().await.unwrap();
                    tx.execute("CREATE TABLE IF NOT EXISTS t (x)").await.unwrap();
                    drop(db);
                    drop(tx);
                    for _ in 0..10 {
                        let url = format!("sqlite::memory:?execution={execution}");
                        use_up(builder(&url).connect().await.unwrap(), 1, is_closed).await;
                    }
                }
            };
            // What is made once and kept.
            open_all(CONNECTIONS / 2).await;
            until_gone("files are open", open_files, files).await;
            let before = memory();
            open_all(CONNECTIONS / 2).await;
            until_gone("files are open", open_files, files).await;
            until_gone("threads", threads, threads_before).await;
            let after = memory();
            assert!(after < before + MOST_GROWTH_KIB, "{before} KiB became {after} KiB");
        });
    });
}
