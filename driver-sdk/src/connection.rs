//! A connection, and the slots that it fills.

use crate::{
    Answers, Batch, ColumnSet, ConnectionStatus, Description, Error, ErrorKind, ManyReply, NextBatch, ParamBuffer,
    Params, PipelineStep, QueryOptions, Reply, Result, RowBatch, TransactionOptions, guard, many, pipeline, statement,
    upload,
};
use montrs_driver_abi::{
    ConnectionObject, ConnectionVtable, ConnectionVtableRef, DriverResult, Reply as AbiReply, Span, StatementObject,
    abi_stable::{
        prefix_type::WithMetadata,
        staticref,
        std_types::{RArc, RStr},
    },
};
use std::ops::Range;

/// One session with a database.
///
/// The host never has two operations of one connection under way: `&mut self` says so, and it holds for the future
/// of a reply too. When the host drops such a future before its end, it calls [`reset`](Self::reset) before anything
/// else.
pub trait Connection: Send + 'static {
    /// A prepared statement. It is dropped without the connection at hand, at any time, perhaps after the connection.
    type Statement: Send + 'static;

    /// An open result; dropped like a statement.
    type Rows: Send + 'static;

    /// Prepares one statement. Its placeholders are `$1`, `$2`, … or the database's own; and `:name`, where the database
    /// answers for [`NAMED_PARAMETERS`](crate::Capability::NAMED_PARAMETERS).
    ///
    /// # Errors
    ///
    /// [`EMPTY_STATEMENT`](crate::ErrorKind::EMPTY_STATEMENT) and
    /// [`MULTIPLE_STATEMENTS`](crate::ErrorKind::MULTIPLE_STATEMENTS) are the driver's to detect.
    fn prepare(&mut self, sql: &str) -> Reply<'_, Self::Statement>;

    /// Tells parameters and columns without running the statement.
    fn describe<'a>(&'a mut self, statement: &'a mut Self::Statement) -> Reply<'a, Description> {
        let _ = statement;
        Reply::unsupported("the description of statements")
    }

    /// Runs the statement and answers with its first rows.
    ///
    /// Rows are written to `batch` until it holds about [`QueryOptions::batch_bytes`]; what is left is fetched with
    /// [`next`](Self::next). Begin with [`Batch::clear`]: the batch is the host's, and comes as it was read.
    ///
    /// The host checks neither the number of the parameters nor their names: see [`Params::name`] and [`Params::has_names`].
    /// An array may be a list for `IN ($1)`.
    fn query<'a>(
        &'a mut self,
        statement: &'a mut Self::Statement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Self::Rows>>;

    /// Runs the statement once for each row of parameters, without rows as an answer. It stops at the first error, to
    /// which [`with_row`](crate::Error::with_row) adds the row; what was done before stays done, the host sees to the rest.
    ///
    /// Unless you write your own, this runs [`query`](Self::query) in a loop.
    fn query_many<'a>(&'a mut self, statement: &'a mut Self::Statement, rows: RowBatch) -> Reply<'a, ManyReply> {
        Reply::later(many::one_by_one(self, statement, rows))
    }

    /// Runs an operation of the driver's own that has no SQL, such as a backup, chosen by its name. Its answer is that of
    /// a query.
    ///
    /// # Errors
    ///
    /// [`UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED) for a name that is not known, with those that are.
    fn command<'a>(
        &'a mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Self::Rows>> {
        let _ = (parameters, options, batch);
        Reply::unsupported(&format!("the command `{name}`: it has no commands"))
    }

    /// Begins a command that takes bytes or rows. After it come [`upload_bytes`](Self::upload_bytes) and
    /// [`upload_rows`](Self::upload_rows), as often as the application likes, and [`upload_end`](Self::upload_end).
    ///
    /// An error of any of them ends the upload and undoes it, as far as a failed statement is undone. An upload that is
    /// not ended is undone by [`reset`](Self::reset).
    fn upload(&mut self, name: &str, parameters: Params<'_>) -> Reply<'_, ()> {
        let _ = parameters;
        Reply::unsupported(&format!("the upload `{name}`: it has no uploads"))
    }

    /// The next bytes of the open upload.
    fn upload_bytes(&mut self, bytes: &[u8]) -> Reply<'_, ()> {
        let _ = bytes;
        Reply::unsupported("uploads of bytes")
    }

    /// The next rows of the open upload; their buffers are given back: see [`RowBatch::into_spare`].
    fn upload_rows(&mut self, rows: RowBatch) -> Reply<'_, Batch> {
        let _ = rows;
        Reply::unsupported("uploads of rows")
    }

    /// Ends the open upload and keeps what it was given: how many rows or bytes, as the command documents.
    fn upload_end(&mut self) -> Reply<'_, u64> {
        Reply::unsupported("uploads")
    }

    /// Where in a script, a text of many statements, the first one is: without the blanks and comments before it, and with
    /// the sign that ends it. `None` where there is nothing but blanks and comments. The host runs the piece with
    /// [`query_once`](Self::query_once), and comes back with what follows it.
    ///
    /// Only look for the end: what is wrong with the statement is said when it is run. The text that is
    /// left may be long, so look no further than that end.
    ///
    /// # Errors
    ///
    /// For what is no statement, such as a command of the database's own shell; with its position in `script`.
    fn first_statement(&mut self, script: &str) -> Result<Option<Range<usize>>> {
        let _ = script;
        Err(Error::new(ErrorKind::UNSUPPORTED, "the driver does not support scripts"))
    }

    /// Prepares a statement, runs it without parameters and drops it, as the host does with the statements of a script.
    ///
    /// Unless you write your own, this calls [`prepare`](Self::prepare) and [`query`](Self::query).
    fn query_once<'a>(
        &'a mut self,
        sql: &str,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Self::Rows>> {
        let sql = sql.to_owned();
        Reply::later(async move {
            let mut statement = self.prepare(&sql).wait().await?;
            let no_parameters = ParamBuffer::default();
            self.query(&mut statement, no_parameters.as_params(), options, batch).wait().await
        })
    }

    /// Prepares several statements, in one go where the database can. An error says by [`with_row`](crate::Error::with_row)
    /// which of them it belongs to.
    ///
    /// Unless you write your own, this calls [`prepare`](Self::prepare) in a loop.
    fn prepare_many(&mut self, texts: &[&str]) -> Reply<'_, Vec<Self::Statement>> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        Reply::later(pipeline::prepare_one_by_one(self, texts))
    }

    /// Runs several steps in one go, in their order, and gives their answers to `answers`. Each step names one of `statements`
    /// by its index.
    ///
    /// All of them, or none: run them in a transaction, and if one is open, in a savepoint. End at the first error, to which
    /// [`with_row`](crate::Error::with_row) adds the step, and undo what was done; begin anew only where that undid everything.
    ///
    /// The host calls it where your database answers for [`Capability::PIPELINES`](crate::Capability::PIPELINES), and otherwise
    /// runs one statement after the other in a transaction.
    fn pipeline<'a>(
        &'a mut self,
        statements: Vec<&'a mut Self::Statement>,
        steps: &'a [PipelineStep<'a>],
        batch_bytes: u32,
        answers: Answers<'a>,
    ) -> Reply<'a, ()> {
        let _ = (statements, steps, batch_bytes, answers);
        Reply::unsupported("pipelines")
    }

    /// The next rows of an open result.
    fn next<'a>(&'a mut self, rows: &'a mut Self::Rows, batch: &'a mut Batch) -> Reply<'a, NextBatch>;

    /// Ends an open result early, so that the next statement can run.
    fn close_rows<'a>(&'a mut self, rows: &'a mut Self::Rows) -> Reply<'a, ()> {
        let _ = rows;
        self.reset()
    }

    /// Begins a transaction.
    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        let _ = options;
        Reply::unsupported("transactions")
    }

    /// Commits the transaction.
    fn commit(&mut self) -> Reply<'_, ()> {
        Reply::unsupported("transactions")
    }

    /// Rolls the transaction back.
    fn rollback(&mut self) -> Reply<'_, ()> {
        Reply::unsupported("transactions")
    }

    /// Sets the savepoint of this depth; 1 is the outermost.
    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        let _ = depth;
        Reply::unsupported("savepoints")
    }

    /// Keeps what was done since the savepoint and forgets it.
    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        let _ = depth;
        Reply::unsupported("savepoints")
    }

    /// Undoes what was done since the savepoint and forgets it.
    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        let _ = depth;
        Reply::unsupported("savepoints")
    }

    /// Makes the connection as good as new: stops what was abandoned and waits for its end, closes an open result,
    /// rolls back an open transaction, restores the session's state.
    fn reset(&mut self) -> Reply<'_, ()>;

    /// Asks the database for a sign of life.
    fn ping(&mut self) -> Reply<'_, ()> {
        Reply::ready(Ok(()))
    }

    /// The state as the driver knows it, without asking the database.
    fn status(&mut self) -> ConnectionStatus;

    /// Ends the session in an orderly way; the connection is dropped after it.
    fn close(&mut self) -> Reply<'_, ()> {
        Reply::ready(Ok(()))
    }
}

