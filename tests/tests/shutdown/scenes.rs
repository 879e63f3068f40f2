//! What is under way when a runtime ends. Nothing of it is ever committed but rows of 0.

use futures_util::stream;
use montrs_orm::{Database, DbError, DbErrorKind, Table, query};
use montrs_tests::builder;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Needs forever.
pub(crate) const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
const INSERT: &str = "INSERT INTO t VALUES (1)";

/// The tables that the scenes need, with some hundred pages.
pub(crate) const TABLES: &str = "CREATE TABLE t (x INTEGER);
    CREATE TABLE locked AS SELECT 1 AS x;
    CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB);
    INSERT INTO files SELECT value, zeroblob(400000) FROM json_each('[1, 2, 3, 4]')";

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scene {
    /// A statement, for so short that it has not left the executor.
    JustBegun,
    /// A statement, for so long that it is on the blocking pool.
    UnderWay,
    /// A statement that waits for a lock.
    Waiting,
    /// A transaction with changes.
    InTransaction,
    /// A result whose rows are being fetched.
    Fetching,
    /// Commits, one after the other, that wait for the disk.
    Committing,
    /// Connections are opened and closed.
    Connecting,
    /// A script that has begun a transaction.
    InScript,
    /// Several statements that belong together.
    InPipeline,
    /// Rows that are inserted in one call.
    InsertingMany,
    /// Rows that come from a stream.
    Loading,
    /// Copies, a page at a time.
    BackingUp,
    /// The database is replaced by its copy.
    Restoring,
    /// A value that is read in parts.
    ReadingAValue,
    /// A value that is written in parts.
    WritingAValue,
    /// A database in memory that is made of bytes.
    Deserializing,
}

pub(crate) const SCENES: [Scene; 16] = [
    Scene::JustBegun,
    Scene::UnderWay,
    Scene::Waiting,
    Scene::InTransaction,
    Scene::Fetching,
    Scene::Committing,
    Scene::Connecting,
    Scene::InScript,
    Scene::InPipeline,
    Scene::InsertingMany,
    Scene::Loading,
    Scene::BackingUp,
    Scene::Restoring,
    Scene::ReadingAValue,
    Scene::WritingAValue,
    Scene::Deserializing,
];

#[derive(Table)]
#[table(name = "t")]
struct Row {
    x: i64,
}

/// Plays it until the runtime is over.
pub(crate) async fn play(scene: Scene, db: Database, url: String, directory: PathBuf) {
    loop {
        if let Err(error) = once(scene, &db, &url, &directory).await {
            assert_eq!(error.kind(), DbErrorKind::Cancelled, "{scene:?}: {error:?}");
            return;
        }
    }
}

async fn once(scene: Scene, db: &Database, url: &str, directory: &Path) -> Result<(), DbError> {
    match scene {
        Scene::JustBegun | Scene::UnderWay => db.query(ENDLESS).fetch_scalar::<i64>().await.map(drop),
        Scene::Waiting => db.execute("UPDATE locked SET x = x").await.map(drop),
        Scene::InTransaction => {
            let mut tx = db.begin().await?;
            loop {
                tx.execute(INSERT).await?;
            }
        }
        Scene::Fetching => {
            let mut rows = db.query(ROWS).fetch::<i64>();
            while rows.next().await.transpose()?.is_some() {}
            Ok(())
        }
        Scene::Committing => db.execute("INSERT INTO t VALUES (0)").await.map(drop),
        Scene::Connecting => builder(url).connect().await.map(drop),
        Scene::InScript => {
            let script = "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t WITH RECURSIVE n (i) AS \
                          (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n; COMMIT";
            db.script(script).await.map(drop)
        }
        Scene::InPipeline => db.pipeline([query(INSERT), query(INSERT), query(ENDLESS)]).await.map(drop),
        Scene::InsertingMany => db.execute_many("INSERT INTO t VALUES ($1)", (0..).map(|_| [1])).await.map(drop),
        Scene::Loading => {
            let rows = stream::unfold((), |()| async { Some((Ok(Row { x: 1 }), ())) });
            db.loader::<Row>().stream(rows).await.map(drop)
        }
        Scene::BackingUp => back_up(db, &copy(directory)).await,
        Scene::Restoring => {
            let copy = copy(directory);
            back_up(db, &copy).await?;
            loop {
                db.command("restore").bind(copy.to_str()).bind_named("pages", 1).await?;
            }
        }
        Scene::ReadingAValue => {
            let command = db.command("blob_read").bind("files").bind("content").bind(1);
            let mut parts = command.fetch::<Vec<u8>>();
            while parts.next().await.transpose()?.is_some() {}
            Ok(())
        }
        Scene::WritingAValue => {
            let mut upload = db.command("blob_write").bind("files").bind("content").bind(1).upload().await?;
            for _ in 0..400 {
                upload.write(&[1; 1000]).await?;
            }
            upload.finish().await.map(drop)
        }
        Scene::Deserializing => {
            let image: Vec<Vec<u8>> = db.command("serialize").fetch_all().await?;
            let memory = builder("sqlite::memory:").connect().await?;
            loop {
                let mut upload = memory.command("deserialize").upload().await?;
                for part in &image {
                    upload.write(part).await?;
                }
                upload.finish().await?;
            }
        }
    }
}

async fn back_up(db: &Database, to: &Path) -> Result<(), DbError> {
    db.command("backup").bind(to.to_str()).bind_named("pages", 1).await.map(drop)
}

/// A new name for a copy.
fn copy(directory: &Path) -> PathBuf {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    directory.join(format!("copy-{}.db", COPIES.fetch_add(1, Ordering::Relaxed)))
}
