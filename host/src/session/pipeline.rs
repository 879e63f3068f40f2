//! Several statements in one go.

use super::{BATCH_BYTES, Session};
use crate::{
    DbError, Done, Pipelined, Sql,
    layout::Layout,
    pipeline::{self, Answers, Step, in_step},
    source::Source,
};
use montrs_driver_abi::{Batch, BatchError, DriverError, PipelineAnswer, PipelineStep, RowBatch};
use std::{collections::HashSet, mem};

impl Session {
    /// Runs several statements and answers with what each of them is expected to: in one round trip, where the database can do so.
    ///
    /// The statements are made by [`query`](crate::query), and are put together in tuples, vectors and arrays; the answer has the
    /// same form. One that says nothing of its rows is answered with what it [did](Done).
    ///
    /// ```no_run
    /// use montrs_orm::query;
    ///
    /// # #[derive(montrs_orm::FromRow)]
    /// # struct User { id: i64, name: String }
    /// # async fn example(session: &mut montrs_orm::Session, ids: Vec<i64>) -> Result<(), montrs_orm::DbError> {
    /// let (user, orders, done) = session
    ///     .pipeline((
    ///         query("SELECT id, name FROM users WHERE id = $1").bind(7).one::<User>(),
    ///         query("SELECT id, total FROM orders WHERE user_id = $1").bind(7).all::<(i64, f64)>(),
    ///         query("UPDATE users SET seen = CURRENT_TIMESTAMP WHERE id = $1").bind(7),
    ///     ))
    ///     .await?;
    /// println!("{} has {} orders; {} row changed", user.name, orders.len(), done.rows_affected());
    ///
    /// let of_ids = ids.iter().map(|id| query("SELECT name FROM users WHERE id = $1").bind(id).optional::<String>());
    /// let names: Vec<Option<String>> = session.pipeline(of_ids.collect::<Vec<_>>()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// They run in their order, in a transaction of their own; inside a transaction, in a savepoint: all of them, or none when one
    /// fails or the future is dropped. So none may end the transaction by `COMMIT` or `ROLLBACK`. All are prepared before the first
    /// is run, so none can use a table that one before it creates.
    ///
    /// Where the driver has no pipelines ([`Capability::PIPELINES`](crate::Capability::PIPELINES)), the same is done one
    /// statement after the other. Rows are read as they come in; what is in memory is what you asked for, and all parameters.
    ///
    /// # Errors
    ///
    /// What the database says of a statement, with [`DbError::statement_number`] and its place in that statement. A row that is
    /// missing or does not fit its type is found after the statements were run: they are done then, and
    /// [`DbError::may_have_executed`] says so. [`Unsupported`](crate::DbErrorKind::Unsupported) where there are no transactions.
    pub async fn pipeline<P: Pipelined>(&mut self, statements: P) -> Result<P::Output, DbError> {
        pipeline::run(Source::Session(self), statements).await
    }

    /// Whether the driver runs several statements in one go.
    pub(crate) fn has_pipelines(&self) -> bool {
        self.has_pipelines
    }

    /// Prepares those that are not, and tells whether one of them waits for a turn to write, which the session then tries to get.
    pub(crate) async fn prepare_steps(&mut self, steps: &[Step]) -> Result<bool, DbError> {
        self.ready().await?;
        self.statements.make_room(steps.len());
        let prepared = self.prepare_each(steps).await;
        if prepared.is_err() {
            self.end_pipeline();
        }
        prepared
    }

    async fn prepare_each(&mut self, steps: &[Step]) -> Result<bool, DbError> {
        let mut writes = false;
        for (index, step) in steps.iter().enumerate() {
            let sql = &step.statement.sql;
            if !self.statements.find(sql) {
                Box::pin(self.prepare(sql)).await.map_err(|error| in_step(error, steps, index))?;
            }
            writes |= self.statements.current().writes;
        }
        Ok(writes)
    }

