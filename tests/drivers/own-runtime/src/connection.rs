//! One session with the queue.

use crate::{
    queue::{Queue, Session},
    statement::{Outcome, Statement},
};
use montrs_driver_sdk::{
    Batch, Column, ColumnSet, Connection, ConnectionStatus, Error, ErrorKind, Fetched, NextBatch, OwnRuntime, Params,
    QueryOptions, Reply, Result, TransactionOptions, ValueRef,
};
use std::{pin::Pin, sync::Arc};
use tokio::sync::{Mutex, mpsc};

/// One session with the queue.
pub struct QueueConnection {
    runtime: Arc<OwnRuntime>,
    /// Work on the runtime holds the lock until it has ended, also when it was abandoned.
    session: Arc<Mutex<Session>>,
    in_transaction: bool,
}

/// Ticks that are still to come.
pub struct TickRows(mpsc::Receiver<i64>);

type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl QueueConnection {
    pub(crate) fn new(runtime: Arc<OwnRuntime>, queue: Arc<Queue>) -> Self {
        let session = Arc::new(Mutex::new(Session { queue, outbox: None }));
        Self { runtime, session, in_transaction: false }
    }

    /// Runs work with the session on the driver's runtime.
    fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Session) -> Work<'_, T> + Send + 'static,
    {
        let session = self.session.clone();
        self.runtime.run(async move { work(&mut *session.lock().await).await })
    }

    /// Ends the transaction; its messages are sent, or forgotten.
    fn end(&mut self, commit: bool) -> Reply<'_, ()> {
        Reply::later(async move {
            let end = self.run(move |session| {
                Box::pin(async move {
                    let messages = session.outbox.take().unwrap_or_default();
                    if commit {
                        session.queue.send(messages).await;
                    }
                    Ok(())
                })
            });
            end.await?;
            self.in_transaction = false;
            Ok(())
        })
    }
}

impl Connection for QueueConnection {
    type Statement = Statement;
    type Rows = TickRows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, Statement> {
        Reply::ready(Statement::parse(sql))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut Statement,
        parameters: Params<'_>,
        _options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<TickRows>> {
        let parameter = match parameters.get(0) {
            Err(_) => None,
            Ok(ValueRef::Text(text)) => Some(text.to_owned()),
            Ok(_) => return Reply::ready(Err(Error::new(ErrorKind::ENCODE, "a message is a text"))),
        };
        let statement = *statement;
        Reply::later(async move {
            batch.clear(1);
            let (column, rows) = match self.run(move |session| Box::pin(statement.run(session, parameter))).await? {
                Outcome::Sent => {
                    batch.clear(0);
                    return Ok(Fetched::finished(ColumnSet::of([]), 1));
                }
                Outcome::Message(message) => {
                    message.map_or(Ok(()), |message| row(batch, ValueRef::Text(&message)))?;
                    ("message", None)
                }
                Outcome::Count(count) => {
                    row(batch, ValueRef::I64(i64::try_from(count).unwrap_or(i64::MAX)))?;
                    ("count", None)
                }
                Outcome::Ticks(ticks) => ("tick", Some(TickRows(ticks))),
            };
            Ok(Fetched { rows, ..Fetched::finished(ColumnSet::of([Column::named(column)]), 0) })
        })
    }

    /// A channel needs no runtime, so this can be awaited where the host polls.
    fn next<'a>(&'a mut self, rows: &'a mut TickRows, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        Reply::later(async move {
            batch.clear(1);
            let tick = rows.0.recv().await;
            tick.map_or(Ok(()), |tick| row(batch, ValueRef::I64(tick)))?;
            Ok(NextBatch { affected: 0, finished: tick.is_none() })
        })
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut TickRows) -> Reply<'a, ()> {
        rows.0.close();
        Reply::ready(Ok(()))
    }

    fn begin(&mut self, _options: TransactionOptions) -> Reply<'_, ()> {
        Reply::later(async {
            let begin = self.run(|session| {
                session.outbox = Some(Vec::new());
                Box::pin(async { Ok(()) })
            });
            begin.await?;
            self.in_transaction = true;
            Ok(())
        })
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        self.end(true)
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.end(false)
    }

    /// What was abandoned is ended by the runtime, and holds the session until then.
    fn reset(&mut self) -> Reply<'_, ()> {
        self.end(false)
    }

    fn status(&mut self) -> ConnectionStatus {
        if self.in_transaction { ConnectionStatus::IN_TRANSACTION } else { ConnectionStatus::READY }
    }
}

fn row(batch: &mut Batch, value: ValueRef<'_>) -> Result<()> {
    batch.push(value)?;
    batch.end_row();
    Ok(())
}
