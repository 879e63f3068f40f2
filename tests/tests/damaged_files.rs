//! Files that are damaged, or of another kind: an error that says so to whoever reads the damage, and to nobody else.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql};
use montrs_tests::{TestFile, builder};
use std::{fs, time::Duration};
use tokio::time::timeout;

const PAGE: usize = 4096;

/// Bytes that look random and are the same each time.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(byte).take(len).collect()
}

#[tokio::test]
async fn a_file_of_noise_is_told_as_no_database_or_an_encrypted_one() {
    let header_only = [b"SQLite format 3\0".to_vec(), noise(2, 4 * PAGE)].concat();
    for content in [noise(1, 4 * PAGE), noise(3, 16 * PAGE), header_only] {
        let file = TestFile::new();
        fs::write(file.path(), &content).unwrap();
        for parameters in ["", "?mode=ro", "?mode=rw&journal_mode=wal", "?immutable=1"] {
            let error = builder(&format!("{}{parameters}", file.url())).connect().await.unwrap_err();
            assert_eq!((error.kind(), error.error_code()), (DbErrorKind::Corrupt, "DB_CORRUPT"), "{error:?}");
            assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
            assert!(error.to_string().contains("not a database"), "{error}");
            assert!(error.suggested_fixes().join("\n").contains("encrypted"), "{:?}", error.suggested_fixes());
        }
        assert_eq!(fs::read(file.path()).unwrap(), content, "nothing was written to it");
    }
}

/// A file with a table of many pages and one of a single page, closed.
async fn two_tables(file: &TestFile) {
    let db = builder(&format!("{}?journal_mode=delete", file.url())).connect().await.unwrap();
    db.execute("CREATE TABLE small (a)").await.unwrap();
    db.execute("INSERT INTO small VALUES (1)").await.unwrap();
    db.execute("CREATE TABLE large (a INTEGER PRIMARY KEY, b TEXT)").await.unwrap();
    db.execute("CREATE INDEX large_b ON large (b)").await.unwrap();
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (word)").await.unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
                INSERT INTO large SELECT i, i || hex(zeroblob(20)) FROM n";
    db.execute(fill).await.unwrap();
    db.execute("INSERT INTO words SELECT 'word' || a FROM large WHERE a < 100").await.unwrap();
    db.close().await.unwrap();
}

/// The page, from 0, that is the root of a table.
async fn root(db: &Database, table: &str) -> usize {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = $1";
    db.query(sql).bind(table).fetch_scalar::<i64>().await.unwrap() as usize - 1
}

fn overwrite(file: &TestFile, page: usize, with: &[u8]) {
    let mut content = fs::read(file.path()).unwrap();
    content[page * PAGE..][..with.len()].copy_from_slice(with);
    fs::write(file.path(), content).unwrap();
}

#[tokio::test]
async fn a_page_that_is_damaged_is_an_error_for_who_reads_it_and_for_nobody_else() {
    let file = TestFile::new();
    two_tables(&file).await;
    let db = builder(file.url()).max_connections(2).connect().await.unwrap();
    overwrite(&file, root(&db, "large").await, &noise(7, PAGE));

    let mut bystander = db.acquire().await.unwrap();
    let mut tx = bystander.begin().await.unwrap();
    tx.execute("INSERT INTO small VALUES (2)").await.unwrap();
    for _ in 0..3 {
        let error = db.query("SELECT max(length(b)) FROM large NOT INDEXED").fetch_scalar::<i64>().await.unwrap_err();
        assert_eq!((error.kind(), error.native_code()), (DbErrorKind::Corrupt, Some(11)), "{error:?}");
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        let fixes = error.suggested_fixes().join("\n");
        assert!(fixes.contains("integrity_check") && fixes.contains("backup"), "{fixes}");
        assert_eq!(db.query("SELECT count(*) FROM small").fetch_scalar::<i64>().await.unwrap(), 1);
    }
    tx.execute("INSERT INTO small VALUES (3)").await.unwrap();
    tx.commit().await.unwrap();
    // Also for who has read it: the connection goes on.
    let damaged = "SELECT max(length(b)) FROM large NOT INDEXED";
    assert_eq!(bystander.query(damaged).fetch_scalar::<i64>().await.unwrap_err().kind(), DbErrorKind::Corrupt);
    assert_eq!(bystander.query("SELECT a FROM small").fetch_all::<i64>().await.unwrap(), [1, 2, 3]);

    let failed: Result<(), DbError> = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO small VALUES (4)").await?;
            tx.execute("UPDATE large SET b = 'x' || b").await.map(drop)
        })
        .await;
    assert_eq!(failed.unwrap_err().kind(), DbErrorKind::Corrupt);
    assert_eq!(db.query("SELECT a FROM small").fetch_all::<i64>().await.unwrap(), [1, 2, 3]);
    assert_ne!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
    assert_eq!(db.pool_status().open, 2, "{:?}", db.pool_status());
}

/// What an application might do.
const STATEMENTS: &[&str] = &[
    "SELECT a FROM small",
    "SELECT count(*), max(b) FROM large",
    "SELECT a FROM large WHERE b > '5' ORDER BY b DESC LIMIT 3",
    "SELECT a, b FROM large NOT INDEXED",
    "SELECT word FROM words WHERE words MATCH 'word7*'",
    "INSERT INTO large VALUES (NULL, 'new')",
    "UPDATE large SET b = b || 'x' WHERE a % 7 = 0",
    "DELETE FROM large WHERE a % 5 = 0",
    "INSERT INTO words VALUES ('another')",
    "PRAGMA integrity_check(5)",
    "PRAGMA wal_checkpoint",
    "CREATE TABLE new AS SELECT * FROM large",
    "VACUUM",
];

