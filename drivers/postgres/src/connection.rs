//! The SDK's trait.

use crate::{
    PgResult, PgStatement,
    command::{self, Command},
    copy_in, many, pipeline, query, reset, script,
    session::{LOG, Session},
    statement, transaction,
};
use montrs_driver_sdk::{
    Answers, Batch, ColumnSet, Connection, ConnectionStatus, Description, Fetched, LogLevel, ManyReply, NextBatch,
    ParamBuffer, Params, PipelineStep, QueryOptions, Reply, Result, RowBatch, TransactionOptions,
};

use std::{ops::Range, sync::Arc};

/// One session with the server.
pub struct PgConnection {
    /// `None` once it was closed.
    session: Option<Box<Session>>,
    /// An operation was begun, and has not ended.
    is_underway: bool,
}

/// Answers with an operation on the session, and notes that it is under way.
macro_rules! operation {
    ($connection:ident, |$session:ident| $operation:expr) => {{
        $connection.is_underway = true;
        Reply::later(async move {
            let result = match $connection.session() {
                Ok($session) => $operation.await,
                Err(error) => Err(error),
            };
            $connection.is_underway = false;
            result
        })
    }};
}

impl PgConnection {
    pub(crate) fn new(session: Session) -> Self {
        Self { session: Some(Box::new(session)), is_underway: false }
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_deref_mut().ok_or_else(crate::session::closed)
    }

    /// Runs SQL that the driver has written itself, of which nothing is kept where the connection is lost.
    fn control(&mut self, sql: String) -> Reply<'_, ()> {
        operation!(self, |session| async { session.command(&sql).await.map(drop).map_err(statement::not_executed) })
    }
}

impl Connection for PgConnection {
    type Statement = PgStatement;
    type Rows = PgResult;

    fn prepare(&mut self, sql: &str) -> Reply<'_, PgStatement> {
        let sql = sql.into();
        operation!(self, |session| statement::new(session, sql))
    }

    fn prepare_many(&mut self, texts: &[&str]) -> Reply<'_, Vec<PgStatement>> {
        let texts = texts.iter().map(|text| (*text).into()).collect();
        operation!(self, |session| statement::new_many(session, texts))
    }

    fn pipeline<'a>(
        &'a mut self,
        statements: Vec<&'a mut PgStatement>,
        steps: &'a [PipelineStep<'a>],
        batch_bytes: u32,
        answers: Answers<'a>,
    ) -> Reply<'a, ()> {
        operation!(self, |session| pipeline::run(session, statements, steps, batch_bytes, answers))
    }

    fn first_statement(&mut self, text: &str) -> Result<Option<Range<usize>>> {
        script::first_statement(text, self.session()?.has_escapes())
    }

    fn describe<'a>(&'a mut self, statement: &'a mut PgStatement) -> Reply<'a, Description> {
        operation!(self, |session| statement::describe(session, statement))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut PgStatement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<PgResult>> {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return Reply::ready(Err(error)),
        };
        if !statement.lists(&parameters).is_empty() {
            let parameters = parameters.to_buffer();
            return operation!(self, |session| query::execute(session, statement, &parameters, options, batch));
        }
        match query::write(session, statement, &parameters, options) {
            Ok(request) => operation!(self, |session| query::run(session, statement, request, batch)),
            Err(error) => {
                session.take_back();
                Reply::ready(Err(error))
            }
        }
    }

    fn query_once<'a>(
        &'a mut self,
        sql: &str,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<PgResult>> {
        let sql: Arc<str> = sql.into();
        operation!(self, |session| async {
            if let Some((copy, data)) = script::copy_with_data(&sql, session.has_escapes()) {
                batch.clear(0);
                let copied = copy_in::run(session, copy, &sql[data.clone()]).await;
                let affected = copied.map_err(|error| script::at_line(error, &sql, data))?;
                return Ok(Fetched::finished(ColumnSet::of([]), affected));
            }
            let mut statement = statement::once(session, sql).await?;
            let request = query::write(session, &statement, &ParamBuffer::default().as_params(), options)?;
            query::run(session, &mut statement, request, batch).await
        })
    }

    fn query_many<'a>(&'a mut self, statement: &'a mut PgStatement, rows: RowBatch) -> Reply<'a, ManyReply> {
        operation!(self, |session| many::run(session, statement, rows))
    }

    fn command<'a>(
        &'a mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<PgResult>> {
        match Command::parse(name, &parameters) {
            Ok(command) => operation!(self, |session| command.run(session, options, batch)),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn upload(&mut self, name: &str, parameters: Params<'_>) -> Reply<'_, ()> {
        match command::upload(name, &parameters) {
            Ok(sql) if name == "load" => Reply::ready(self.session().map(|session| session.load = Some(sql.into()))),
            Ok(sql) => operation!(self, |session| copy_in::begin(session, sql)),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn upload_bytes(&mut self, bytes: &[u8]) -> Reply<'_, ()> {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return Reply::ready(Err(error)),
        };
        if let Some(text) = session.load.take() {
            let bytes = bytes.to_vec();
            return operation!(self, |session| async {
                copy_in::begin(session, text.to_string()).await?;
                copy_in::bytes(session, &bytes)?;
                copy_in::send(session).await
            });
        }
        match copy_in::bytes(session, bytes) {
            Ok(()) => operation!(self, |session| copy_in::send(session)),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn upload_rows(&mut self, rows: RowBatch) -> Reply<'_, Batch> {
        operation!(self, |session| copy_in::rows(session, rows))
    }

    fn upload_end(&mut self) -> Reply<'_, u64> {
        operation!(self, |session| copy_in::end(session))
    }

    fn next<'a>(&'a mut self, rows: &'a mut PgResult, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        operation!(self, |session| command::next(session, rows, batch))
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut PgResult) -> Reply<'a, ()> {
        operation!(self, |session| command::close(session, rows))
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        match transaction::begin_statement(options) {
            Ok(sql) => self.control(sql),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        operation!(self, |session| transaction::commit(session))
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.control("ROLLBACK".into())
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        self.control(transaction::savepoint(depth))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        self.control(transaction::release(depth))
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        self.control(transaction::rollback_to(depth))
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        // After an operation that was abandoned the session may stay with its user, who keeps what was set.
        let was_abandoned = self.is_underway || self.session.as_ref().is_some_and(|session| session.copy_in.is_some());
        operation!(self, |session| async {
            reset::put_right(session).await.map_err(statement::not_executed)?;
            if was_abandoned { Ok(()) } else { reset::restore(session).await }
        })
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        self.control(String::new())
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
