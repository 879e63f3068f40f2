//! Several statements in one go.

use crate::{Batch, ColumnSet, Params};
use abi_stable::{
    StableAbi,
    std_types::{RArc, ROption},
};

/// A statement of a pipeline, with its parameters.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PipelineStep<'a> {
    /// Which of the pipeline's statements, from 0. One statement may be run by many steps.
    pub statement: usize,
    /// The most rows that the caller will read; 0 means all. The driver may end the statement there.
    pub max_rows: u64,
    /// Its parameters.
    pub parameters: Params<'a>,
}

/// What a step of a pipeline has answered, beside the rows in the batch.
#[repr(C)]
#[derive(StableAbi)]
pub struct PipelineAnswer {
    /// Which step, from 0.
    pub step: usize,
    /// Whether this is the first of the step's answers.
    pub begins: bool,
    /// Whether it is the last one.
    pub finished: bool,
    /// The columns; shared with the statement, so that the same pointer means the same columns.
    pub columns: RArc<ColumnSet>,
    /// The rows that the step has changed, once `finished`.
    pub affected: u64,
    /// The key of the row that was inserted last, where the database counts them; once `finished`.
    pub last_insert_id: ROption<i64>,
}

/// The host's, where the answers of a pipeline go.
#[repr(C)]
#[derive(StableAbi)]
pub struct AnswerSink {
    /// The pointer that is the first argument of the slot.
    pub data: *mut (),
    /// Takes an answer and the rows that belong to it.
    ///
    /// The answers come in the order of the steps: of each step one or more, the first `begins` and the last is `finished`. An
    /// answer that begins step 0 makes all that came before void: the driver has begun anew.
    ///
    /// `batch` is the driver's and is borrowed for the call; the host may leave another one in its place, so that buffers are
    /// used again. Called in the slot `pipeline` and in polls of its future only. It does not block, and does not fail: what
    /// the host does not like of an answer, it says when the pipeline has ended.
    pub take: unsafe extern "C" fn(data: *mut (), answer: PipelineAnswer, batch: *mut Batch),
}

// SAFETY: the host makes sinks of what any thread may use, as futures of the driver are polled by any.
unsafe impl Send for AnswerSink {}
