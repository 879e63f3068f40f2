//! One session with the server.

use crate::wire::Wire;
use montrs_driver_sdk::{
    Batch, Column, ColumnSet, Connection, ConnectionStatus, Error, ErrorKind, Fetched, Host, NextBatch, Params,
    QueryOptions, Reply, Result, TransactionOptions, ValueRef,
};
use std::fmt::Write;

/// One session with the server.
pub struct LineConnection {
    /// `None` once it was closed.
    wire: Option<Wire>,
    host: Host,
    in_transaction: bool,
    /// The number of the last reset: answers to older questions come before it.
    resets: u64,
}

/// A result whose rows the server keeps until it is asked for more.
pub struct LineRows {
    columns: usize,
}

/// After so many rows others get a turn.
const ROWS_A_TURN: usize = 100;

impl LineConnection {
    pub(crate) fn new(wire: Wire, host: Host) -> Self {
        Self { wire: Some(wire), host, in_transaction: false, resets: 0 }
    }

    fn wire(&mut self) -> Result<&mut Wire> {
        self.wire.as_mut().ok_or_else(|| Error::new(ErrorKind::CONNECTION_LOST, "the connection was closed"))
    }

    /// Sends a command that is answered with `done`.
    async fn command(&mut self, command: &str) -> Result<u64> {
        let wire = self.wire()?;
        wire.send(command).await?;
        wire.done().await
    }

    /// Reads rows until the server pauses; `Some` is the count at the end of the result.
    async fn rows(&mut self, columns: usize, batch: &mut Batch) -> Result<Option<u64>> {
        batch.clear(columns);
        loop {
            let wire = self.wire()?;
            let line = wire.line().await?;
            match line.split() {
                ("row", values) => {
                    for value in values.split('\t') {
                        batch.push(value.parse().map_or(ValueRef::Text(value), ValueRef::I64))?;
                    }
                    batch.end_row();
                }
                ("more", _) => return Ok(None),
                ("done", count) => return Ok(Some(count.parse().map_err(|_| wire.garbage("no count"))?)),
                _ => return Err(wire.garbage("something else than a row")),
            }
            if batch.rows().is_multiple_of(ROWS_A_TURN) {
                self.host.yield_now().await;
            }
        }
    }

    async fn run(&mut self, command: &str, batch: &mut Batch) -> Result<Fetched<LineRows>> {
        let wire = self.wire()?;
        wire.send(command).await?;
        let line = wire.line().await?;
        let names: Vec<&str> = match line.split() {
            ("columns", names) => names.split('\t').collect(),
            ("done", count) => {
                let affected = count.parse().map_err(|_| wire.garbage("no count"))?;
                batch.clear(0);
                return Ok(Fetched::finished(ColumnSet::of([]), affected));
            }
            _ => return Err(wire.garbage("something else than columns")),
        };
        let end = self.rows(names.len(), batch).await?;
        let rows = end.is_none().then_some(LineRows { columns: names.len() });
        let columns = ColumnSet::of(names.iter().map(|name| Column::named(*name)));
        Ok(Fetched { rows, ..Fetched::finished(columns, end.unwrap_or(0)) })
    }
}

impl Connection for LineConnection {
    type Statement = String;
    type Rows = LineRows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, String> {
        Reply::ready(match sql.trim() {
            "" => Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty")),
            sql if sql.contains('\n') => Err(Error::new(ErrorKind::SYNTAX, "a statement is one line").with_position(0)),
            sql => Ok(sql.to_owned()),
        })
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut String,
        parameters: Params<'_>,
        _options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<LineRows>> {
        // The parameters are borrowed for this call only, so the command is put together before the future.
        let mut command = format!("query {statement}\n");
        for index in 0..parameters.len() {
            let written = match parameters.get(index) {
                Ok(ValueRef::Text(text)) => writeln!(command, "bind {text}"),
                Ok(ValueRef::I32(number)) => writeln!(command, "bind {number}"),
                Ok(ValueRef::I64(number)) => writeln!(command, "bind {number}"),
                _ => Err(std::fmt::Error),
            };
            if written.is_err() {
                return Reply::ready(Err(Error::new(ErrorKind::ENCODE, "parameters are texts and whole numbers")));
            }
        }
        command.push_str("go\n");
        Reply::later(async move { self.run(&command, batch).await })
    }

    fn next<'a>(&'a mut self, rows: &'a mut LineRows, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        Reply::later(async move {
            self.wire()?.send("next\n").await?;
            let end = self.rows(rows.columns, batch).await?;
            Ok(NextBatch { affected: end.unwrap_or(0), finished: end.is_some() })
        })
    }

    fn close_rows<'a>(&'a mut self, _rows: &'a mut LineRows) -> Reply<'a, ()> {
        Reply::later(async move { self.command("close\n").await.map(drop) })
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        if options != TransactionOptions::default() {
            return Reply::unsupported("options of transactions");
        }
        Reply::later(async {
            self.command("begin\n").await?;
            self.in_transaction = true;
            Ok(())
        })
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            self.command("commit\n").await?;
            self.in_transaction = false;
            Ok(())
        })
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            self.command("rollback\n").await?;
            self.in_transaction = false;
            Ok(())
        })
    }

    /// The server ends everything at a reset. What it sent before belongs to what was abandoned.
    fn reset(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            self.resets += 1;
            let mark = self.resets.to_string();
            let wire = self.wire()?;
            wire.send(&format!("reset {mark}\n")).await?;
            while wire.any_line().await?.split() != ("ready", &mark) {}
            self.in_transaction = false;
            Ok(())
        })
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        Reply::later(async { self.command("ping\n").await.map(drop) })
    }

    fn status(&mut self) -> ConnectionStatus {
        match &self.wire {
            Some(wire) if !wire.is_lost() && self.in_transaction => ConnectionStatus::IN_TRANSACTION,
            Some(wire) if !wire.is_lost() => ConnectionStatus::READY,
            _ => ConnectionStatus::BROKEN,
        }
    }

    fn close(&mut self) -> Reply<'_, ()> {
        let wire = self.wire.take();
        Reply::later(async {
            if let Some(wire) = wire {
                wire.bye().await;
            }
            Ok(())
        })
    }
}

impl Drop for LineConnection {
    /// Dropping must not block: a task of the host's says goodbye.
    fn drop(&mut self) {
        if let Some(wire) = self.wire.take().filter(|wire| !wire.is_lost()) {
            self.host.spawn(wire.bye());
        }
    }
}