/// Whatever is wrong with the file, each statement ends, with a result or an error that a program can tell from others.
async fn battery(file: &TestFile, what: &str) {
    let db = match builder(&format!("{}?busy_timeout=1000", file.url())).max_connections(2).connect().await {
        Ok(db) => db,
        Err(error) => return assert_kind(&error, what),
    };
    for sql in STATEMENTS {
        let mut rows = 0;
        let run = db.query(*sql).for_each(|_| {
            rows += 1;
            Ok(())
        });
        match timeout(Duration::from_secs(60), run).await.unwrap_or_else(|_| panic!("{what}: {sql}: it hangs")) {
            Ok(()) => {}
            Err(error) => assert_kind(&error, &format!("{what}: {sql}")),
        }
    }
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1, "{what}");
}

fn assert_kind(error: &DbError, what: &str) {
    // A schema that cannot be read has no tables; a page count that is too small is a full database.
    let expected = [DbErrorKind::Corrupt, DbErrorKind::UndefinedTable, DbErrorKind::Query, DbErrorKind::DiskFull];
    assert!(expected.contains(&error.kind()), "{what}: {error:?}");
    // SQLITE_CORRUPT and SQLITE_NOTADB, of which there are several.
    let is_damage = error.native_code().is_some_and(|code| matches!(code & 0xff, 11 | 26));
    assert_eq!(is_damage, error.kind() == DbErrorKind::Corrupt, "{what}: {error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_page_may_be_overwritten_or_missing_and_every_statement_ends() {
    let file = TestFile::new();
    two_tables(&file).await;
    let whole = fs::read(file.path()).unwrap();
    let pages = whole.len() / PAGE;
    for page in 0..pages {
        // A whole page, its beginning, a byte somewhere; and the file ends before it.
        let at = noise(page as u64, 2).iter().map(|byte| usize::from(*byte)).product::<usize>() % (PAGE - 1);
        for (offset, len) in [(0, PAGE), (0, 12), (at, 1), (at, 2)] {
            // The header of the file stays: without it, it is no database.
            let offset = if page == 0 { offset.max(100) } else { offset };
            let mut damaged = whole.clone();
            let end = (offset + len).min(PAGE);
            damaged[page * PAGE + offset..page * PAGE + end].copy_from_slice(&noise(page as u64 + 99, end - offset));
            fs::write(file.path(), damaged).unwrap();
            battery(&file, &format!("{len} bytes at {offset} of page {page}")).await;
        }
        if page > 0 {
            fs::write(file.path(), &whole[..page * PAGE]).unwrap();
            battery(&file, &format!("{page} pages")).await;
            fs::write(file.path(), &whole[..page * PAGE + at]).unwrap();
            battery(&file, &format!("{page} pages and {at} bytes")).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_while_it_is_open_is_told_and_works_again_when_it_is_mended() {
    let file = TestFile::new();
    two_tables(&file).await;
    // Nothing is cached: what is on the disk is read.
    let db = builder(&format!("{}?cache_size=0", file.url())).max_connections(1).connect().await.unwrap();
    let page = root(&db, "large").await;
    let whole = fs::read(file.path()).unwrap();
    let count = async || db.query("SELECT sum(length(b)) FROM large NOT INDEXED").fetch_scalar::<i64>().await;
    let sum = count().await.unwrap();
    for _ in 0..3 {
        overwrite(&file, page, &noise(9, PAGE));
        // Another process has written, as far as this one can see.
        let other = builder(file.url()).connect().await.unwrap();
        other.execute("INSERT INTO small VALUES (2)").await.unwrap();
        assert_eq!(count().await.unwrap_err().kind(), DbErrorKind::Corrupt);
        overwrite(&file, page, &whole[page * PAGE..][..PAGE]);
        assert_eq!(count().await.unwrap(), sum);
    }
}

/// Frames after the damage count as not written: their checksums go on from what was before.
#[tokio::test]
async fn a_damaged_write_ahead_log_loses_what_follows_the_damage_and_nothing_before() {
    let file = TestFile::new();
    let db = builder(file.url()).connect().await.unwrap();
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)").await.unwrap();
    for n in 1..=20 {
        db.execute("INSERT INTO t VALUES ($1, zeroblob(3000))").bind(n).await.unwrap();
    }
    // As after a crash: the log was not moved into the database.
    let copy = TestFile::new();
    let log = |file: &TestFile| file.path().with_file_name("test.db-wal");
    fs::copy(file.path(), copy.path()).unwrap();
    let whole = fs::read(log(&file)).unwrap();
    let mut before = -1;
    for tenth in 0..=10 {
        let mut damaged = whole.clone();
        let at = whole.len() * tenth / 10;
        let end = (at + 100).min(whole.len());
        damaged[at..end].copy_from_slice(&noise(5, end - at));
        fs::copy(file.path(), copy.path()).unwrap();
        fs::write(log(&copy), &damaged).unwrap();
        let db = builder(copy.url()).connect().await.unwrap();
        assert_eq!(db.query("PRAGMA integrity_check").fetch_scalar::<String>().await.unwrap(), "ok");
        let rows = match db.query(RuntimeSql("SELECT count(*) FROM t")).fetch_scalar::<i64>().await {
            Ok(rows) => {
                let last: Option<i64> = db.query("SELECT max(a) FROM t").fetch_scalar().await.unwrap();
                assert_eq!(last.unwrap_or(0), rows, "the first ones are there");
                rows
            }
            Err(error) => {
                assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
                -1
            }
        };
        assert!(rows >= before, "{rows} rows, {before} with more damage");
        before = rows;
        db.close().await.unwrap();
    }
    assert_eq!(before, 20);
}
