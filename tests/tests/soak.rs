//! A minute of everything at once, on both databases at the same time, of which much is dropped half-way; and what must hold
//! whatever happens.
//!
//! What is done is chosen by chance, from a seed that is printed. `MONTRS_SOAK_SEED` repeats the choices of a run, and
//! `MONTRS_SOAK_SECONDS` makes it longer or shorter.

#[path = "soak/ledger.rs"]
mod ledger;
#[path = "soak/memory.rs"]
mod memory;
#[path = "soak/operations.rs"]
mod operations;

use ledger::Ledger;
use montrs_orm::{Database, DbError, DbErrorKind};
use montrs_test_clusters::TestDatabase;
use montrs_tests::{Numbers, TestFile, builder, over_loopback, poll_then_drop, process, with};
use operations::{Operation, TOTAL};
use std::{
    env,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::time::timeout;

/// More than anything here takes, on whatever machine.
const LONG: Duration = Duration::from_secs(120);
const TASKS: u64 = 10;
const CONNECTIONS: usize = 4;

/// A database under load.
struct World {
    name: &'static str,
    db: Database,
    /// Without the settings that tell the pool's sessions from others.
    url: String,
    is_server: bool,
    _place: Place,
}

enum Place {
    File { _file: TestFile },
    Server { _database: TestDatabase },
}

impl World {
    async fn of_file(name: &'static str, execution: &str) -> Self {
        let file = TestFile::new();
        let url = with(&with(file.url(), "busy_timeout=60000"), &format!("execution={execution}"));
        Self::open(name, url.clone(), url, false, Place::File { _file: file }).await
    }

    async fn of_server() -> Self {
        let database = TestDatabase::new();
        let url = over_loopback(database.url());
        let own = with(&url, "application_name=soak");
        Self::open("server", url, own, true, Place::Server { _database: database }).await
    }

    async fn open(name: &'static str, url: String, own: String, is_server: bool, place: Place) -> Self {
        let db = builder(&own).max_connections(CONNECTIONS).acquire_timeout(LONG).connect().await.unwrap();
        operations::prepare(&db).await.unwrap();
        Self { name, db, url, is_server, _place: place }
    }

    /// Does one thing after the other until the time is over.
    async fn task(&self, task: u64, seed: u64, end: Instant) -> u64 {
        let mut numbers = Numbers::new(seed ^ task << 32);
        let mut ledger = Ledger::new(task as i64);
        while Instant::now() < end {
            let operation = Operation::any(self, &mut numbers);
            let number = ledger.next();
            let work = operation.run(self, task as i64, number);
            let outcome = match numbers.below(4) {
                0 => poll_then_drop(1 << numbers.below(6), work).await,
                1 => timeout(Duration::from_micros(1 << numbers.below(15)), work).await.ok(),
                _ => Some(timeout(LONG, work).await.unwrap_or_else(|_| panic!("{operation:?} hangs"))),
            };
            if let Some(Err(error)) = &outcome {
                assert!(self.may_fail_with(error), "{}: {operation:?}: {error:?}", self.name);
            }
            ledger.note(number, operation.rows(), outcome.as_ref());
            if number % 200 == 0 {
                ledger.check(&self.db).await;
            }
        }
        ledger.check(&self.db).await;
        ledger.last() as u64
    }

    /// What is in nobody's way but that of the other tasks.
    fn may_fail_with(&self, error: &DbError) -> bool {
        match error.kind() {
            DbErrorKind::Busy | DbErrorKind::Serialization | DbErrorKind::Deadlock => true,
            // Sessions are ended on purpose.
            DbErrorKind::ConnectionLost => self.is_server,
            _ => false,
        }
    }

    /// All tasks, each on whatever thread there is.
    async fn run(self: Arc<Self>, seed: u64, end: Instant) {
        let task = |task| {
            let world = self.clone();
            tokio::spawn(async move { world.task(task, seed, end).await })
        };
        let tasks: Vec<_> = (1..=TASKS).map(task).collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        println!("{}: {done} operations, {:?}", self.name, self.db.pool_status());
    }

    /// Whether everything is as it was at first, apart from what was to be changed.
    async fn check(&self) {
        let mut all = Vec::new();
        while all.len() < CONNECTIONS {
            let connection = timeout(LONG, self.db.acquire()).await;
            let mut connection =
                connection.unwrap_or_else(|_| panic!("{}: a connection never comes free", self.name)).unwrap();
            // Some may have been ended on purpose at last.
            match connection.ping().await {
                Ok(()) => all.push(connection),
                Err(error) => assert!(self.may_fail_with(&error), "{}: {error:?}", self.name),
            }
        }
        let status = self.db.pool_status();
        assert_eq!(
            (status.open, status.idle, status.waiting, status.timed_out),
            (CONNECTIONS, 0, 0, 0),
            "{}",
            self.name
        );
        for connection in &mut all {
            let mut tx = connection.begin().await.unwrap();
            tx.execute("UPDATE accounts SET balance = balance + 0").await.unwrap();
            assert_eq!(operations::sum(&mut tx).await.unwrap(), TOTAL, "{}", self.name);
            tx.rollback().await.unwrap();
        }
        drop(all);
        let other = builder(&self.url).max_connections(1).connect().await.unwrap();
        if self.is_server {
            self.check_sessions(&other).await;
        } else {
            let whole: Vec<String> = other.query("PRAGMA integrity_check").fetch_all().await.unwrap();
            assert_eq!(whole, ["ok"], "{}", self.name);
        }
        self.db.close_within(LONG).await.unwrap();
        // Nobody holds a lock that was theirs.
        let drop = async { other.script("DROP TABLE entries; DROP TABLE accounts").await.unwrap() };
        timeout(LONG, drop).await.unwrap_or_else(|_| panic!("{}: a lock is held", self.name));
    }

    /// The server has the sessions of the pool, and they are idle.
    async fn check_sessions(&self, other: &Database) {
        let wait_until = async |sql: &'static str, expected: i64| {
            // One that was given up may be on its way out.
            let wait = async {
                while other.query(sql).fetch_scalar::<i64>().await.unwrap() != expected {
                    tokio::task::yield_now().await;
                }
            };
            timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{sql} never becomes {expected}"));
        };
        const OPEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                            AND application_name = 'soak'";
        wait_until(OPEN, CONNECTIONS as i64).await;
        const BUSY: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                            AND application_name = 'soak' AND (state <> 'idle' OR xact_start IS NOT NULL)";
        wait_until(BUSY, 0).await;
        const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE database = (SELECT oid FROM pg_database \
                             WHERE datname = current_database()) AND pid <> pg_backend_pid()";
        wait_until(LOCKS, 0).await;
    }
}

