//! A connection: a session on the host's blocking pool, one hop an operation.

use crate::{
    monitor::Monitor,
    options::Options,
    registry::Token,
    session::{Answer, Session},
    sleeper::Sleeper,
};
use montrs_driver_sdk::{
    Batch, Blocking, Connection, ConnectionStatus, Description, Error, ErrorKind, Fetched, Host, NextBatch, Params,
    QueryOptions, Reply, Result, TransactionOptions,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// One connection.
pub struct SqliteConnection {
    /// Nothing once it was closed.
    session: Blocking<Option<Session>>,
    monitor: Arc<Monitor>,
    /// The number of the last operation.
    operation: u64,
}

/// A statement, or a result that keeps its statement.
pub struct SqliteStatement(Arc<Token>);

impl SqliteConnection {
    /// Opens a connection, and notes how many parameters a statement can have.
    pub(crate) async fn open(host: Host, options: Arc<Options>, parameter_limit: Arc<AtomicU64>) -> Result<Self> {
        let monitor = Arc::new(Monitor::default());
        let sleeper = Arc::new(Sleeper::new(monitor.clone(), options.busy_timeout));
        let (operation, guard) = (1, CancelOnDrop { monitor: &monitor, operation: 1 });
        let session = {
            let monitor = monitor.clone();
            Blocking::make(host, move || {
                monitor.begin(operation);
                let session = Session::open(&options, monitor, sleeper)?;
                parameter_limit.store(session.parameter_limit() as u64, Ordering::Relaxed);
                Ok(Some(session))
            })
            .await?
        };
        guard.disarm();
        Ok(Self { session, monitor, operation })
    }

    /// Runs an operation. When this future is dropped, the operation is told to stop; the next one waits for its end.
    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.operation += 1;
        let (operation, monitor) = (self.operation, self.monitor.clone());
        let guard = CancelOnDrop { monitor: &self.monitor, operation };
        let result = self
            .session
            .run(move |session| {
                let session = session.as_mut().ok_or_else(closed)?;
                let _broken_by_panic = BreakOnPanic(&monitor);
                monitor.begin(operation);
                work(session)
            })
            .await;
        guard.disarm();
        result?
    }
}

/// Cancels an operation whose future is dropped.
struct CancelOnDrop<'a> {
    monitor: &'a Monitor,
    operation: u64,
}

impl CancelOnDrop<'_> {
    /// The operation has ended.
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.monitor.cancel(self.operation);
    }
}

/// After a panic nobody knows what state the session is in.
struct BreakOnPanic<'a>(&'a Monitor);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set_broken();
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::CONNECTION_LOST, "the connection was closed")
}

impl Connection for SqliteConnection {
    type Statement = SqliteStatement;
    type Rows = SqliteStatement;

    fn prepare(&mut self, sql: &str) -> Reply<'_, SqliteStatement> {
        let sql = sql.to_owned();
        Reply::later(async move {
            let token = self.run(move |session| session.prepare(&sql)).await?;
            Ok(SqliteStatement(Arc::new(token)))
        })
    }

    fn describe<'a>(&'a mut self, statement: &'a mut SqliteStatement) -> Reply<'a, Description> {
        let token = statement.0.clone();
        Reply::later(self.run(move |session| session.describe(&token)))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut SqliteStatement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: Batch,
    ) -> Reply<'a, Fetched<SqliteStatement>> {
        let (values, token) = (parameters.to_buffer(), statement.0.clone());
        Reply::later(async move {
            let rows = SqliteStatement(token.clone());
            let Answer { columns, batch, affected, last_insert_id, is_finished } =
                self.run(move |session| session.query(&token, &values.as_params(), options, batch)).await?;
            Ok(Fetched { columns, batch, affected, last_insert_id, rows: (!is_finished).then_some(rows) })
        })
    }

    fn next<'a>(&'a mut self, rows: &'a mut SqliteStatement, batch: Batch) -> Reply<'a, NextBatch> {
        let token = rows.0.clone();
        Reply::later(self.run(move |session| session.next(&token, batch)))
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut SqliteStatement) -> Reply<'a, ()> {
        let token = rows.0.clone();
        Reply::later(self.run(move |session| session.close_rows(&token)))
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        Reply::later(self.run(move |session| session.begin(options)))
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        Reply::later(self.run(Session::commit))
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        Reply::later(self.run(Session::rollback))
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        Reply::later(self.run(move |session| session.savepoint(depth)))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        Reply::later(self.run(move |session| session.release(depth)))
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        Reply::later(self.run(move |session| session.rollback_to(depth)))
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        Reply::later(self.run(Session::reset))
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        Reply::later(self.run(Session::ping))
    }

    fn status(&mut self) -> ConnectionStatus {
        self.monitor.status()
    }

    fn close(&mut self) -> Reply<'_, ()> {
        // The last connection to a file moves the write-ahead log into it, which takes its time.
        Reply::later(async move { self.session.run(|session| drop(session.take())).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_breaks_the_connection_and_nothing_else_does() {
        let monitor = Monitor::default();
        drop(BreakOnPanic(&monitor));
        assert_eq!(monitor.status(), ConnectionStatus::READY);
        let panicked = std::panic::catch_unwind(|| {
            let _broken_by_panic = BreakOnPanic(&monitor);
            panic!("expected by the test");
        });
        assert!(panicked.is_err());
        assert_eq!(monitor.status(), ConnectionStatus::BROKEN);
    }
}
