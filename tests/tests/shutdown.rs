//! A runtime that is shut down in the middle of anything: nothing hangs, nothing panics, and the file is whole.

#[path = "shutdown/scenes.rs"]
mod scenes;

use futures_util::FutureExt;
use montrs_orm::{Connection, DbErrorKind};
use montrs_tests::{TestFile, builder, private_dir, process};
use scenes::{ENDLESS, SCENES, Scene, TABLES, play};
use std::{fs, path::Path, pin::Pin, thread, time::Duration};
use tokio::runtime::Runtime;

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

fn set_the_scene(scene: Scene, file: &TestFile, copies: &Path, threads: usize, end: fn(Runtime, Outside)) {
    let delay = Duration::from_millis(if scene == Scene::JustBegun { 0 } else { 10 });
    let url = format!("{}?journal_mode=wal&synchronous=full&busy_timeout=600000", file.url());
    let own = runtime(2);
    let mut holder: Option<Connection> = None;
    if scene == Scene::Waiting {
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
            tokio::spawn(play(scene, db.clone(), url.clone(), copies.to_owned()));
        }
        let mut outside: Outside = Box::pin(play(scene, db.clone(), url.clone(), copies.to_owned()));
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

async fn assert_whole(url: &str, scene: Scene) {
    let db = builder(url).connect().await.unwrap_or_else(|error| panic!("{scene:?}: {url}: {error}"));
    let whole: String = db.query("PRAGMA integrity_check").fetch_scalar().await.unwrap();
    assert_eq!(whole, "ok", "{scene:?}: {url}");
    db.close().await.unwrap();
}

/// Shuts down, and looks at the file with a new runtime.
fn shut_down(threads: usize) {
    for scene in SCENES {
        for (number, end) in ENDS.into_iter().enumerate() {
            let (file, copies) = (TestFile::new(), private_dir());
            let after = runtime(2);
            after.block_on(async {
                let db = file.open().await;
                db.script(TABLES).await.unwrap();
                db.close().await.unwrap();
            });
            set_the_scene(scene, &file, copies.path(), threads, end);
            after.block_on(async {
                // What has not ended yet holds its locks until it does.
                let url = format!("{}?busy_timeout=60000", file.url());
                let db = builder(&url).connect().await.unwrap();
                db.execute("INSERT INTO t VALUES (2)").await.unwrap();
                let sum: i64 = db.query("SELECT sum(x) FROM t").fetch_scalar().await.unwrap();
                assert_eq!(sum, 2, "{scene:?} {number}: nothing of the open transactions was kept");
                let files: i64 = db.query("SELECT count(*) FROM files").fetch_scalar().await.unwrap();
                assert_eq!(files, 4, "{scene:?} {number}");
                assert_whole(&url, scene).await;
                db.close().await.unwrap();
                for copy in fs::read_dir(copies.path()).unwrap().map(|entry| entry.unwrap().path()) {
                    if copy.extension().is_some_and(|extension| extension == "db") {
                        assert_whole(&format!("sqlite://{}?busy_timeout=60000", copy.display()), scene).await;
                    }
                }
            });
        }
    }
}

/// Ends this process when it takes longer than anything here does.
fn fail_when_it_hangs() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(120));
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
