//! A disk that is full: an error of that kind, nothing lost, and the connection goes on when there is space again.

use montrs_orm::{AiError, Connection, DbError, DbErrorKind};
use montrs_tests::{TestFile, builder, process};
use std::{fs, path::Path};

const INSERT: &str = "INSERT INTO t (b) VALUES (zeroblob($1))";

/// A connection to a database with two rows, which has a temporary table to be known by.
async fn two_rows(url: &str) -> Connection {
    let mut db = builder(url).connect().await.unwrap().acquire().await.unwrap();
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)").await.unwrap();
    db.execute("CREATE TEMP TABLE mark (x)").await.unwrap();
    for _ in 0..2 {
        db.execute(INSERT).bind(1000).await.unwrap();
    }
    db
}

/// Inserts until that is refused.
async fn fill(session: &mut montrs_orm::Session) -> DbError {
    for _ in 0..10_000 {
        if let Err(error) = session.execute(INSERT).bind(10_000).await {
            return error;
        }
    }
    panic!("the disk never fills up");
}

fn assert_full(error: &DbError) {
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::DiskFull, "DB_DISK_FULL"), "{error:?}");
    assert!(!error.may_have_executed(), "{error:?}");
}

async fn assert_whole(db: &mut Connection, rows: i64) {
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), rows);
    assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
    let marks = db.query("SELECT count(*) FROM mark").fetch_scalar::<i64>().await;
    assert_eq!(marks.expect("it is the same connection"), 0);
}

/// Fills the disk of a database with [`two_rows`]: in a transaction, in a savepoint, and without either.
async fn fill_and_free(db: &mut Connection, free: impl AsyncFnOnce(&mut Connection)) {
    let mut tx = db.begin().await.unwrap();
    assert_full(&fill(&mut tx).await);
    let error = tx.execute(INSERT).bind(1).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState, "what follows would be outside of it: {error}");
    assert!(error.to_string().contains("rolled"), "{error}");
    tx.rollback().await.unwrap();
    assert_whole(db, 2).await;

    let mut tx = db.begin().await.unwrap();
    let mut savepoint = tx.begin().await.unwrap();
    assert_full(&fill(&mut savepoint).await);
    drop(savepoint);
    assert_eq!(tx.commit().await.unwrap_err().kind(), DbErrorKind::TransactionState);
    assert_whole(db, 2).await;

    let large = db.execute(INSERT).bind(50_000_000).await.unwrap_err();
    assert_full(&large);
    let failed: Result<(), DbError> = db.transaction(async |tx| Err(fill(tx).await)).await;
    assert_full(&failed.unwrap_err());
    assert_whole(db, 2).await;

    free(db).await;
    let mut tx = db.begin().await.unwrap();
    tx.execute(INSERT).bind(200_000).await.unwrap();
    tx.execute(INSERT).bind(1).await.unwrap();
    tx.commit().await.unwrap();
    assert_whole(db, 4).await;
}

#[tokio::test]
async fn a_database_at_its_largest_size_is_full() {
    for url in [TestFile::new().url(), "sqlite::memory:"] {
        let file = TestFile::new();
        let mut db = two_rows(if url.contains("memory") { url } else { file.url() }).await;
        db.execute("PRAGMA max_page_count = 100").await.unwrap();
        fill_and_free(&mut db, async |db| {
            db.execute("PRAGMA max_page_count = 1000000").await.unwrap();
        })
        .await;
    }
}

/// The database in this directory, in each journal mode, and again after it was closed.
fn each_journal(directory: &Path, limit: impl Fn(), free: impl Fn()) {
    for journal in ["wal", "delete", "truncate", "persist"] {
        // Its end waits until all files are closed: one that is open needs space also when it was removed.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let name = directory.join(format!("{journal}.db"));
        // Pages are written before the commit.
        let url = format!("sqlite://{}?journal_mode={journal}&cache_size=10", name.display());
        runtime.block_on(async {
            let mut db = two_rows(&url).await;
            limit();
            fill_and_free(&mut db, async |_| free()).await;
            drop(db);
            let db = builder(&url).connect().await.unwrap();
            assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 4, "{journal}");
            db.close().await.unwrap();
            fs::remove_file(&name).unwrap();
        });
    }
}

/// A limit on the size of files is what everybody can set; its error is not the one of a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_file_at_the_largest_size_that_the_process_may_write_is_full() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const LIMIT: u64 = 600_000;
    let Some(directory) = process::role() else {
        let directory = montrs_tests::private_dir();
        // The signal is ignored, so that writing fails instead.
        let shell = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
        let test = a_file_at_the_largest_size_that_the_process_may_write_is_full;
        process::run(process::around(&shell, test, directory.path().to_str().unwrap()));
        return;
    };
    let before = getrlimit(Resource::Fsize);
    let set = |current| {
        let limit = rustix::process::Rlimit { current, ..before };
        setrlimit(Resource::Fsize, limit).unwrap();
    };
    each_journal(directory.as_ref(), || set(Some(LIMIT)), || set(before.current));
}

/// Where the system lets this user mount a file system, if only in a namespace.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_is_full_is_told_and_can_be_used_when_it_has_space_again() {
    const BALLAST: usize = 400_000;
    let this = a_file_system_that_is_full_is_told_and_can_be_used_when_it_has_space_again;
    let Some(directory) = process::on_own_file_system(this, "1500k") else { return };
    let ballast = directory.join("ballast");
    // What was dropped gives its space back when a thread has closed it.
    let take = || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while let Err(error) = fs::write(&ballast, vec![0; BALLAST]) {
            assert!(std::time::Instant::now() < deadline, "{error}");
            std::thread::yield_now();
        }
    };
    each_journal(&directory, take, || fs::remove_file(&ballast).unwrap());
}
