//! A session: one request at a time, driven in the caller's own task.
//!
//! A request is written to the wire's buffer as a whole and ends with a Sync (or is a simple Query); its answer ends with
//! ReadyForQuery. `pending` counts the answers that have not ended, so after a future was dropped at whatever await,
//! [`reset`](crate::reset) knows what is still to come.

use crate::{copy_in::CopyIn, endpoint::Endpoint, listen::Inbox, sql::Leaves, target::Target, wire::Wire};
use montrs_driver_sdk::{ConnectionStatus, Error, ErrorKind, Host, Result};
use postgres_protocol::message::frontend;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

mod exchange;

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
    /// A COMMIT of a request that is not answered to its end was performed.
    pub(crate) has_committed: bool,
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
    /// The COPY of a `load` that begins with its first rows.
    pub(crate) load: Option<Arc<str>>,
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
            has_committed: false,
            copy_in: None,
            load: None,
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
