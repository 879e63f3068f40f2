//! A file that is moved, removed, replaced, or not to be written any more, while it is open.

use montrs_orm::{AiError, Connection, Database, DbError, DbErrorKind};
use montrs_tests::{TestFile, builder};
use std::{fs, path::PathBuf, time::Duration};
use tokio::time::sleep;

/// A file with a table of one row, open in a pool of two connections, one of which was checked out.
async fn open_file(journal: &str) -> (TestFile, Database, Connection) {
    let file = TestFile::new();
    let url = format!("{}?journal_mode={journal}", file.url());
    let db = builder(&url).max_connections(2).connect().await.unwrap();
    db.execute("CREATE TABLE t (x)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let connection = db.acquire().await.unwrap();
    (file, db, connection)
}

const JOURNALS: [&str; 4] = ["wal", "delete", "truncate", "persist"];

/// The files that SQLite keeps beside a database.
fn beside(file: &TestFile) -> impl Iterator<Item = PathBuf> {
    ["test.db-wal", "test.db-shm", "test.db-journal"].map(|name| file.path().with_file_name(name)).into_iter()
}

fn assert_moved(error: &DbError, file: &TestFile) {
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::ConnectionLost, "DB_CONNECTION_LOST"), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(file.path().to_str().unwrap()) && text.contains("moved, removed or replaced"), "{text}");
    assert!(error.suggested_fixes().join("\n").contains("in use"), "{:?}", error.suggested_fixes());
}

/// Where the state of a file does not tell that it was moved, its path is looked up after a millisecond.
const UNTIL_NOTICED: Duration = Duration::from_millis(2);

/// What would be written to it would be gone with the last connection.
#[tokio::test]
async fn nothing_is_written_to_a_file_that_was_moved_or_removed() {
    for journal in JOURNALS {
        for is_removed in [false, true] {
            let (file, db, mut connection) = open_file(journal).await;
            let moved = file.path().with_file_name("moved.db");
            if is_removed {
                fs::remove_file(file.path()).unwrap();
            } else {
                fs::rename(file.path(), &moved).unwrap();
                sleep(UNTIL_NOTICED).await;
            }
            let error = connection.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
            assert_moved(&error, &file);
            assert_eq!(connection.ping().await.unwrap_err().kind(), DbErrorKind::ConnectionLost);
            drop(connection);

            // The connections go, and no empty database takes the place of the one that was lost.
            let error = db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap_err();
            assert_eq!(
                (error.kind(), error.error_code()),
                (DbErrorKind::DatabaseNotFound, "DB_NOT_FOUND"),
                "{error:?}"
            );
            assert!(error.to_string().contains("does not exist any more"), "{error}");
            assert!(!file.path().exists(), "{journal}");
            if is_removed {
                continue;
            }

            fs::rename(&moved, file.path()).unwrap();
            db.execute("INSERT INTO t VALUES (3)").await.unwrap();
            assert_eq!(db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [1, 3], "{journal}");
            assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
        }
    }
}

