//! Several statements in one go: what can be one, and how their answers are read.

use crate::{
    DbError, Decode, Done, FromRow, Row, RowReader, Statement, Transaction, TransactionOptions, layout::Layout,
    query::no_row, session::Session, source::Source, transaction::SessionRef,
};
use montrs_driver_abi::{DriverError, RowBatch};

/// What a [pipeline](crate::Session::pipeline) can be made of: a [`Statement`], one that says how its rows are [wanted](Expected),
/// tuples of up to twelve of these, and vectors and arrays; also tuples and vectors of such. The answer has the same form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a pipeline",
    label = "expected a statement, or a tuple, vector or array of statements",
    note = "a statement for a pipeline is made by `montrs_orm::query(…)`, without a database"
)]
pub trait Pipelined {
    /// What it is answered with.
    type Output;

    /// The place for the answer.
    #[doc(hidden)]
    type Place: Place<Output = Self::Output>;

    /// Adds the statements in their order.
    #[doc(hidden)]
    fn unpack(self, steps: &mut Vec<Step>) -> Self::Place;
}

/// A statement, and the form in which its rows are wanted.
#[derive(Debug)]
#[must_use = "a statement does nothing until its pipeline is run"]
pub struct Expected<A> {
    statement: Statement,
    answer: A,
    max_rows: u64,
}

/// A statement that is to be run.
pub struct Step {
    pub(crate) statement: Statement,
    pub(crate) max_rows: u64,
}

/// A place for the answers of some statements.
pub trait Place: Send {
    type Output;

    /// The places for each of them.
    fn each<'a>(&'a mut self, places: &mut Vec<&'a mut dyn Answer>);

    /// What was put there; `None` where an answer is missing.
    fn output(self) -> Option<Self::Output>;
}

/// The place for the answer of one statement.
pub trait Answer: Send {
    /// Takes some of its rows; also none, so that its columns are looked at.
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), DbError>;

    /// Takes what it did, when all its rows have come.
    fn done(&mut self, _done: Done, sql: &str) -> Result<(), DbError>;

    /// Forgets what came: all statements are run anew.
    fn clear(&mut self);
}

/// Some of the rows of a statement.
pub struct Rows<'a> {
    layout: &'a mut Layout,
    batch: &'a RowBatch,
    /// The place of the first of them in the result.
    number: u64,
}

/// The first row.
#[derive(Debug)]
pub struct One<T>(pub(crate) Option<T>);

/// The first row, if there is one.
#[derive(Debug)]
pub struct Optional<T>(pub(crate) Option<T>);

/// The first column of the first row.
#[derive(Debug)]
pub struct Scalar<T>(pub(crate) Option<T>);

/// All rows.
#[derive(Debug)]
pub struct All<T>(pub(crate) Vec<T>);

impl<A> Expected<A> {
    pub(crate) fn new(statement: Statement, answer: A, max_rows: u64) -> Self {
        Self { statement, answer, max_rows }
    }
}

/// Takes the answers of all statements.
pub(crate) struct Answers<'a> {
    steps: &'a [Step],
    places: Vec<&'a mut dyn Answer>,
    /// The step whose rows come, and how many came before.
    current: (usize, u64),
    /// The first answer that did not fit. The statements go on: it was found after they were run.
    failure: Option<DbError>,
}

impl<'a> Answers<'a> {
    fn new(steps: &'a [Step], places: Vec<&'a mut dyn Answer>) -> Self {
        Self { steps, places, current: (0, 0), failure: None }
    }

    /// The step whose rows come; as many as there are steps once all are done.
    pub(crate) fn current(&self) -> usize {
        self.current.0
    }

    /// Forgets what came.
    pub(crate) fn clear(&mut self) {
        (self.current, self.failure) = ((0, 0), None);
        self.places.iter_mut().for_each(|place| place.clear());
    }

    /// Takes rows of the current step.
    pub(crate) fn rows(&mut self, layout: &mut Layout, batch: &RowBatch) {
        let (step, number) = self.current;
        self.current.1 += batch.rows() as u64;
        if self.failure.is_none() {
            let taken = self.places[step].rows(Rows { layout, batch, number });
            self.note(taken);
        }
    }

    /// The current step has ended.
    pub(crate) fn done(&mut self, done: Done) {
        if self.failure.is_none() {
            let step = self.current.0;
            let taken = self.places[step].done(done, self.steps[step].statement.sql());
            self.note(taken);
        }
        self.current = (self.current.0 + 1, 0);
    }

    fn note(&mut self, taken: Result<(), DbError>) {
        let step = self.current.0;
        self.failure = taken.err().map(|error| in_step(error, self.steps, step).after_execution());
    }
}

/// Names the step that an error belongs to.
#[cold]
pub(crate) fn in_step(error: DbError, steps: &[Step], step: usize) -> DbError {
    match steps.get(step) {
        Some(failed) => error.in_pipeline(failed.statement.sql(), step, steps.len()),
        None => error,
    }
}

