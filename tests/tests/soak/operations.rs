//! What is done under load.

use crate::World;
use montrs_orm::{Database, DbError, DbErrorKind, Isolation, LockMode, Retry, RuntimeSql, Session, TransactionOptions};
use montrs_tests::{Numbers, builder, private_dir};
use std::time::Duration;
use tokio::time::timeout;

const ACCOUNTS: i64 = 16;
/// Of all balances, at any time.
pub(crate) const TOTAL: i64 = ACCOUNTS * 1000;
const ENTRY: &str = "INSERT INTO entries (task, number, part) VALUES ($1, $2, $3)";
/// Some hundred KiB.
const LONG_LINES: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                          SELECT i, replace('xxxxxxxxxx', 'x', 'twenty characters...') FROM n";

/// Names, how often each is chosen compared with others, and how many rows its entry has.
const ON_BOTH: &[(&str, u64, i64)] = &[
    ("begun by hand", 4, 0),
    ("connect", 1, 0),
    ("cursor in a transaction", 6, 1),
    ("describe", 3, 0),
    ("entry", 12, 1),
    ("execute_many", 4, 200),
    ("explain and check", 3, 0),
    ("failing", 4, 0),
    ("loader", 4, 300),
    ("read", 6, 0),
    ("savepoints", 8, 2),
    ("script", 4, 3),
    ("slow", 3, 0),
    ("stream", 6, 0),
    ("sum", 8, 0),
    ("temporary", 3, 0),
    ("transfer", 12, 1),
    ("transfer with retry", 8, 1),
    ("wrong", 4, 0),
];
const ON_FILES: &[(&str, u64, i64)] = &[("backup", 1, 0), ("blob", 4, 1), ("serialize", 1, 0)];
const ON_SERVERS: &[(&str, u64, i64)] =
    &[("copy_in", 4, 100), ("copy_out", 4, 0), ("listen", 3, 0), ("sleep", 3, 0), ("terminate", 1, 0)];

/// Something to do; what is left open is decided by the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    name: &'static str,
    rows: i64,
    key: u64,
}

/// What is written to tell later whether it was kept.
#[derive(Clone, Copy)]
struct Entry {
    task: i64,
    number: i64,
}

impl Entry {
    /// One of its rows.
    async fn insert(self, session: &mut Session, part: i64) -> Result<(), DbError> {
        session.execute(ENTRY).bind(self.task).bind(self.number).bind(part).await.map(drop)
    }
}

/// Makes the tables.
pub(crate) async fn prepare(db: &Database) -> Result<(), DbError> {
    db.script(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL);
         CREATE TABLE entries (task BIGINT, number BIGINT, part BIGINT);
         CREATE INDEX entries_number ON entries (task, number);",
    )
    .await?;
    db.execute_many("INSERT INTO accounts VALUES ($1, 1000)", (0..ACCOUNTS).map(|id| [id])).await.map(drop)
}

/// The sum of all balances.
pub(crate) async fn sum(session: &mut Session) -> Result<i64, DbError> {
    session.query("SELECT CAST(sum(balance) AS BIGINT) FROM accounts").fetch_scalar().await
}

impl Operation {
    pub(crate) fn any(world: &World, numbers: &mut Numbers) -> Self {
        let own = if world.is_server { ON_SERVERS } else { ON_FILES };
        let all = || ON_BOTH.iter().chain(own);
        let mut left = numbers.below(all().map(|(_, weight, _)| weight).sum());
        let chosen = all().find(|(_, weight, _)| {
            let is_chosen = left < *weight;
            left = left.saturating_sub(*weight);
            is_chosen
        });
        let (name, _, rows) = chosen.expect("the number is below the sum");
        Self { name, rows: *rows, key: numbers.below(1 << 40) }
    }

    /// How many rows its entry has when it has ended.
    pub(crate) fn rows(self) -> i64 {
        if self.is_undone() { 0 } else { self.rows }
    }

    /// Whether what it has done is given up in the end.
    fn is_undone(self) -> bool {
        matches!(self.name, "savepoints" | "cursor in a transaction" | "copy_in") && self.one_in(5)
    }

    /// Decides by the key.
    fn one_in(self, times: u64) -> bool {
        self.key.is_multiple_of(times)
    }

