//! One session.
//!
//! The statements are `compiler` and `layout`, what made the driver and how it lays out a struct; `kinds`; `fail`;
//! `echo`, the parameters; `count <n>`, numbers in small batches; `begun`, the options of the transaction; `services`,
//! which uses each of the host's; and `greet <address> <port>`, which writes a line to a TCP peer and reads one.

use crate::samples;
use montrs_driver_sdk::{
    Batch, Blocking, Column, ColumnSet, Connection, ConnectionStatus, Description, Error, ErrorKind, Fetched, Host,
    Kind, LogLevel, NextBatch, Nullability, Parameter, Params, QueryOptions, Reply, Result, TcpOptions,
    TransactionOptions, ValueRef,
};
use std::{mem::offset_of, sync::mpsc, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub(crate) struct ExternalConnection {
    host: Host,
    begun: Option<TransactionOptions>,
    savepoints: u32,
}

/// The next number, and the last.
pub(crate) struct Numbers(i64, i64);

/// So many numbers are a batch.
const BATCH: i64 = 100;

/// A struct that the compiler may lay out as it likes.
#[allow(dead_code, reason = "only its layout is looked at")]
struct Loose {
    a: u8,
    b: u64,
    c: u16,
    d: u32,
    e: u8,
    f: u64,
}

impl ExternalConnection {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, begun: None, savepoints: 0 }
    }

    fn run(&self, statement: &str, parameters: Params<'_>, batch: &mut Batch) -> Result<Vec<Column>> {
        batch.clear(1);
        let text = match statement {
            "kinds" => return samples::every_kind(batch),
            "fail" => return Err(samples::error()),
            "echo" => {
                batch.clear(parameters.len());
                let mut columns = Vec::new();
                for index in 0..parameters.len() {
                    batch.push(parameters.get(index).map_err(|error| Error::protocol(error.to_string()))?)?;
                    columns.push(Column::named(parameters.name(index).unwrap_or("")));
                }
                batch.end_row();
                return Ok(columns);
            }
            "compiler" => env!("COMPILER").to_owned(),
            "layout" => format!(
                "{:?}",
                [
                    offset_of!(Loose, a),
                    offset_of!(Loose, b),
                    offset_of!(Loose, c),
                    offset_of!(Loose, d),
                    offset_of!(Loose, e),
                    offset_of!(Loose, f)
                ]
            ),
            "begun" => format!("{:?} {}", self.begun, self.savepoints),
            _ => return Err(Error::new(ErrorKind::SYNTAX, format!("`{statement}` is no command")).with_position(0)),
        };
        batch.push(ValueRef::Text(&text))?;
        batch.end_row();
        Ok(vec![Column::named("text")])
    }

    async fn use_services(&self) -> Result<String> {
        let lost = |error: std::io::Error| Error::new(ErrorKind::IO, error.to_string());
        self.host.sleep(Duration::from_millis(1)).await;
        self.host.yield_now().await;
        let addresses = self.host.resolve("localhost").await.map_err(lost)?;
        let (sender, receiver) = mpsc::channel();
        let task = self.host.spawn(async move {
            let _ = sender.send("the task");
        });
        while !task.is_finished() {
            self.host.yield_now().await;
        }
        let mut work = Blocking::new(self.host.clone(), receiver);
        let heard = work.run(|receiver| receiver.recv().unwrap_or("nothing")).await?;
        self.host.spawn(std::future::pending()).abort();
        self.host.log(LogLevel::ERROR, "external", || format!("heard {heard}"));
        Ok(format!("{heard}, {}", if addresses.is_empty() { "nowhere" } else { "localhost" }))
    }

    async fn greet(&self, address: &str, port: u16) -> Result<String> {
        let lost = |error: std::io::Error| Error::new(ErrorKind::CONNECTION_LOST, error.to_string());
        let options = TcpOptions {
            no_delay: true,
            keepalive: true,
            keepalive_retries: 2,
            keepalive_idle_ms: 5000,
            keepalive_interval_ms: 5000,
            user_timeout_ms: 5000,
        };
        let mut socket = self.host.connect_tcp(address, port, options).await.map_err(lost)?;
        socket.write_all(b"hello\n").await.map_err(lost)?;
        socket.shutdown().await.map_err(lost)?;
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).await.map_err(lost)?;
        Ok(line)
    }
}

fn text_row(text: &str, batch: &mut Batch) -> Result<Fetched<Numbers>> {
    batch.clear(1);
    batch.push(ValueRef::Text(text))?;
    batch.end_row();
    Ok(Fetched::finished(ColumnSet::of([Column::named("text")]), 0))
}

impl Connection for ExternalConnection {
    type Statement = String;
    type Rows = Numbers;

    fn prepare(&mut self, sql: &str) -> Reply<'_, String> {
        Reply::ready(Ok(sql.to_owned()))
    }

    fn describe<'a>(&'a mut self, statement: &'a mut String) -> Reply<'a, Description> {
        let parameter = Parameter {
            name: statement.as_str().into(),
            type_name: "a type".into(),
            type_code: 23,
            kind: Kind::I32,
            nullability: Nullability::NULLABLE,
        };
        let columns = [samples::column(Kind::TEXT), samples::column(Kind::UUID)].into_iter().collect();
        let parameters = [parameter].into_iter().collect();
        Reply::ready(Ok(Description { parameters, columns, is_read_only: true }))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut String,
        parameters: Params<'_>,
        _options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Numbers>> {
        match statement.split(' ').collect::<Vec<_>>()[..] {
            ["count", last] => {
                batch.clear(0);
                let rows = last.parse().ok().map(|last| Numbers(1, last));
                let columns = ColumnSet::of([samples::column(Kind::I64)]);
                Reply::ready(Ok(Fetched { columns, affected: 5, last_insert_id: Some(-6), rows }))
            }
            ["services"] => Reply::later(async { text_row(&self.use_services().await?, batch) }),
            ["greet", address, port] => Reply::later(async move {
                let port = port.parse().map_err(|_| Error::new(ErrorKind::SYNTAX, "no port"))?;
                text_row(&self.greet(address, port).await?, batch)
            }),
            _ => {
                let columns = self.run(statement, parameters, batch);
                Reply::ready(columns.map(|columns| Fetched::finished(ColumnSet::of(columns), 0)))
            }
        }
    }

    fn next<'a>(&'a mut self, rows: &'a mut Numbers, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        Reply::later(async move {
            self.host.yield_now().await;
            batch.clear(1);
            let end = rows.1.min(rows.0 + BATCH - 1);
            for number in rows.0..=end {
                batch.push(ValueRef::I64(number))?;
                batch.end_row();
            }
            rows.0 = end + 1;
            Ok(NextBatch { affected: 7, finished: rows.0 > rows.1 })
        })
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        self.begun = Some(options);
        Reply::ready(Ok(()))
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        self.reset()
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.reset()
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        self.savepoints = depth;
        Reply::ready(Ok(()))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        self.savepoint(depth - 1)
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        self.savepoint(depth - 1)
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        (self.begun, self.savepoints) = (None, 0);
        Reply::ready(Ok(()))
    }

    fn status(&mut self) -> ConnectionStatus {
        self.begun.map_or(ConnectionStatus::READY, |_| ConnectionStatus::IN_TRANSACTION)
    }
}
