//! A connection: the SDK's trait on a session, however its operations are executed.

use crate::{
    command::{Command, UploadCommand},
    execution::Executor,
    monitor::Monitor,
    options::Options,
    registry::Token,
    session::{Answer, Session},
};
use montrs_driver_sdk::{
    Batch, Connection, ConnectionStatus, Description, Fetched, Host, ManyReply, NextBatch, Params, QueryOptions, Reply,
    Result, RowBatch, TransactionOptions,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One connection.
pub struct SqliteConnection {
    executor: Executor,
    monitor: Arc<Monitor>,
    /// The number of the last operation.
    operation: u64,
}

/// A statement.
pub struct SqliteStatement(Arc<Token>);

/// An open result.
pub struct SqliteRows(Source);

/// What a result is of.
enum Source {
    /// A statement, which it keeps.
    Statement(Arc<Token>),
    /// The command that the session runs.
    Command,
}

impl SqliteConnection {
    /// Opens a connection, and notes how many parameters a statement can have.
    pub(crate) async fn open(host: Host, options: Arc<Options>, parameter_limit: Arc<AtomicU64>) -> Result<Self> {
        let monitor = Arc::new(Monitor::default());
        let (executor, limit) = Executor::open(host, options, monitor.clone()).await?;
        parameter_limit.store(limit as u64, Ordering::Relaxed);
        Ok(Self { executor, monitor, operation: 1 })
    }

    fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        self.operation += 1;
        self.executor.run(self.operation, work)
    }
}

impl Connection for SqliteConnection {
    type Statement = SqliteStatement;
    type Rows = SqliteRows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, SqliteStatement> {
        let sql = sql.to_owned();
        self.run(move |session| Ok(SqliteStatement(Arc::new(session.prepare(&sql)?))))
    }

    fn describe<'a>(&'a mut self, statement: &'a mut SqliteStatement) -> Reply<'a, Description> {
        let token = statement.0.clone();
        self.run(move |session| session.describe(&token))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut SqliteStatement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: Batch,
    ) -> Reply<'a, Fetched<SqliteRows>> {
        let token = statement.0.clone();
        // Binding copies the values and never waits, so where it can be done at once they are copied only once.
        let bound = self.executor.session().map(|session| {
            self.monitor.begin(self.operation + 1);
            session.bind(&token, &parameters)
        });
        let values = match bound {
            Some(Ok(())) => None,
            Some(Err(error)) => return Reply::ready(Err(error)),
            None => Some(parameters.to_buffer()),
        };
        self.run(move |session| {
            if let Some(values) = values {
                session.bind(&token, &values.as_params())?;
            }
            let Answer { columns, batch, affected, last_insert_id, is_finished } =
                session.start(&token, options, batch)?;
            let rows = (!is_finished).then_some(SqliteRows(Source::Statement(token)));
            Ok(Fetched { columns, batch, affected, last_insert_id, rows })
        })
    }

    fn query_many<'a>(&'a mut self, statement: &'a mut SqliteStatement, rows: RowBatch) -> Reply<'a, ManyReply> {
        let token = statement.0.clone();
        self.run(move |session| session.query_many(&token, rows))
    }

    fn next<'a>(&'a mut self, rows: &'a mut SqliteRows, batch: Batch) -> Reply<'a, NextBatch> {
        match &rows.0 {
            Source::Statement(token) => {
                let token = token.clone();
                self.run(move |session| session.next(&token, batch))
            }
            Source::Command => self.run(move |session| session.next_of_command(batch)),
        }
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut SqliteRows) -> Reply<'a, ()> {
        match &rows.0 {
            Source::Statement(token) => {
                let token = token.clone();
                self.run(move |session| session.close_rows(&token))
            }
            Source::Command => self.run(Session::close_command),
        }
    }

    fn command(
        &mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: Batch,
    ) -> Reply<'_, Fetched<SqliteRows>> {
        let command = match Command::parse(name, &parameters) {
            Ok(command) => command,
            Err(error) => return Reply::ready(Err(error)),
        };
        self.run(move |session| {
            let Answer { columns, batch, affected, last_insert_id, is_finished } =
                session.command(command, options, batch)?;
            let rows = (!is_finished).then_some(SqliteRows(Source::Command));
            Ok(Fetched { columns, batch, affected, last_insert_id, rows })
        })
    }

    fn upload(&mut self, name: &str, parameters: Params<'_>) -> Reply<'_, ()> {
        match UploadCommand::parse(name, &parameters) {
            Ok(command) => self.run(move |session| session.upload(command)),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn upload_bytes(&mut self, bytes: &[u8]) -> Reply<'_, ()> {
        // Copied, because writing may be suspended, and the bytes are the host's.
        let bytes = bytes.to_vec();
        self.run(move |session| session.upload_bytes(&bytes))
    }

    fn upload_end(&mut self) -> Reply<'_, u64> {
        self.run(Session::upload_end)
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        self.run(move |session| session.begin(options))
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        self.run(Session::commit)
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.run(Session::rollback)
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.savepoint(depth))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.release(depth))
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.rollback_to(depth))
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        // After an operation or upload that was abandoned the session may stay with its user.
        let was_abandoned = self.monitor.is_cancelled();
        self.run(move |session| match was_abandoned || session.transfer.is_upload() {
            true => session.put_right(),
            false => session.reset(),
        })
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        self.run(Session::ping)
    }

    fn status(&mut self) -> ConnectionStatus {
        self.monitor.status()
    }

    fn close(&mut self) -> Reply<'_, ()> {
        Reply::later(self.executor.close())
    }
}
