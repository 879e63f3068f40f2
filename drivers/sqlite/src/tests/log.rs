//! The write-ahead log's file: what is committed is in it, in whatever order SQLite writes its frames.

use super::{TestFile, number, setup, text};
use std::fs;

/// What a power cut, or the end of the process, would leave, opened by another one: the index of the log is made anew.
fn recovered(file: &TestFile) -> (TestFile, i64) {
    let copy = TestFile::new();
    for suffix in ["", "-wal"] {
        let of = |file: &TestFile| file.path().with_file_name(format!("test.db{suffix}"));
        fs::copy(of(file), of(&copy)).unwrap();
    }
    let mut session = copy.open("");
    assert_eq!(text(&mut session, "PRAGMA integrity_check"), "ok");
    let sum = number(&mut session, "SELECT coalesce(sum(n), 0) FROM t");
    drop(session);
    (copy, sum)
}

#[test]
fn what_is_committed_is_in_the_log() {
    for parameters in ["", "synchronous=full", "pragma.wal_autocheckpoint=7"] {
        let file = TestFile::new();
        let mut session = file.open(parameters);
        setup(&mut session, &["CREATE TABLE t (n INTEGER, b BLOB)"]);
        for n in 1..=30 {
            setup(&mut session, &["INSERT INTO t VALUES (1, zeroblob(1000))"]);
            assert_eq!(recovered(&file).1, n, "{parameters}");
        }
    }
}

/// Pages that do not fit into memory go into the log before the commit; when they change again, their frames are written a
/// second time, and then the headers of all frames behind them alone.
#[test]
fn frames_that_are_written_twice_are_in_the_log() {
    let file = TestFile::new();
    let mut session = file.open("cache_size=5&pragma.wal_autocheckpoint=0");
    setup(&mut session, &["CREATE TABLE t (n INTEGER, b BLOB)"]);
    setup(
        &mut session,
        &["INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             SELECT 0, zeroblob(500) FROM n"],
    );
    for round in 1..=5 {
        setup(&mut session, &["BEGIN", "UPDATE t SET n = n + 1", "UPDATE t SET n = n + 1", "UPDATE t SET n = n + 1"]);
        assert_eq!(recovered(&file).1, (round - 1) * 300);
        setup(&mut session, &["COMMIT"]);
        assert_eq!(recovered(&file).1, round * 300);
    }
}
