//! Every future of the public API, dropped at every poll: the connection goes on, outside of any transaction and without
//! locks, the pool has it back, and of what the operation does there is all or nothing.

#[path = "dropping/on_database.rs"]
mod on_database;
#[path = "dropping/on_session.rs"]
mod on_session;
#[path = "dropping/public_futures.rs"]
mod public_futures;

use montrs_orm::{Connection, Database, DatabaseBuilder, DbError, HookFuture, RuntimeSql, Session, Transaction};
use montrs_tests::{Place, builder, differs, on_postgres, plugins, poll_then_drop, process, with};
use on_session::{IMMEDIATE, OPTIONS};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{sleep, timeout};

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(60);
/// More polls than any operation here needs.
const MOST_POLLS: usize = 500;

/// A transaction that holds the lock to write.
async fn locked(mut tx: Transaction<'_>) -> Transaction<'_> {
    if on_postgres() {
        tx.execute("LOCK TABLE t IN EXCLUSIVE MODE").await.unwrap();
    }
    tx
}

struct Scene {
    _place: Option<Place>,
    url: String,
    /// Of one connection.
    db: Database,
    other: Database,
}

impl Scene {
    async fn new() -> Self {
        let place = Place::new();
        let url = place.url().to_owned();
        Self { _place: Some(place), ..Self::at(url).await }
    }

    async fn at(url: String) -> Self {
        let url = differs(with(&url, "busy_timeout=600000"), url);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE t (x TEXT)").await.unwrap();
        let other = builder(&url).connect().await.unwrap();
        Self { _place: None, url, db, other }
    }

    async fn acquire(&self, what: &str) -> Connection {
        let connection = timeout(LONG, self.db.acquire()).await;
        let connection = connection.unwrap_or_else(|_| panic!("{what}: the connection never comes free")).unwrap();
        let status = self.db.pool_status();
        assert_eq!((status.open, status.idle, status.waiting), (1, 0, 0), "{what}");
        connection
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
        if on_postgres() {
            self.wait_for_none("state <> 'idle'", what).await;
        }
    }

    /// Waits until the server has no such session besides the one that asks: one that was given up may be on its way out.
    async fn wait_for_none(&self, such: &str, what: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND backend_type = 'client backend' AND {such}"
        );
        let gone = async { while self.other.query(RuntimeSql(&sql)).fetch_scalar::<i64>().await.unwrap() > 0 {} };
        timeout(LONG, gone).await.unwrap_or_else(|_| panic!("{what}: there are sessions with {such}"));
    }

    /// Opens a database in this way, and closes it.
    async fn opening(&self, what: &str, is_locked: bool, work: impl AsyncFn() -> Result<(), DbError>) {
        for polls in 0.. {
            assert!(polls < MOST_POLLS, "{what} does not end");
            let what = format!("{what}, dropped after {polls} polls");
            let has_ended = self.attempt(polls, is_locked, work()).await;
            let mut connection = self.acquire(&what).await;
            // What was dropped with its database may still be on its way out; it holds its locks until then.
            if on_postgres() {
                self.wait_for_none("application_name = 'dropped'", &what).await;
            } else {
                connection.begin_with(IMMEDIATE).await.unwrap().rollback().await.unwrap();
            }
            self.check(&mut connection, has_ended, 1, &what).await;
            if has_ended {
                break;
            }
        }
    }
}

/// How an operation is run.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// On a connection that is used on.
    Kept,
    /// On a connection that is dropped with the future.
    Discarded,
    /// On the database, which takes a connection from the pool and gives it back.
    Pooled,
}

