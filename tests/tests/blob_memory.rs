//! A large value goes in and out in parts: the memory of the process, which is why this has an executable of its own, stays
//! small.

#![cfg(target_os = "linux")]

use montrs_tests::{TestFile, builder};

const MIB: usize = 1 << 20;

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn a_value_of_64_mib_is_written_and_read_with_little_memory() {
    for execution in ["coroutine", "blocking"] {
        let file = TestFile::new();
        let db = builder(&format!("{}?execution={execution}", file.url())).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (b)").await.unwrap();
        db.execute("INSERT INTO t VALUES (zeroblob($1))").bind((64 * MIB) as i64).await.unwrap();
        let before = resident();
        let mut most = before;
        let mut upload = db.command("blob_write").bind("t").bind("b").bind(1).upload().await.unwrap();
        for part in 0..64 * 16_u32 {
            upload.write(&[part as u8; MIB / 16]).await.unwrap();
            most = most.max(resident());
        }
        assert_eq!(upload.finish().await.unwrap(), 64 * MIB as u64);
        let (mut chunks, mut parts) = (db.command("blob_read").bind("t").bind("b").bind(1).fetch::<Vec<u8>>(), 0);
        while let Some(chunk) = chunks.next().await {
            assert_eq!(chunk.unwrap(), [parts as u8; MIB / 16]);
            parts += 1;
            most = most.max(resident());
        }
        assert_eq!(parts, 64 * 16_u32);
        // SQLite's cache of pages takes 2 MiB.
        assert!(most - before < 12 * MIB, "{execution}: {} MiB", (most - before) / MIB);
    }
}
