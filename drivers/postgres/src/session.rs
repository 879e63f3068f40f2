//! A session: one request at a time, driven in the caller's own task.
//!
//! A request is written to the wire's buffer as a whole and ends with a Sync (or is a simple Query); its answer ends with
//! ReadyForQuery. `pending` counts the answers that have not ended, so after a future was dropped at whatever await,
//! [`reset`](crate::reset) knows what is still to come.

use crate::{
    copy_in::CopyIn,
    endpoint::Endpoint,
    error::Report,
    listen::{self, Inbox},
    message::{self, garbage, tag},
    sql::{self, Leaves},
    target::Target,
    wire::{Message, Wire},
};
use montrs_driver_sdk::{ConnectionStatus, Error, ErrorKind, Host, Result};
use postgres_protocol::message::frontend;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A session.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) host: Host,
    pub(crate) target: Arc<Target>,
    /// Where the server is, for a CancelRequest.
    pub(crate) endpoint: Endpoint,
    /// What a CancelRequest names: the number of the server's process, and a secret.
    pub(crate) key: Option<(i32, i32)>,
    pub(crate) status: TransactionStatus,
    /// How many requests have not been answered to their end.
    pub(crate) pending: u32,
    /// What the server tells of its settings.
    pub(crate) settings: HashMap<String, String>,
    /// What statements have left behind since the last reset.
    pub(crate) leaves: Leaves,
    /// Counts how often the server has forgotten all prepared statements.
    pub(crate) generation: u32,
    last_statement: u64,
    /// Numbers of statements that were dropped.
    dropped: Dropped,
    /// Those of them whose Close is on its way.
    closing: Vec<u64>,
    /// The portal has rows left that nobody wants.
    pub(crate) has_open_portal: bool,
    /// The COPY that takes data, until its answer has ended.
    pub(crate) copy_in: Option<CopyIn>,
    pub(crate) inbox: Inbox,
}

/// Numbers of statements that were dropped without the session at hand.
pub(crate) type Dropped = Arc<Mutex<Vec<u64>>>;

/// What ReadyForQuery tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionStatus {
    Idle,
    Open,
    Failed,
}

/// More settings are not kept.
const MAX_SETTINGS: usize = 1000;

pub(crate) const LOG: &str = "postgres";

impl Session {
    pub(crate) fn new(wire: Wire, host: Host, target: Arc<Target>, endpoint: Endpoint) -> Self {
        Self {
            wire,
            host,
            target,
            endpoint,
            key: None,
            status: TransactionStatus::Idle,
            pending: 0,
            settings: HashMap::new(),
            leaves: Leaves::Nothing,
            generation: 0,
            last_statement: 0,
            dropped: Dropped::default(),
            closing: Vec::new(),
            has_open_portal: false,
            copy_in: None,
            inbox: Inbox::default(),
        }
    }

