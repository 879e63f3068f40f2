//! Networks that close, reset, hang or garble connections in the middle of whatever is under way, with TLS and without.

mod postgres;
#[path = "postgres/proxy.rs"]
mod proxy;

use montrs_orm::{Database, DatabaseBuilder, DbError, DbErrorKind};
use montrs_test_clusters::{Cluster, tls::users};
use montrs_tests::{builder, poll_then_drop};
use postgres::{over_loopback, with};
use proxy::{Direction, Fault, Proxy};
use std::time::Duration;

/// The operations, with the rows that each inserts.
const OPERATIONS: &[(&str, i64)] = &[
    ("connect", 0),
    ("prepare", 0),
    ("query", 0),
    ("stream", 0),
    ("stream in a transaction", 0),
    ("execute", 1),
    ("execute many", 3000),
    ("copy in", 3000),
    ("copy out", 0),
    ("copy out in a transaction", 0),
    ("listen", 0),
    ("begin", 0),
    ("commit", 1),
    ("cancel", 0),
];

const INSERT: &str = "INSERT INTO t VALUES ($1, repeat('x', 50))";
const MANY: &str = "SELECT n, repeat('x', 50) FROM generate_series(1, 3000) AS n";
const COPY_OUT: &str = "COPY (SELECT n, repeat('x', 50) FROM generate_series(1, 3000) AS n) TO STDOUT";

async fn run(operation: &str, url: &str, db: &Database, other: &Database) -> Result<(), DbError> {
    match operation {
        "connect" => builder(url).connect().await.map(drop),
        "prepare" => db.query("SELECT n, name FROM t WHERE n = $1").describe().await.map(drop),
        "query" => db.query("SELECT generate_series(1, $1)").bind(3).fetch_all::<i32>().await.map(drop),
        "stream" | "stream in a transaction" => {
            let mut tx = db.begin().await?;
            let mut stream = if operation == "stream" {
                drop(tx);
                db.query(MANY).fetch::<(i32, String)>()
            } else {
                tx.query(MANY).fetch::<(i32, String)>()
            };
            while stream.next().await.transpose()?.is_some() {}
            Ok(())
        }
        "execute" => db.execute(INSERT).bind(1).await.map(drop),
        "execute many" => db.execute_many(INSERT, (1..=3000).map(|n| [n])).await.map(drop),
        "copy in" => {
            let mut copy = db.command("copy_in").bind("COPY t FROM STDIN").upload().await?;
            copy.write_rows((1..=3000).map(|n| (n, "x".repeat(50)))).await?;
            copy.finish().await.map(drop)
        }
        "copy out" => db.command("copy_out").bind(COPY_OUT).fetch_all::<Vec<u8>>().await.map(drop),
        "copy out in a transaction" => {
            let mut tx = db.begin().await?;
            tx.command("copy_out").bind(COPY_OUT).fetch_all::<Vec<u8>>().await?;
            tx.commit().await
        }
        "listen" => {
            let mut connection = db.acquire().await?;
            let mut news = connection.command("listen").bind("network").cursor().await?;
            other.execute("NOTIFY network, 'news'").await.unwrap();
            let row = news.next().await?.map(|row| row.get::<String>(1)).transpose()?;
            assert_eq!(row.as_deref(), Some("news"));
            Ok(())
        }
        "begin" => db.begin().await?.rollback().await,
        "commit" => {
            let mut tx = db.begin().await?;
            tx.execute(INSERT).bind(1).await?;
            tx.commit().await
        }
        "cancel" => {
            poll_then_drop(2, db.execute("SELECT pg_sleep(0.2)").into_future()).await;
            db.ping().await
        }
        _ => panic!("{operation} is no operation"),
    }
}

struct Scene {
    proxy: Proxy,
    url: String,
    /// To the server itself.
    other: Database,
}

impl Scene {
    async fn new(server: &Cluster, url: &str, other: &str) -> Self {
        let proxy = Proxy::before(server.port()).await;
        let url = with(&proxy.url(url), "application_name=network");
        let other = builder(other).connect().await.unwrap();
        other.execute("CREATE TABLE t (n int, name text)").await.unwrap();
        other.execute("GRANT ALL ON t TO public").await.unwrap();
        Self { proxy, url, other }
    }

