//! How often the fast path allocates memory: the host, the driver and SQLite together. All of them use the C library's
//! functions, in whose place this executable has its own, which count.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use montrs_orm::{Database, FromRow};
use montrs_tests::{TestFile, builder};
use std::{
    cell::Cell,
    ffi::{c_int, c_void},
};

mod libc {
    use std::ffi::c_void;

    unsafe extern "C" {
        pub(crate) fn __libc_malloc(size: usize) -> *mut c_void;
        pub(crate) fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        pub(crate) fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
        pub(crate) fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    }
}

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    count();
    // SAFETY: the C library's own.
    unsafe { libc::__libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
    count();
    // SAFETY: the C library's own.
    unsafe { libc::__libc_calloc(number, size) }
}

/// # Safety
///
/// As the C library says.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    count();
    // SAFETY: the caller promises what the C library wants.
    unsafe { libc::__libc_realloc(old, size) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    count();
    // SAFETY: the C library's own.
    unsafe { libc::__libc_memalign(align, size) }
}

/// # Safety
///
/// As the C library says.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, align: usize, size: usize) -> c_int {
    const ENOMEM: c_int = 12;
    let block = aligned_alloc(align, size);
    if block.is_null() {
        return ENOMEM;
    }
    // SAFETY: the caller gives a place for the address.
    unsafe { to.write(block) };
    0
}

/// The allocations of this thread while it runs, which is all of them: nothing runs on another one.
async fn allocations(mut work: impl AsyncFnMut()) -> usize {
    // What is made once, and kept.
    for _ in 0..50 {
        work().await;
    }
    let before = ALLOCATIONS.get();
    work().await;
    ALLOCATIONS.get() - before
}

#[derive(Debug, FromRow)]
struct User {
    id: i64,
    name: String,
}

/// Once through a connection that is held, and once through the pool.
#[tokio::test]
async fn a_point_query_allocates_its_result_and_nothing_else() {
    let file = TestFile::new();
    for url in ["sqlite::memory:", file.url()] {
        let db = builder(url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").await.unwrap();
        db.execute("INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')").await.unwrap();
        of_the_pool(&db).await;
        let mut held = db.acquire().await.unwrap();

        let sqlite_allocates = "SELECT length(hex(zeroblob(5000)))";
        let counted = allocations(async || {
            let length: i64 = held.query(sqlite_allocates).fetch_scalar().await.unwrap();
            assert_eq!(length, 10_000);
        });
        assert_ne!(counted.await, 0, "{url}: the driver's allocations are not counted");

        let number = allocations(async || {
            let id: i64 = held.query("SELECT id FROM users WHERE id = $1").bind(2).fetch_scalar().await.unwrap();
            assert_eq!(id, 2);
        });
        assert_eq!(number.await, 0, "{url}: a number needs no memory");
        let none = allocations(async || {
            let id = held.query("SELECT id FROM users WHERE id = $1").bind(3).fetch_optional::<i64>().await.unwrap();
            assert_eq!(id, None);
        });
        assert_eq!(none.await, 0, "{url}");
        let row = allocations(async || {
            let user: User = held.query("SELECT id, name FROM users WHERE id = $1").bind(2).fetch_one().await.unwrap();
            assert_eq!((user.id, user.name.as_str()), (2, "Grace"));
        });
        assert_eq!(row.await, 1, "{url}: the name's");
        let rows = allocations(async || {
            let ids: Vec<i64> = held.query("SELECT id FROM users ORDER BY id").fetch_all().await.unwrap();
            assert_eq!(ids, [1, 2]);
        });
        assert_eq!(rows.await, 1, "{url}: the vector's");
    }
}

async fn of_the_pool(db: &Database) {
    let number = allocations(async || {
        let id: i64 = db.query("SELECT id FROM users WHERE id = $1").bind(2).fetch_scalar().await.unwrap();
        assert_eq!(id, 2);
    });
    assert!(number.await <= 2, "the pool's own");
}
