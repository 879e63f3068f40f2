//! A result without an end is read as a stream, by a slow reader: only as much is fetched as is read, so the memory of the
//! process, which is why this has an executable of its own, stays small.

#![cfg(target_os = "linux")]

use montrs_orm::{Database, Query};
use montrs_test_clusters::TestDatabase;
use montrs_tests::{TestFile, builder, over_loopback};

const MIB: usize = 1 << 20;

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Numbers from 1 on, each with a text of 4 KiB.
fn endless(query: Query<'_>) -> Query<'_> {
    query.bind("x".repeat(4096))
}

const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, CAST($1 AS TEXT) FROM n";

async fn is_read_with_little_memory(query: Query<'_>, what: &str) {
    let mut rows = endless(query).fetch::<(i64, String)>();
    let mut most = 0;
    let mut before = 0;
    for number in 1..=16_000 {
        let (i, text) = rows.next().await.expect("it has no end").unwrap();
        assert_eq!((i, text.len()), (number, 4096));
        if number % 1000 == 0 {
            // Whoever fetched on its own would do so now.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            match before {
                0 => before = resident(),
                _ => most = most.max(resident()),
            }
        }
    }
    assert!(most < before + 8 * MIB, "{what}: {} MiB more", (most - before) / MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_end_is_read_slowly_with_little_memory() {
    let (file, server) = (TestFile::new(), TestDatabase::new());
    for url in [file.url(), &format!("{}?execution=blocking", file.url()), &over_loopback(server.url())] {
        let db: Database = builder(url).max_connections(1).connect().await.unwrap();
        is_read_with_little_memory(db.query(ENDLESS), url).await;
        let mut tx = db.begin().await.unwrap();
        is_read_with_little_memory(tx.query(ENDLESS), url).await;
        tx.rollback().await.unwrap();
        // The only connection serves the next one.
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    }
}
