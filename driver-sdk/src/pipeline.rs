//! The slots for several statements in one go.

use crate::{Batch, Connection, Error, RArc, Reply, Result, connection::exclusive, guard, statement};
use montrs_driver_abi::{
    AnswerSink, ColumnSet, PipelineAnswer, PipelineStep, Reply as AbiReply, StatementObject,
    abi_stable::std_types::{RSlice, RStr, RVec},
};
use std::{marker::PhantomData, slice};

/// Where the answers of a pipeline go: see [`Connection::pipeline`].
pub struct Answers<'a> {
    sink: AnswerSink,
    /// What the sink points to is the host's, for the life of the reply's future.
    lent: PhantomData<&'a mut ()>,
}

impl Answers<'_> {
    /// Gives rows of a step to the host, which empties the batch or puts another one in its place. Of each step there are one or
    /// more calls, the first of which `begins` it; after these comes [`finish`](Self::finish). To begin step 0 again is to begin
    /// anew: what came before is void.
    pub fn rows(&mut self, step: usize, begins: bool, columns: &RArc<ColumnSet>, batch: &mut Batch) {
        self.take(step, begins, columns, batch, None);
    }

    /// The last rows of a step, and how many it has changed.
    pub fn finish(&mut self, step: usize, begins: bool, columns: &RArc<ColumnSet>, batch: &mut Batch, affected: u64) {
        self.take(step, begins, columns, batch, Some(affected));
    }

    fn take(&mut self, step: usize, begins: bool, columns: &RArc<ColumnSet>, batch: &mut Batch, affected: Option<u64>) {
        let answer = PipelineAnswer {
            step,
            begins,
            finished: affected.is_some(),
            columns: columns.clone(),
            affected: affected.unwrap_or(0),
            last_insert_id: None.into(),
        };
        // SAFETY: `&mut self` lives no longer than the future of the slot `pipeline`, for which the host has lent the sink.
        unsafe { (self.sink.take)(self.sink.data, answer, batch) }
    }
}

/// Prepares one statement after the other, for a driver that knows no faster way.
pub(crate) async fn prepare_one_by_one<C: Connection + ?Sized>(
    connection: &mut C,
    texts: Vec<String>,
) -> Result<Vec<C::Statement>> {
    let mut statements = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        statements.push(connection.prepare(text).wait().await.map_err(|error| error.with_row(index))?);
    }
    Ok(statements)
}

pub(crate) unsafe extern "C" fn prepare_many<C: Connection>(
    connection: *mut (),
    texts: RSlice<'_, RStr<'_>>,
) -> AbiReply<RVec<StatementObject>> {
    guard::slot(
        |statements: Vec<C::Statement>| statements.into_iter().map(statement::object::<C>).collect(),
        || {
            let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
            // SAFETY: the table that this is in belongs to connections of type `C`.
            unsafe { exclusive::<C>(connection) }.prepare_many(&texts)
        },
    )
}

pub(crate) unsafe extern "C" fn pipeline<C: Connection>(
    connection: *mut (),
    statements: RSlice<'_, *mut ()>,
    steps: RSlice<'_, PipelineStep<'_>>,
    batch_bytes: u32,
    sink: AnswerSink,
) -> AbiReply<()> {
    guard::slot(
        |()| (),
        || {
            // SAFETY: the host lends the steps for the life of the future as well, by the rules of this slot.
            let steps: &'static [PipelineStep<'static>] =
                unsafe { slice::from_raw_parts(steps.as_ptr().cast(), steps.len()) };
            // SAFETY: the table that this is in belongs to connections of type `C` and their statements; these are different
            // ones, so that none is borrowed twice.
            let of_driver = |data: &*mut ()| unsafe { statement::statement::<C>(*data) };
            let statements: Vec<_> = statements.iter().map(of_driver).collect();
            if steps.iter().any(|step| step.statement >= statements.len()) {
                return Reply::ready(Err(Error::protocol("a step of the pipeline has no statement")));
            }
            // SAFETY: as above.
            let connection = unsafe { exclusive::<C>(connection) };
            connection.pipeline(statements, steps, batch_bytes, Answers { sink, lent: PhantomData })
        },
    )
}
