//! SQLite's commands: copies while others write, images, values in parts.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, LockMode, RuntimeSql, TransactionOptions};
use montrs_tests::{TestFile, builder, poll_then_drop};
use std::time::Duration;

/// A table with so many rows of a kilobyte.
async fn filled(file: &TestFile, rows: i64) -> Database {
    let db = file.open().await;
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)").await.unwrap();
    db.execute_many("INSERT INTO t (id, b) VALUES ($1, $2)", (0..rows).map(|id| (id, vec![id as u8; 1024])))
        .await
        .unwrap();
    db
}

async fn count(db: &Database) -> i64 {
    db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap()
}

async fn is_sound(db: &Database) -> bool {
    db.query("PRAGMA integrity_check").fetch_all::<String>().await.unwrap() == ["ok"]
}

fn path(file: &TestFile) -> String {
    file.path().display().to_string()
}

#[tokio::test]
async fn to_listen_is_refused_with_what_there_is_instead() {
    let error = TestFile::new().open().await.listen(["news"]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    assert!(error.to_string().contains("no command `listen`"), "{error}");
    assert!(error.suggested_fixes().iter().any(|fix| fix.contains("backup")), "{:?}", error.suggested_fixes());
}

#[tokio::test]
async fn a_backup_is_whole_while_another_connection_writes() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    let db = filled(&file, 2000).await;
    let mut progress = db.command("backup").bind(path(&copy)).bind_named("pages", 50).fetch::<(i64, i64)>();
    let (mut steps, mut last) = (0, (0, 0));
    while let Some(step) = progress.next().await {
        last = step.unwrap();
        steps += 1;
        // What is written meanwhile makes the copy begin anew, so it stops at some time.
        if steps < 20 {
            db.execute("INSERT INTO t (b) VALUES ($1)").bind(vec![7_u8; 1024]).await.unwrap();
        }
    }
    assert!(steps > 20, "{steps}");
    assert_eq!((last.0, last.1 > 500), (0, true), "{last:?}");
    let copy = copy.open().await;
    assert_eq!(count(&copy).await, 2019);
    assert!(is_sound(&copy).await);
    assert!(is_sound(&db).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_dropped_at_any_poll_leaves_the_destination_and_the_connection_as_they_were() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    filled(&file, 300).await.close().await.unwrap();
    filled(&copy, 1).await.close().await.unwrap();
    let db = builder(file.url()).max_connections(1).connect().await.unwrap();
    for polls in 0..40 {
        let backup = db.command("backup").bind(path(&copy)).bind_named("pages", 20).into_future();
        let done = tokio::time::timeout(Duration::from_millis(20), poll_then_drop(polls, backup)).await;
        let done = done.ok().flatten();
        assert_eq!(count(&db).await, 300);
        let copied = copy.open().await;
        let rows = count(&copied).await;
        // The last step may have come to its end while its future was dropped.
        assert!(rows == 300 || (rows == 1 && done.is_none()), "{rows} rows after {polls} polls");
        assert!(is_sound(&copied).await);
        copied.execute("DELETE FROM t WHERE id > 0").await.unwrap();
        copied.close().await.unwrap();
    }
    let mut progress = db.command("backup").bind(path(&copy)).bind_named("pages", 5).fetch::<(i64, i64)>();
    progress.next().await.unwrap().unwrap();
    drop(progress);
    assert_eq!(count(&copy.open().await).await, 1);
}

#[tokio::test]
async fn a_backup_waits_for_a_lock_without_holding_up_its_holder() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    let db = filled(&file, 10).await;
    filled(&copy, 3).await.close().await.unwrap();
    let other = builder(&format!("{}?journal_mode=delete", copy.url())).connect().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    holder.execute("DELETE FROM t").await.unwrap();
    let backup = db.command("backup").bind(path(&copy)).into_future();
    let (done, ()) = tokio::join!(backup, async {
        tokio::task::yield_now().await;
        holder.commit().await.unwrap();
    });
    done.unwrap();
    assert_eq!(count(&other).await, 10);
    let impatient = builder(&format!("{}?busy_timeout=10", file.url())).connect().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    holder.execute("DELETE FROM t").await.unwrap();
    let error = impatient.command("backup").bind(path(&copy)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Busy, true), "{error}");
}

#[tokio::test]
async fn the_second_lock_of_a_backup_is_waited_for_as_long_as_the_first() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    let other = builder(&format!("{}?journal_mode=delete", file.url())).connect().await.unwrap();
    other.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)").await.unwrap();
    let db = builder(&format!("{}?busy_timeout=300", file.url())).connect().await.unwrap();
    let mut steps = db.command("backup").bind(path(&copy)).bind_named("pages", 1).fetch::<(i64, i64)>();
    for _ in 0..2 {
        let exclusive = TransactionOptions { lock_mode: LockMode::EXCLUSIVE, ..TransactionOptions::default() };
        let tx = other.begin_with(exclusive).await.unwrap();
        let (step, ()) = tokio::join!(steps.next(), async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            tx.commit().await.unwrap();
        });
        step.unwrap().unwrap();
        // The time for this one is over.
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    while steps.next().await.transpose().unwrap().is_some() {}
    assert_eq!(count(&copy.open().await).await, 0);
}