/// The answer to a query, beside its first rows.
pub struct Fetched<R> {
    /// The columns; keep them with the statement and clone the pointer.
    pub columns: RArc<ColumnSet>,
    /// The rows that were changed, when the statement has ended.
    pub affected: u64,
    /// The key of the row that was inserted last, where the database counts them.
    pub last_insert_id: Option<i64>,
    /// The open result, when there may be more rows.
    pub rows: Option<R>,
}

impl<R> Fetched<R> {
    /// A result that is complete.
    pub fn finished(columns: RArc<ColumnSet>, affected: u64) -> Self {
        Self { columns, affected, last_insert_id: None, rows: None }
    }
}

struct Slots<C>(std::marker::PhantomData<C>);

impl<C: Connection> Slots<C> {
    staticref!(const TABLE: WithMetadata<ConnectionVtable> = WithMetadata::new(ConnectionVtable {
        prepare: prepare::<C>,
        command: statement::command::<C>,
        upload: upload::begin::<C>,
        upload_bytes: upload::bytes::<C>,
        upload_rows: upload::rows::<C>,
        upload_end: upload::end::<C>,
        begin: begin::<C>,
        commit: commit::<C>,
        rollback: rollback::<C>,
        savepoint: savepoint::<C>,
        release: release::<C>,
        rollback_to: rollback_to::<C>,
        reset: reset::<C>,
        ping: ping::<C>,
        status: status::<C>,
        close: close::<C>,
        drop: drop_connection::<C>,
        first_statement: first_statement::<C>,
        query_once: statement::query_once::<C>,
        prepare_many: pipeline::prepare_many::<C>,
        pipeline: pipeline::pipeline::<C>,
    }));

