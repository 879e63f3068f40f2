//! A session with a database: the synchronous core of the driver.
//!
//! Nothing here knows how it is executed. A call runs on whatever thread calls it, and asks the [`Watch`] that it was
//! opened with whether to go on and how to wait.

use crate::{
    error::{self, Circumstances, Fault},
    handle::{Failure, Handle, Watch},
    list,
    monitor::Monitor,
    nullability, open,
    options::{Options, Place},
    pragma::Settings,
    prepared::{Prepared, Progress},
    registry::{Name, Registry, Token},
    sql,
    statement::Statement,
    transaction::Transaction,
    transfer::Transfer,
};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{
    Batch, ColumnSet, ConnectionStatus, Description, Error, ErrorKind, Kind, NextBatch, Nullability, Parameter, Params,
    QueryOptions, RArc, Result,
};
use std::{cell::Cell, sync::Arc};

/// An open database with its statements and the state of its transaction.
pub(crate) struct Session {
    // What uses the handle ends before it is closed: fields are dropped in this order.
    pub(crate) transfer: Transfer,
    pub(crate) registry: Registry,
    /// BEGIN, COMMIT and their like, prepared when they are first used.
    controls: Vec<(&'static str, Statement)>,
    pub(crate) handle: Handle,
    pub(crate) transaction: Transaction,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) circumstances: Circumstances,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) options: Arc<Options>,
    /// What a reset restores.
    pub(crate) settings: Settings,
    /// Whether SQL has changed what outlasts its transaction: see [`Findings`](crate::handle::Findings).
    pub(crate) is_changed: bool,
    parameter_limit: usize,
    /// Whether a statement may have a run that has not ended.
    has_open_run: bool,
    /// Whether a write was refused because the file could not be written when it was opened. It may be possible now.
    pub(crate) is_outdated: Cell<bool>,
}

// SAFETY: handle, statements and what is transferred are used by one thread at a time, because they leave the session never and move with
// it. (SQLite is compiled for threads, so a connection may change its thread between calls.) All other fields are
// `Send`, which `other_fields_are_send` holds.
unsafe impl Send for Session {}

#[allow(dead_code, reason = "it is there to be compiled")]
fn other_fields_are_send() {
    fn is_send<T: Send>() {}
    is_send::<(Transaction, Arc<Monitor>, Circumstances, Token, Arc<dyn Watch>, Arc<Options>, Settings, Cell<bool>)>();
    is_send::<(RArc<ColumnSet>, crate::placeholder::Placeholders)>();
}

/// The answer to a query, beside its first rows.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) columns: RArc<ColumnSet>,
    pub(crate) affected: u64,
    pub(crate) last_insert_id: Option<i64>,
    /// Whether these were all rows.
    pub(crate) is_finished: bool,
}

impl Session {
    /// Opens the database.
    pub(crate) fn open(options: Arc<Options>, monitor: Arc<Monitor>, watch: Arc<dyn Watch>) -> Result<Self> {
        let circumstances = Circumstances { database: options.database(), busy_timeout: options.busy_timeout };
        let handle = open::open(&options, watch.clone(), &circumstances)?;
        Ok(Self {
            settings: Settings::read(&handle).map_err(|failure| error::error(&failure, &circumstances))?,
            transfer: Transfer::None,
            registry: Registry::default(),
            controls: Vec::new(),
            transaction: Transaction::None,
            monitor,
            circumstances,
            watch,
            options,
            is_changed: false,
            parameter_limit: handle.limit(ffi::SQLITE_LIMIT_VARIABLE_NUMBER),
            has_open_run: false,
            is_outdated: Cell::new(false),
            handle,
        })
    }

    /// The most parameters that a statement can have.
    pub(crate) fn parameter_limit(&self) -> usize {
        self.parameter_limit
    }

