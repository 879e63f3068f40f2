//! sqlx on PostgreSQL.

use anyhow::{Result, bail, ensure};
use montrs_bench_worker::{
    COPIED, COPY, Case, Contestant, DIFFERENT, FETCH, INSERT, INSERT_THOUSAND, NAME, PIECE, POINT, POSTGRES_CLEAN,
    POSTGRES_SETUP, ROWS, Subject, Workload, copied_file, copied_rows, ids,
};
use sqlx::{Connection, FromRow, PgPool, Postgres, pool::PoolConnection};
use std::{
    fmt::Write,
    fs::File,
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
};

/// sqlx with this URL and its default settings, which include that a pooled connection is pinged before it is used.
pub(crate) struct Sqlx {
    pub(crate) url: String,
}

pub(crate) struct Opened {
    workload: Workload,
    pool: PgPool,
    connections: Vec<PoolConnection<Postgres>>,
    file: PathBuf,
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
        Ok("sqlx 0.9".into())
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Opened> {
        let pool = PgPool::connect(&self.url).await?;
        for statement in POSTGRES_SETUP {
            sqlx::query(*statement).execute(&pool).await?;
        }
        let mut connections = Vec::new();
        while connections.len() < case.connections() {
            connections.push(pool.acquire().await?);
        }
        let file = if case.workload == Workload::CopyFile { copied_file(directory)? } else { PathBuf::new() };
        Ok(Opened { workload: case.workload, pool, connections, file })
    }
}

impl Subject for Opened {
    async fn clean(&mut self) -> Result<()> {
        if let Some(connection) = self.connections.first_mut() {
            sqlx::query(POSTGRES_CLEAN).execute(&mut **connection).await?;
        }
        Ok(())
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        match self.workload {
            Workload::EightTasks => return self.eight_tasks(iterations).await,
            Workload::PointFromPool => return point_from_pool(&self.pool, iterations).await,
            Workload::Point => return point(&mut self.connections[0], iterations).await,
            _ => {}
        }
        let connection = &mut self.connections[0];
        for _ in 0..iterations {
            match self.workload {
                Workload::FetchAll => fetch_all(connection).await?,
                Workload::InsertThousand => insert_thousand(connection).await?,
                // It has nothing for statements that need not be waited for.
                Workload::OneByOne | Workload::Pipelined => one_by_one(connection).await?,
                Workload::Queries | Workload::QueriesPipelined => queries(connection).await?,
                Workload::CopyFile => copy_file(connection, &self.file).await?,
                Workload::CopyRows => copy_rows(connection).await?,
                other => bail!("{other:?} is not measured on PostgreSQL"),
            }
        }
        Ok(())
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

async fn queries(connection: &mut PoolConnection<Postgres>) -> Result<()> {
    for (id, sql) in ids(1000).zip(DIFFERENT.iter().cycle()) {
        let item: Item = sqlx::query_as(sql.as_str()).bind(id).fetch_one(&mut **connection).await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn point(connection: &mut PoolConnection<Postgres>, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = sqlx::query_as(POINT).bind(id).fetch_one(&mut **connection).await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn point_from_pool(pool: &PgPool, iterations: u64) -> Result<()> {
    for id in ids(iterations) {
        let item: Item = sqlx::query_as(POINT).bind(id).fetch_one(pool).await?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

async fn fetch_all(connection: &mut PoolConnection<Postgres>) -> Result<()> {
    let items: Vec<Item> = sqlx::query_as(FETCH).fetch_all(&mut **connection).await?;
    ensure!(items.len() == ROWS as usize, "{} rows", items.len());
    black_box(items);
    Ok(())
}

async fn insert_thousand(connection: &mut PoolConnection<Postgres>) -> Result<()> {
    let mut insert = sqlx::query(INSERT_THOUSAND.as_str());
    for quantity in 0..1000_i64 {
        insert = insert.bind(quantity).bind(NAME);
    }
    let inserted = insert.execute(&mut **connection).await?.rows_affected();
    ensure!(inserted == 1000, "{inserted} rows");
    Ok(())
}

async fn one_by_one(connection: &mut PoolConnection<Postgres>) -> Result<()> {
    let mut transaction = connection.begin().await?;
    for quantity in 0..1000_i64 {
        sqlx::query(INSERT).bind(quantity).bind(NAME).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

async fn copy_file(connection: &mut PoolConnection<Postgres>, path: &Path) -> Result<()> {
    let mut copy = connection.copy_in_raw(COPY).await?;
    let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            len => drop(copy.send(&piece[..len]).await?),
        }
    }
    let copied = copy.finish().await?;
    ensure!(copied == COPIED as u64, "{copied} rows");
    Ok(())
}

/// It takes bytes alone, so the program writes the lines.
async fn copy_rows(connection: &mut PoolConnection<Postgres>) -> Result<()> {
    let mut copy = connection.copy_in_raw(COPY).await?;
    let mut lines = String::with_capacity(PIECE + 100);
    for (id, quantity, name) in copied_rows() {
        writeln!(lines, "{id}\t{quantity}\t{name}")?;
        if lines.len() >= PIECE {
            copy.send(lines.as_bytes()).await?;
            lines.clear();
        }
    }
    copy.send(lines.as_bytes()).await?;
    let copied = copy.finish().await?;
    ensure!(copied == COPIED as u64, "{copied} rows");
    Ok(())
}