    /// Two accounts, in an order in which nobody waits for one who waits, nearly always.
    fn accounts(self) -> [i64; 2] {
        let (one, other) = (self.key as i64 >> 8 & 15, self.key as i64 >> 12 & 15);
        if self.one_in(64) { [one, other] } else { [one.min(other), one.max(other)] }
    }

    async fn transfer(self, session: &mut Session) -> Result<(), DbError> {
        const CHANGE: &str = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";
        let ([one, other], amount) = (self.accounts(), self.key as i64 % 100);
        session.execute(CHANGE).bind(-amount).bind(one).await?;
        session.execute(CHANGE).bind(amount).bind(other).await.map(drop)
    }

    pub(crate) async fn run(self, world: &World, task: i64, number: i64) -> Result<(), DbError> {
        let db = &world.db;
        let entry = Entry { task, number };
        match self.name {
            "begun by hand" => {
                let mut connection = db.acquire().await?;
                connection.execute("BEGIN").await?;
                self.transfer(&mut connection).await?;
                entry.insert(&mut connection, 0).await
            }
            "connect" => {
                let other = builder(&world.url).max_connections(1).connect().await?;
                other.ping().await?;
                if self.one_in(2) { other.close().await } else { Ok(()) }
            }
            "cursor in a transaction" => {
                let mut tx = db.begin().await?;
                let mut lines = tx.query(LONG_LINES).cursor().await?;
                for _ in 0..self.key % 1100 {
                    lines.next().await?;
                }
                drop(lines);
                entry.insert(&mut tx, 0).await?;
                if self.is_undone() { tx.rollback().await } else { tx.commit().await }
            }
            "describe" => db.query(ENTRY).describe().await.map(drop),
            "entry" => db.execute(ENTRY).bind(task).bind(number).bind(0).await.map(drop),
            "execute_many" => db.execute_many(ENTRY, (0..200).map(move |part| (task, number, part))).await.map(drop),
            "explain and check" => {
                db.query(LONG_LINES).explain().await?;
                db.check::<(i64, String)>(LONG_LINES).await
            }
            "failing" => {
                let mut tx = db.begin().await?;
                entry.insert(&mut tx, 0).await?;
                let twice = tx.execute("INSERT INTO accounts VALUES (1, 1000000)").await;
                expect(twice.map(drop), DbErrorKind::UniqueViolation)
            }
            "loader" => {
                let loader = db.loader_of("entries", &["task", "number", "part"]);
                loader.rows((0..300).map(move |part| (task, number, part))).await.map(drop)
            }
            "read" => {
                let rows = db.query(LONG_LINES).fetch_all::<(i64, String)>().await?;
                assert!(rows.len() == 1000 && rows.iter().zip(1..).all(|((n, text), i)| *n == i && text.len() == 200));
                Ok(())
            }
            "savepoints" => {
                let mut tx = db.begin().await?;
                entry.insert(&mut tx, 0).await?;
                let mut savepoint = tx.begin().await?;
                entry.insert(&mut savepoint, 7).await?;
                if self.one_in(2) {
                    savepoint.rollback().await?
                } else {
                    drop(savepoint)
                }
                let mut savepoint = tx.begin().await?;
                self.transfer(&mut savepoint).await?;
                entry.insert(&mut savepoint, 1).await?;
                savepoint.commit().await?;
                if !self.is_undone() {
                    tx.commit().await?;
                }
                Ok(())
            }
            "script" => {
                let insert = |part| format!("INSERT INTO entries VALUES ({task}, {number}, {part});");
                let script = format!("BEGIN; {} {} {} COMMIT", insert(0), insert(1), insert(2));
                db.script(RuntimeSql(script)).await.map(drop)
            }
            "slow" => {
                const COUNT: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) \
                                     SELECT count(*) FROM n";
                db.query(COUNT).fetch_scalar::<i64>().await.map(|count| assert_eq!(count, 50000))
            }
            "stream" => {
                let mut lines = db.query(LONG_LINES).fetch::<(i64, String)>();
                for expected in 1..=self.key as i64 % 1000 {
                    let (line, _) = lines.next().await.expect("there are more")?;
                    assert_eq!(line, expected);
                }
                Ok(())
            }
            "sum" => sum(&mut *db.acquire().await?).await.map(|sum| assert_eq!(sum, TOTAL)),
            "temporary" => {
                let mut connection = db.acquire().await?;
                connection.execute("CREATE TEMPORARY TABLE mine (x INTEGER)").await?;
                connection.execute("INSERT INTO mine VALUES (1)").await?;
                connection.query("SELECT count(*) FROM mine").fetch_scalar().await.map(|rows: i64| assert_eq!(rows, 1))
            }
            "transfer" => {
                db.transaction(async move |tx| {
                    self.transfer(tx).await?;
                    entry.insert(tx, 0).await
                })
                .await
            }
            "transfer with retry" => {
                let options = if world.is_server {
                    TransactionOptions { isolation: Isolation::SERIALIZABLE, ..Default::default() }
                } else {
                    TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..Default::default() }
                };
                db.transaction_with_retry(Retry::default().attempts(4).transaction(options), async move |tx| {
                    assert_eq!(sum(tx).await?, TOTAL);
                    self.transfer(tx).await?;
                    entry.insert(tx, 0).await
                })
                .await
            }
            "wrong" => {
                let (sql, kind) = match self.key % 2 {
                    0 => ("SELECT FROM WHERE", DbErrorKind::Syntax),
                    _ => ("SELECT * FROM nowhere", DbErrorKind::UndefinedTable),
                };
                expect(db.execute(sql).await.map(drop), kind)
            }
            _ if world.is_server => self.run_on_server(db, task, number).await,
            _ => self.run_on_file(db, task, number).await,
        }
    }

    async fn run_on_file(self, db: &Database, task: i64, number: i64) -> Result<(), DbError> {
        match self.name {
            "backup" => {
                let directory = private_dir();
                let copy = directory.path().join("copy.db").display().to_string();
                db.command("backup").bind(&copy).await?;
                let copy = builder(&format!("sqlite:{copy}")).max_connections(1).connect().await?;
                assert_eq!(sum(&mut *copy.acquire().await?).await?, TOTAL);
                copy.close().await
            }
            "blob" => {
                let mut tx = db.begin().await?;
                let insert = "INSERT INTO entries VALUES ($1, $2, zeroblob(100000)) RETURNING rowid";
                let row: i64 = tx.query(insert).bind(task).bind(number).fetch_one().await?;
                let mut upload = tx.command("blob_write").bind("entries").bind("part").bind(row).upload().await?;
                upload.write(&[1; 50_000]).await?;
                upload.write(&[2; 50_000]).await?;
                upload.finish().await?;
                let value = tx.command("blob_read").bind("entries").bind("part").bind(row);
                assert_eq!(value.fetch_all::<Vec<u8>>().await?.concat().len(), 100_000);
                tx.commit().await
            }
            "serialize" => db.command("serialize").for_each(|_| Ok(())).await,
            name => panic!("{name} is no operation"),
        }
    }

    async fn run_on_server(self, db: &Database, task: i64, number: i64) -> Result<(), DbError> {
        match self.name {
            "copy_in" => {
                let mut upload = db.command("copy_in").bind("COPY entries FROM STDIN").upload().await?;
                upload.write_rows((0..100).map(move |part| (task, number, part))).await?;
                if !self.is_undone() {
                    upload.finish().await?;
                }
                Ok(())
            }
            "copy_out" => {
                let sql = "COPY (SELECT repeat('x', 99) FROM generate_series(1, 2000)) TO STDOUT";
                let bytes = db.command("copy_out").bind(sql).fetch_all::<Vec<u8>>().await?.concat();
                assert_eq!(bytes.len(), 200_000);
                Ok(())
            }
            "listen" => {
                let mut listener = db.listen(["soak"]).await?;
                match timeout(Duration::from_millis(self.key % 4), listener.next()).await {
                    Ok(event) => event.expect("it does not end").map(drop),
                    Err(_) => Ok(()),
                }
            }
            "sleep" => db.execute("SELECT pg_sleep(0.02), pg_notify('soak', 'news')").await.map(drop),
            "terminate" => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'soak' \
                           AND datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
                db.query(sql).fetch_optional::<bool>().await.map(drop)
            }
            name => panic!("{name} is no operation"),
        }
    }
}

fn expect(result: Result<(), DbError>, kind: DbErrorKind) -> Result<(), DbError> {
    match result {
        Ok(()) => panic!("it does not fail, and it should with {kind:?}"),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(error),
    }
}
