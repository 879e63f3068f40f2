//! `kill -9` of a server's process for a connection, and of the whole server, in the middle of each kind of operation.

mod postgres;
#[path = "postgres/proxy.rs"]
mod proxy;

use montrs_orm::{Database, DbError, DbErrorKind};
use montrs_test_clusters::Cluster;
use montrs_tests::{builder, poll_then_drop};
use postgres::{over_loopback, with};
use proxy::{Direction, Fault, Proxy};
use std::{process::Command, sync::Mutex, time::Duration};
use tokio::time::timeout;

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);

const OPERATIONS: &[&str] = &[
    "connect",
    "prepare",
    "query",
    "stream",
    "stream in a transaction",
    "execute",
    "execute many",
    "copy in",
    "copy out",
    "listen",
    "begin",
    "commit",
    "cancel",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Session,
    Server,
}

struct Scene {
    server: Mutex<Cluster>,
    proxy: Proxy,
    db: Database,
    url: String,
    victim: Victim,
}

impl Scene {
    async fn new(victim: Victim) -> Self {
        let server = Cluster::plain();
        let proxy = Proxy::before(server.port()).await;
        let url = with(&over_loopback(&proxy.url(&server.url())), "sslmode=disable&application_name=victim");
        let db = builder(&url).max_connections(2).connect().await.unwrap();
        db.execute("CREATE TABLE t (n int PRIMARY KEY)").await.unwrap();
        Self { server: Mutex::new(server), proxy, db, url, victim }
    }