    /// Begins a request: after it, the messages are appended to `self.wire.outgoing`.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if self.wire.is_lost() {
            return Err(closed());
        }
        if self.pending > 0 {
            return Err(Error::protocol("an operation was begun before the one before it had ended"));
        }
        self.take_back();
        Ok(())
    }

    /// Appends what closes statements and portals that are not used any more. A simple Query cannot be mixed with it.
    pub(crate) fn close_what_was_dropped(&mut self) -> Result<()> {
        if std::mem::take(&mut self.has_open_portal) {
            frontend::close(b'P', "", &mut self.wire.outgoing).map_err(unwritable)?;
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for number in dropped.drain(..) {
            frontend::close(b'S', &statement_name(number), &mut self.wire.outgoing).map_err(unwritable)?;
            self.closing.push(number);
        }
        Ok(())
    }

    /// Ends a request with a Sync.
    pub(crate) fn sync(&mut self) {
        frontend::sync(&mut self.wire.outgoing);
        self.pending += 1;
    }

    /// Takes back a request of which nothing has left.
    pub(crate) fn take_back(&mut self) {
        self.wire.sent();
        self.pending = 0;
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.closing);
    }

    /// Whether backslashes escape in strings.
    pub(crate) fn has_escapes(&self) -> bool {
        self.settings.get("standard_conforming_strings").is_some_and(|value| value == "off")
    }

    /// A number for a new statement.
    pub(crate) fn new_number(&mut self) -> u64 {
        self.last_statement += 1;
        self.last_statement
    }

    /// Where to put the number of a statement that is dropped.
    pub(crate) fn dropped(&self) -> Dropped {
        self.dropped.clone()
    }

    /// Runs a command that the driver has written itself, and returns its last tag.
    pub(crate) async fn command(&mut self, sql: &str) -> Result<String> {
        let mut last_tag = String::new();
        self.simple_query(sql, |tag, body| {
            if tag == tag::COMMAND_COMPLETE {
                last_tag = message::command_tag(body)?.to_owned();
            }
            Ok(())
        })
        .await?;
        Ok(last_tag)
    }

    /// Runs a query without parameters in one message, and hands each message of the answer to `on`.
    pub(crate) async fn simple_query(
        &mut self,
        sql: &str,
        on: impl FnMut(u8, &[u8]) -> Result<()> + Send,
    ) -> Result<()> {
        self.begin()?;
        frontend::query(sql, &mut self.wire.outgoing).map_err(unwritable)?;
        self.pending += 1;
        self.exchange("", on).await
    }

    /// Sends the request and reads its answer to the end.
    ///
    /// # Errors
    ///
    /// What the server says, with positions in `sql`; what `on` returns.
    pub(crate) async fn exchange(
        &mut self,
        sql: &str,
        mut on: impl FnMut(u8, &[u8]) -> Result<()> + Send,
    ) -> Result<()> {
        self.flush().await?;
        let mut result = Ok(());
        loop {
            let message = self.message().await?;
            match message.tag {
                tag::READY_FOR_QUERY => {
                    if self.ready(&message)? {
                        return result;
                    }
                }
                tag::ERROR_RESPONSE => {
                    let error = self.report(&message)?.into_error(sql);
                    result = result.and(Err(error));
                }
                tag => {
                    let handled = on(tag, self.wire.body(&message));
                    result = result.and(self.sound(handled));
                    if self.wire.is_lost() {
                        return result;
                    }
                }
            }
        }
    }

    /// Writes the request.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let flushed = self.wire.flush().await;
        flushed.map_err(|error| self.after_loss(error))
    }

    /// The next message that belongs to the answer.
    pub(crate) async fn message(&mut self) -> Result<Message> {
        loop {
            let next = self.next();
            if let Some(message) = self.sound(next)? {
                if message.tag == tag::COPY_IN_RESPONSE {
                    self.refuse_copy().await?;
                }
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    /// The next message that belongs to the answer, of a request that may not be written to its end yet. Both go on at once, so
    /// that neither side waits for the other to read.
    pub(crate) async fn message_while_writing(&mut self) -> Result<Message> {
        loop {
            let next = self.next();
            if let Some(message) = self.sound(next)? {
                return Ok(message);
            }
            if self.wire.is_written() {
                self.fill().await?;
            } else {
                self.write_or_read().await?;
            }
        }
    }

    /// Writes some of the request, or reads what the server says meanwhile.
    pub(crate) async fn write_or_read(&mut self) -> Result<()> {
        let moved = self.wire.write_or_read().await;
        moved.map_err(|error| self.after_loss(error))
    }

    /// Waits for more bytes.
    pub(crate) async fn fill(&mut self) -> Result<()> {
        let filled = self.wire.fill().await;
        filled.map_err(|error| self.after_loss(error))
    }

    /// The next message that belongs to the answer, if it is there already.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Message>> {
        while let Some(message) = self.wire.next()? {
            match message.tag {
                tag::NOTICE_RESPONSE | tag::PARAMETER_STATUS | tag::NOTIFICATION_RESPONSE => self.aside(&message)?,
                tag::CLOSE_COMPLETE => {}
                _ => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    /// Takes what the server may say at any time.
    #[cold]
    fn aside(&mut self, message: &Message) -> Result<()> {
        let body = self.wire.body(message);
        match message.tag {
            tag::PARAMETER_STATUS => {
                let (name, value) = message::parameter_status(body)?;
                if self.settings.len() < MAX_SETTINGS || self.settings.contains_key(&name) {
                    self.settings.insert(name, value);
                }
            }
            tag::NOTIFICATION_RESPONSE => {
                if !self.inbox.put(body)? {
                    listen::overflowed(self)?;
                }
            }
            _ => {
                let report = Report::read(body);
                self.host.log(report.level(), LOG, || report.message.clone());
            }
        }
        Ok(())
    }

    /// Takes a ReadyForQuery; `true` says that no other answer is to come.
    pub(crate) fn ready(&mut self, message: &Message) -> Result<bool> {
        self.status = match self.wire.body(message) {
            [b'I'] => TransactionStatus::Idle,
            [b'T'] => TransactionStatus::Open,
            [b'E'] => TransactionStatus::Failed,
            _ => return Err(self.broken("a ReadyForQuery without a state")),
        };
        self.pending = self.pending.saturating_sub(1);
        if self.pending == 0 {
            self.closing.clear();
            self.copy_in = None;
        }
        Ok(self.pending == 0)
    }

    /// Takes an ErrorResponse.
    ///
    /// # Errors
    ///
    /// The report itself, when the server ends the session with it.
    pub(crate) fn report(&mut self, message: &Message) -> Result<Report> {
        let report = Report::read(self.wire.body(message));
        if report.is_fatal() {
            self.wire.give_up();
            return Err(report.into_error(""));
        }
        Ok(report)
    }

    /// Takes the tag of a statement of the user's: what it leaves behind.
    pub(crate) fn completed(&mut self, tag: &str) {
        let leaves = sql::leaves(tag);
        if leaves == Leaves::Statements && !tag.starts_with("PREPARE") {
            self.generation += 1;
        }
        self.leaves = self.leaves.max(leaves);
    }

    /// The server broke the protocol: nothing that comes after can be understood.
    #[cold]
    pub(crate) fn broken(&mut self, what: &str) -> Error {
        self.wire.give_up();
        self.after_loss(garbage(what))
    }

    /// A `COPY … FROM STDIN` waits for data; it is told that there is none. It has swallowed the Sync.
    #[cold]
    pub(crate) async fn refuse_copy(&mut self) -> Result<()> {
        frontend::copy_fail("COPY FROM STDIN cannot be run as a statement", &mut self.wire.outgoing)
            .map_err(unwritable)?;
        frontend::sync(&mut self.wire.outgoing);
        self.flush().await
    }

    /// Gives the session up when the server broke the protocol.
    #[inline]
    pub(crate) fn sound<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if error.kind() == ErrorKind::CONNECTION_LOST && error.record().sqlstate.is_empty() {
                self.wire.give_up();
                return self.after_loss(error);
            }
            error
        })
    }

    /// The error of a connection that was lost while a request was under way.
    #[cold]
    fn after_loss(&mut self, mut error: Error) -> Error {
        if error.kind() == ErrorKind::CONNECTION_LOST && self.pending > 0 {
            let record = error.record_mut();
            record.may_have_executed = self.wire.has_begun_to_write();
            record.is_retryable = !record.may_have_executed;
        }
        error
    }

    /// The state, for the host.
    pub(crate) fn connection_status(&self) -> ConnectionStatus {
        if self.wire.is_lost() {
            return ConnectionStatus::BROKEN;
        }
        let status = match self.status {
            TransactionStatus::Idle => ConnectionStatus::READY,
            TransactionStatus::Open => ConnectionStatus::IN_TRANSACTION,
            TransactionStatus::Failed => ConnectionStatus::IN_TRANSACTION.with(ConnectionStatus::FAILED_TRANSACTION),
        };
        match self.leaves {
            Leaves::Nothing => status,
            Leaves::State | Leaves::Statements => status.with(ConnectionStatus::CHANGED),
        }
    }
}

/// The name that the server knows a statement by.
pub(crate) fn statement_name(number: u64) -> String {
    format!("s{number}")
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::CONNECTION_LOST, "the connection to the server was lost before")
}

/// A message that cannot be written: a NUL in a text, or 2 GiB and more.
#[cold]
pub(crate) fn unwritable(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidInput && error.to_string().contains("null") {
        return Error::new(ErrorKind::SYNTAX, "the text contains a NUL character, which PostgreSQL does not take");
    }
    Error::new(ErrorKind::TOO_LARGE, format!("the message cannot be sent: {error}"))
}

/// The same, with the place of the NUL in a statement.
#[cold]
pub(crate) fn unwritable_sql(error: io::Error, sql: &str) -> Error {
    match sql.find('\0') {
        Some(at) => unwritable(error).with_position(at),
        None => unwritable(error),
    }
}
