//! The operations of a session.

use futures_util::{StreamExt, stream};
use montrs_orm::{DbError, LockMode, RuntimeSql, Session, Table, TransactionOptions, query};
use montrs_tests::{differs, on_postgres};

/// An operation: its name, how many rows it leaves in the table `t`, and the public futures in it, as `Type::method`.
pub(crate) type Operation = (&'static str, i64, &'static [&'static str]);

/// Rows of several batches.
pub(crate) const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                               SELECT i, replace('xxxxxxxxxx', 'x', 'twenty characters...') FROM n";
const INSERT_MANY: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                           SELECT replace('xxxxxxxxxx', 'x', 'twenty characters...') FROM n RETURNING x";
pub(crate) const INSERT: &str = "INSERT INTO t VALUES ('x')";
pub(crate) const INSERT_BOUND: &str = "INSERT INTO t VALUES ($1)";
pub(crate) const IMMEDIATE: TransactionOptions = TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..OPTIONS };
pub(crate) const OPTIONS: TransactionOptions = TransactionOptions {
    isolation: montrs_orm::Isolation::DEFAULT,
    access: montrs_orm::Access::READ_WRITE,
    lock_mode: LockMode::DEFAULT,
    deferrable: false,
};

/// A row of the table.
#[derive(Clone, Table)]
#[table(name = "t")]
pub(crate) struct Line {
    pub(crate) x: String,
}

/// Rows of several batches.
pub(crate) fn lines() -> impl Iterator<Item = Line> {
    (0..900).map(|_| Line { x: "twenty characters...".repeat(10) })
}

/// Those that run on both databases.
const ON_BOTH: &[Operation] = &[
    ("ping", 0, &["Session::ping"]),
    ("script", 1, &["Script::into_future"]),
    ("script in a transaction", 2, &["Script::into_future"]),
    ("script, one by one", 900, &["Script::next", "Cursor::next"]),
    ("execute", 1, &["Query::into_future"]),
    ("execute many", 900, &["Query::into_future"]),
    ("execute_many", 900, &["Session::execute_many"]),
    ("pipeline", 901, &["Session::pipeline"]),
    ("insert_many", 900, &["Session::insert_many"]),
    ("loader, rows", 900, &["Loader::rows"]),
    ("loader, stream", 900, &["Loader::stream"]),
    ("fetch_one", 1, &["Query::fetch_one"]),
    ("fetch_optional", 1, &["Query::fetch_optional"]),
    ("fetch_scalar", 900, &["Query::fetch_scalar"]),
    ("fetch_all", 900, &["Query::fetch_all"]),
    ("fetch_all reading", 0, &["Query::fetch_all"]),
    ("fetch_map", 0, &["Query::fetch_map"]),
    ("fetch_map_by", 0, &["Query::fetch_map_by"]),
    ("stream", 900, &["RowStream::next"]),
    ("stream reading", 0, &["RowStream::next"]),
    ("for_each", 0, &["Query::for_each"]),
    ("cursor", 0, &["Query::cursor", "Cursor::next"]),
    ("describe", 0, &["Query::describe"]),
    ("check", 0, &["Query::check"]),
    ("explain", 0, &["Query::explain"]),
    ("begin, commit", 2, &["Session::begin", "Transaction::commit"]),
    ("begin_with, commit", 1, &["Session::begin_with", "Transaction::commit"]),
    ("begin, rollback", 0, &["Session::begin", "Transaction::rollback"]),
    ("begin, drop", 0, &["Session::begin"]),
    ("savepoints", 2, &["Session::begin", "Transaction::commit", "Transaction::rollback"]),
    ("closure", 2, &["Session::transaction"]),
    ("closure that fails", 0, &["Session::transaction"]),
];

/// Those that only SQLite has.
const ON_SQLITE: &[Operation] = &[
    ("serialize", 0, &["Query::into_future"]),
    ("blob_read", 1, &["Query::into_future"]),
    ("blob_write", 1, &["Query::upload", "Upload::write", "Upload::finish"]),
];

/// Those that only PostgreSQL has.
const ON_POSTGRES: &[Operation] = &[
    ("copy_in", 903, &["Query::upload", "Upload::write", "Upload::write_rows", "Upload::finish"]),
    ("copy_in in a transaction", 901, &["Query::upload", "Upload::write_rows", "Upload::finish"]),
    ("copy_out", 0, &["Query::into_future"]),
    ("copy_out in a transaction", 0, &["Query::into_future"]),
];

/// Those that are run on the database that is tested here.
pub(crate) fn here() -> impl Iterator<Item = &'static Operation> {
    ON_BOTH.iter().chain(differs(ON_SQLITE, ON_POSTGRES))
}

