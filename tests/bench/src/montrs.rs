//! This project: the application's side here, the driver in a library that is loaded.

use anyhow::{Result, bail, ensure};
use montrs_bench_worker::{
    COPIED, COPY, COPY_BINARY, COUNT, Case, Contestant, DIFFERENT, FETCH, INSERT, INSERT_THOUSAND, NAME, PIECE, POINT,
    POSTGRES_CLEAN, POSTGRES_SETUP, Place, ROWS, SETUP, STREAM, Subject, Workload, copied_file, copied_rows, ids,
};
use montrs_orm::{Connection, Database, DbError, FromRow, RuntimeSql, drivers::SearchPath};
use std::{
    fs::File,
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
};

/// montrs-orm with the driver of this plugins directory.
pub(crate) struct Montrs {
    pub(crate) plugins: PathBuf,
    pub(crate) kind: Kind,
}

/// Which database is connected to. All else is the same program for both.
pub(crate) enum Kind {
    /// SQLite, with these parameters of the URL.
    Sqlite(&'static str),
    /// PostgreSQL at this URL.
    Postgres(String),
}

pub(crate) struct Opened {
    case: Case,
    database: Database,
    connections: Vec<Connection>,
    /// What is copied.
    file: PathBuf,
}

#[derive(FromRow)]
struct Item {
    id: i64,
    quantity: i64,
    name: String,
}

impl Montrs {
    async fn connect(&self, url: &str) -> Result<Database, DbError> {
        Database::builder().url(url).search_path(SearchPath::only([&self.plugins])).connect().await
    }
}

impl Contestant for Montrs {
    type Subject = Opened;

    async fn versions(&self) -> Result<String> {
        let (url, version) = match &self.kind {
            Kind::Sqlite(parameters) => {
                (&format!("sqlite::memory:{parameters}"), "SELECT 'SQLite ' || sqlite_version()")
            }
            Kind::Postgres(url) => (url, "SELECT 'PostgreSQL ' || current_setting('server_version')"),
        };
        let database = self.connect(url).await?;
        let version: String = database.query(version).fetch_scalar().await?;
        Ok(format!("the driver {} {}, {version}", database.driver().name, database.driver().version))
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Opened> {
        let (url, setup) = match &self.kind {
            Kind::Sqlite(parameters) if case.place == Place::Memory => (format!("sqlite::memory:{parameters}"), SETUP),
            // A new file gets WAL and synchronous=NORMAL by itself.
            Kind::Sqlite(parameters) => {
                (format!("sqlite:{}{parameters}", directory.join(case.file_name()).display()), SETUP)
            }
            Kind::Postgres(url) => (url.clone(), POSTGRES_SETUP),
        };
        let database = self.connect(&url).await?;
        for statement in setup {
            database.execute(RuntimeSql(*statement)).await?;
        }
        let mut connections = Vec::new();
        while connections.len() < case.connections() {
            connections.push(database.acquire().await?);
        }
        let file = if case.workload == Workload::CopyFile { copied_file(directory)? } else { PathBuf::new() };
        Ok(Opened { case, database, connections, file })
    }
}

impl Subject for Opened {
    async fn clean(&mut self) -> Result<()> {
        if !self.case.writes() {
            return Ok(());
        }
        let connection = &mut self.connections[0];
        match self.case.place {
            Place::Server => drop(connection.execute(POSTGRES_CLEAN).await?),
            Place::Memory => drop(connection.execute("DELETE FROM written").await?),
            Place::File => {
                connection.execute("DELETE FROM written").await?;
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        match self.case.workload {
            Workload::PointFromPool => return point_from_pool(&self.database, iterations).await,
            Workload::EightTasks => return self.eight_tasks(iterations).await,
            Workload::Checkout => return checkout(&self.database, iterations).await,
            Workload::Mixed => return mixed(&self.database, iterations).await,
            _ => {}
        }
        let connection = &mut self.connections[0];
        match self.case.workload {
            Workload::Point => point(connection, iterations).await,
            Workload::FetchAll => fetch_all(connection, iterations).await,
            Workload::InsertHundred => one_by_one(connection, 100, iterations).await,
            Workload::InsertHundredAtOnce => at_once(connection, 100, iterations).await,
            Workload::InsertThousand => insert_thousand(connection, iterations).await,
            Workload::InsertOne => insert_one(connection, iterations).await,
            Workload::OneByOne => one_by_one(connection, 1000, iterations).await,
            Workload::Pipelined => at_once(connection, 1000, iterations).await,
            Workload::Queries => queries(connection, iterations).await,
            Workload::QueriesPipelined => pipeline(connection, iterations).await,
            Workload::CopyFile => copy_file(connection, &self.file, iterations).await,
            Workload::CopyRows => copy_rows(connection, iterations).await,
            Workload::Stream => stream(connection, iterations).await,
            Workload::Count => count(connection, iterations).await,
            other => bail!("{other:?} has no connection"),
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

async fn checkout(database: &Database, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        drop(black_box(database.acquire().await?));
    }
    Ok(())
}

async fn mixed(database: &Database, iterations: u64) -> Result<()> {
    let share = iterations / 64;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                for (number, id) in ids(share).enumerate() {
                    if number % 10 == 9 {
                        database.execute(INSERT).bind(id).bind(NAME).await?;
                    } else {
                        let item: Item = database.query(POINT).bind(id).fetch_one().await?;
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

async fn one_by_one(connection: &mut Connection, rows: i64, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut transaction = connection.begin().await?;
        for quantity in 0..rows {
            transaction.execute(INSERT).bind(quantity).bind(NAME).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

async fn at_once(connection: &mut Connection, rows: i64, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        connection.execute_many(INSERT, (0..rows).map(|quantity| (quantity, NAME))).await?;
    }
    Ok(())
}

async fn queries(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        for (id, sql) in ids(1000).zip(DIFFERENT.iter().cycle()) {
            let item: Item = connection.query(sql.as_str()).bind(id).fetch_one().await?;
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
    }
    Ok(())
}

async fn pipeline(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let queries = ids(1000).zip(DIFFERENT.iter().cycle());
        let queries = queries.map(|(id, sql)| montrs_orm::query(sql.as_str()).bind(id).one::<Item>());
        for (id, item) in ids(1000).zip(connection.pipeline(queries.collect::<Vec<_>>()).await?) {
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
    }
    Ok(())
}

async fn insert_one(connection: &mut Connection, iterations: u64) -> Result<()> {
    for quantity in 0..iterations {
        connection.execute(INSERT).bind(quantity as i64).bind(NAME).await?;
    }
    Ok(())
}

async fn insert_thousand(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut insert = connection.execute(INSERT_THOUSAND.as_str());
        for quantity in 0..1000_i64 {
            insert = insert.bind(quantity).bind(NAME);
        }
        let inserted = insert.await?.rows_affected();
        ensure!(inserted == 1000, "{inserted} rows");
    }
    Ok(())
}

async fn copy_file(connection: &mut Connection, path: &Path, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut copy = connection.command("copy_in").bind(COPY).upload().await?;
        let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                len => copy.write(&piece[..len]).await?,
            }
        }
        let copied = copy.finish().await?;
        ensure!(copied == COPIED as u64, "{copied} rows");
    }
    Ok(())
}

async fn copy_rows(connection: &mut Connection, iterations: u64) -> Result<()> {
    for _ in 0..iterations {
        let mut copy = connection.command("copy_in").bind(COPY_BINARY).upload().await?;
        copy.write_rows(copied_rows()).await?;
        let copied = copy.finish().await?;
        ensure!(copied == COPIED as u64, "{copied} rows");
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
