//! Every future of the public API, dropped at every poll: the connection goes on, outside of any transaction and without
//! locks, and of what the operation does there is all or nothing.

use montrs_orm::{Database, DbError, LockMode, Session, Transaction, TransactionOptions};
use montrs_tests::{Place, builder, differs, on_postgres, poll_then_drop, with};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{sleep, timeout};

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);
/// More polls than any operation here needs.
const MOST_POLLS: usize = 500;

/// Rows of several batches.
const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                    SELECT i, replace('xxxxxxxxxx', 'x', 'twenty characters...') FROM n";
const INSERT_MANY: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                           SELECT replace('xxxxxxxxxx', 'x', 'twenty characters...') FROM n RETURNING x";
const IMMEDIATE: TransactionOptions = TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..OPTIONS };
const OPTIONS: TransactionOptions = TransactionOptions {
    isolation: montrs_orm::Isolation::DEFAULT,
    access: montrs_orm::Access::READ_WRITE,
    lock_mode: LockMode::DEFAULT,
    deferrable: false,
};

/// The operations of a session, with the rows that each inserts.
const OPERATIONS: &[(&str, i64)] = &[
    ("ping", 0),
    ("script", 1),
    ("script in a transaction", 2),
    ("execute", 1),
    ("execute many", 900),
    ("fetch_one", 1),
    ("fetch_optional", 1),
    ("fetch_scalar", 900),
    ("fetch_all", 900),
    ("fetch_all reading", 0),
    ("stream", 900),
    ("stream reading", 0),
    ("for_each", 0),
    ("cursor", 0),
    ("describe", 0),
    ("begin, commit", 2),
    ("begin_with, commit", 1),
    ("begin, rollback", 0),
    ("begin, drop", 0),
    ("savepoints", 2),
    ("closure", 2),
    ("closure that fails", 0),
];

async fn run(operation: &str, on: &mut Session) -> Result<(), DbError> {
    const INSERT: &str = "INSERT INTO t VALUES ('x')";
    const RETURNING: &str = "INSERT INTO t VALUES ('x') RETURNING x";
    match operation {
        "ping" => on.ping().await,
        "script" => on.script("SELECT 1; SELECT 2; INSERT INTO t VALUES ('x')").await.map(drop),
        "script in a transaction" => {
            let mut tx = on.begin().await?;
            tx.script("INSERT INTO t VALUES ('x'); SELECT x FROM t; INSERT INTO t VALUES ('y')").await?;
            tx.commit().await
        }
        "execute" => on.execute(INSERT).await.map(drop),
        "execute many" => on.execute(INSERT_MANY).await.map(drop),
        "fetch_one" => on.query(RETURNING).fetch_one::<String>().await.map(drop),
        "fetch_optional" => on.query(RETURNING).fetch_optional::<String>().await.map(drop),
        "fetch_scalar" => on.query(INSERT_MANY).fetch_scalar::<String>().await.map(drop),
        "fetch_all" => on.query(INSERT_MANY).fetch_all::<String>().await.map(drop),
        "fetch_all reading" => {
            on.query(MANY).fetch_all::<(i64, String)>().await.map(|rows| assert_eq!(rows.len(), 900))
        }
        "stream" | "stream reading" => {
            let mut rows = 0;
            if operation == "stream" {
                let mut stream = on.query(INSERT_MANY).fetch::<String>();
                while stream.next().await.transpose()?.is_some() {
                    rows += 1;
                }
            } else {
                let mut stream = on.query(MANY).fetch::<(i64, String)>();
                while stream.next().await.transpose()?.is_some() {
                    rows += 1;
                }
            }
            assert_eq!(rows, 900);
            Ok(())
        }
        "for_each" => on.query(MANY).for_each(|_| Ok(())).await,
        "cursor" => {
            let mut cursor = on.query(MANY).cursor().await?;
            while cursor.next().await?.is_some() {}
            Ok(())
        }
        "describe" => on.query(MANY).describe().await.map(drop),
        "begin, commit" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            tx.execute(INSERT).await?;
            tx.commit().await
        }
        "begin_with, commit" => {
            let mut tx = on.begin_with(differs(IMMEDIATE, OPTIONS)).await?;
            tx.execute(INSERT).await?;
            tx.commit().await
        }
        "begin, rollback" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT_MANY).await?;
            tx.rollback().await
        }
        "begin, drop" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            tx.query(MANY).fetch::<(i64, String)>().next().await.transpose().map(drop)
        }
        "savepoints" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            let mut kept = tx.begin().await?;
            kept.execute(INSERT).await?;
            kept.commit().await?;
            let mut undone = tx.begin().await?;
            undone.execute(INSERT).await?;
            undone.rollback().await?;
            let mut dropped = tx.begin().await?;
            dropped.execute(INSERT_MANY).await?;
            drop(dropped);
            tx.commit().await
        }
        "closure" | "closure that fails" => {
            let fails = operation != "closure";
            let result = on
                .transaction(async |tx| {
                    tx.execute(INSERT).await?;
                    tx.transaction(async |tx| tx.execute(INSERT).await).await?;
                    if fails { Err(DbError::decode("expected by the test")) } else { Ok(()) }
                })
                .await;
            if fails { result.map_or_else(|_| Ok(()), |()| panic!("it fails")) } else { result }
        }
        _ => panic!("{operation} is no operation"),
    }
}

