//! Several statements in one go: bound and executed in one request, with one Sync at its end.
//!
//! They are a transaction, whose BEGIN and COMMIT are part of the request; inside of a transaction they are a savepoint. Answers are
//! read while the request is still being written: a server whose answers nobody takes would stop reading.

use crate::{
    decode,
    message::{self, tag},
    query,
    rows::{self, columns_changed},
    session::{Session, TransactionStatus, unwritable},
    sql::{self, Leaves},
    statement::{self, PgStatement},
    wire::Message,
};
use bytes::BytesMut;
use montrs_driver_sdk::{Answers, Batch, Error, ErrorKind, PipelineStep, Result};
use postgres_protocol::message::frontend;

/// Begins what is all or nothing, ends it, and undoes it.
struct Frame {
    begin: &'static str,
    end: &'static str,
    undo: &'static str,
}

const TRANSACTION: Frame = Frame { begin: "BEGIN", end: "COMMIT", undo: "ROLLBACK" };
const SAVEPOINT: Frame = Frame {
    begin: "SAVEPOINT montrs_pipeline",
    end: "RELEASE SAVEPOINT montrs_pipeline",
    undo: "ROLLBACK TO SAVEPOINT montrs_pipeline; RELEASE SAVEPOINT montrs_pipeline",
};

/// How a pipeline has failed.
struct Failure {
    error: Error,
    /// A statement was out of date. Nothing is lost when all of them are run again.
    is_stale: bool,
}