#[tokio::test]
async fn a_transaction_that_has_written_is_not_backed_up_and_one_that_reads_is() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    let db = filled(&file, 3).await;
    let mut tx = db.begin().await.unwrap();
    assert_eq!(tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 3);
    tx.command("backup").bind(path(&copy)).await.unwrap();
    tx.execute("INSERT INTO t (b) VALUES ('new')").await.unwrap();
    let error = tx.command("backup").bind(path(&copy)).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState);
    assert!(error.suggested_fixes().iter().any(|fix| fix.contains("commit first")), "{:?}", error.suggested_fixes());
    tx.commit().await.unwrap();
    assert_eq!(count(&copy.open().await).await, 3);
    db.command("backup").bind(path(&copy)).await.unwrap();
    assert_eq!(count(&copy.open().await).await, 4);
}

#[tokio::test]
async fn what_is_restored_reads_as_what_was_copied() {
    let (file, copy) = (TestFile::new(), TestFile::new());
    let db = filled(&file, 500).await;
    db.command("backup").bind(path(&copy)).await.unwrap();
    db.execute("DELETE FROM t").await.unwrap();
    db.execute("CREATE TABLE later (x)").await.unwrap();
    let steps: Vec<(i64, i64)> = db.command("restore").bind(path(&copy)).fetch_all().await.unwrap();
    assert!(steps.len() > 1);
    assert_eq!(count(&db).await, 500);
    let error = db.query("SELECT * FROM later").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
    let in_memory = builder("sqlite::memory:").connect().await.unwrap();
    in_memory.command("restore").bind(path(&copy)).await.unwrap();
    assert_eq!(count(&in_memory).await, 500);
    in_memory.execute("DELETE FROM t WHERE id < 100").await.unwrap();
    in_memory.command("backup").bind(path(&copy)).await.unwrap();
    let copy = copy.open().await;
    assert_eq!(count(&copy).await, 400);
    assert!(is_sound(&copy).await);
}

#[tokio::test]
async fn an_image_moves_a_database_into_memory_and_stays_there() {
    let file = TestFile::new();
    let db = filled(&file, 200).await;
    let chunks: Vec<Vec<u8>> = db.command("serialize").fetch_all().await.unwrap();
    assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.len() <= 64 * 1024));
    let in_memory = builder("sqlite::memory:").connect().await.unwrap();
    let mut upload = in_memory.command("deserialize").upload().await.unwrap();
    for chunk in &chunks {
        upload.write(chunk).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), chunks.iter().map(Vec::len).sum::<usize>() as u64);
    assert_eq!(count(&in_memory).await, 200);
    // Through a reset of the only connection.
    let mut tx = in_memory.begin().await.unwrap();
    tx.execute("DELETE FROM t").await.unwrap();
    drop(tx);
    assert_eq!(count(&in_memory).await, 200);
    in_memory.execute("INSERT INTO t (b) VALUES (zeroblob(2000000))").await.unwrap();
    assert!(is_sound(&in_memory).await);
    // What is dropped or damaged changes nothing.
    let mut upload = in_memory.command("deserialize").upload().await.unwrap();
    upload.write(&chunks[0]).await.unwrap();
    drop(upload);
    let mut upload = in_memory.command("deserialize").upload().await.unwrap();
    upload.write(b"no database at all").await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Corrupt, "{error}");
    assert_eq!(count(&in_memory).await, 201);
    let error = db.command("deserialize").upload().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    assert!(error.suggested_fixes()[0].contains("restore"), "{:?}", error.suggested_fixes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_dropped_at_any_poll_replaces_the_database_or_does_not() {
    let file = TestFile::new();
    let chunks: Vec<Vec<u8>> = filled(&file, 200).await.command("serialize").fetch_all().await.unwrap();
    let db = builder("sqlite::memory:").max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)").await.unwrap();
    for polls in 0.. {
        assert!(polls < 500, "it does not end");
        let work = async {
            let mut upload = db.command("deserialize").upload().await?;
            for chunk in &chunks {
                upload.write(chunk).await?;
            }
            upload.finish().await
        };
        let has_ended = poll_then_drop(polls, work).await.map(Result::unwrap).is_some();
        let rows = count(&db).await;
        assert!(rows == 200 || (rows == 0 && !has_ended), "{rows} rows after {polls} polls");
        assert!(is_sound(&db).await);
        if has_ended {
            break;
        }
        db.execute("DELETE FROM t").await.unwrap();
    }
}

