//! Several statements in one go.

use super::{Caught, Connection, State, Statement};
use montrs_driver_abi::{
    AnswerSink, Batch, DriverError, ErrorKind, PipelineAnswer, PipelineStep, abi_stable::std_types::RStr,
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// Who takes the answers of a pipeline. An error ends nothing: no more is taken, and it is what the pipeline ends with.
pub type TakeAnswer<'a> = dyn FnMut(PipelineAnswer, &mut Batch) -> Result<(), DriverError> + Send + 'a;

/// What an [`AnswerSink`] points to.
struct Sink<'a, 'b> {
    take: &'a mut TakeAnswer<'b>,
    /// What was not taken.
    failure: Option<DriverError>,
    /// The panic of who takes: it does not go through the driver.
    panic: Option<Box<dyn Any + Send>>,
}

unsafe extern "C" fn take(data: *mut (), answer: PipelineAnswer, batch: *mut Batch) {
    // SAFETY: `Connection::pipeline` made the pointer, of a sink that lives as long as the future; it is used by one call at a time.
    let sink = unsafe { &mut *data.cast::<Sink<'_, '_>>() };
    // SAFETY: the driver lends its batch for this call.
    let batch = unsafe { &mut *batch };
    if sink.failure.is_some() || sink.panic.is_some() {
        return;
    }
    match catch_unwind(AssertUnwindSafe(|| (sink.take)(answer, batch))) {
        Ok(taken) => sink.failure = taken.err(),
        Err(payload) => sink.panic = Some(payload),
    }
}

impl Connection {
    /// Whether the driver has the slots for several statements in one go.
    pub fn has_pipelines(&self) -> bool {
        self.vtable().pipeline().is_some() && self.vtable().prepare_many().is_some()
    }

    /// Prepares several statements, in one go where the driver can. The `row` of an error says which of them it belongs to.
    ///
    /// # Errors
    ///
    /// What the driver says of a statement; `UNSUPPORTED` from a driver without the slot.
    pub async fn prepare_many(&mut self, texts: &[&str]) -> Result<Vec<Statement>, DriverError> {
        self.expect(State::Idle)?;
        let Some(prepare_many) = self.vtable().prepare_many() else { return Err(no_slot()) };
        self.state = State::Busy;
        let reply = {
            let texts: Vec<RStr<'_>> = texts.iter().map(|text| (*text).into()).collect();
            // SAFETY: `&mut self` makes the access exclusive, also while the reply's future lives: it is awaited, or dropped,
            // before the borrow ends.
            unsafe { prepare_many(self.object.data(), texts.as_slice().into()) }
        };
        let result = wait!(reply);
        self.finish(&result);
        let objects = result?;
        if objects.len() != texts.len() {
            return Err(self.wrong("the driver prepared another number of statements than it was given"));
        }
        let id = self.id;
        Ok(objects.into_iter().map(|object| Statement { object, connection: id }).collect())
    }

    /// Runs several steps in one go, each of which names one of the statements by its index, and hands their answers over. All
    /// of them are done, or none. The `row` of an error says which step it belongs to.
    ///
    /// # Errors
    ///
    /// What the driver says of a step, or of all; what `take` returned, although all was done; `UNSUPPORTED` from a driver without
    /// the slot.
    ///
    /// # Panics
    ///
    /// When `take` does, once the pipeline has ended.
    pub async fn pipeline(
        &mut self,
        statements: Vec<&mut Statement>,
        steps: &[PipelineStep<'_>],
        batch_bytes: u32,
        take_answer: &mut TakeAnswer<'_>,
    ) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        statements.iter().try_for_each(|statement| self.owns(statement.connection))?;
        let Some(pipeline) = self.vtable().pipeline() else { return Err(no_slot()) };
        let mut sink = Sink { take: take_answer, failure: None, panic: None };
        self.state = State::Busy;
        let reply = {
            let data: Vec<*mut ()> = statements.iter().map(|statement| statement.object.data()).collect();
            let sink = AnswerSink { data: (&raw mut sink).cast(), take };
            // SAFETY: connection, statements, steps and sink are borrowed, or owned by this future, until after the reply's
            // future was dropped, or they are leaked together. The statements are different ones, being borrowed exclusively.
            unsafe { pipeline(self.object.data(), data.as_slice().into(), steps.into(), batch_bytes, sink) }
        };
        let result = wait!(reply);
        self.finish(&result);
        if let Some(payload) = sink.panic.take() {
            resume_unwind(payload);
        }
        result?;
        match sink.failure.take() {
            None => Ok(()),
            Some(error) => {
                if error.kind() == ErrorKind::PROTOCOL {
                    self.give_up();
                }
                Err(error)
            }
        }
    }

    #[cold]
    fn wrong(&mut self, what: &str) -> DriverError {
        self.give_up();
        DriverError::protocol(what)
    }
}

#[cold]
fn no_slot() -> DriverError {
    DriverError::new(ErrorKind::UNSUPPORTED, "the driver has no pipelines")
}