    /// Kills the session that has run a statement like this last, or else the server.
    fn kill(&self, statement: &str) {
        let mut server = self.server.lock().unwrap();
        if self.victim == Victim::Server {
            server.kill();
            return server.run();
        }
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND query LIKE '%{statement}%' LIMIT 1"
        );
        let pid = server.sql(&sql);
        let status = Command::new("kill").args(["-9", &pid]).status().unwrap();
        assert!(status.success(), "no session runs {statement}: {pid:?}");
    }

    /// Kills while a statement like this runs.
    async fn kill_while_it_runs(&self, statement: &str) {
        let running = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'victim' AND query LIKE '%{statement}%'"
        );
        loop {
            if self.server.lock().unwrap().sql(&running) != "0" {
                return self.kill(statement);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Kills when the server has got all of the request but its end.
    async fn kill_before_its_end(&self, bytes: usize, statement: &str) {
        self.proxy.plan(Fault::Hold, Direction::ToServer, bytes);
        self.proxy.happened().await;
        self.kill(statement);
        self.proxy.release();
    }

    /// Runs an operation, in the middle of which something is killed.
    async fn run(&self, operation: &str) -> Result<(), DbError> {
        let mut connection = loop {
            // What was killed last may only now end this one, too.
            let mut connection = self.db.acquire().await?;
            if connection.execute("SELECT 'marked'").await.is_ok() {
                break connection;
            }
        };
        match operation {
            "connect" => {
                drop(connection);
                let connect = builder(&self.url).max_connections(1).connect();
                // Its process has no statement and no name yet; so it is another session that is killed, which ends all.
                tokio::join!(async { connect.await.map(drop) }, self.kill_before_its_end(20, "marked")).0
            }
            "prepare" => {
                let work = async { connection.query("SELECT n FROM t WHERE n = $1").describe().await.map(drop) };
                tokio::join!(work, self.kill_before_its_end(30, "marked")).0
            }
            "query" => {
                let work =
                    async { connection.query("SELECT 1 FROM pg_sleep(1000)").fetch_scalar::<i32>().await.map(drop) };
                tokio::join!(work, self.kill_while_it_runs("FROM pg_sleep")).0
            }
            "stream" => {
                let mut stream = connection.query(ENDLESS).fetch::<(i64, String)>();
                assert_eq!(stream.next().await.unwrap()?.0, 1);
                self.kill_while_it_runs("1000000").await;
                while stream.next().await.transpose()?.is_some() {}
                Ok(())
            }
            "stream in a transaction" => {
                let mut tx = connection.begin().await?;
                let mut stream = tx.query(ENDLESS).fetch::<(i64, String)>();
                assert_eq!(stream.next().await.unwrap()?.0, 1);
                self.kill("1000000");
                while stream.next().await.transpose()?.is_some() {}
                Ok(())
            }
            "execute" => {
                let work = async { connection.execute("INSERT INTO t SELECT 1 FROM pg_sleep(1000)").await.map(drop) };
                tokio::join!(work, self.kill_while_it_runs("INSERT INTO t")).0
            }
            "execute many" => {
                let sql = "INSERT INTO t SELECT $1 FROM pg_sleep(CASE WHEN $1 = 500 THEN 1000 ELSE 0 END)";
                let work = async { connection.execute_many(sql, (1..=1000).map(|n| [n])).await.map(drop) };
                tokio::join!(work, self.kill_while_it_runs("INSERT INTO t")).0
            }
            "copy in" => {
                let mut copy = connection.command("copy_in").bind("COPY t FROM STDIN").upload().await?;
                copy.write(b"1\n2\n").await?;
                self.kill_while_it_runs("COPY t").await;
                copy.write(b"3\n").await?;
                copy.finish().await.map(drop)
            }
            "copy out" => {
                let sql = "COPY (SELECT n, repeat('x', 1000) FROM generate_series(1, 1000000) AS n) TO STDOUT";
                let mut pieces = connection.command("copy_out").bind(sql).fetch::<Vec<u8>>();
                pieces.next().await.unwrap()?;
                self.kill_while_it_runs("COPY").await;
                while pieces.next().await.transpose()?.is_some() {}
                Ok(())
            }
            "listen" => {
                let mut news = connection.command("listen").bind("victim").cursor().await?;
                self.kill("LISTEN");
                news.next().await.map(drop)
            }
            "begin" => {
                let work = async { connection.begin().await.map(drop) };
                tokio::join!(work, self.kill_before_its_end(5, "marked")).0
            }
            "commit" => {
                let mut tx = connection.begin().await?;
                tx.execute("INSERT INTO t VALUES (1)").await?;
                tokio::join!(tx.commit(), self.kill_before_its_end(5, "INSERT INTO t")).0
            }
            "cancel" => {
                poll_then_drop(2, connection.execute("SELECT pg_sleep(1000)").into_future()).await;
                self.kill_while_it_runs("pg_sleep").await;
                connection.ping().await
            }
            _ => panic!("{operation} is no operation"),
        }
    }

    async fn every_operation(&self) {
        for operation in OPERATIONS {
            let what = format!("{operation}, {:?}", self.victim);
            let end = timeout(LONG, self.run(operation)).await.unwrap_or_else(|_| panic!("{what} hangs"));
            // It is another session that was killed then: the server may serve who connects before it notices.
            if end.is_ok() && *operation == "connect" && self.victim == Victim::Session {
                continue;
            }
            let error = end.expect_err(&what);
            let expected: &[DbErrorKind] = match *operation {
                "connect" => &[DbErrorKind::Connection],
                _ => &[DbErrorKind::ConnectionLost],
            };
            assert!(expected.contains(&error.kind()), "{what}: {error:?}");
            // Nothing is kept of what was begun, or of what the server says that it has broken off.
            let may_have_executed = !matches!(*operation, "connect" | "prepare" | "begin" | "cancel" | "listen")
                && error.sqlstate() != Some("57P01");
            let judged = (error.may_have_executed(), error.is_retryable());
            assert_eq!(judged, (may_have_executed, !may_have_executed), "{what}: {error:?}");
            // The pool recovers by itself; while the server does, errors say that trying again is right.
            let recovered = async {
                loop {
                    match self.db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await {
                        Ok(count) => break count,
                        Err(error) => assert!(
                            error.is_retryable() || error.kind() == DbErrorKind::ConnectionLost,
                            "{what}, then: {error:?}"
                        ),
                    }
                }
            };
            let count = timeout(LONG, recovered).await.unwrap_or_else(|_| panic!("{what}: the pool does not recover"));
            assert_eq!(count, 0, "{what}: nothing was performed as a whole");
            let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
            assert_eq!(self.db.query(open).fetch_scalar::<i64>().await.unwrap(), 0, "{what}");
        }
    }
}

const ENDLESS: &str = "SELECT n, repeat('x', 1000) FROM generate_series(1, 1000000::bigint) AS n";

#[tokio::test]
async fn a_session_s_process_may_be_killed_at_any_time() {
    Scene::new(Victim::Session).await.every_operation().await;
}

#[tokio::test]
async fn the_server_may_be_killed_at_any_time() {
    Scene::new(Victim::Server).await.every_operation().await;
}