    /// One connection at most.
    fn builder(&self) -> DatabaseBuilder {
        // What is timed out here is so by the clock that the test turns.
        builder(&self.url).max_connections(1).acquire_timeout(Duration::from_secs(100_000))
    }

    /// How many bytes go in each direction when nothing happens.
    async fn measure(&self, operation: &str, rows: i64) -> [(Direction, usize); 2] {
        let db = self.builder().connect().await.unwrap();
        let count =
            || [Direction::ToServer, Direction::ToClient].map(|direction| (direction, self.proxy.count(direction)));
        let before = count();
        run(operation, &self.url, &db, &self.other).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        let after = count();
        assert_eq!(self.rows().await, rows, "{operation}");
        std::array::from_fn(|index| (before[index].0, after[index].1 - before[index].1))
    }

    /// How many rows there are; there are none afterwards.
    async fn rows(&self) -> i64 {
        let delete = "WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone";
        self.other.query(delete).fetch_scalar().await.unwrap()
    }

    /// Waits until the server has ended what it did for connections through the proxy, but for so many of them.
    async fn server_is_done(&self, but: i64) {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'network' AND pid <> pg_backend_pid()";
        while self.other.query(sql).fetch_scalar::<i64>().await.unwrap() > but {
            tokio::task::yield_now().await;
        }
    }

    async fn check(
        &self,
        (operation, rows): (&str, i64),
        fault: Fault,
        direction: Direction,
        after: usize,
    ) -> Option<DbErrorKind> {
        let what = format!("{operation}, {fault:?} after {after} bytes {direction:?}");
        let db = self.builder().connect().await.unwrap();
        self.proxy.plan(fault, direction, after);
        let end = tokio::select! {
            end = run(operation, &self.url, &db, &self.other) => Some(end),
            () = self.proxy.happened(), if fault == Fault::Hang => None,
        };
        if fault == Fault::Hang {
            // What was dropped is given up after a while.
            while db.pool_status().open > db.pool_status().idle {
                pass(Duration::from_secs(11)).await;
            }
        }
        self.proxy.forget();
        // The next one finds a connection that works.
        let next: Result<i32, DbError> = db.query("SELECT 1").fetch_scalar().await;
        assert!(matches!(next, Ok(1)), "{what}: {next:?}");
        assert!(db.pool_status().open <= 1, "{what}");
        drop(db);
        if fault != Fault::Hang {
            self.server_is_done(0).await;
        }
        let found = self.rows().await;
        let Some(end) = end else {
            assert!(found == 0 || found == rows, "{what}: {found} rows");
            return None;
        };
        match &end {
            Ok(()) => assert_eq!(found, rows, "{what}"),
            Err(error) => {
                assert!(found == 0 || found == rows, "{what}: {found} rows");
                assert!(found == 0 || error.may_have_executed(), "{what}: it was performed: {error:?}");
                assert!(found == 0 || !error.is_retryable(), "{what}: it was performed: {error:?}");
                // Before anything was sent, or where nothing can have been done, that is known.
                if operation == "connect" {
                    assert!(error.is_retryable() && !error.may_have_executed(), "{what}: {error:?}");
                }
                let text = format!("{error:?}");
                assert!(text.len() < 2000, "{what}: {text}");
            }
        }
        end.err().map(|error| {
            let expected: &[DbErrorKind] = match (operation, fault) {
                ("connect", Fault::Garbage) => &[DbErrorKind::Connection, DbErrorKind::Tls],
                ("connect", _) => &[DbErrorKind::Connection],
                _ => &[DbErrorKind::ConnectionLost],
            };
            assert!(expected.contains(&error.kind()), "{what}: {error:?}");
            error.kind()
        })
    }

