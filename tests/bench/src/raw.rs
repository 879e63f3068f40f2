//! SQLite without anything around it: rusqlite, called from the task itself.

use anyhow::{Result, bail, ensure};
use montrs_bench_worker::{COUNT, Case, Contestant, FETCH, INSERT, NAME, POINT, Place, ROWS, SETUP, STREAM, Subject};
use montrs_bench_worker::{Workload, ids};
use rusqlite::{Connection, Row, params};
use std::{hint::black_box, path::Path};

/// rusqlite, with statements that are prepared once for a segment.
pub(crate) struct Raw;

pub(crate) struct Connections {
    case: Case,
    connections: Vec<Connection>,
}

struct Item {
    id: i64,
    quantity: i64,
    name: String,
}

impl Item {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, quantity: row.get(1)?, name: row.get(2)? })
    }
}

impl Contestant for Raw {
    type Subject = Connections;

    async fn versions(&self) -> Result<String> {
        Ok(format!("rusqlite 0.41, SQLite {}", rusqlite::version()))
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Connections> {
        let open = || -> Result<Connection> {
            Ok(match case.place {
                Place::Memory => Connection::open_in_memory()?,
                Place::Server => bail!("SQLite has no server"),
                Place::File => {
                    let connection = Connection::open(directory.join(case.file_name()))?;
                    connection.pragma_update(None, "journal_mode", "wal")?;
                    connection.pragma_update(None, "synchronous", "normal")?;
                    connection
                }
            })
        };
        let first = open()?;
        for statement in SETUP {
            first.execute_batch(statement)?;
        }
        let mut connections = vec![first];
        while connections.len() < case.connections() {
            connections.push(open()?);
        }
        Ok(Connections { case, connections })
    }
}

impl Subject for Connections {
    async fn clean(&mut self) -> Result<()> {
        if self.case.writes() {
            self.connections[0].execute("DELETE FROM written", [])?;
            if self.case.place == Place::File {
                self.connections[0].query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        match self.case.workload {
            Workload::EightTasks => self.one_after_the_other(iterations),
            workload => run(&self.connections[0], workload, iterations),
        }
    }
}

impl Connections {
    /// Not at once: where reads of two connections overlap, SQLite saves their locks in the file, so how much there is to do
    /// would be left to chance.
    fn one_after_the_other(&self, iterations: u64) -> Result<()> {
        let share = iterations / self.connections.len() as u64;
        self.connections.iter().try_for_each(|connection| point(connection, share))
    }
}

fn run(connection: &Connection, workload: Workload, iterations: u64) -> Result<()> {
    match workload {
        Workload::Point | Workload::PointFromPool | Workload::EightTasks => point(connection, iterations),
        Workload::Checkout => checkout(iterations),
        Workload::Mixed => mixed(connection, iterations),
        Workload::FetchAll => fetch_all(connection, iterations),
        Workload::InsertHundred | Workload::InsertHundredAtOnce => insert_hundred(connection, iterations),
        Workload::InsertOne => insert_one(connection, iterations),
        Workload::Stream => stream(connection, iterations),
        Workload::Count => count(connection, iterations),
        other => bail!("{other:?} is not measured on SQLite"),
    }
}

fn checkout(iterations: u64) -> Result<()> {
    let connection = std::sync::Mutex::new(());
    for _ in 0..iterations {
        drop(black_box(connection.lock()));
    }
    Ok(())
}

fn mixed(connection: &Connection, iterations: u64) -> Result<()> {
    let (mut read, mut insert) = (connection.prepare(POINT)?, connection.prepare(INSERT)?);
    for (number, id) in ids(iterations).enumerate() {
        if number % 10 == 9 {
            insert.execute(params![id, NAME])?;
        } else {
            let item = read.query_row([id], Item::read)?;
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
    }
    Ok(())
}

fn point(connection: &Connection, iterations: u64) -> Result<()> {
    let mut statement = connection.prepare(POINT)?;
    for id in ids(iterations) {
        let item = statement.query_row([id], Item::read)?;
        ensure!(item.id == id, "another row than the one that was asked for");
        black_box((item.quantity, item.name));
    }
    Ok(())
}

fn fetch_all(connection: &Connection, iterations: u64) -> Result<()> {
    let mut statement = connection.prepare(FETCH)?;
    for _ in 0..iterations {
        let mut rows = statement.query([])?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(Item::read(row)?);
        }
        ensure!(items.len() == ROWS as usize, "{} rows", items.len());
        black_box(items);
    }
    Ok(())
}

fn insert_hundred(connection: &Connection, iterations: u64) -> Result<()> {
    let mut begin = connection.prepare("BEGIN")?;
    let mut insert = connection.prepare(INSERT)?;
    let mut commit = connection.prepare("COMMIT")?;
    for _ in 0..iterations {
        begin.execute([])?;
        for quantity in 0..100_i64 {
            insert.execute(params![quantity, NAME])?;
        }
        commit.execute([])?;
    }
    Ok(())
}

fn insert_one(connection: &Connection, iterations: u64) -> Result<()> {
    let mut insert = connection.prepare(INSERT)?;
    for quantity in 0..iterations {
        insert.execute(params![quantity as i64, NAME])?;
    }
    Ok(())
}

fn stream(connection: &Connection, iterations: u64) -> Result<()> {
    let mut statement = connection.prepare(STREAM)?;
    let mut rows = statement.query([iterations as i64])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        black_box(Item::read(row)?);
        seen += 1;
    }
    ensure!(seen == iterations, "{seen} rows");
    Ok(())
}

fn count(connection: &Connection, iterations: u64) -> Result<()> {
    let last: i64 = connection.query_row(COUNT, [iterations as i64], |row| row.get(0))?;
    ensure!(last == iterations as i64, "counted to {last}");
    Ok(())
}