#[tokio::test]
async fn a_value_is_written_and_read_in_parts_inside_and_outside_of_transactions() {
    let file = TestFile::new();
    let db = filled(&file, 1).await;
    db.execute("UPDATE t SET b = zeroblob(300000)").await.unwrap();
    let mut upload = db.command("blob_write").bind("t").bind("b").bind(0).upload().await.unwrap();
    for part in 0..3_u8 {
        upload.write(&vec![part + 1; 100_000]).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), 300_000);
    let read = |offset: i64, length: i64| {
        let command = db.command("blob_read").bind("t").bind("b").bind(0);
        command.bind_named("offset", offset).bind_named("length", length).fetch_all::<Vec<u8>>()
    };
    assert_eq!(read(99_999, 2).await.unwrap().concat(), [1, 2]);
    let whole = read(0, i64::MAX).await.unwrap();
    assert!(whole.len() > 4);
    assert_eq!(whole.concat(), [vec![1; 100_000], vec![2; 100_000], vec![3; 100_000]].concat());
    // In a transaction that is rolled back, and one that is committed.
    for keep in [false, true] {
        let mut tx = db.begin().await.unwrap();
        let command = tx.command("blob_write").bind("t").bind("b").bind(0).bind_named("offset", 10);
        let mut upload = command.upload().await.unwrap();
        upload.write(b"hello").await.unwrap();
        upload.finish().await.unwrap();
        if keep { tx.commit().await } else { tx.rollback().await }.unwrap();
        assert_eq!(read(10, 5).await.unwrap().concat() == b"hello", keep);
    }
    // Dropped, on a connection that is held: nothing is lost but the upload.
    let mut connection = db.acquire().await.unwrap();
    connection.execute("PRAGMA cache_size = 1234").await.unwrap();
    let mut upload = connection.command("blob_write").bind("t").bind("b").bind(0).upload().await.unwrap();
    upload.write(b"never").await.unwrap();
    drop(upload);
    assert_eq!(connection.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(connection.query("PRAGMA cache_size").fetch_scalar::<i64>().await.unwrap(), 1234);
    assert_eq!(read(0, 1).await.unwrap().concat(), [1]);
    let mut upload = connection.command("blob_write").bind("t").bind("b").bind(0).upload().await.unwrap();
    let error = upload.write(&vec![0; 300_001]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TooLarge);
    assert!(error.suggested_fixes()[0].contains("zeroblob"));
    drop(upload);
    connection.execute("DELETE FROM t").await.unwrap();
    // The next user of the only connection has one of its own.
    let only = builder(file.url()).max_connections(1).connect().await.unwrap();
    only.execute("INSERT INTO t VALUES (0, 'x')").await.unwrap();
    let mut connection = only.acquire().await.unwrap();
    connection.execute("PRAGMA cache_size = 1234").await.unwrap();
    drop(connection.command("blob_write").bind("t").bind("b").bind(0).upload().await.unwrap());
    drop(connection);
    assert_eq!(only.query("PRAGMA cache_size").fetch_scalar::<i64>().await.unwrap(), -2000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_a_value_may_be_dropped_at_any_poll() {
    let file = TestFile::new();
    filled(&file, 1).await.close().await.unwrap();
    let url = format!("{}?journal_mode=delete&synchronous=full", file.url());
    let db = builder(&url).max_connections(1).connect().await.unwrap();
    let mut kept = 0;
    for polls in 0..30 {
        let work = async {
            let mut upload = db.command("blob_write").bind("t").bind("b").bind(0).upload().await?;
            upload.write(&[polls + 1; 512]).await?;
            upload.write(&[polls + 1; 512]).await?;
            upload.finish().await
        };
        kept += usize::from(poll_then_drop(polls.into(), work).await.is_some());
        let value: Vec<u8> = db.query("SELECT b FROM t").fetch_scalar().await.unwrap();
        assert_eq!((value.len(), value[0]), (1024, value[1023]), "half of it was kept after {polls} polls");
    }
    assert!(kept > 0);
}

#[tokio::test]
async fn commands_that_are_not_known_or_not_rightly_called_say_what_is() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    let error = db.command("back_up").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    assert!(error.to_string().contains("did you mean `backup`?"), "{error}");
    assert!(error.suggested_fixes()[0].contains("backup, restore, serialize, blob_read"));
    let error = db.command("backup").bind("/tmp/x").bind_named("page", 1).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
    assert!(error.to_string().contains("did you mean `pages`?"), "{error}");
    let error = db.command("blob_write").await.unwrap_err();
    assert!(error.to_string().contains("takes bytes"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_found_by_its_integrity_check() {
    let file = TestFile::new();
    filled(&file, 200).await.close().await.unwrap();
    let mut bytes = std::fs::read(file.path()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    std::fs::write(file.path(), bytes).unwrap();
    let db = file.open().await;
    let problems: Result<Vec<String>, DbError> = db.query("PRAGMA integrity_check").fetch_all().await;
    match problems {
        Ok(problems) => assert_ne!(problems, ["ok"]),
        Err(error) => assert_eq!(error.kind(), DbErrorKind::Corrupt),
    }
    let error = db.query(RuntimeSql("SELECT sum(length(b)) FROM t")).fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Corrupt);
}
