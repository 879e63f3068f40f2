//! sqlx on SQLite.

use anyhow::{Result, bail, ensure};
use futures_util::TryStreamExt;
use montrs_bench_worker::{COUNT, Case, Contestant, FETCH, INSERT, NAME, POINT, Place, ROWS, SETUP, STREAM, Subject};
use montrs_bench_worker::{Workload, ids};
use sqlx::{
    Connection, FromRow, Sqlite, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{hint::black_box, path::Path, str::FromStr};

/// sqlx with its default settings, which include that a pooled connection is pinged before it is used.
pub(crate) struct Sqlx;

pub(crate) struct Opened {
    case: Case,
    pool: SqlitePool,
    connections: Vec<PoolConnection<Sqlite>>,
}

#[derive(FromRow)]
struct Item {
    id: i64,
    quantity: i64,
    name: String,
}

impl Contestant for Sqlx {
    type Subject = Opened;

    async fn versions(&self) -> Result<String> {
        let pool = SqlitePool::connect("sqlite::memory:").await?;
        let sqlite: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await?;
        Ok(format!("sqlx 0.9, SQLite {sqlite}"))
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Opened> {
        let pool = match case.place {
            Place::Memory => {
                // Private, as it is for the others. It goes with its connection, so there is one, and for good.
                let options = SqliteConnectOptions::from_str("sqlite::memory:")?.shared_cache(false);
                let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
                pool.connect_with(options).await?
            }
            Place::Server => bail!("SQLite has no server"),
            Place::File => {
                let options = SqliteConnectOptions::new()
                    .filename(directory.join(case.file_name()))
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal);
                SqlitePool::connect_with(options).await?
            }
        };
        for statement in SETUP {
            sqlx::query(*statement).execute(&pool).await?;
        }
        let mut connections = Vec::new();
        while connections.len() < case.connections() {
            connections.push(pool.acquire().await?);
        }
        Ok(Opened { case, pool, connections })
    }
}

impl Subject for Opened {
    async fn clean(&mut self) -> Result<()> {
        if self.case.writes() {
            let connection = &mut *self.connections[0];
            sqlx::query("DELETE FROM written").execute(&mut *connection).await?;
            if self.case.place == Place::File {
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        match self.case.workload {
            Workload::Point => point(&mut self.connections[0], iterations).await,
            Workload::PointFromPool => point_from_pool(&self.pool, iterations).await,
            Workload::FetchAll => fetch_all(&mut self.connections[0], iterations).await,
            Workload::InsertHundred | Workload::InsertHundredAtOnce => {
                insert_hundred(&mut self.connections[0], iterations).await
            }
            Workload::InsertOne => insert_one(&mut self.connections[0], iterations).await,
            Workload::EightTasks => self.eight_tasks(iterations).await,
            Workload::Checkout => checkout(&self.pool, iterations).await,
            Workload::Mixed => mixed(&self.pool, iterations).await,
            Workload::Stream => stream(&mut self.connections[0], iterations).await,
            Workload::Count => count(&mut self.connections[0], iterations).await,
            other => bail!("{other:?} is not measured on SQLite"),
        }
    }
}

impl Opened {
    async fn eight_tasks(&mut self, iterations: u64) -> Result<()> {
        let share = iterations / self.connections.len() as u64;
        let tasks: Vec<_> = self
            .connections
            .drain(..)
            .map(|mut connection| {
                tokio::spawn(async move {
                    point(&mut connection, share).await?;
                    Ok::<_, anyhow::Error>(connection)
                })
            })
            .collect();
        for task in tasks {
            self.connections.push(task.await??);
        }
        Ok(())
    }
}

async fn checkout(pool: &SqlitePool, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        drop(black_box(pool.acquire().await?));
    }
    Ok(())
}

async fn mixed(pool: &SqlitePool, iterations: u64) -> Result<()> {
    let share = iterations / 64;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for (number, id) in ids(share).enumerate() {
                    if number % 10 == 9 {
                        insert(&pool, id).await?;
                    } else {
                        let item: Item = sqlx::query_as(POINT).bind(id).fetch_one(&pool).await?;
                        ensure!(item.id == id, "another row than the one that was asked for");
                        black_box((item.quantity, item.name));
                    }
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Inserts one row, again when the database was locked for longer than SQLite waits.
async fn insert(pool: &SqlitePool, id: i64) -> Result<()> {
    const BUSY: &str = "5";
    loop {
        match sqlx::query(INSERT).bind(id).bind(NAME).execute(pool).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(BUSY) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}

async fn point(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = sqlx::query_as(POINT).bind(id).fetch_one(&mut **connection).await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn point_from_pool(pool: &SqlitePool, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = sqlx::query_as(POINT).bind(id).fetch_one(pool).await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn fetch_all(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let items: Vec<Item> = sqlx::query_as(FETCH).fetch_all(&mut **connection).await?;
        ensure!(items.len() == ROWS as usize, "{} rows", items.len());
        black_box(items);
    }
    Ok(())
}

async fn insert_hundred(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut transaction = connection.begin().await?;
        for quantity in 0..100_i64 {
            sqlx::query(INSERT).bind(quantity).bind(NAME).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

async fn insert_one(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    for quantity in 0..iterations {
        sqlx::query(INSERT).bind(quantity as i64).bind(NAME).execute(&mut **connection).await?;
    }
    Ok(())
}

async fn stream(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    let mut rows = sqlx::query_as::<_, Item>(STREAM).bind(iterations as i64).fetch(&mut **connection);
    let mut seen = 0;
    while let Some(item) = rows.try_next().await? {
        black_box(item);
        seen += 1;
    }
    ensure!(seen == iterations, "{seen} rows");
    Ok(())
}

async fn count(connection: &mut PoolConnection<Sqlite>, iterations: u64) -> Result<()> {
    let last: i64 = sqlx::query_scalar(COUNT).bind(iterations as i64).fetch_one(&mut **connection).await?;
    ensure!(last == iterations as i64, "counted to {last}");
    Ok(())
}