fn number_from(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn everything_at_once_with_much_of_it_dropped_keeps_what_was_promised() {
    if process::role().is_none() {
        // With an arena for each processor, the C library's memory grows for minutes though all of it is given back.
        let this = everything_at_once_with_much_of_it_dropped_keeps_what_was_promised;
        let mut command = process::command(this, "alone");
        command.env("MALLOC_ARENA_MAX", "2");
        process::run(command);
        return;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number_from("MONTRS_SOAK_SEED").unwrap_or(now.as_nanos() as u64 >> 8);
    println!("MONTRS_SOAK_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(everything_at_once(seed));
}

async fn everything_at_once(seed: u64) {
    let worlds = [
        World::of_file("file, coroutine", "coroutine").await,
        World::of_file("file, blocking", "blocking").await,
        World::of_server().await,
    ]
    .map(Arc::new);
    let time = Duration::from_secs(number_from("MONTRS_SOAK_SECONDS").unwrap_or(60));
    let end = Instant::now() + time;
    let memory = tokio::spawn(memory::highest_of_halves(time));
    tokio::join!(worlds[0].clone().run(seed, end), worlds[1].clone().run(seed, end), worlds[2].clone().run(seed, end));
    if let Some([first, second]) = memory.await.unwrap() {
        println!("resident: at most {first} KiB in the first half, {second} KiB in the second");
        assert!(second < first + 16 * 1024 + first / 8, "{first} KiB became {second} KiB");
    }
    for world in &worlds {
        world.check().await;
    }
}
