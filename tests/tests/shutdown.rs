//! A runtime that is shut down in the middle of anything: nothing hangs, nothing panics, and the file is whole.

use futures_util::FutureExt;
use montrs_orm::{Connection, Database, DbErrorKind};
use montrs_tests::{TestFile, builder, process};
use std::{pin::Pin, thread, time::Duration};
use tokio::runtime::Runtime;

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

/// What is under way.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// A statement, for so short that it has not left the executor.
    JustBegun,
    /// A statement, for so long that it is on the blocking pool.
    UnderWay,
    /// A statement that waits for a lock.
    Waiting,
    /// A transaction with changes.
    InTransaction,
    /// A result whose rows are being fetched.
    Fetching,
    /// Commits, one after the other, that wait for the disk.
    Committing,
    /// Connections are opened and closed.
    Connecting,
}

const SCENES: [Scene; 7] = [
    Scene::JustBegun,
    Scene::UnderWay,
    Scene::Waiting,
    Scene::InTransaction,
    Scene::Fetching,
    Scene::Committing,
    Scene::Connecting,
];

async fn play(scene: Scene, db: Database, url: String) {
    match scene {
        Scene::JustBegun | Scene::UnderWay => drop(db.query(ENDLESS).fetch_scalar::<i64>().await),
        Scene::Waiting => drop(db.execute("UPDATE locked SET x = x").await),
        Scene::InTransaction => {
            let mut tx = db.begin().await.unwrap();
            while tx.execute("INSERT INTO t VALUES (1)").await.is_ok() {}
        }
        Scene::Fetching => {
            let mut rows = db.query(ROWS).fetch::<i64>();
            while let Some(Ok(_)) = rows.next().await {}
        }
        Scene::Committing => while db.execute("INSERT INTO t VALUES (0)").await.is_ok() {},
        Scene::Connecting => while builder(&url).connect().await.is_ok() {},
    }
}

/// Ways to end a runtime, with a future that is not a task of it. Dropping a runtime waits for what runs on its blocking pool.
const ENDS: [fn(Runtime, Outside); 4] = [
    |runtime, outside| {
        drop(outside);
        drop(runtime);
    },
    |runtime, outside| {
        drop(runtime);
        drop(outside);
    },
    |runtime, outside| {
        runtime.shutdown_background();
        drop(outside);
    },
    |runtime, outside| {
        runtime.shutdown_timeout(Duration::from_millis(20));
        drop(outside);
    },
];

type Outside = Pin<Box<dyn Future<Output = ()>>>;

fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build().unwrap()
}

fn set_the_scene(scene: Scene, file: &TestFile, threads: usize, end: fn(Runtime, Outside), delay: Duration) {
    let url = format!("{}?journal_mode=wal&synchronous=full&busy_timeout=600000", file.url());
    let own = runtime(2);
    let mut holder: Option<Connection> = None;
    if matches!(scene, Scene::Waiting) {
        holder = own.block_on(async {
            let mut connection = builder(&url).connect().await.unwrap().acquire().await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.ok();
            Some(connection)
        });
    }
    let ending = runtime(threads);
    let (db, outside) = ending.block_on(async {
        let db = builder(&url).max_connections(4).connect().await.unwrap();
        for _ in 0..2 {
            tokio::spawn(play(scene, db.clone(), url.clone()));
        }
        let mut outside: Outside = Box::pin(play(scene, db.clone(), url.clone()));
        for _ in 0..3 {
            assert!(outside.as_mut().now_or_never().is_none(), "{scene:?}");
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(delay).await;
        (db, outside)
    });
    end(ending, outside);
    drop(db);
    drop(holder);
}

/// Shuts down, and looks at the file with a new runtime.
fn shut_down(threads: usize) {
    for scene in SCENES {
        for (number, end) in ENDS.into_iter().enumerate() {
            let file = TestFile::new();
            let after = runtime(2);
            after.block_on(async {
                let db = file.open().await;
                db.execute("CREATE TABLE t (x)").await.unwrap();
                db.execute("CREATE TABLE locked AS SELECT 1 AS x").await.unwrap();
                db.close().await.unwrap();
            });
            let delay = Duration::from_millis(if matches!(scene, Scene::JustBegun) { 0 } else { 10 });
            set_the_scene(scene, &file, threads, end, delay);
            after.block_on(async {
                // What has not ended yet holds its locks until it does.
                let url = format!("{}?busy_timeout=60000", file.url());
                let db = builder(&url).connect().await.unwrap();
                db.execute("INSERT INTO t VALUES (2)").await.unwrap();
                let sum: i64 = db.query("SELECT sum(x) FROM t").fetch_scalar().await.unwrap();
                assert_eq!(sum, 2, "{scene:?} {number}: nothing of the open transactions was kept");
                let whole: String = db.query("PRAGMA integrity_check").fetch_scalar().await.unwrap();
                assert_eq!(whole, "ok", "{scene:?} {number}");
                db.close().await.unwrap();
            });
        }
    }
}

/// Ends this process when it takes longer than anything here does.
fn fail_when_it_hangs() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        eprintln!("it hangs");
        std::process::exit(1);
    });
}