    /// The rows that came last, and what is known of them.
    pub(crate) fn rows_at_hand(&mut self) -> (&mut Layout, &RowBatch) {
        match &mut self.command {
            None => (&mut self.statements.current_mut().layout, &self.batch),
            Some(layout) => (layout, &self.batch),
        }
    }

    /// Drops the statements that were kept for a pipeline only.
    pub(crate) fn end_pipeline(&mut self) {
        self.statements.shrink();
    }

    /// Runs all steps in one go.
    pub(crate) async fn pipeline_at_once(&mut self, steps: &[Step], answers: &mut Answers<'_>) -> Result<(), DbError> {
        self.ready().await?;
        self.statements.make_room(steps.len());
        let ran = self.run_at_once(steps, answers).await;
        self.end_pipeline();
        ran
    }

    async fn run_at_once(&mut self, steps: &[Step], answers: &mut Answers<'_>) -> Result<(), DbError> {
        self.prepare_missing(steps).await?;
        self.is_untouched = false;
        let (statements, mut layouts, own) = self.statements.several(steps.iter().map(|step| &step.statement.sql));
        let own: Vec<usize> = own.into_iter().flatten().collect();
        let of_driver: Vec<PipelineStep<'_>> = steps
            .iter()
            .zip(&own)
            .map(|(step, statement)| PipelineStep {
                statement: *statement,
                max_rows: step.max_rows,
                parameters: step.statement.parameters.values.as_params(),
            })
            .collect();
        let batch = &mut self.batch;
        let mut take = |answer: PipelineAnswer, rows: &mut Batch| {
            let step = answer.step;
            if step == 0 && answer.begins {
                answers.clear();
            }
            let layout = own.get(step).and_then(|statement| layouts.get_mut(*statement));
            let Some(layout) = layout.filter(|_| step == answers.current()) else {
                return Err(DriverError::protocol("an answer of a pipeline came out of turn"));
            };
            layout.set_columns(answer.columns);
            mem::swap(batch.refill(), rows);
            batch.check().map_err(unreadable)?;
            if batch.rows() > 0 && batch.columns() != layout.columns().len() {
                return Err(unreadable(BatchError::WrongLength));
            }
            answers.rows(layout, batch);
            if answer.finished {
                let last_insert_id = answer.last_insert_id.into_option();
                answers.done(Done { rows_affected: answer.affected, last_insert_id });
            }
            Ok(())
        };
        let ran = self.connection.pipeline(statements, &of_driver, BATCH_BYTES, &mut take).await;
        ran.map_err(|error| of_step(error, steps, |row| row))?;
        if answers.current() < steps.len() {
            self.connection.give_up();
            return Err(DriverError::protocol("the driver answered fewer statements than the pipeline has").into());
        }
        Ok(())
    }

    /// Prepares what is not, in one go.
    async fn prepare_missing(&mut self, steps: &[Step]) -> Result<(), DbError> {
        let mut seen: HashSet<&Sql> = HashSet::new();
        let mut missing = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let sql = &step.statement.sql;
            if !self.statements.find(sql) && seen.insert(sql) {
                missing.push(index);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = missing.iter().map(|index| steps[*index].statement.sql.as_str()).collect();
        let prepared = self.connection.prepare_many(&texts).await;
        let prepared =
            prepared.map_err(|error| of_step(error, steps, |row| missing.get(row).copied().unwrap_or(row)))?;
        for (index, statement) in missing.iter().zip(prepared) {
            self.statements.add(steps[*index].statement.sql.clone(), statement, false);
        }
        Ok(())
    }
}

fn unreadable(error: BatchError) -> DriverError {
    DriverError::protocol(error.to_string())
}

/// Names the step that the driver counts in the error's `row`.
#[cold]
fn of_step(error: DriverError, steps: &[Step], step: impl FnOnce(usize) -> usize) -> DbError {
    let row = error.record().row.into_option().and_then(|row| usize::try_from(row).ok());
    match row {
        Some(row) => in_step(error.into(), steps, step(row)),
        None => error.into(),
    }
}
