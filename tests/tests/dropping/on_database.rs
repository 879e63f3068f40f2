//! The operations of a database, which give their connection back to the pool themselves.

use super::on_session::{IMMEDIATE, INSERT, INSERT_BOUND, Line, MANY, OPTIONS, Operation, lines};
use futures_util::StreamExt;
use montrs_orm::{Database, DbError, Listener, Retry, query};
use montrs_tests::differs;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

const ON_BOTH: &[Operation] = &[
    ("acquire", 1, &["Database::acquire"]),
    ("begin", 2, &["Database::begin", "Transaction::commit"]),
    ("begin_with", 1, &["Database::begin_with", "Transaction::commit"]),
    ("check", 0, &["Database::check"]),
    ("execute", 1, &["Query::into_future"]),
    ("execute_many", 900, &["Database::execute_many"]),
    ("insert_many", 900, &["Database::insert_many"]),
    ("loader", 900, &["Loader::rows"]),
    ("pipeline", 2, &["Database::pipeline"]),
    ("ping", 0, &["Database::ping"]),
    ("script", 2, &["Script::into_future"]),
    ("stream", 0, &["RowStream::poll_next"]),
    ("transaction", 2, &["Database::transaction"]),
    ("transaction_with_retry", 1, &["Database::transaction_with_retry"]),
];

const ON_SQLITE: &[Operation] =
    &[("backup", 0, &["Query::into_future"]), ("backup, restore", 0, &["Query::into_future"])];

const ON_POSTGRES: &[Operation] = &[
    ("copy_in", 900, &["Query::upload", "Upload::write_rows", "Upload::finish"]),
    ("listen", 0, &["Database::listen", "Listener::next", "Listener::poll_next"]),
];

/// Those that are run on the database that is tested here.
pub(crate) fn here() -> impl Iterator<Item = &'static Operation> {
    ON_BOTH.iter().chain(differs(ON_SQLITE, ON_POSTGRES))
}

/// All there are.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ON_BOTH.iter().chain(ON_SQLITE).chain(ON_POSTGRES)
}

/// Runs one on a pool of one connection; the other one is on the same database.
pub(crate) async fn run(operation: &str, on: &Database, other: &Database) -> Result<(), DbError> {
    match operation {
        "acquire" => on.acquire().await?.execute(INSERT).await.map(drop),
        "begin" => {
            let mut tx = on.begin().await?;
            tx.execute(INSERT).await?;
            tx.execute(INSERT).await?;
            tx.commit().await
        }
        "begin_with" => {
            let mut tx = on.begin_with(differs(IMMEDIATE, OPTIONS)).await?;
            tx.execute(INSERT).await?;
            tx.commit().await
        }
        "check" => on.check::<(i64, String)>(MANY).await,
        "execute" => on.execute(INSERT).await.map(drop),
        "execute_many" => on.execute_many(INSERT_BOUND, lines().map(|line| [line.x])).await.map(drop),
        "insert_many" => on.insert_many(lines()).await.map(drop),
        "loader" => on.loader::<Line>().rows(lines()).await.map(drop),
        "pipeline" => on.pipeline([query(INSERT), query(INSERT)]).await.map(drop),
        "ping" => on.ping().await,
        "script" => {
            let script = on.script("BEGIN; INSERT INTO t VALUES ('x'); INSERT INTO t VALUES ('y'); COMMIT");
            script.await.map(drop)
        }
        "stream" => {
            let mut stream = on.query(MANY).fetch::<(i64, String)>();
            while StreamExt::next(&mut stream).await.transpose()?.is_some() {}
            Ok(())
        }
        "transaction" => {
            on.transaction(async |tx| {
                tx.execute(INSERT).await?;
                tx.execute(INSERT).await.map(drop)
            })
            .await
        }
        "transaction_with_retry" => {
            let attempts = AtomicU32::new(0);
            let retry = Retry::default().pauses(Duration::from_millis(1), Duration::from_millis(1));
            on.transaction_with_retry(retry, async |tx| {
                tx.execute(INSERT).await?;
                // SQLite cannot be made to say so by a statement: there another one has to be in the way, and some times is.
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    let fail = "DO 'BEGIN RAISE EXCEPTION ''once more'' USING ERRCODE = ''40001''; END'";
                    tx.execute(differs("SELECT 1", fail)).await?;
                }
                Ok(())
            })
            .await
        }
        "backup" | "backup, restore" => {
            let directory = montrs_tests::private_dir();
            let copy = directory.path().join("copy.db").display().to_string();
            on.command("backup").bind(&copy).bind_named("pages", 1).await?;
            if operation == "backup, restore" {
                on.command("restore").bind(&copy).bind_named("pages", 1).await?;
            }
            Ok(())
        }
        "copy_in" => {
            let mut upload = on.command("copy_in").bind("COPY t FROM STDIN").upload().await?;
            upload.write_rows(lines().map(|line| [line.x])).await?;
            upload.finish().await.map(drop)
        }
        "listen" => {
            let mut listener: Listener = on.listen(["drops"]).await?;
            let notify = "SELECT pg_notify('drops', 'one'), pg_notify('drops', 'two')";
            other.execute(notify).await?;
            listener.next().await.expect("it does not end")?;
            StreamExt::next(&mut listener).await.expect("it does not end").map(drop)
        }
        _ => panic!("{operation} is no operation"),
    }
}
