//! A disk that is full under what writes more than rows: each operation is refused with that kind of error, nothing is lost,
//! and the same connection does it when there is space again. Where the system lets this user mount a file system, if only
//! in a namespace.

#![cfg(target_os = "linux")]

use montrs_orm::{AiError, Connection, DbError, DbErrorKind};
use montrs_tests::{builder, process};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// What an operation needs to write is more, and all of them together is less than the file system has.
const LEFT: u64 = 200_000;
const FILE_SYSTEM: &str = "24m";

/// Operations, all of which write 600 KB or more: into the database, its journal, another file, or temporary ones, which a
/// sort begins after 1 MB.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Backup,
    WriteAValue,
    Sort,
    Index,
    Vacuum,
    Many,
}

const OPERATIONS: [Operation; 6] =
    [Operation::Backup, Operation::WriteAValue, Operation::Sort, Operation::Index, Operation::Vacuum, Operation::Many];

const SETTINGS: [&str; 4] = [
    "journal_mode=wal",
    "journal_mode=delete",
    "journal_mode=wal&execution=blocking",
    "journal_mode=delete&execution=blocking",
];

const TABLES: &str = "CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB);
    INSERT INTO files VALUES (1, zeroblob(600000));
    CREATE TABLE words (word TEXT);
    INSERT INTO words WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        SELECT hex(randomblob(500)) FROM n";

async fn run(operation: Operation, on: &mut Connection, copy: &Path) -> Result<(), DbError> {
    match operation {
        Operation::Backup => on.command("backup").bind(copy.to_str()).await.map(drop),
        Operation::WriteAValue => {
            let mut upload = on.command("blob_write").bind("files").bind("content").bind(1).upload().await?;
            for _ in 0..6 {
                upload.write(&[1; 100_000]).await?;
            }
            upload.finish().await.map(drop)
        }
        Operation::Sort => {
            let words: Vec<String> = on.query("SELECT word FROM words ORDER BY word DESC").fetch_all().await?;
            assert!(words.len() == 3000 && words.is_sorted_by(|a, b| a >= b));
            Ok(())
        }
        Operation::Index => on.execute("CREATE INDEX by_word ON words (word)").await.map(drop),
        Operation::Vacuum => on.execute("VACUUM").await.map(drop),
        Operation::Many => {
            let words = (0..600).map(|number| [format!("{number:01000}")]);
            on.execute_many("INSERT INTO words VALUES ($1)", words).await.map(drop)
        }
    }
}

/// What an operation that was refused must not have changed.
async fn assert_as_before(on: &mut Connection, what: &str) {
    let seen: (i64, i64, i64) = on
        .query(
            "SELECT (SELECT count(*) FROM words), (SELECT content = zeroblob(600000) FROM files), count(*) FROM mark",
        )
        .fetch_one()
        .await
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(seen, (3000, 1, 0), "{what}");
    assert_whole(on, what).await;
}

async fn assert_whole(on: &mut Connection, what: &str) {
    assert_eq!(on.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok", "{what}");
}

/// Writes until nothing fits, and gives a little back.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let len = file.metadata().unwrap().len();
    file.set_len(len - LEFT).unwrap();
}

async fn on_a_full_disk(operation: Operation, settings: &str, directory: &Path) {
    let what = &format!("{operation:?} with {settings}");
    let [database, copy, ballast] = ["test.db", "copy.db", "ballast"].map(|name| directory.join(name));
    let url = format!("sqlite://{}?{settings}", database.display());
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    db.script(TABLES).await.unwrap();
    db.close().await.unwrap();
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    // It is known by this.
    connection.execute("CREATE TEMP TABLE mark (x)").await.unwrap();

    fill(&ballast);
    for _ in 0..2 {
        let error = run(operation, &mut connection, &copy).await.expect_err(what);
        assert_eq!((error.kind(), error.error_code()), (DbErrorKind::DiskFull, "DB_DISK_FULL"), "{what}: {error:?}");
        assert_as_before(&mut connection, what).await;
    }
    fs::remove_file(&ballast).unwrap();
    run(operation, &mut connection, &copy).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_whole(&mut connection, what).await;
    drop(connection);
    db.close().await.unwrap();

    if operation == Operation::Backup {
        let copied = builder(&format!("sqlite://{}", copy.display())).connect().await.unwrap();
        let mut copied_connection = copied.acquire().await.unwrap();
        copied_connection.execute("CREATE TEMP TABLE mark (x)").await.unwrap();
        assert_as_before(&mut copied_connection, what).await;
        drop(copied_connection);
        copied.close().await.unwrap();
    }
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

#[test]
fn what_does_not_fit_on_the_disk_is_refused_and_done_when_it_fits() {
    let this = what_does_not_fit_on_the_disk_is_refused_and_done_when_it_fits;
    let Some(directory): Option<PathBuf> = process::on_own_file_system(this, FILE_SYSTEM) else { return };
    for (operation, settings) in OPERATIONS.into_iter().flat_map(|operation| SETTINGS.map(|with| (operation, with))) {
        // Its end waits until all files are closed: one that is open needs space also when it was removed.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(on_a_full_disk(operation, settings, &directory));
    }
}
