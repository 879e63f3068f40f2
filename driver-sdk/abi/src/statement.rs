//! A prepared statement.

use crate::{Batch, Column, ColumnSet, Kind, Nullability, Params, Reply, RowsObject};
use abi_stable::{
    StableAbi,
    std_types::{RArc, ROption, RString, RVec},
};

/// How a statement is to be run.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct QueryOptions {
    /// The most rows that the caller will read; 0 means all. The driver may end the statement there: the reply is then
    /// finished.
    pub max_rows: u64,
    /// About how many bytes of rows a batch holds. At least one row is always taken.
    pub batch_bytes: u32,
}

/// The answer to a query, beside the rows in the host's batch.
#[repr(C)]
#[derive(StableAbi)]
pub struct QueryReply {
    /// The columns; shared with the statement, so that the same pointer means the same columns.
    pub columns: RArc<ColumnSet>,
    /// The rows that the statement has changed, when it has ended.
    pub affected: u64,
    /// The key of the row that was inserted last, where the database counts them.
    pub last_insert_id: ROption<i64>,
    /// The open result, when there may be more rows. It does not borrow from the statement, which may be dropped first.
    pub rows: ROption<RowsObject>,
}

/// What a statement that ran once for each of many rows of parameters did.
#[repr(C)]
#[derive(StableAbi)]
pub struct ManyReply {
    /// The rows that all runs together have changed.
    pub affected: u64,
    /// The key of the row that was inserted last, where the database counts them.
    pub last_insert_id: ROption<i64>,
    /// The batch of parameters, to be used again.
    pub spare: Batch,
}

/// One parameter of a statement.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Parameter {
    /// Its name without the leading sign; empty for a numbered one.
    pub name: RString,
    /// The database's name of its type; empty where it is not known.
    pub type_name: RString,
    /// The database's number of the type; 0 where there is none.
    pub type_code: u32,
    /// The kind that fits it best; [`Kind::NULL`] where nothing is known.
    pub kind: Kind,
    /// Whether it can be NULL.
    pub nullability: Nullability,
}

/// What is known of a statement before it is run.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Description {
    /// The parameters in the order in which they are bound.
    pub parameters: RVec<Parameter>,
    /// The columns of its result; none for a statement without one.
    pub columns: RVec<Column>,
    /// Whether the statement only reads.
    pub is_read_only: bool,
}

/// The slots of a statement. Those that use the connection take its data pointer: whoever calls has exclusive access to
/// both.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = StatementVtableRef, prefix_fields = StatementVtablePrefix)))]
pub struct StatementVtable {
    /// Runs the statement and answers with its first rows.
    ///
    /// `parameters` is borrowed for the call. `batch` is the host's, which keeps its buffers from call to call; the rows
    /// are written to it. It is borrowed for the call and for the life of the reply's future, and is touched in the call
    /// and in polls of the future only. What it holds after an error or an abandoned future does not matter. One result of a connection is open at a time: the host has ended the one before. After an error the
    /// statement can be run again.
    pub query: unsafe extern "C" fn(
        statement: *mut (),
        connection: *mut (),
        parameters: Params<'_>,
        options: QueryOptions,
        batch: *mut Batch,
    ) -> Reply<QueryReply>,

    /// Runs the statement once for each row of `rows`, whose columns are the values of `$1`, `$2`, …
    ///
    /// A statement that returns rows is refused. It stops at the first error, whose `row` says in which row of the batch;
    /// what the rows before it did stays done: to undo it is the host's, by a transaction.
    pub query_many: unsafe extern "C" fn(statement: *mut (), connection: *mut (), rows: Batch) -> Reply<ManyReply>,

    /// Tells parameters and columns without running the statement.
    pub describe: unsafe extern "C" fn(statement: *mut (), connection: *mut ()) -> Reply<Description>,

    /// Frees the statement. Called once, from any thread, when no call on the connection is under way; the connection
    /// may be gone already, and unfinished work that was dropped may still be using it. Must not block.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(statement: *mut ()),
}

/// A statement and its slots; dropping it calls `drop`.
#[repr(C)]
#[derive(StableAbi)]
pub struct StatementObject {
    data: *mut (),
    vtable: StatementVtableRef,
}

object!(StatementObject, StatementVtableRef, "a statement", Send);
