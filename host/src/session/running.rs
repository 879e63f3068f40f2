//! Running a statement of a session.

use super::{BATCH_BYTES, Session};
use crate::{DbError, Done, Sql};
use montrs_driver_abi::{DriverError, ErrorKind, ParamBuffer, QueryOptions};
use montrs_driver_loader::{QueryResult, Started};
use std::time::Instant;
use tokio::task::coop::consume_budget;

impl Session {
    /// Runs a statement up to its first rows, which are then at hand.
    pub(crate) async fn run(&mut self, sql: &Sql, parameters: &ParamBuffer, max_rows: u64) -> Result<(), DbError> {
        // As `ready` does it; but each future that is waited for costs time, also where it has nothing to wait for.
        if self.pace.is_due(Instant::now) {
            consume_budget().await;
        }
        if !self.is_ready_for(sql) {
            Box::pin(self.get_ready_for(sql)).await?;
        }
        if self.command.is_some() {
            self.command = None;
        }
        self.is_untouched = false;
        let prepared = self.statements.current_mut();
        let options = QueryOptions { max_rows, batch_bytes: BATCH_BYTES };
        let (statement, batch, answer) = (&mut prepared.statement, self.batch.refill(), &mut self.answer);
        let result = match self.connection.query(statement, parameters.as_params(), options, batch, answer) {
            Started::Now(result) => result,
            Started::Later(query) => query.await,
        };
        if let Err(error) = result {
            Box::pin(self.after_failure(error, parameters, options)).await?;
        }
        match self.answer.take() {
            Some(answer) => self.take_answer(answer),
            None => Err(DriverError::protocol("a query was not answered").into()),
        }
    }

    /// Takes what is said of a result beside its rows, which are at hand.
    #[inline(always)] // It is large, and would be copied.
    pub(super) fn take_answer(&mut self, answer: QueryResult) -> Result<(), DbError> {
        self.layout_mut().set_columns(answer.columns);
        self.rows = answer.rows;
        self.done = Done { rows_affected: answer.affected, last_insert_id: answer.last_insert_id };
        self.check()
    }

    /// Whether the statement can be run without waiting. It is the current one from now on.
    #[inline]
    fn is_ready_for(&mut self, sql: &Sql) -> bool {
        self.is_settled() && self.statements.find(sql) && (!self.statements.current().writes || self.try_turn())
    }

    #[cold]
    async fn get_ready_for(&mut self, sql: &Sql) -> Result<(), DbError> {
        if !self.is_settled() {
            self.put_right().await?;
        }
        if !self.statements.find(sql) {
            self.prepare(sql).await?;
        }
        if self.statements.current().writes && !self.try_turn() {
            self.wait_for_turn().await?;
        }
        Ok(())
    }

    /// Runs the current statement again where nothing but its preparation was out of date.
    #[cold]
    async fn after_failure(
        &mut self,
        error: DriverError,
        parameters: &ParamBuffer,
        options: QueryOptions,
    ) -> Result<(), DriverError> {
        if error.kind() != ErrorKind::STALE_STATEMENT {
            return Err(error);
        }
        let statement = &mut self.statements.current_mut().statement;
        let (batch, answer) = (self.batch.refill(), &mut self.answer);
        match self.connection.query(statement, parameters.as_params(), options, batch, answer) {
            Started::Now(result) => result,
            Started::Later(query) => query.await,
        }
    }

    /// Prepares a statement, which is the current one from now on.
    #[cold]
    pub(super) async fn prepare(&mut self, sql: &Sql) -> Result<(), DbError> {
        // To describe a statement may begin to read, and a transaction that has read must not wait.
        let is_provisional = self.is_untouched && self.turn.is_none() && self.in_transaction();
        if is_provisional {
            self.wait_for_turn().await?;
        }
        let mut statement = self.connection.prepare(sql.as_str()).await?;
        let mut writes = false;
        if self.queue.is_some() {
            writes = match self.connection.describe(&mut statement).await {
                Ok(description) => !description.is_read_only,
                Err(error) if self.is_broken() => return Err(error.into()),
                // What cannot be described is the database's to refuse.
                Err(_) => false,
            };
        }
        if is_provisional && !writes {
            self.turn = None;
        }
        self.statements.add(sql.clone(), statement, writes);
        Ok(())
    }
}
