//! Transactions and savepoints.
//!
//! A transaction of SQLite's is always SERIALIZABLE, so every isolation level can be asked for: none gets less. What
//! `deferrable` promises to a transaction that only reads, it has without waiting. A
//! read-only transaction refuses statements that write, before they run.

use crate::session::Session;
use montrs_driver_sdk::{Access, Error, ErrorKind, Isolation, LockMode, Result, TransactionOptions};

/// The transaction that was begun with [`Session::begin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// None.
    None,
    /// It is open.
    Open { is_read_only: bool },
    /// SQLite has rolled it back by itself, after an error such as a full disk. Until the caller has rolled it back too,
    /// nothing runs: it would be committed by itself.
    Failed,
}

impl Transaction {
    /// Whether it must not write.
    pub(crate) fn is_read_only(self) -> bool {
        self == Self::Open { is_read_only: true }
    }

    /// SQLite has no transaction any more: a statement such as `COMMIT` has ended it, or an error.
    pub(crate) fn has_ended(&mut self, by_statement: bool) {
        if matches!(self, Self::Open { .. }) {
            *self = if by_statement { Self::None } else { Self::Failed };
        }
    }

    /// Refuses to go on in a transaction that has failed.
    #[inline]
    pub(crate) fn check(self) -> Result<()> {
        if self == Self::Failed { Err(has_failed()) } else { Ok(()) }
    }
}

impl Session {
    /// Begins a transaction.
    pub(crate) fn begin(&mut self, options: TransactionOptions) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        let is_read_only = options.access == Access::READ_ONLY;
        let takes_write_lock = matches!(options.lock_mode, LockMode::IMMEDIATE | LockMode::EXCLUSIVE);
        if options.isolation.0 > Isolation::SERIALIZABLE.0 {
            return Err(unsupported("this isolation level"));
        }
        if options.access.0 > Access::READ_ONLY.0 {
            return Err(unsupported("this access mode"));
        }
        if is_read_only && takes_write_lock {
            return Err(unsupported("a read-only transaction that takes the write lock"));
        }
        self.control(match options.lock_mode {
            LockMode::DEFAULT | LockMode::DEFERRED => "BEGIN DEFERRED",
            LockMode::IMMEDIATE => "BEGIN IMMEDIATE",
            LockMode::EXCLUSIVE => "BEGIN EXCLUSIVE",
            _ => return Err(unsupported("this lock mode")),
        })?;
        self.transaction = Transaction::Open { is_read_only };
        self.publish();
        Ok(())
    }

    /// Commits. After an error such as BUSY the transaction may still be open.
    pub(crate) fn commit(&mut self) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        let result = self.control("COMMIT");
        if self.handle.is_autocommit() {
            self.transaction = Transaction::None;
        }
        self.publish();
        result
    }

    /// Rolls the transaction back, also one that SQLite has rolled back already.
    pub(crate) fn rollback(&mut self) -> Result<()> {
        self.enter()?;
        let is_done = self.transaction == Transaction::Failed && self.handle.is_autocommit();
        let result = if is_done { Ok(()) } else { self.control("ROLLBACK") };
        if self.handle.is_autocommit() {
            self.transaction = Transaction::None;
        }
        self.publish();
        result
    }

    /// Sets the savepoint of this depth.
    pub(crate) fn savepoint(&mut self, depth: u32) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        if self.handle.is_autocommit() {
            return Err(state("a savepoint needs an open transaction"));
        }
        self.run(&format!("SAVEPOINT montrs_{depth}"))
    }

    /// Forgets the savepoint of this depth and keeps what was done.
    pub(crate) fn release(&mut self, depth: u32) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        self.run(&format!("RELEASE montrs_{depth}"))
    }

    /// Undoes what was done since the savepoint of this depth, and forgets it.
    pub(crate) fn rollback_to(&mut self, depth: u32) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        self.run(&format!("ROLLBACK TO montrs_{depth}"))?;
        self.run(&format!("RELEASE montrs_{depth}"))
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        let result = self.handle.execute(sql).map_err(|failure| self.error(&failure));
        if self.handle.is_autocommit() {
            self.transaction.has_ended(result.is_ok());
        }
        self.publish();
        result
    }
}

#[cold]
fn has_failed() -> Error {
    state("SQLite has rolled the transaction back after an earlier error")
        .with_hint("roll the transaction back and run it again from its beginning")
}

fn state(message: &str) -> Error {
    Error::new(ErrorKind::TRANSACTION_STATE, message)
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::UNSUPPORTED, format!("SQLite does not support {what}"))
}