    const VTABLE: ConnectionVtableRef = ConnectionVtableRef(Self::TABLE.as_prefix());
}

pub(crate) fn object<C: Connection>(connection: C) -> ConnectionObject {
    let data = Box::into_raw(Box::new(connection)).cast();
    // SAFETY: the slots cast `data` back to the `C` that it points to, and `C` is `Send`; calls do not overlap.
    unsafe { ConnectionObject::new(data, Slots::<C>::VTABLE) }
}

/// # Safety
///
/// `batch` must be valid for the call and for the life of the future that comes of it, and be nobody else's meanwhile: so
/// the ABI's rules have it.
pub(crate) unsafe fn lent(batch: *mut Batch) -> &'static mut Batch {
    // SAFETY: the caller's promise.
    unsafe { &mut *batch }
}

/// # Safety
///
/// `connection` must come from [`object`] with the same `C`. By the ABI's rules the host has exclusive access for the
/// call and for the life of the future that comes of it, and the connection outlives both.
pub(crate) unsafe fn exclusive<C: Connection>(connection: *mut ()) -> &'static mut C {
    // SAFETY: the caller's promise.
    unsafe { &mut *connection.cast() }
}

/// Slots that call a method of the connection and answer with its result as it is.
macro_rules! slots {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            unsafe extern "C" fn $name<C: Connection>(connection: *mut (), $($argument: $type),*) -> AbiReply<()> {
                guard::slot(|()| (), || {
                    // SAFETY: this table belongs to connections of type `C`.
                    unsafe { exclusive::<C>(connection) }.$name($($argument),*)
                })
            }
        )*
    };
}

slots! {
    begin(options: TransactionOptions);
    commit();
    rollback();
    savepoint(depth: u32);
    release(depth: u32);
    rollback_to(depth: u32);
    reset();
    ping();
    close();
}

unsafe extern "C" fn prepare<C: Connection>(connection: *mut (), sql: RStr<'_>) -> AbiReply<StatementObject> {
    guard::slot(statement::object::<C>, || {
        // SAFETY: this table belongs to connections of type `C`.
        unsafe { exclusive::<C>(connection) }.prepare(sql.as_str())
    })
}

unsafe extern "C" fn first_statement<C: Connection>(connection: *mut (), script: RStr<'_>) -> DriverResult<Span> {
    // SAFETY: this table belongs to connections of type `C`.
    let connection = unsafe { exclusive::<C>(connection) };
    let found = guard::catch(|| connection.first_statement(script.as_str())).and_then(|found| found);
    found.map(|found| found.map_or(Span { start: 0, end: 0 }, |Range { start, end }| Span { start, end })).into()
}

unsafe extern "C" fn status<C: Connection>(connection: *mut ()) -> ConnectionStatus {
    // SAFETY: this table belongs to connections of type `C`.
    let connection = unsafe { exclusive::<C>(connection) };
    guard::catch(|| connection.status()).unwrap_or(ConnectionStatus::BROKEN)
}

unsafe extern "C" fn drop_connection<C>(connection: *mut ()) {
    // SAFETY: `object` made `connection` of a `Box<C>`, and this slot is called once.
    let connection: Box<C> = unsafe { Box::from_raw(connection.cast()) };
    guard::quietly(|| drop(connection));
}