/// Runs the steps in their order.
pub(crate) async fn run(
    session: &mut Session,
    mut statements: Vec<&mut PgStatement>,
    steps: &[PipelineStep<'_>],
    batch_bytes: u32,
    mut answers: Answers<'_>,
) -> Result<()> {
    for (index, step) in steps.iter().enumerate() {
        refuse(statements[step.statement].text.sent()).map_err(|error| error.with_row(index))?;
    }
    let mut is_second = false;
    loop {
        let lists = prepare(session, &mut statements, steps).await?;
        let of_steps: Vec<&PgStatement> =
            steps.iter().zip(&lists).map(|(step, lists)| statements[step.statement].variant(lists)).collect();
        let frame = if session.status == TransactionStatus::Idle { &TRANSACTION } else { &SAVEPOINT };
        if let Err(error) = write(session, &of_steps, steps, frame) {
            session.take_back();
            return Err(error);
        }
        let mut reading = Reading::new(&of_steps, batch_bytes, &mut answers);
        let ended = reading.read(session).await?;
        let failed_step = reading.step();
        let Err(Failure { error, is_stale }) = ended else { return Ok(()) };
        if session.status == TransactionStatus::Failed {
            session.command(frame.undo).await?;
        }
        if !is_stale {
            return Err(error);
        }
        if let Some(step) = failed_step {
            statements[steps[step].statement].variant_mut(&lists[step]).prepared.is_stale = true;
        }
        if is_second {
            return Err(error);
        }
        is_second = true;
    }
}

/// What cannot be part of a pipeline.
fn refuse(sql: &str) -> Result<()> {
    if sql::is_copy(sql) {
        return Err(rows::copy());
    }
    if sql::ends_transaction(sql) {
        let message = "a statement of a pipeline cannot begin or end a transaction: the pipeline is one";
        return Err(Error::new(ErrorKind::TRANSACTION_STATE, message)
            .with_hint("leave it out: all statements of a pipeline are kept, or none"));
    }
    Ok(())
}

/// Prepares what is out of date, and the statements for lists that are bound. Returns for each step the parameters that are lists.
async fn prepare(
    session: &mut Session,
    statements: &mut [&mut PgStatement],
    steps: &[PipelineStep<'_>],
) -> Result<Vec<Vec<usize>>> {
    if statements.iter().any(|statement| statement.must_be_prepared(session)) {
        let first_step = |statement| steps.iter().position(|step| step.statement == statement).unwrap_or(0);
        let again = statement::prepare_again(session, statements).await;
        again.map_err(|(statement, error)| error.with_row(first_step(statement)))?;
    }
    let mut lists = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let statement = &mut *statements[step.statement];
        let bound = statement.lists(&step.parameters);
        if !bound.is_empty() {
            let variant = statement.for_lists(session, &bound).await.map_err(|error| error.with_row(index))?;
            if variant.must_be_prepared(session) {
                variant.prepare_again(session).await.map_err(|error| error.with_row(index))?;
            }
        }
        lists.push(bound);
    }
    Ok(lists)
}

/// Writes the request to the wire's buffer.
fn write(session: &mut Session, statements: &[&PgStatement], steps: &[PipelineStep<'_>], frame: &Frame) -> Result<()> {
    session.begin()?;
    session.close_what_was_dropped()?;
    if statements.iter().any(|statement| statement.may_change_session) {
        session.leaves = session.leaves.max(Leaves::State);
    }
    let out = &mut session.wire.outgoing;
    command(frame.begin, out)?;
    for (index, (step, statement)) in steps.iter().zip(statements).enumerate() {
        let limit = i32::try_from(step.max_rows).unwrap_or(0);
        let parameters = query::values(statement, &step.parameters);
        let written = parameters.and_then(|parameters| query::append(statement, limit, parameters, out));
        written.map_err(|error| error.with_row(index))?;
    }
    command(frame.end, out)?;
    session.sync();
    Ok(())
}

/// A statement of the driver's own.
fn command(sql: &str, out: &mut BytesMut) -> Result<()> {
    frontend::parse("", sql, [], out).map_err(unwritable)?;
    frontend::bind("", "", [], std::iter::empty::<()>(), |(), _| Ok(postgres_protocol::IsNull::Yes), [], out)
        .map_err(|_| Error::new(ErrorKind::PROTOCOL, "a command of the driver's own could not be written"))?;
    frontend::execute("", 0, out).map_err(unwritable)
}

/// Reads the answer to the request.
struct Reading<'a, 'b> {
    statements: &'a [&'a PgStatement],
    answers: &'a mut Answers<'b>,
    batch_bytes: usize,
    batch: Batch,
    /// Whose answer comes: 0 is that of the beginning, then come the steps, and at last the end.
    place: usize,
    /// Rows of the step were handed over.
    has_begun: bool,
    /// The step has been bound: what comes from here on is not about how it was prepared.
    is_bound: bool,
    failure: Option<Failure>,
}

impl<'a, 'b> Reading<'a, 'b> {
    fn new(statements: &'a [&'a PgStatement], batch_bytes: u32, answers: &'a mut Answers<'b>) -> Self {
        Self {
            statements,
            answers,
            batch_bytes: batch_bytes as usize,
            batch: Batch::EMPTY,
            place: 0,
            has_begun: false,
            is_bound: false,
            failure: None,
        }
    }

    /// The step whose answer comes.
    fn step(&self) -> Option<usize> {
        self.place.checked_sub(1).filter(|step| *step < self.statements.len())
    }

    /// Sends the request and reads to the end of the answer.
    ///
    /// # Errors
    ///
    /// When the connection is lost; what the server says of a step is the failure.
    async fn read(&mut self, session: &mut Session) -> Result<Result<(), Failure>> {
        loop {
            let message = session.message_while_writing().await?;
            if message.tag == tag::READY_FOR_QUERY {
                if session.ready(&message)? {
                    return Ok(self.failure.take().map_or(Ok(()), Err));
                }
            } else if message.tag == tag::ERROR_RESPONSE {
                self.failed(session, &message)?;
            } else if self.failure.is_none() {
                let taken = self.take(session, &message);
                if let Err(error) = session.sound(taken) {
                    if session.wire.is_lost() {
                        return Err(error);
                    }
                    self.fail(error, false);
                }
            }
        }
    }

    fn fail(&mut self, error: Error, is_stale: bool) {
        let error = match self.step() {
            Some(step) => error.with_row(step),
            None => error,
        };
        self.failure.get_or_insert(Failure { error, is_stale });
    }

    fn failed(&mut self, session: &mut Session, message: &Message) -> Result<()> {
        let report = session.report(message)?;
        let is_stale = report.is_stale_statement(self.is_bound) && self.step().is_some();
        let error = match self.step().map(|step| &self.statements[step].text) {
            Some(text) => text.as_written(report.into_error(text.sent())),
            None => report.into_error(""),
        };
        self.fail(error, is_stale);
        Ok(())
    }

    /// Takes a message of a step's answer, or of the beginning or the end.
    fn take(&mut self, session: &mut Session, message: &Message) -> Result<()> {
        let shape = self.step().map(|step| &self.statements[step].prepared.shape);
        match message.tag {
            tag::PARSE_COMPLETE | tag::NO_DATA => {}
            tag::BIND_COMPLETE => {
                self.batch.clear(shape.map_or(0, |shape| shape.forms.len()));
                (self.has_begun, self.is_bound) = (false, true);
            }
            tag::ROW_DESCRIPTION => {
                let fields = message::row_description(session.wire.body(message))?;
                if shape.is_some_and(|shape| !shape.is_of(&fields)) {
                    self.fail(columns_changed(), true);
                }
            }
            tag::DATA_ROW => {
                let forms = shape.map_or(&[][..], |shape| &shape.forms);
                decode::row(forms, session.wire.body(message), &mut self.batch)?;
                if self.batch.size() >= self.batch_bytes {
                    self.hand_over(None);
                }
            }
            tag::COMMAND_COMPLETE => {
                let tag = message::command_tag(session.wire.body(message))?.to_owned();
                session.completed(&tag);
                self.ended(if rows::changes_rows(&tag) { message::affected(&tag) } else { 0 });
            }
            tag::PORTAL_SUSPENDED => {
                session.has_open_portal = true;
                self.ended(0);
            }
            _ => return Err(session.broken("a message that does not belong to the answer of a pipeline")),
        }
        Ok(())
    }

    fn ended(&mut self, affected: u64) {
        if self.step().is_some() {
            self.hand_over(Some(affected));
        }
        self.place += 1;
        self.is_bound = false;
    }

    /// Gives the host the rows at hand; with how many rows were changed, at the end of the step.
    fn hand_over(&mut self, affected: Option<u64>) {
        let Some(step) = self.step() else { return };
        let shape = &self.statements[step].prepared.shape;
        self.batch.demote_invalid_text();
        let begins = !std::mem::replace(&mut self.has_begun, true);
        match affected {
            None => self.answers.rows(step, begins, &shape.set, &mut self.batch),
            Some(affected) => self.answers.finish(step, begins, &shape.set, &mut self.batch, affected),
        }
        self.batch.clear(shape.forms.len());
    }
}