async fn every_operation(is_locked: bool) {
    let scene = Scene::new().await;
    let mut all_polls = BTreeSet::new();
    let sessions = [Way::Kept, Way::Discarded].into_iter().flat_map(|way| on_session::here().map(move |it| (way, it)));
    for (way, (operation, rows, _)) in sessions.chain(on_database::here().map(|it| (Way::Pooled, it))) {
        for polls in 0.. {
            assert!(polls < MOST_POLLS, "{operation} does not end");
            let what = format!("{operation}, {way:?}, dropped after {polls} polls");
            let mut kept = None;
            let has_ended = match way {
                Way::Kept => {
                    let connection = kept.insert(scene.acquire(&what).await);
                    scene.attempt(polls, is_locked, on_session::run(operation, connection)).await
                }
                Way::Discarded => {
                    let work = async { on_session::run(operation, &mut *scene.db.acquire().await?).await };
                    scene.attempt(polls, is_locked, work).await
                }
                Way::Pooled => {
                    let work = on_database::run(operation, &scene.db, &scene.other);
                    scene.attempt(polls, is_locked, work).await
                }
            };
            let mut connection = match kept {
                Some(connection) => connection,
                None => scene.acquire(&what).await,
            };
            scene.check(&mut connection, has_ended, *rows, &what).await;
            if has_ended {
                all_polls.insert(polls);
                break;
            }
        }
    }
    assert!(all_polls.last() > Some(&1), "nothing was dropped half-way");
    scene.db.close_within(LONG).await.expect("nobody holds the connection");
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

/// The futures of `opening_and_closing_can_be_dropped_at_every_poll`.
const OPENING: &[&str] = &["DatabaseBuilder::connect", "Database::close", "Database::close_within"];

#[tokio::test]
async fn opening_and_closing_can_be_dropped_at_every_poll() {
    let scene = Scene::new().await;
    let url = differs(scene.url.clone(), with(&scene.url, "application_name=dropped"));
    for is_locked in [false, true] {
        scene.opening("opening", is_locked, async || use_and_close(builder(&url).connect().await?, false).await).await;
        let all = async || {
            let builder = hooked(builder(&url)).replica(&url).min_connections(1);
            use_and_close(builder.connect().await?, true).await
        };
        scene.opening("opening with hooks and a replica", is_locked, all).await;
    }
}

/// The futures of `opening_by_the_environment_can_be_dropped_at_every_poll`.
const OPENING_BY_THE_ENVIRONMENT: &[&str] = &["Database::connect", "Database::connect_env"];

#[test]
fn opening_by_the_environment_can_be_dropped_at_every_poll() {
    let this = opening_by_the_environment_can_be_dropped_at_every_poll;
    let Some(url) = process::role() else {
        let place = Place::new();
        let mut command = process::command(this, place.url());
        let url = differs(with(place.url(), "busy_timeout=600000"), with(place.url(), "application_name=dropped"));
        command.env("MONTRS_PLUGINS", plugins()).env("DATABASE_URL", url);
        process::run(command);
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scene = Scene::at(url).await;
        let open = async || use_and_close(Database::connect_env().await?, true).await;
        scene.opening("connect_env", false, open).await;
        let url = std::env::var("DATABASE_URL").unwrap();
        scene.opening("connect", false, async || use_and_close(Database::connect(&url).await?, false).await).await;
    });
}

/// Adds hooks that use the connection and wait for something else.
fn hooked(builder: DatabaseBuilder) -> DatabaseBuilder {
    fn hook(session: &mut Session) -> HookFuture<'_> {
        Box::pin(async {
            tokio::task::yield_now().await;
            session.query("SELECT 1").fetch_scalar::<i32>().await.map(drop)
        })
    }
    builder.after_connect(hook).before_acquire(hook).after_release(hook)
}

/// Inserts a row, reads it, and closes, also in the other way.
async fn use_and_close(db: Database, within: bool) -> Result<(), DbError> {
    let mut connection = db.acquire().await?;
    connection.execute("INSERT INTO t VALUES ('x')").await?;
    drop(connection);
    db.read().ping().await?;
    if within { db.close_within(LONG).await } else { db.close().await }
}

#[test]
fn no_public_future_is_missing() {
    let operations = on_session::all().chain(on_database::all()).flat_map(|(_, _, futures)| *futures);
    let dropped = operations.chain(OPENING).chain(OPENING_BY_THE_ENVIRONMENT);
    let dropped: BTreeSet<String> = dropped.map(|name| (*name).to_owned()).collect();
    let public = public_futures::public_futures();
    let missing: Vec<&String> = public.difference(&dropped).collect();
    assert!(missing.is_empty(), "nothing drops {missing:?} at every poll: add operations to tests/tests/dropping");
    let unknown: Vec<&String> = dropped.difference(&public).collect();
    assert!(unknown.is_empty(), "the source has no {unknown:?}");
}