    async fn every_operation(&self, operations: &[(&str, i64)], faults: &[Fault], parts: usize) {
        for (operation, rows) in operations {
            let mut failures = 0;
            for (direction, total) in self.measure(operation, *rows).await {
                for fault in faults {
                    // From before the first byte to before the last one.
                    for part in 0..=parts {
                        let after = (total.saturating_sub(1)) * part / parts;
                        let failure = self.check((operation, *rows), *fault, direction, after).await;
                        failures += usize::from(failure.is_some() || *fault == Fault::Hang);
                    }
                }
            }
            // What is done to a cancellation need not be seen: it is made again, or the connection is replaced.
            let is_seen = failures > faults.len() || *operation == "cancel";
            assert!(is_seen, "{operation}: hardly anything has happened");
        }
    }
}

/// Lets so much time pass for whoever has asked for it so far.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_connection_may_be_closed_or_reset_at_any_time() {
    let server = Cluster::plain();
    let url = with(&over_loopback(&server.url()), "sslmode=disable");
    Scene::new(&server, &url, &url).await.every_operation(OPERATIONS, &[Fault::Close, Fault::Reset], 4).await;
}

#[tokio::test]
async fn what_is_not_the_protocol_may_come_at_any_time() {
    let server = Cluster::plain();
    let url = with(&over_loopback(&server.url()), "sslmode=disable");
    Scene::new(&server, &url, &url).await.every_operation(OPERATIONS, &[Fault::Garbage], 7).await;
}

#[tokio::test]
async fn a_network_may_be_dead_at_any_time() {
    let server = Cluster::plain();
    let url = with(&over_loopback(&server.url()), "sslmode=disable");
    Scene::new(&server, &url, &url).await.every_operation(OPERATIONS, &[Fault::Hang], 3).await;
}

#[tokio::test]
async fn under_tls_it_is_the_same() {
    // Each connection takes its time to be encrypted by a driver that is not optimized.
    let operations = [("connect", 0), ("stream", 0), ("execute many", 3000), ("copy in", 3000), ("commit", 1)];
    let server = Cluster::tls();
    let url = with(&server.url_of(users::PASSWORD, "postgres"), "sslmode=require");
    let other = with(&server.url_of("postgres", "postgres"), "sslmode=require");
    let scene = Scene::new(&server, &url, &other).await;
    scene.every_operation(&operations, &[Fault::Close, Fault::Garbage], 2).await;
    // The server is not told that these have gone.
    scene.every_operation(&operations, &[Fault::Hang], 2).await;
}

/// Otherwise it would meet the statement after it.
#[tokio::test]
async fn a_cancellation_that_is_late_is_waited_for() {
    let server = Cluster::plain();
    let (proxy, url) = (Proxy::before(server.port()).await, over_loopback(&server.url()));
    let db = builder(&proxy.url(&url)).max_connections(1).connect().await.unwrap();
    let other = builder(&url).max_connections(1).connect().await.unwrap();
    let mut other = other.acquire().await.unwrap();
    other.execute("SELECT pg_advisory_lock(1), pg_advisory_lock(2)").await.unwrap();
    const WAITING: &str =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1::oid";
    let first = {
        let db = db.clone();
        tokio::spawn(async move { db.execute("SELECT pg_advisory_lock(1)").await })
    };
    while other.query(WAITING).bind(1).fetch_scalar::<i64>().await.unwrap() == 0 {}
    proxy.plan(Fault::Hold, Direction::ToServer, 0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let next = tokio::spawn(async move { db.execute("SELECT pg_advisory_lock(2)").await });
    proxy.happened().await;
    // What was to be cancelled ends by itself, and only then is the cancellation let through.
    other.execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    for _ in 0..500 {
        let waiting: i64 = other.query(WAITING).bind(2).fetch_scalar().await.unwrap();
        assert_eq!(waiting, 0, "the next statement was sent while the cancellation was under way");
    }
    proxy.release();
    while other.query(WAITING).bind(2).fetch_scalar::<i64>().await.unwrap() == 0 && !next.is_finished() {}
    other.execute("SELECT pg_advisory_unlock(2)").await.unwrap();
    next.await.unwrap().expect("nobody has cancelled it");
}