#[tokio::test]
async fn nothing_is_written_to_a_file_whose_directory_was_moved() {
    for journal in JOURNALS {
        let (file, db, mut connection) = open_file(journal).await;
        let directory = file.path().parent().unwrap().to_owned();
        let moved = directory.with_file_name(format!("{}-moved", directory.file_name().unwrap().to_str().unwrap()));
        connection.execute("INSERT INTO t VALUES (2)").await.unwrap();
        fs::rename(&directory, &moved).unwrap();
        sleep(UNTIL_NOTICED).await;
        let refused = connection.execute("INSERT INTO t VALUES (3)").await;
        drop(connection);
        fs::rename(&moved, &directory).unwrap();
        assert_moved(&refused.unwrap_err(), &file);
        assert_eq!(db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [1, 2], "{journal}");
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_is_told_once_and_then_the_new_one_is_used() {
    for journal in JOURNALS {
        let (file, db, mut connection) = open_file(journal).await;
        let other = TestFile::new();
        let replacement = other.open().await;
        replacement.execute("CREATE TABLE t (x)").await.unwrap();
        replacement.close().await.unwrap();
        beside(&file).for_each(|beside| drop(fs::remove_file(beside)));
        fs::rename(other.path(), file.path()).unwrap();

        let failed: Result<(), DbError> = connection
            .transaction(async |tx| {
                tx.query("SELECT x FROM t").fetch_all::<i64>().await.map(drop).ok();
                tx.execute("INSERT INTO t VALUES (2)").await.map(drop)
            })
            .await;
        assert_moved(&failed.unwrap_err(), &file);
        drop(connection);
        db.execute("INSERT INTO t VALUES (3)").await.unwrap();
        assert_eq!(db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [3], "{journal}");
        assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_ping_finds_a_file_that_is_gone() {
    for journal in JOURNALS {
        let (file, db, connection) = open_file(journal).await;
        drop(connection);
        db.ping().await.unwrap();
        fs::remove_file(file.path()).unwrap();
        assert_moved(&db.ping().await.unwrap_err(), &file);
    }
    builder("sqlite::memory:").connect().await.unwrap().ping().await.unwrap();
}

/// What the operating system forbids, it does not forbid root, so root runs this test as nobody.
#[cfg(unix)]
#[test]
fn a_file_or_directory_that_is_not_to_be_written_any_more_is_told_and_works_again_when_it_is() {
    use montrs_tests::process;
    use std::os::unix::fs::PermissionsExt;
    let this = a_file_or_directory_that_is_not_to_be_written_any_more_is_told_and_works_again_when_it_is;
    if process::as_nobody(this) {
        return;
    }
    let chmod = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for journal in JOURNALS {
            let (file, db, connection) = open_file(journal).await;
            drop(connection);
            let directory = file.path().parent().unwrap().to_owned();
            // Who has the file open may go on writing to it, if that needs no new file beside it.
            chmod(directory.clone(), 0o555);
            match db.execute("INSERT INTO t VALUES (2)").await {
                Ok(_) => assert_ne!(journal, "delete"),
                Err(error) => {
                    assert!(["delete", "truncate"].contains(&journal), "{journal}: {error:?}");
                    assert_eq!(error.kind(), DbErrorKind::ReadOnly, "{journal}: {error:?}");
                    assert!(error.suggested_fixes().join("\n").contains("directory"), "{:?}", error.suggested_fixes());
                }
            }
            db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap();
            chmod(directory, 0o755);

            chmod(file.path(), 0o444);
            let _first = db.acquire().await.unwrap();
            // A connection that is opened now can only read.
            let error = db.execute("INSERT INTO t VALUES (3)").await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::ReadOnly, "{journal}: {error:?}");
            assert!(error.suggested_fixes().join("\n").contains("operating system"), "{:?}", error.suggested_fixes());
            assert!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap() > 0);
            chmod(file.path(), 0o644);
            // A connection that cannot write finds out when it is told to, and makes room for one that can.
            let _ = db.execute("INSERT INTO t VALUES (4)").await;
            db.execute("INSERT INTO t VALUES (5)").await.unwrap();
        }
    });
}

/// A file system with open files cannot be made read-only, so another mount of it, which is, takes its place: what is open
/// goes on, what is opened is refused as on any file system that turned read-only.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_turns_read_only_is_told_and_works_again_when_it_is_not() {
    use montrs_tests::process;
    let this = a_file_system_that_turns_read_only_is_told_and_works_again_when_it_is_not;
    let Some(directory) = process::on_own_file_system(this, "8m") else { return };
    let directory = directory.to_str().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        assert!(std::process::Command::new(program).args(arguments).arg(directory).status().unwrap().success());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for journal in JOURNALS {
            let url = format!("sqlite://{directory}/{journal}.db?journal_mode={journal}");
            let db = builder(&url).max_connections(2).connect().await.unwrap();
            db.execute("CREATE TABLE t (x)").await.unwrap();
            db.execute("INSERT INTO t VALUES (1)").await.unwrap();
            let mut first = db.acquire().await.unwrap();
            run("mount", &["--bind", directory]);
            run("mount", &["-o", "remount,bind,ro"]);
            match first.execute("INSERT INTO t VALUES (2)").await {
                Ok(_) => assert_eq!(journal, "wal", "the log is open"),
                Err(error) => {
                    assert_eq!(error.kind(), DbErrorKind::ReadOnly, "{journal}: {error:?}");
                    assert!(!error.may_have_executed(), "{journal}: {error:?}");
                }
            }
            assert!(first.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap() > 0, "{journal}");
            let error = db.execute("INSERT INTO t VALUES (3)").await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::ReadOnly, "{journal}: {error:?}");
            run("umount", &["--lazy"]);

            first.execute("INSERT INTO t VALUES (4)").await.unwrap();
            // A connection that cannot write finds out when it is told to, and makes room for one that can.
            let _ = db.execute("INSERT INTO t VALUES (5)").await;
            db.execute("INSERT INTO t VALUES (6)").await.unwrap();
            assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok", "{journal}");
        }
    });
}