/// Runs statements in one go, or where the driver cannot, one after the other in a transaction.
pub(crate) async fn run<P: Pipelined>(source: Source<'_>, statements: P) -> Result<P::Output, DbError> {
    let mut steps = Vec::new();
    let mut place = statements.unpack(&mut steps);
    for index in 0..steps.len() {
        if let Some(error) = steps[index].statement.parameters.error.take() {
            return Err(in_step(error, &steps, index));
        }
    }
    if !steps.is_empty() {
        let mut places = Vec::with_capacity(steps.len());
        place.each(&mut places);
        let mut answers = Answers::new(&steps, places);
        // In a box, so that the future stays small.
        Box::pin(answer(source, &steps, &mut answers)).await?;
        if let Some(error) = answers.failure {
            return Err(error);
        }
    }
    place.output().ok_or_else(|| DriverError::protocol("a statement of the pipeline has no answer").into())
}

async fn answer(source: Source<'_>, steps: &[Step], answers: &mut Answers<'_>) -> Result<(), DbError> {
    let queueing = source.queueing();
    let mut session = source.session().await?;
    if session.has_pipelines() {
        return session.pipeline_at_once(steps, answers).await;
    }
    if session.prepare_steps(steps).await? && !session.try_turn() {
        let Some((database, at)) = queueing else {
            session.wait_for_turn().await?;
            return in_transaction(session, steps, answers).await;
        };
        // Not with the connection, which those who read may need.
        drop(session);
        session = SessionRef::Pooled(Box::pin(database.checkout_to_write(at)).await?);
        if let Err(error) = session.prepare_steps(steps).await {
            session.end_turn();
            return Err(error);
        }
    }
    in_transaction(session, steps, answers).await
}

/// Runs one step after the other.
async fn in_transaction(session: SessionRef<'_>, steps: &[Step], answers: &mut Answers<'_>) -> Result<(), DbError> {
    let mut transaction = Transaction::begin(session, TransactionOptions::default()).await?;
    let result = one_by_one(&mut transaction, steps, answers).await;
    transaction.end_pipeline();
    match result {
        Ok(()) => transaction.commit().await,
        Err(error) => {
            // What failed is what the caller needs to see; a rollback that fails as well is made up for by the reset.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn one_by_one(session: &mut Session, steps: &[Step], answers: &mut Answers<'_>) -> Result<(), DbError> {
    for (index, step) in steps.iter().enumerate() {
        let Statement { sql, parameters } = &step.statement;
        let ran = session.run(sql, &parameters.values, step.max_rows).await;
        ran.map_err(|error| in_step(error, steps, index))?;
        loop {
            let (layout, batch) = session.rows_at_hand();
            answers.rows(layout, batch);
            let is_enough = step.max_rows > 0 && answers.current.1 >= step.max_rows;
            if is_enough || !session.has_more() {
                break;
            }
            session.next().await.map_err(|error| in_step(error, steps, index))?;
        }
        answers.done(session.done());
    }
    Ok(())
}

impl Rows<'_> {
    fn len(&self) -> usize {
        self.batch.rows()
    }

    fn row(&self, index: usize) -> Row<'_> {
        let number = self.number + index as u64;
        Row { columns: self.layout.columns(), batch: self.batch, index, number }
    }

    fn resolve<T: for<'r> FromRow<'r>>(&mut self) -> Result<(), DbError> {
        self.layout.resolve::<T>()
    }

    /// Reads into a type that was [resolved](Self::resolve).
    fn read<T: for<'r> FromRow<'r>>(&self, index: usize) -> Result<T, DbError> {
        T::read(&mut RowReader::new(self.row(index), self.layout.plan()))
    }

    /// Reads the first row into the place, unless there is one already.
    fn read_first<T: for<'r> FromRow<'r>>(&mut self, place: &mut Option<T>) -> Result<(), DbError> {
        self.resolve::<T>()?;
        if place.is_none() && self.len() > 0 {
            *place = Some(self.read(0)?);
        }
        Ok(())
    }
}

fn found<T>(row: Option<&T>, sql: &str) -> Result<(), DbError> {
    row.map(drop).ok_or_else(|| no_row(sql))
}

impl<T: for<'r> FromRow<'r> + Send> Answer for One<T> {
    fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), DbError> {
        rows.read_first(&mut self.0)
    }

    fn done(&mut self, _: Done, sql: &str) -> Result<(), DbError> {
        found(self.0.as_ref(), sql)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: for<'r> FromRow<'r> + Send> Answer for Optional<T> {
    fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), DbError> {
        rows.read_first(&mut self.0)
    }

    fn done(&mut self, _: Done, _: &str) -> Result<(), DbError> {
        Ok(())
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: for<'r> Decode<'r> + Send> Answer for Scalar<T> {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), DbError> {
        if self.0.is_none() && rows.len() > 0 {
            self.0 = Some(rows.row(0).get(0)?);
        }
        Ok(())
    }

    fn done(&mut self, _: Done, sql: &str) -> Result<(), DbError> {
        found(self.0.as_ref(), sql)
    }

    fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: for<'r> FromRow<'r> + Send> Answer for All<T> {
    fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), DbError> {
        rows.resolve::<T>()?;
        self.0.reserve(rows.len());
        (0..rows.len()).try_for_each(|index| rows.read(index).map(|row| self.0.push(row)))
    }

    fn done(&mut self, _: Done, _: &str) -> Result<(), DbError> {
        Ok(())
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Answer for Option<Done> {
    fn rows(&mut self, _: Rows<'_>) -> Result<(), DbError> {
        Ok(())
    }

    fn done(&mut self, done: Done, _: &str) -> Result<(), DbError> {
        *self = Some(done);
        Ok(())
    }

    fn clear(&mut self) {
        *self = None;
    }
}

mod shapes;