    /// Prepares a statement.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Token> {
        self.enter()?;
        if let Some(at) = sql.bytes().position(|byte| byte == 0) {
            let message = format!("the SQL text contains a NUL character at byte {at}");
            return Err(Error::new(ErrorKind::SYNTAX, message)
                .with_position(at)
                .with_hint("SQLite would read the text up to there only; bind text with NUL as a parameter"));
        }
        let limit = self.handle.limit(ffi::SQLITE_LIMIT_SQL_LENGTH);
        if sql.len() > limit {
            let message = format!("the SQL text has {} bytes; SQLite takes {limit}", sql.len());
            return Err(Error::new(ErrorKind::TOO_LARGE, message).with_hint("bind large values as parameters"));
        }
        let (statement, end, findings) = self.compile(sql).map_err(|error| self.too_many_parameters(error))?;
        let Some(statement) = statement else {
            return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the SQL text contains no statement"));
        };
        if let Some(at) = sql.get(end..).and_then(sql::second_statement) {
            let at = end + at;
            let message = format!("the SQL text contains more than one statement; another begins at byte {at}");
            return Err(Error::new(ErrorKind::MULTIPLE_STATEMENTS, message).with_position(at));
        }
        let mut prepared = Prepared::new(statement, sql)?;
        prepared.findings = findings;
        Ok(self.registry.add(prepared))
    }

    /// SQLite does not say how many are too many.
    fn too_many_parameters(&self, error: Error) -> Error {
        if !error.record().message.starts_with("too many SQL variables") {
            return error;
        }
        let message = format!("the statement has too many parameters; {} is the most", self.parameter_limit);
        Error::new(ErrorKind::PARAMETERS, message).with_hint(list::TOO_MANY_HINT)
    }

    /// Tells parameters and columns of a statement.
    pub(crate) fn describe(&mut self, name: Name) -> Result<Description> {
        self.enter()?;
        let sql = self.registry.get(name)?.statement.sql();
        // Prepared once more, because the schema may have changed since.
        let Some(statement) = self.compile(&sql)?.0 else {
            return Err(Error::protocol("the statement has lost its text"));
        };
        let fresh = Prepared::new(statement, &sql)?;
        let mut columns = fresh.columns.set.columns.clone();
        let nullability = nullability::of(&self.handle, &fresh.statement, &sql);
        let nullability = nullability.map_err(|failure| self.error(&failure))?;
        for (column, nullability) in columns.iter_mut().zip(nullability) {
            column.nullability = nullability;
        }
        let parameter = |name: &str| Parameter {
            name: name.into(),
            type_name: "".into(),
            type_code: 0,
            kind: Kind::NULL,
            nullability: Nullability::UNKNOWN,
        };
        Ok(Description {
            parameters: fresh.placeholders.names().into_iter().map(parameter).collect(),
            columns,
            is_read_only: fresh.is_read_only,
        })
    }

    /// Binds a statement's values for [`start`](Self::start), and finds out whether it may run. Never waits.
    #[inline]
    pub(crate) fn bind(&mut self, name: Name, values: &Params<'_>) -> Result<()> {
        self.check_statement(name)?;
        let bound = self.registry.get(name)?.bind(values);
        if bound.is_err() { self.leave(name, bound) } else { Ok(()) }
    }

    /// What comes before a statement's run: it may be allowed, and what ran before it ends.
    #[inline(always)] // As `start` is.
    pub(crate) fn check_statement(&mut self, name: Name) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        self.end_runs();
        if self.transaction.is_read_only() && !self.registry.get(name)?.is_read_only {
            return Err(crate::error::in_read_only_transaction("the statement"));
        }
        Ok(())
    }

    /// Runs a statement whose values are bound up to its first batch.
    // From two places; the one that matters is each query's.
    #[inline(always)]
    pub(crate) fn start(&mut self, name: Name, options: QueryOptions, batch: &mut Batch) -> Result<Answer> {
        self.heed_findings(name)?;
        let prepared = self.registry.get(name)?;
        let progress = prepared.start(&self.handle, options, batch);
        let columns = prepared.columns.set.clone();
        let Progress { is_finished, affected, last_insert_id } = self.leave(name, progress)?;
        self.has_open_run = !is_finished;
        Ok(Answer { columns, affected, last_insert_id, is_finished })
    }

    /// What SQLite has found in a statement is heeded before its run.
    #[inline(always)] // As `start` is.
    pub(crate) fn heed_findings(&mut self, name: Name) -> Result<()> {
        let findings = &self.registry.get(name)?.findings;
        let (is_pragma, changes_session) = (findings.is_pragma, findings.changes_session);
        if is_pragma && let Err(error) = self.compile_again(name) {
            return self.leave(name, Err(Fault::Error(error)));
        }
        self.is_changed |= changes_session;
        Ok(())
    }

    /// The next batch of a statement's run.
    pub(crate) fn next(&mut self, name: Name, batch: &mut Batch) -> Result<NextBatch> {
        self.enter()?;
        let progress = self.registry.get(name)?.proceed(&self.handle, batch);
        let Progress { is_finished, affected, .. } = self.leave(name, progress)?;
        Ok(NextBatch { affected, finished: is_finished })
    }

    /// Ends a statement's run early. A statement that writes is done all the same.
    pub(crate) fn close_rows(&mut self, name: Name) -> Result<()> {
        self.enter()?;
        let prepared = self.registry.get(name)?;
        if !prepared.is_running() {
            return Ok(());
        }
        let result = prepared.run_to_end();
        if result.is_ok() {
            prepared.end();
        }
        self.leave(name, result)
    }

    /// Reads from the database, which must still be the one at its path.
    pub(crate) fn ping(&mut self) -> Result<()> {
        self.enter()?;
        if self.handle.has_moved() {
            return Err(self.error(&Failure::of(ffi::SQLITE_READONLY_DBMOVED, "")));
        }
        self.handle.execute(open::SIGN_OF_LIFE).map_err(|failure| self.error(&failure))
    }

    /// Runs a statement of the session's own, and keeps it for the next time.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<()> {
        let index = match self.controls.iter().position(|(known, _)| *known == sql) {
            Some(index) => index,
            None => {
                let prepared = self.handle.prepare(sql).map_err(|failure| self.error(&failure))?.0;
                let statement = prepared.ok_or_else(|| Error::protocol("a statement of the driver's own is empty"))?;
                self.controls.push((sql, statement));
                self.controls.len() - 1
            }
        };
        let statement = &mut self.controls[index].1;
        let result = statement.step().map_err(|code| self.handle.failure(code));
        statement.reset();
        result.map(drop).map_err(|failure| self.error(&failure))
    }

    /// What comes before every operation.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.registry.tidy();
        self.watch.begin();
        if self.monitor.is_broken() {
            return Err(broken());
        }
        if self.monitor.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// What comes after an operation with a statement: its run ends with an error, and so may the transaction.
    #[inline]
    pub(crate) fn leave<T>(&mut self, name: Name, result: Result<T, Fault>) -> Result<T> {
        let result = match result {
            Ok(value) => Ok(value),
            Err(fault) => Err(self.end_after(name, fault)?),
        };
        let is_autocommit = self.handle.is_autocommit();
        if is_autocommit {
            self.transaction.has_ended(result.is_ok());
        }
        self.publish_status(is_autocommit);
        result
    }

    /// Ends the run of a statement that has failed, and makes an error of the reason.
    #[cold]
    fn end_after(&mut self, name: Name, fault: Fault) -> Result<Error> {
        let error = match fault {
            Fault::Code(code) => {
                let failure = self.handle.failure(code);
                match &self.registry.get(name)?.findings.attached.clone() {
                    Some(file) => self.attach_error(&failure, file),
                    None => self.error(&failure),
                }
            }
            Fault::Error(error) => error,
        };
        self.registry.get(name)?.end();
        Ok(error)
    }

    /// Ends what runs: nobody will ask for the rest.
    #[inline]
    pub(crate) fn end_runs(&mut self) {
        self.end_transfer();
        if std::mem::take(&mut self.has_open_run) {
            self.registry.running().for_each(Prepared::end);
        }
    }

    /// Tells the connection's state to who does not wait.
    pub(crate) fn publish(&self) {
        self.publish_status(self.handle.is_autocommit());
    }

    #[inline]
    fn publish_status(&self, is_autocommit: bool) {
        let is_as_opened = !self.is_changed && !self.is_outdated.get();
        let mut status = if is_as_opened { ConnectionStatus::READY } else { ConnectionStatus::CHANGED };
        if !is_autocommit && !self.transfer.owns_transaction() {
            status = status.with(ConnectionStatus::IN_TRANSACTION);
        }
        if self.transaction == Transaction::Failed {
            status = status.with(ConnectionStatus::IN_TRANSACTION).with(ConnectionStatus::FAILED_TRANSACTION);
        }
        self.monitor.set_status(status);
    }

    /// Makes an error of a failure, which may mean the end of the connection.
    pub(crate) fn error(&self, failure: &Failure) -> Error {
        if self.monitor.is_cancelled() {
            return cancelled();
        }
        let error = match error::primary(failure.code) {
            ffi::SQLITE_IOERR | ffi::SQLITE_READONLY if self.handle.has_moved() => {
                error::moved(failure, &self.circumstances)
            }
            ffi::SQLITE_BUSY if !self.watch.was_asked_to_wait() => {
                error::not_waited_for(failure, !self.handle.is_autocommit(), &self.circumstances)
            }
            _ => error::error(failure, &self.circumstances),
        };
        let is_lost = matches!(error.kind(), ErrorKind::IO | ErrorKind::CONNECTION_LOST);
        if error.kind() == ErrorKind::READ_ONLY && self.handle.is_read_only() && !self.options.is_read_only() {
            self.is_outdated.set(true);
        }
        // Opening a file again may help; a database in memory would be gone with its connection.
        if is_lost && self.options.place != Place::Memory {
            self.monitor.set_broken();
        }
        error
    }

    /// Makes an error of a failure to attach this file, after which the connection is as before.
    fn attach_error(&self, failure: &Failure, file: &str) -> Error {
        if self.monitor.is_cancelled() { cancelled() } else { error::of_attached(failure, file, &self.circumstances) }
    }

    /// Binds and starts.
    #[cfg(test)]
    pub(crate) fn query(
        &mut self,
        token: &Token,
        values: &Params<'_>,
        options: QueryOptions,
        batch: &mut Batch,
    ) -> Result<Answer> {
        self.bind(token.name(), values)?;
        self.start(token.name(), options, batch)
    }

    /// How many statements are kept.
    #[cfg(test)]
    pub(crate) fn statement_count(&self) -> usize {
        self.registry.len()
    }
}

#[cold]
fn broken() -> Error {
    Error::new(ErrorKind::CONNECTION_LOST, "the connection is broken by an earlier error")
}

#[cold]
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::CANCELLED, "the operation was cancelled")
}
