//! This project: the application's side here, the driver in a library that is loaded.

use anyhow::{Result, ensure};
use montrs_bench_worker::{COUNT, Case, Contestant, FETCH, INSERT, NAME, POINT, Place, ROWS, SETUP, STREAM, Subject};
use montrs_bench_worker::{Workload, ids};
use montrs_orm::{Connection, Database, DbError, FromRow, RuntimeSql, drivers::SearchPath};
use std::{
    hint::black_box,
    path::{Path, PathBuf},
};

/// montrs-orm with the SQLite driver of this plugins directory.
pub(crate) struct Montrs {
    pub(crate) plugins: PathBuf,
    /// The URL's parameters.
    pub(crate) parameters: &'static str,
}

pub(crate) struct Opened {
    case: Case,
    database: Database,
    connections: Vec<Connection>,
}

#[derive(FromRow)]
struct Item {
    id: i64,
    quantity: i64,
    name: String,
}

impl Montrs {
    async fn connect(&self, path: &str) -> Result<Database, DbError> {
        let separator = if self.parameters.is_empty() { "" } else { "?" };
        let url = format!("sqlite:{path}{separator}{}", self.parameters);
        Database::builder().url(url).search_path(SearchPath::only([&self.plugins])).connect().await
    }
}

impl Contestant for Montrs {
    type Subject = Opened;

    async fn versions(&self) -> Result<String> {
        let database = self.connect(":memory:").await?;
        let sqlite: String = database.query("SELECT sqlite_version()").fetch_scalar().await?;
        Ok(format!("the driver {} {}, SQLite {sqlite}", database.driver().name, database.driver().version))
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Opened> {
        let database = match case.place {
            Place::Memory => self.connect(":memory:").await?,
            // A new file gets WAL and synchronous=NORMAL by itself.
            Place::File => self.connect(&directory.join(case.file_name()).display().to_string()).await?,
        };
        for statement in SETUP {
            database.execute(RuntimeSql(*statement)).await?;
        }
        let mut connections = Vec::new();
        while connections.len() < case.connections() {
            connections.push(database.acquire().await?);
        }
        Ok(Opened { case, database, connections })
    }
}

impl Subject for Opened {
    async fn clean(&mut self) -> Result<()> {
        if self.case.writes() {
            self.connections[0].execute("DELETE FROM written").await?;
            if self.case.place == Place::File {
                self.connections[0].execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        match self.case.workload {
            Workload::Point => point(&mut self.connections[0], iterations).await,
            Workload::PointFromPool => point_from_pool(&self.database, iterations).await,
            Workload::FetchAll => fetch_all(&mut self.connections[0], iterations).await,
            Workload::InsertHundred => insert_hundred(&mut self.connections[0], iterations).await,
            Workload::InsertHundredAtOnce => insert_hundred_at_once(&mut self.connections[0], iterations).await,
            Workload::InsertOne => insert_one(&mut self.connections[0], iterations).await,
            Workload::EightTasks => self.eight_tasks(iterations).await,
            Workload::Stream => stream(&mut self.connections[0], iterations).await,
            Workload::Count => count(&mut self.connections[0], iterations).await,
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

async fn point(connection: &mut Connection, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = connection.query(POINT).bind(id).fetch_one().await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn point_from_pool(database: &Database, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = database.query(POINT).bind(id).fetch_one().await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn fetch_all(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let items: Vec<Item> = connection.query(FETCH).fetch_all().await?;
        ensure!(items.len() == ROWS as usize, "{} rows", items.len());
        black_box(items);
    }
    Ok(())
}

async fn insert_hundred(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut transaction = connection.begin().await?;
        for quantity in 0..100_i64 {
            transaction.execute(INSERT).bind(quantity).bind(NAME).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

async fn insert_hundred_at_once(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        connection.execute_many(INSERT, (0..100_i64).map(|quantity| (quantity, NAME))).await?;
    }
    Ok(())
}

async fn insert_one(connection: &mut Connection, iterations: u64) -> Result<()> {
    for quantity in 0..iterations {
        connection.execute(INSERT).bind(quantity as i64).bind(NAME).await?;
    }
    Ok(())
}

async fn stream(connection: &mut Connection, iterations: u64) -> Result<()> {
    let mut rows = connection.query(STREAM).bind(iterations as i64).fetch::<Item>();
    let mut seen = 0;
    while let Some(item) = rows.next().await {
        black_box(item?);
        seen += 1;
    }
    ensure!(seen == iterations, "{seen} rows");
    Ok(())
}

async fn count(connection: &mut Connection, iterations: u64) -> Result<()> {
    let last: i64 = connection.query(COUNT).bind(iterations as i64).fetch_scalar().await?;
    ensure!(last == iterations as i64, "counted to {last}");
    Ok(())
}
