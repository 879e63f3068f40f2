//! A database that another process has locked: waited for without holding up anybody, and told when it takes too long.

use montrs_orm::{AiError, DbErrorKind, LockMode, TransactionOptions};
use montrs_tests::{
    TestFile, builder,
    process::{self, Conversation},
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Takes the lock to write, and gives it back when it is told to.
async fn hold_the_lock(url: &str) {
    let db = builder(url).connect().await.unwrap();
    let options = TransactionOptions { lock_mode: LockMode::EXCLUSIVE, ..TransactionOptions::default() };
    let mut tx = db.begin_with(options).await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    println!("locked");
    process::is_told("let go");
    tx.commit().await.unwrap();
}

fn waiting_for_another_process(test: impl Fn() + Copy, journal: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(url) = process::role() {
        return runtime.block_on(hold_the_lock(&url));
    }
    runtime.block_on(async {
        let file = TestFile::new();
        let url = format!("{}?journal_mode={journal}", file.url());
        let db = builder(&url).connect().await.unwrap();
        db.execute("CREATE TABLE t (x)").await.unwrap();
        db.close().await.unwrap();
        let mut other = Conversation::start(process::command(test, &url));
        other.until("locked");

        let impatient = builder(&format!("{}?busy_timeout=50", file.url())).connect().await;
        let error = match impatient {
            Ok(db) => db.execute("INSERT INTO t VALUES (2)").await.unwrap_err(),
            // With a rollback journal not even the first page can be read.
            Err(error) => error,
        };
        assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Busy, "DB_BUSY"), "{error:?}");
        assert!(error.is_retryable(), "{error:?}");
        let fixes = error.suggested_fixes().join("\n");
        assert!(fixes.contains("busy_timeout (50 ms)") && fixes.contains("short"), "{fixes}");

        // The lock is given back only after the ticks: a wait that held up the thread would never end.
        let waiting = tokio::spawn(async move {
            let db = builder(&format!("{}?busy_timeout=30000", file.url())).connect().await?;
            db.execute("INSERT INTO t VALUES (2)").await?;
            db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.map(|rows| (rows, file))
        });
        for _ in 0..100 {
            sleep(Duration::from_millis(1)).await;
            assert!(!waiting.is_finished());
        }
        other.say("let go");
        let (rows, _file) = timeout(Duration::from_secs(60), waiting).await.expect("it ends").unwrap().unwrap();
        assert_eq!(rows, 2);
    });
}

#[test]
fn a_log_that_another_process_writes_to_is_waited_for() {
    waiting_for_another_process(a_log_that_another_process_writes_to_is_waited_for, "wal");
}

#[test]
fn a_file_that_another_process_writes_to_is_waited_for() {
    waiting_for_another_process(a_file_that_another_process_writes_to_is_waited_for, "delete");
}
