//! One session with a database.

use crate::{
    AnswerSink, Batch, DriverResult, Params, PipelineStep, QueryOptions, QueryReply, Reply, StatementObject,
    TransactionOptions,
};
use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr, RVec},
};

/// The state of a connection, as bits.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionStatus(pub u32);

impl ConnectionStatus {
    /// Ready, no transaction open.
    pub const READY: Self = Self(0);
    /// It cannot be used again; nothing but `drop` makes sense.
    pub const BROKEN: Self = Self(1);
    /// A transaction is open.
    pub const IN_TRANSACTION: Self = Self(2);
    /// A transaction is open and has failed: only a rollback helps.
    pub const FAILED_TRANSACTION: Self = Self(4);
    /// It is not as it was opened, for example because SQL has changed a setting: before the session gets another user it is
    /// reset.
    pub const CHANGED: Self = Self(8);

    /// Whether all of these bits are set.
    pub fn contains(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// The bits of both.
    pub fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }
}

/// The slots of a connection. Calls never overlap; see the crate's rules.
///
/// Transactions are slots and not SQL because the statements for them differ between databases. Savepoints are told
/// apart by their depth: 1 is the outermost.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ConnectionVtableRef, prefix_fields = ConnectionVtablePrefix)))]
pub struct ConnectionVtable {
    /// Prepares one statement. `sql` is borrowed for the call.
    ///
    /// Placeholders are `$1`, `$2`, … on every driver; the database's own form works too. Positions in errors are
    /// those of `sql`. The host owns the statement and may keep it for the connection's life.
    pub prepare: unsafe extern "C" fn(connection: *mut (), sql: RStr<'_>) -> Reply<StatementObject>,

    /// Runs a command: an operation of the driver's own that has no SQL, chosen by its name. It answers as a query does,
    /// and its rows are fetched and closed like a query's.
    ///
    /// `name` and `parameters` are borrowed for the call. A name that the driver does not know is an error that tells
    /// those that it knows.
    pub command: unsafe extern "C" fn(
        connection: *mut (),
        name: RStr<'_>,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: *mut Batch,
    ) -> Reply<QueryReply>,

    /// Begins an upload: a command that takes bytes or rows. Until its end only the slots `upload_bytes`, `upload_rows`,
    /// `upload_end`, `reset`, `status`, `close` and `drop` are called on the connection, and statements may be dropped.
    ///
    /// `name` and `parameters` are borrowed for the call. After an error, also of the three slots below, no upload is open,
    /// and what it did is undone as far as a failed statement's work is. `reset` undoes an upload that was not ended.
    pub upload: unsafe extern "C" fn(connection: *mut (), name: RStr<'_>, parameters: Params<'_>) -> Reply<()>,

    /// Gives the open upload its next bytes, which are borrowed for the call.
    pub upload_bytes: unsafe extern "C" fn(connection: *mut (), bytes: RSlice<'_, u8>) -> Reply<()>,

    /// Gives the open upload its next rows, and gets their buffers back.
    pub upload_rows: unsafe extern "C" fn(connection: *mut (), rows: Batch) -> Reply<Batch>,

    /// Ends the open upload: what it was given is kept. The number is that of its rows or bytes, as the command documents.
    pub upload_end: unsafe extern "C" fn(connection: *mut ()) -> Reply<u64>,

    /// Begins a transaction. After an error none is open.
    pub begin: unsafe extern "C" fn(connection: *mut (), options: TransactionOptions) -> Reply<()>,

    /// Commits. After an error the transaction may be open still; `status` tells.
    pub commit: unsafe extern "C" fn(connection: *mut ()) -> Reply<()>,

    /// Rolls the transaction back.
    pub rollback: unsafe extern "C" fn(connection: *mut ()) -> Reply<()>,

    /// Sets the savepoint of this depth, inside a transaction.
    pub savepoint: unsafe extern "C" fn(connection: *mut (), depth: u32) -> Reply<()>,

    /// Keeps what was done since the savepoint and forgets it.
    pub release: unsafe extern "C" fn(connection: *mut (), depth: u32) -> Reply<()>,

    /// Undoes what was done since the savepoint and forgets it.
    pub rollback_to: unsafe extern "C" fn(connection: *mut (), depth: u32) -> Reply<()>,

    /// Makes the connection as good as new: stops what was abandoned and waits for its end, closes an open result, rolls
    /// back an open transaction, restores the session's state. After an error, or when it takes too long for the host,
    /// the connection is dropped.
    ///
    /// After an operation that was abandoned the session may stay with its user. What the user has set may then be left
    /// as it is, if `status` still says [`ConnectionStatus::CHANGED`]: another reset restores it.
    pub reset: unsafe extern "C" fn(connection: *mut ()) -> Reply<()>,

    /// Asks the database for a sign of life.
    pub ping: unsafe extern "C" fn(connection: *mut ()) -> Reply<()>,

    /// The state as the driver knows it, without asking the database. Cheap: called at each return to the pool. May be
    /// called at any time when no other call is under way.
    pub status: unsafe extern "C" fn(connection: *mut ()) -> ConnectionStatus,

    /// Ends the session in an orderly way. Only `drop` may follow, also after an error.
    pub close: unsafe extern "C" fn(connection: *mut ()) -> Reply<()>,

    /// Frees the connection. Called once, from any thread, when no other call is under way; work that was abandoned may
    /// still be running. Must not block: what takes long is handed to the host's blocking pool.
    pub drop: unsafe extern "C" fn(connection: *mut ()),

    /// Where in a script, a text of many statements, the first one is: without the blanks and comments before it, and
    /// with the sign that ends it. Asks the database nothing; must not block. `script` is borrowed for the call, and is
    /// what follows the statement before.
    ///
    /// The host gives the piece to `query_once`, which says what is wrong with it.
    pub first_statement: unsafe extern "C" fn(connection: *mut (), script: RStr<'_>) -> DriverResult<Span>,

    /// Prepares a statement, runs it without parameters, and drops it: in fewer steps where the driver can. `sql` is
    /// borrowed for the call, `batch` as for a statement's `query`.
    #[sabi(last_prefix_field)]
    pub query_once: unsafe extern "C" fn(
        connection: *mut (),
        sql: RStr<'_>,
        options: QueryOptions,
        batch: *mut Batch,
    ) -> Reply<QueryReply>,

    /// Prepares several statements, in one go where the driver can; since version 1.1. `texts` is borrowed for the call. An error
    /// has in `row` which of them it belongs to; none is then prepared.
    pub prepare_many:
        unsafe extern "C" fn(connection: *mut (), texts: RSlice<'_, RStr<'_>>) -> Reply<RVec<StatementObject>>,

    /// Runs several steps in one go, in their order, and gives their answers to the sink; since version 1.1. The host calls it
    /// where the database answers for [`Capability::PIPELINES`](crate::Capability::PIPELINES).
    ///
    /// All of them, or none: they are a transaction, or inside of one a savepoint, which the driver sees to. The first error ends
    /// them; its `row` says which step it belongs to, unless it is one of all of them.
    ///
    /// `statements` are different ones of this connection. What they point to, `steps` with their parameters, and what the sink
    /// points to are borrowed for the call and for the life of the reply's future; the list of pointers itself only for the call.
    /// `batch_bytes` is about how many bytes of rows go to the sink at once.
    pub pipeline: unsafe extern "C" fn(
        connection: *mut (),
        statements: RSlice<'_, *mut ()>,
        steps: RSlice<'_, PipelineStep<'_>>,
        batch_bytes: u32,
        sink: AnswerSink,
    ) -> Reply<()>,
}

/// A part of a text, in bytes. Where there is none, both are 0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it has ended.
    pub end: usize,
}

/// A connection and its slots; dropping it calls `drop`.
#[repr(C)]
#[derive(StableAbi)]
pub struct ConnectionObject {
    data: *mut (),
    vtable: ConnectionVtableRef,
}

object!(ConnectionObject, ConnectionVtableRef, "a connection", Send);
