//! An open result: the rows that did not fit into the first batch.

use crate::{Batch, Reply};
use abi_stable::StableAbi;

/// What there is to know of one more batch of an open result.
#[repr(C)]
#[derive(StableAbi)]
pub struct NextBatch {
    /// The rows that the whole statement has changed, once `finished`.
    pub affected: u64,
    /// Whether that was all; the result is then closed and only `drop` may be called.
    pub finished: bool,
}

/// The slots of an open result. Each takes the connection's data pointer: whoever calls has exclusive access to both.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RowsVtableRef, prefix_fields = RowsVtablePrefix)))]
pub struct RowsVtable {
    /// The next batch. The driver holds back until it is asked: memory is bounded by the batch.
    ///
    /// `batch` is borrowed as for `query`. It may be left empty, and is not thereby the last. An error ends the result: only
    /// `drop` may follow.
    pub next: unsafe extern "C" fn(rows: *mut (), connection: *mut (), batch: *mut Batch) -> Reply<NextBatch>,

    /// Ends the result early and leaves the connection ready for the next statement. Only `drop` may follow.
    pub close: unsafe extern "C" fn(rows: *mut (), connection: *mut ()) -> Reply<()>,

    /// Frees the result. Called once, from any thread, when no call on the connection is under way; the connection may
    /// be gone already. Must not block. When the result was neither finished nor closed, `reset` follows before the
    /// connection is used again.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(rows: *mut ()),
}

/// An open result and its slots; dropping it calls `drop`.
#[repr(C)]
#[derive(StableAbi)]
pub struct RowsObject {
    data: *mut (),
    vtable: RowsVtableRef,
}

object!(RowsObject, RowsVtableRef, "rows", Send);