/// A transaction that holds the lock to write.
async fn locked(mut tx: Transaction<'_>) -> Transaction<'_> {
    if on_postgres() {
        tx.execute("LOCK TABLE t IN EXCLUSIVE MODE").await.unwrap();
    }
    tx
}

struct Scene {
    place: Place,
    /// Of one connection.
    db: Database,
    other: Database,
}

impl Scene {
    async fn new() -> Self {
        let place = Place::new();
        let url = differs(with(place.url(), "busy_timeout=600000"), place.url().to_owned());
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (x TEXT)").await.unwrap();
        let other = builder(&url).connect().await.unwrap();
        Self { place, db, other }
    }

    /// Polls so often, while another connection holds the lock to write for the beginning, and drops. Whether it ended.
    async fn attempt(&self, polls: usize, is_locked: bool, work: impl Future<Output = Result<(), DbError>>) -> bool {
        let holder = if is_locked {
            Some(locked(self.other.begin_with(differs(IMMEDIATE, OPTIONS)).await.unwrap()).await)
        } else {
            None
        };
        let holder = tokio::spawn(async move {
            if let Some(tx) = holder {
                sleep(Duration::from_millis(6)).await;
                tx.rollback().await.unwrap();
            }
        });
        let end = timeout(LONG, poll_then_drop(polls, work)).await.expect("nothing hangs");
        holder.await.unwrap();
        end.map(Result::unwrap).is_some()
    }

    /// Checks that everything is in order, and that so many rows are there, or none if it was dropped. Removes them.
    async fn check(&self, on: &mut Session, has_ended: bool, rows: i64, what: &str) {
        let found: i64 =
            on.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(found == rows || !has_ended && found == 0, "{what}: {found} rows");
        // No transaction is open, and no lock is held.
        on.begin().await.unwrap_or_else(|error| panic!("{what}: {error}")).rollback().await.unwrap();
        let delete = timeout(LONG, self.other.execute("DELETE FROM t").into_future()).await;
        delete.unwrap_or_else(|_| panic!("{what}: a lock is held")).unwrap();
        let found: i64 = on.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap();
        assert_eq!(found, 0, "{what}");
    }
}

async fn every_operation(is_locked: bool) {
    let scene = Scene::new().await;
    let mut all_polls = BTreeSet::new();
    for (operation, rows) in OPERATIONS {
        // Either the connection is dropped with the future, or it is used on.
        for is_kept in [false, true] {
            for polls in 0.. {
                assert!(polls < MOST_POLLS, "{operation} does not end");
                let what = format!("{operation}, dropped after {polls} polls");
                let has_ended = if is_kept {
                    let mut connection = scene.db.acquire().await.unwrap();
                    let has_ended = scene.attempt(polls, is_locked, run(operation, &mut connection)).await;
                    scene.check(&mut connection, has_ended, *rows, &what).await;
                    has_ended
                } else {
                    let work = async { run(operation, &mut *scene.db.acquire().await?).await };
                    let has_ended = scene.attempt(polls, is_locked, work).await;
                    let connection = timeout(LONG, scene.db.acquire()).await;
                    let mut connection = connection.unwrap_or_else(|_| panic!("{what}: it never comes free")).unwrap();
                    scene.check(&mut connection, has_ended, *rows, &what).await;
                    has_ended
                };
                if has_ended {
                    all_polls.insert(polls);
                    break;
                }
            }
        }
    }
    assert!(all_polls.last() > Some(&1), "nothing was dropped half-way");
    if !on_postgres() {
        let whole: String = scene.other.query("PRAGMA integrity_check").fetch_scalar().await.unwrap();
        assert_eq!(whole, "ok");
    }
}

#[tokio::test]
async fn every_operation_can_be_dropped_at_every_poll() {
    every_operation(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_can_be_dropped_at_every_poll_while_it_waits_for_a_lock() {
    every_operation(true).await;
}

#[tokio::test]
async fn opening_and_closing_can_be_dropped_at_every_poll() {
    let scene = Scene::new().await;
    for is_locked in [false, true] {
        for polls in 0.. {
            assert!(polls < MOST_POLLS);
            let url = differs(scene.db.redacted_url().to_owned(), with(scene.place.url(), "application_name=dropped"));
            let work = async {
                let db = builder(&url).connect().await?;
                let mut connection = db.acquire().await?;
                connection.execute("INSERT INTO t VALUES ('x')").await?;
                drop(connection);
                db.close().await
            };
            let has_ended = scene.attempt(polls, is_locked, work).await;
            let mut connection = scene.db.acquire().await.unwrap();
            // What was dropped with its database may still be on its way out; it holds its locks until then.
            if on_postgres() {
                let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped' \
                             AND datname = current_database()";
                let gone = async { while connection.query(there).fetch_scalar::<i64>().await.unwrap() > 0 {} };
                timeout(LONG, gone).await.expect("the server ends what was dropped");
            } else {
                connection.begin_with(IMMEDIATE).await.unwrap().rollback().await.unwrap();
            }
            scene.check(&mut connection, has_ended, 1, &format!("opening, dropped after {polls} polls")).await;
            if has_ended {
                break;
            }
        }
    }
}
