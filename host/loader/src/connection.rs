//! A driver's objects, safe to use.
//!
//! These handles keep the host's side of the ABI's rules: one operation of a connection at a time, statements and
//! results only on the connection that they belong to, nothing but a reset after an abandoned operation.

use crate::OpenGuard;
use montrs_driver_abi::{
    Batch, ColumnSet, ConnectionObject, ConnectionStatus, ConnectionVtableRef, Description, DriverError, DriverResult,
    ErrorKind, NextBatch, Params, QueryOptions, QueryReply, Reply, RowsObject, StatementObject, TransactionOptions,
    abi_stable::std_types::RArc, async_ffi::FfiFuture, panic,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

/// One session with a database.
///
/// A future of one of its methods may be dropped at any time; [`needs_reset`](Self::needs_reset) then says so.
pub struct Connection {
    object: ConnectionObject,
    /// Tells statements and results of other connections apart: the driver would take them for its own.
    id: u64,
    state: State,
    /// In the transaction that was begun last an operation has failed because of another transaction.
    was_in_the_way: bool,
    /// The database counts as open while this connection lives. Dropped after `object`.
    _guard: Arc<OpenGuard>,
}

/// A prepared statement. It can be used on the connection that prepared it, and dropped at any time.
pub struct Statement {
    object: StatementObject,
    connection: u64,
}

/// An open result. It can be used on the connection that made it, and dropped at any time.
pub struct Rows {
    object: RowsObject,
    connection: u64,
}

/// The answer to a query, beside its first rows.
pub struct QueryResult {
    /// The columns; the same pointer means the same columns.
    pub columns: RArc<ColumnSet>,
    /// The rows that the statement has changed, when it has ended.
    pub affected: u64,
    /// The key of the row that was inserted last, where the database counts them.
    pub last_insert_id: Option<i64>,
    /// The open result, when there may be more rows.
    pub rows: Option<Rows>,
}

/// A query that was begun.
pub enum Started<'a> {
    /// It has been answered during the call, as an embedded database mostly does.
    Now(Result<(), DriverError>),
    /// Its answer has to be waited for.
    Later(Pin<Box<dyn Future<Output = Result<(), DriverError>> + Send + 'a>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ready for the next operation.
    Idle,
    /// A result is open: its rows can be fetched, or it can be closed.
    RowsOpen,
    /// An upload is open: it can be given more, or be ended.
    Uploading,
    /// An operation is under way, or its future was dropped before its end.
    Busy,
    /// The driver panicked, broke the ABI's rules, or says so itself.
    Broken,
}

/// Waits for an answer, with a panic of the driver's future as an error. Not a function: the answers are large, and mostly
/// there already.
macro_rules! wait {
    ($reply:expr) => {
        match $reply.into_result() {
            Ok(result) => result,
            Err(future) => Caught(future).await,
        }
    };
}

/// Calls a slot of the connection and waits for its answer.
macro_rules! call {
    ($connection:expr, $vtable:expr, $slot:ident($data:expr $(, $argument:expr)*)) => {{
        let vtable = $vtable;
        $connection.state = State::Busy;
        // SAFETY: `&mut` on the connection makes the access exclusive, also while the reply's future lives: it is
        // awaited, or dropped, before the borrow ends; so with a batch. A future that is leaked is never polled again.
        let reply = unsafe { vtable.$slot()($data $(, $argument)*) };
        let result = wait!(reply);
        $connection.finish(&result);
        result
    }};
}

mod pipeline;
mod transfer;

pub use pipeline::TakeAnswer;

impl Connection {
    pub(crate) fn new(object: ConnectionObject, guard: Arc<OpenGuard>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            object,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            state: State::Idle,
            was_in_the_way: false,
            _guard: guard,
        }
    }

    /// Prepares one statement.
    ///
    /// # Errors
    ///
    /// What the driver says of the statement.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, DriverError> {
        self.expect(State::Idle)?;
        let object = call!(self, self.vtable(), prepare(self.object.data(), sql.into()))?;
        Ok(Statement { object, connection: self.id })
    }

    /// Tells parameters and columns of a statement.
    ///
    /// # Errors
    ///
    /// When the driver cannot, or the statement belongs to another connection.
    pub async fn describe(&mut self, statement: &mut Statement) -> Result<Description, DriverError> {
        self.expect(State::Idle)?;
        self.owns(statement.connection)?;
        let data = statement.object.data();
        call!(self, statement.object.vtable(), describe(data, self.object.data()))
    }

    /// Runs a statement and writes its first rows to the batch, which keeps its buffers from call to call. Not an `async`
    /// function, because most short queries need no future; and what is said beside the rows is put into `answer`, so that it
    /// is not copied on its way.
    ///
    /// Its errors are what the driver says of it, and that the statement belongs to another connection.
    #[inline]
    pub fn query<'a>(
        &'a mut self,
        statement: &'a mut Statement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
        answer: &'a mut Option<QueryResult>,
    ) -> Started<'a> {
        if let Err(error) = self.expect(State::Idle).and_then(|()| self.owns(statement.connection)) {
            return Started::Now(Err(error));
        }
        let (data, vtable) = (statement.object.data(), statement.object.vtable());
        self.state = State::Busy;
        // SAFETY: connection, statement and batch are borrowed exclusively, also while the reply's future lives, which is
        // dropped before the borrows end, or leaked and never polled again.
        let reply = unsafe { vtable.query()(data, self.object.data(), parameters, options, batch) };
        match reply.into_result() {
            Ok(result) => Started::Now(self.answered(result, answer)),
            Err(future) => Started::Later(Box::pin(async move {
                let result = Caught(future).await;
                self.answered(result, answer)
            })),
        }
    }

    /// Takes what a query has ended with.
    #[inline]
    fn answered(
        &mut self,
        result: Result<QueryReply, DriverError>,
        answer: &mut Option<QueryResult>,
    ) -> Result<(), DriverError> {
        self.finish(&result);
        *answer = Some(self.opened(result?));
        Ok(())
    }

    /// Writes the next rows of the open result to the batch.
    ///
    /// # Errors
    ///
    /// What the driver says; the result is then over.
    pub async fn next(&mut self, rows: &mut Rows, batch: &mut Batch) -> Result<NextBatch, DriverError> {
        self.expect(State::RowsOpen)?;
        self.owns(rows.connection)?;
        let data = rows.object.data();
        let next = call!(self, rows.object.vtable(), next(data, self.object.data(), batch))?;
        if !next.finished {
            self.state = State::RowsOpen;
        }
        Ok(next)
    }

    /// Ends the open result early.
    ///
    /// # Errors
    ///
    /// What the driver says; the connection then needs a reset.
    pub async fn close_rows(&mut self, mut rows: Rows) -> Result<(), DriverError> {
        self.expect(State::RowsOpen)?;
        self.owns(rows.connection)?;
        let (data, rows) = (rows.object.data(), &mut rows);
        let closed = call!(self, rows.object.vtable(), close(data, self.object.data()));
        if closed.is_err() && self.state == State::Idle {
            self.state = State::Busy;
        }
        closed
    }

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// What the driver says; none is then open.
    pub async fn begin(&mut self, options: TransactionOptions) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        self.was_in_the_way = false;
        call!(self, self.vtable(), begin(self.object.data(), options))
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// What the driver says; [`status`](Self::status) tells whether the transaction is open still.
    pub async fn commit(&mut self) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), commit(self.object.data()))
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn rollback(&mut self) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), rollback(self.object.data()))
    }

    /// Sets the savepoint of this depth.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn savepoint(&mut self, depth: u32) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), savepoint(self.object.data(), depth))
    }

    /// Keeps what was done since the savepoint and forgets it.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn release(&mut self, depth: u32) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), release(self.object.data(), depth))
    }

    /// Undoes what was done since the savepoint and forgets it.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn rollback_to(&mut self, depth: u32) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), rollback_to(self.object.data(), depth))
    }

    /// Makes the connection as good as new, after anything but a break.
    ///
    /// # Errors
    ///
    /// What the driver says, or said before of a connection that is broken; the connection must then be dropped.
    pub async fn reset(&mut self) -> Result<(), DriverError> {
        if self.status().contains(ConnectionStatus::BROKEN) {
            return Err(broken());
        }
        let reset = call!(self, self.vtable(), reset(self.object.data()));
        if reset.is_err() {
            self.state = State::Broken;
        }
        reset
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn ping(&mut self) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), ping(self.object.data()))
    }

    /// Ends the session in an orderly way.
    ///
    /// # Errors
    ///
    /// What the driver says; the connection is gone all the same.
    pub async fn close(mut self) -> Result<(), DriverError> {
        if self.state == State::Broken {
            return Err(broken());
        }
        call!(self, self.vtable(), close(self.object.data()))
    }

    /// Whether an operation or a result was abandoned, so that [`reset`](Self::reset) must come next.
    #[inline]
    pub fn needs_reset(&self) -> bool {
        self.state != State::Idle
    }

    /// Whether a result is open, and no fetch of its rows was abandoned.
    pub fn has_open_rows(&self) -> bool {
        self.state == State::RowsOpen
    }

    /// The state as the driver knows it. What is broken stays broken.
    pub fn status(&mut self) -> ConnectionStatus {
        if self.state == State::Broken {
            return ConnectionStatus::BROKEN;
        }
        // SAFETY: `&mut self` says that no other call is under way.
        let status = unsafe { self.vtable().status()(self.object.data()) };
        if status.contains(ConnectionStatus::BROKEN) {
            self.state = State::Broken;
        }
        status
    }

    /// Whether since the last [`begin`](Self::begin) an operation has failed because another transaction was in the way: it could
    /// not be serialized, there was a deadlock, or the database was locked.
    pub fn another_was_in_the_way(&self) -> bool {
        self.was_in_the_way
    }

    /// Counts the connection as broken from now on: the driver's answer could not be read.
    pub fn give_up(&mut self) {
        self.state = State::Broken;
    }

    fn vtable(&self) -> ConnectionVtableRef {
        self.object.vtable()
    }

    #[inline]
    fn expect(&self, state: State) -> Result<(), DriverError> {
        if self.state == state { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Why an operation cannot be begun in this state.
    #[cold]
    fn unexpected(&self) -> DriverError {
        match self.state {
            State::Broken => broken(),
            State::RowsOpen => DriverError::protocol("a result is still open on this connection"),
            State::Uploading => DriverError::protocol("an upload is still open on this connection"),
            State::Idle => DriverError::protocol("no result or upload is open on this connection"),
            State::Busy => DriverError::protocol("an operation of this connection was abandoned: it needs a reset"),
        }
    }

    #[inline]
    fn owns(&self, connection: u64) -> Result<(), DriverError> {
        if connection == self.id { Ok(()) } else { Err(of_another()) }
    }

    /// Takes an answer to a query, whose result may be open.
    #[inline]
    fn opened(&mut self, reply: QueryReply) -> QueryResult {
        let rows = reply.rows.into_option().map(|object| Rows { object, connection: self.id });
        if rows.is_some() {
            self.state = State::RowsOpen;
        }
        QueryResult {
            columns: reply.columns,
            affected: reply.affected,
            last_insert_id: reply.last_insert_id.into_option(),
            rows,
        }
    }

    /// The state after an operation that has failed.
    #[cold]
    fn failed(&mut self, kind: ErrorKind) -> State {
        self.was_in_the_way |= matches!(kind, ErrorKind::SERIALIZATION | ErrorKind::DEADLOCK | ErrorKind::BUSY);
        match kind {
            ErrorKind::PANICKED | ErrorKind::PROTOCOL => State::Broken,
            _ => State::Idle,
        }
    }

    /// Notes what an operation has ended with.
    #[inline]
    fn finish<T>(&mut self, result: &Result<T, DriverError>) {
        self.state = match result {
            Ok(_) => State::Idle,
            Err(error) => self.failed(error.kind()),
        };
    }
}

#[cold]
fn of_another() -> DriverError {
    DriverError::protocol("a statement or result was used on a connection that it does not belong to")
}

/// Waits for an answer, with a panic of the driver's future as an error.
pub(crate) async fn wait<T>(reply: Reply<T>) -> Result<T, DriverError> {
    wait!(reply)
}

/// A driver's future; drivers that are made with the SDK catch their panics themselves.
struct Caught<T>(FfiFuture<DriverResult<T>>);

impl<T> Future for Caught<T> {
    type Output = Result<T, DriverError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(cx).map(DriverResult::into_result))).unwrap_or_else(
            |payload| {
                panic::discard(payload);
                Poll::Ready(Err(DriverError::new(ErrorKind::PANICKED, "the driver panicked")))
            },
        )
    }
}

fn broken() -> DriverError {
    DriverError::new(ErrorKind::CONNECTION_LOST, "the connection is broken and cannot be used again")
}
