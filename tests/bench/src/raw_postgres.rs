//! tokio-postgres, linked into the program, with statements that were prepared before.

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt, future::try_join_all, pin_mut};
use montrs_bench_worker::{
    COPIED, COPY, COPY_BINARY, Case, Contestant, DIFFERENT, FETCH, INSERT, INSERT_THOUSAND, NAME, PIECE, POINT,
    POSTGRES_CLEAN, POSTGRES_SETUP, ROWS, Subject, Workload, copied_file, copied_rows, ids,
};
use std::{
    fs::File,
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
};
use tokio_postgres::{
    Client, NoTls, Row, Statement,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

/// tokio-postgres with this URL.
pub(crate) struct TokioPostgres {
    pub(crate) url: String,
}

pub(crate) struct Connections {
    workload: Workload,
    connections: Vec<Connection>,
    file: PathBuf,
}

struct Connection {
    client: Client,
    point: Statement,
    fetch: Statement,
    insert_thousand: Statement,
    insert: Statement,
    different: Vec<Statement>,
}

struct Item {
    id: i64,
    quantity: i64,
    name: String,
}

impl Item {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { id: row.try_get(0)?, quantity: row.try_get(1)?, name: row.try_get(2)? })
    }
}

impl TokioPostgres {
    async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Contestant for TokioPostgres {
    type Subject = Connections;

    async fn versions(&self) -> Result<String> {
        self.connect().await?;
        Ok("tokio-postgres 0.7".into())
    }

    async fn open(&self, case: Case, directory: &Path) -> Result<Connections> {
        let mut connections = Vec::new();
        // It has no pool: a connection that is held stands for one.
        while connections.len() < case.connections().max(1) {
            let client = self.connect().await?;
            for statement in POSTGRES_SETUP {
                client.batch_execute(statement).await?;
            }
            let different = try_join_all(DIFFERENT.iter().map(|sql| client.prepare(sql))).await?;
            connections.push(Connection {
                different,
                point: client.prepare(POINT).await?,
                fetch: client.prepare(FETCH).await?,
                insert_thousand: client.prepare(&INSERT_THOUSAND).await?,
                insert: client.prepare(INSERT).await?,
                client,
            });
        }
        Ok(Connections { workload: case.workload, connections, file: copied_file(directory)? })
    }
}

impl Subject for Connections {
    async fn clean(&mut self) -> Result<()> {
        Ok(self.connections[0].client.batch_execute(POSTGRES_CLEAN).await?)
    }

    async fn run(&mut self, iterations: u64) -> Result<()> {
        let connection = &mut self.connections[0];
        match self.workload {
            Workload::EightTasks => return self.eight_tasks(iterations).await,
            Workload::Point | Workload::PointFromPool => return connection.point(iterations).await,
            _ => {}
        }
        for _ in 0..iterations {
            match self.workload {
                Workload::FetchAll => connection.fetch_all().await?,
                Workload::InsertThousand => connection.insert_thousand().await?,
                Workload::OneByOne => connection.one_by_one().await?,
                Workload::Pipelined => connection.pipelined().await?,
                Workload::Queries => connection.queries().await?,
                Workload::QueriesPipelined => connection.pipeline().await?,
                Workload::CopyFile => connection.copy_file(&self.file).await?,
                Workload::CopyRows => connection.copy_rows().await?,
                other => bail!("{other:?} is not measured on PostgreSQL"),
            }
        }
        Ok(())
    }
}

impl Connections {
    async fn eight_tasks(&mut self, iterations: u64) -> Result<()> {
        let share = iterations / self.connections.len() as u64;
        let tasks: Vec<_> = self
            .connections
            .drain(..)
            .map(|connection| {
                tokio::spawn(async move {
                    connection.point(share).await?;
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

impl Connection {
    async fn point(&self, iterations: u64) -> Result<()> {
        for id in ids(iterations) {
            let item = Item::read(&self.client.query_one(&self.point, &[&id]).await?)?;
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
        Ok(())
    }

    /// Rows are read as they come, which takes a third less time than to collect them first.
    async fn fetch_all(&self) -> Result<()> {
        let rows = self.client.query_raw(&self.fetch, [0_i64; 0]).await?;
        pin_mut!(rows);
        let mut items = Vec::new();
        while let Some(row) = rows.try_next().await? {
            items.push(Item::read(&row)?);
        }
        ensure!(items.len() == ROWS as usize, "{} rows", items.len());
        black_box(items);
        Ok(())
    }

    async fn insert_thousand(&self) -> Result<()> {
        let values: Vec<(i64, &str)> = (0..1000).map(|quantity| (quantity, NAME)).collect();
        let parameters = values.iter().flat_map(|(quantity, name)| [quantity as &(dyn ToSql + Sync), name]);
        let parameters: Vec<_> = parameters.collect();
        let inserted = self.client.execute(&self.insert_thousand, &parameters).await?;
        ensure!(inserted == 1000, "{inserted} rows");
        Ok(())
    }

    async fn one_by_one(&mut self) -> Result<()> {
        let transaction = self.client.transaction().await?;
        for quantity in 0..1000_i64 {
            transaction.execute(&self.insert, &[&quantity, &NAME]).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Futures that are polled together are sent together.
    async fn pipelined(&mut self) -> Result<()> {
        let transaction = self.client.transaction().await?;
        let insert = async |quantity: i64| transaction.execute(&self.insert, &[&quantity, &NAME]).await;
        try_join_all((0..1000).map(insert)).await?;
        Ok(transaction.commit().await?)
    }

    async fn queries(&self) -> Result<()> {
        for (id, statement) in ids(1000).zip(self.different.iter().cycle()) {
            let item = Item::read(&self.client.query_one(statement, &[&id]).await?)?;
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
        Ok(())
    }

    /// Futures that are polled together are sent together.
    async fn pipeline(&self) -> Result<()> {
        let query = async |(id, statement): (i64, &Statement)| self.client.query_one(statement, &[&id]).await;
        let rows = try_join_all(ids(1000).zip(self.different.iter().cycle()).map(query)).await?;
        for (id, row) in ids(1000).zip(&rows) {
            let item = Item::read(row)?;
            ensure!(item.id == id, "another row than the one that was asked for");
            black_box((item.quantity, item.name));
        }
        Ok(())
    }

    async fn copy_file(&self, path: &Path) -> Result<()> {
        let sink = self.client.copy_in(COPY).await?;
        pin_mut!(sink);
        let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                len => sink.feed(Bytes::copy_from_slice(&piece[..len])).await?,
            }
        }
        let copied = sink.finish().await?;
        ensure!(copied == COPIED as u64, "{copied} rows");
        Ok(())
    }

    async fn copy_rows(&self) -> Result<()> {
        let sink = self.client.copy_in(COPY_BINARY).await?;
        let writer = BinaryCopyInWriter::new(sink, &[Type::INT8, Type::INT8, Type::TEXT]);
        pin_mut!(writer);
        for (id, quantity, name) in copied_rows() {
            writer.as_mut().write(&[&id, &quantity, &name]).await?;
        }
        let copied = writer.finish().await?;
        ensure!(copied == COPIED as u64, "{copied} rows");
        Ok(())
    }
}