/// A panic would be written to the standard error, also where it is caught.
fn in_silence(test: impl Fn(), threads: usize) {
    if process::role().is_some() {
        fail_when_it_hangs();
        return shut_down(threads);
    }
    let errors = process::run(process::command(test, "shut down"));
    assert!(!errors.contains("panicked"), "{errors}");
}

#[test]
fn a_runtime_of_one_thread_can_be_shut_down_at_any_time() {
    in_silence(a_runtime_of_one_thread_can_be_shut_down_at_any_time, 1);
}

#[test]
fn a_runtime_of_several_threads_can_be_shut_down_at_any_time() {
    in_silence(a_runtime_of_several_threads_can_be_shut_down_at_any_time, 2);
}

/// Nobody will ever drop the future, nor poll it.
#[test]
fn a_future_that_was_forgotten_does_not_keep_its_runtime_from_ending() {
    let this = a_future_that_was_forgotten_does_not_keep_its_runtime_from_ending;
    if process::role().is_none() {
        process::run(process::command(this, "forget it"));
        return;
    }
    fail_when_it_hangs();
    for execution in ["coroutine", "blocking"] {
        for threads in [1, 2] {
            let file = TestFile::new();
            let url = format!("{}?execution={execution}", file.url());
            let ending = runtime(threads);
            ending.block_on(async {
                let db = builder(&url).connect().await.unwrap();
                db.execute("CREATE TABLE t (x)").await.unwrap();
                let mut endless = Box::pin(async move { db.query(ENDLESS).fetch_scalar::<i64>().await });
                // Until it is on the blocking pool.
                let _ = tokio::time::timeout(Duration::from_millis(50), &mut endless).await;
                std::mem::forget(endless);
            });
            drop(ending);
            runtime(1).block_on(async { file.open().await.execute("INSERT INTO t VALUES (1)").await.unwrap() });
        }
    }
}

/// What needs its runtime is refused; what does not, goes on.
#[test]
fn a_database_whose_runtime_has_ended_answers_or_says_so() {
    let this = a_database_whose_runtime_has_ended_answers_or_says_so;
    if process::role().is_none() {
        let errors = process::run(process::command(this, "use it"));
        assert!(!errors.contains("panicked"), "{errors}");
        return;
    }
    fail_when_it_hangs();
    for execution in ["coroutine", "blocking"] {
        for (statement, is_short) in [("SELECT 1", true), ("INSERT INTO t VALUES (2)", false), (ENDLESS, false)] {
            let file = TestFile::new();
            let url = format!("{}?execution={execution}&busy_timeout=600000", file.url());
            let (ended, other) = (runtime(2), runtime(2));
            let db = ended.block_on(builder(&url).max_connections(1).connect()).unwrap();
            ended.block_on(db.execute("CREATE TABLE t (x)").into_future()).unwrap();
            drop(ended);
            other.block_on(async {
                let holder = builder(&url).connect().await.unwrap();
                let mut tx = holder.begin().await.unwrap();
                tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
                let result = db.query(statement).fetch_all::<i64>().await;
                match result {
                    Ok(rows) => assert!(is_short && execution == "coroutine" && rows == [1], "{statement}"),
                    Err(error) => {
                        assert!(!is_short || execution == "blocking", "{statement}");
                        assert_eq!(error.kind(), DbErrorKind::Cancelled, "{statement}: {error:?}");
                        assert!(error.to_string().contains("runtime"), "{error}");
                    }
                }
                tx.commit().await.unwrap();
                holder.execute("INSERT INTO t VALUES (3)").await.unwrap();
            });
        }
    }
}
