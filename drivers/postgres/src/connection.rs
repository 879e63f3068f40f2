//! The SDK's trait.

use crate::{
    PgRows, PgStatement, query, reset,
    session::{LOG, Session},
    statement, transaction,
};
use montrs_driver_sdk::{
    Batch, Connection, ConnectionStatus, Description, Fetched, LogLevel, NextBatch, Params, QueryOptions, Reply,
    Result, TransactionOptions,
};

/// One session with the server.
pub struct PgConnection {
    /// `None` once it was closed.
    session: Option<Box<Session>>,
}

impl PgConnection {
    pub(crate) fn new(session: Session) -> Self {
        Self { session: Some(Box::new(session)) }
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_deref_mut().ok_or_else(crate::session::closed)
    }

    /// Runs a command that the driver has written itself.
    fn command(&mut self, sql: String) -> Reply<'_, ()> {
        Reply::later(async move { self.session()?.command(&sql).await.map(drop) })
    }
}

impl Connection for PgConnection {
    type Statement = PgStatement;
    type Rows = PgRows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, PgStatement> {
        let sql = sql.into();
        Reply::later(async move { statement::new(self.session()?, sql).await })
    }

    fn describe<'a>(&'a mut self, statement: &'a mut PgStatement) -> Reply<'a, Description> {
        Reply::later(async move { statement::describe(self.session()?, statement).await })
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut PgStatement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: Batch,
    ) -> Reply<'a, Fetched<PgRows>> {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return Reply::ready(Err(error)),
        };
        match query::write(session, statement, &parameters, options) {
            Ok(request) => Reply::later(query::run(session, statement, request, batch)),
            Err(error) => {
                session.take_back();
                Reply::ready(Err(error))
            }
        }
    }

    fn next<'a>(&'a mut self, rows: &'a mut PgRows, batch: Batch) -> Reply<'a, NextBatch> {
        Reply::later(async move { query::next(self.session()?, rows, batch).await })
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut PgRows) -> Reply<'a, ()> {
        Reply::later(async move { query::close(self.session()?, rows).await })
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        match transaction::begin_statement(options) {
            Ok(sql) => self.command(sql),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        Reply::later(async move { transaction::commit(self.session()?).await })
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.command("ROLLBACK".into())
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        self.command(transaction::savepoint(depth))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        self.command(transaction::release(depth))
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        self.command(transaction::rollback_to(depth))
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        Reply::later(async move { reset::reset(self.session()?).await })
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        self.command(String::new())
    }

    fn status(&mut self) -> ConnectionStatus {
        self.session.as_ref().map_or(ConnectionStatus::BROKEN, |session| session.connection_status())
    }

    fn close(&mut self) -> Reply<'_, ()> {
        let session = self.session.take();
        Reply::later(async move {
            if let Some(session) = session {
                session.wire.terminate().await;
            }
            Ok(())
        })
    }
}

impl Drop for PgConnection {
    /// Dropping must not block: a task of the host's stops what was abandoned and says goodbye.
    fn drop(&mut self) {
        let Some(mut session) = self.session.take().filter(|session| !session.wire.is_lost()) else {
            return;
        };
        let host = session.host.clone();
        host.clone().spawn(async move {
            const TIME: std::time::Duration = std::time::Duration::from_secs(5);
            if session.pending > 0
                && !matches!(crate::timeout::within(&host, TIME, reset::stop(&mut session)).await, Some(Ok(())))
            {
                host.log(LogLevel::DEBUG, LOG, || "a connection was closed while a statement ran in it".into());
                return;
            }
            session.wire.terminate().await;
        });
    }
}