/// All there are.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ON_BOTH.iter().chain(ON_SQLITE).chain(ON_POSTGRES)
}

pub(crate) async fn run(operation: &str, on: &mut Session) -> Result<(), DbError> {
    if on_postgres() { run_on_postgres(operation, on).await } else { run_on_sqlite(operation, on).await }
}

async fn run_on_sqlite(operation: &str, on: &mut Session) -> Result<(), DbError> {
    match operation {
        "serialize" => on.command("serialize").await.map(drop),
        "blob_read" => {
            let mut tx = on.begin().await?;
            tx.execute("INSERT INTO t VALUES (zeroblob(200000))").await?;
            let row: i64 = tx.query("SELECT max(rowid) FROM t").fetch_scalar().await?;
            tx.command("blob_read").bind("t").bind("x").bind(row).await?;
            tx.commit().await
        }
        "blob_write" => {
            let mut tx = on.begin().await?;
            tx.execute("INSERT INTO t VALUES (zeroblob(200000))").await?;
            let row: i64 = tx.query("SELECT max(rowid) FROM t").fetch_scalar().await?;
            let mut upload = tx.command("blob_write").bind("t").bind("x").bind(row).upload().await?;
            upload.write(&[1; 100_000]).await?;
            upload.write(&[2; 100_000]).await?;
            upload.finish().await?;
            tx.commit().await
        }
        _ => run_on_both(operation, on).await,
    }
}

async fn run_on_postgres(operation: &str, on: &mut Session) -> Result<(), DbError> {
    const IN: &str = "COPY t FROM STDIN";
    const OUT: &str = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 900)) TO STDOUT";
    match operation {
        "copy_in" => {
            let mut upload = on.command("copy_in").bind(IN).upload().await?;
            upload.write(b"one\ntwo\nthr").await?;
            upload.write(b"ee\n").await?;
            upload.write_rows(lines().map(|line| [line.x])).await?;
            upload.finish().await.map(|rows| assert_eq!(rows, 903))
        }
        "copy_in in a transaction" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            let mut upload = tx.command("copy_in").bind(IN).upload().await?;
            upload.write_rows(lines().map(|line| [line.x])).await?;
            upload.finish().await?;
            tx.commit().await
        }
        "copy_out" => on.command("copy_out").bind(OUT).await.map(drop),
        "copy_out in a transaction" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            tx.command("copy_out").bind(OUT).fetch_all::<Vec<u8>>().await?;
            tx.rollback().await
        }
        _ => run_on_both(operation, on).await,
    }
}

async fn run_on_both(operation: &str, on: &mut Session) -> Result<(), DbError> {
    const RETURNING: &str = "INSERT INTO t VALUES ('x') RETURNING x";
    match operation {
        "ping" => on.ping().await,
        "script" => on.script("SELECT 1; SELECT 2; INSERT INTO t VALUES ('x')").await.map(drop),
        "script in a transaction" => {
            let mut tx = on.begin().await?;
            tx.script("INSERT INTO t VALUES ('x'); SELECT x FROM t; INSERT INTO t VALUES ('y')").await?;
            tx.commit().await
        }
        "script, one by one" => {
            let mut script = on.script(RuntimeSql(format!("SELECT 1; {MANY}; {INSERT_MANY}")));
            while let Some(mut result) = script.next().await? {
                while result.next().await?.is_some() {}
            }
            Ok(())
        }
        "execute_many" => on.execute_many(INSERT_BOUND, lines().map(|line| [line.x])).await.map(drop),
        "pipeline" => {
            let statements = (query(INSERT), query(MANY).all::<(i64, String)>(), query(INSERT_MANY).all::<String>());
            on.pipeline(statements)
                .await
                .map(|(_, rows, returned)| assert_eq!((rows.len(), returned.len()), (900, 900)))
        }
        "insert_many" => on.insert_many(lines()).await.map(drop),
        "loader, rows" => on.loader::<Line>().rows(lines()).await.map(drop),
        "loader, stream" => {
            let rows = stream::iter((0..).zip(lines())).then(async |(number, line)| {
                if number % 200 == 0 {
                    tokio::task::yield_now().await;
                }
                Ok(line)
            });
            on.loader::<Line>().stream(rows).await.map(drop)
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
        "fetch_map" => on.query(MANY).fetch_map::<i64, String>().await.map(|rows| assert_eq!(rows.len(), 900)),
        "fetch_map_by" => {
            let rows = on.query(MANY).fetch_map_by(|row: &(i64, String)| row.0).await?;
            assert_eq!(rows.len(), 900);
            Ok(())
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
        "check" => on.query(MANY).check::<(i64, String)>().await,
        "explain" => on.query(MANY).explain().await.map(drop),
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
