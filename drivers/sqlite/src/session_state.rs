//! What SQL changes in a session beyond its transaction: settings, attached databases, temporary tables. It is the session's
//! for as long as it has the same user, and is gone for the next one.

use crate::{
    handle::Findings, options::Place, prepared::Prepared, registry::Name, session::Session, statement::Statement,
    transaction::Transaction,
};
use libsqlite3_sys::SQLITE_AUTH;
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::time::Duration;

impl Session {
    /// Compiles the first statement of a text, and tells where it ends and what SQLite found in it.
    pub(crate) fn compile(&mut self, sql: &str) -> Result<(Option<Statement>, usize, Findings)> {
        let mut compiled = self.handle.prepare(sql);
        let findings = self.handle.findings();
        if findings.changes_session && !self.is_changed {
            self.is_changed = true;
            self.publish();
        }
        if findings.is_busy_timeout {
            if let Some(timeout) = findings.busy_timeout {
                self.set_busy_timeout(timeout);
            }
            // SQLite has put its own way of waiting in place, which sleeps, and answers with the time of that.
            let timeout = self.circumstances.busy_timeout;
            compiled = self.handle.with_sqlites_busy_timeout(timeout, |handle| handle.prepare(sql));
        }
        match (compiled, findings.refusal) {
            (Ok((statement, end)), _) => Ok((statement, end, findings)),
            (Err(failure), Some(reason)) if failure.code == SQLITE_AUTH => {
                let message = format!("this pragma cannot be set: {reason}");
                Err(Error::new(ErrorKind::UNSUPPORTED, message))
            }
            (Err(failure), _) => Err(self.error(&failure)),
        }
    }

    /// Compiles a pragma for one more run: SQLite does most of them, and answers them, while it compiles them.
    pub(crate) fn compile_again(&mut self, name: Name) -> Result<()> {
        let sql = self.registry.get(name)?.statement.sql();
        if let (Some(statement), _, findings) = self.compile(&sql)? {
            let mut prepared = Prepared::new(statement, &sql)?;
            prepared.findings = findings;
            *self.registry.get(name)? = prepared;
        }
        Ok(())
    }

    /// Makes the session as good as new, for its next user.
    pub(crate) fn reset(&mut self) -> Result<()> {
        let result = self.put_right().and_then(|()| self.restore());
        self.publish();
        result
    }

    /// Ends what was abandoned, and the transaction. What the session's user has set stays.
    pub(crate) fn put_right(&mut self) -> Result<()> {
        self.enter()?;
        self.end_runs();
        let result = if self.handle.is_autocommit() { Ok(()) } else { self.control("ROLLBACK") };
        self.transaction = Transaction::None;
        self.publish();
        result
    }

    fn restore(&mut self) -> Result<()> {
        if self.is_outdated.get() {
            self.monitor.set_broken();
            let message = "the file could not be written when this connection was opened";
            return Err(Error::new(ErrorKind::CONNECTION_LOST, message));
        }
        if !self.is_changed {
            return Ok(());
        }
        self.set_busy_timeout(self.options.busy_timeout);
        let different = self.settings.restore(&self.handle, &self.options);
        // What still differs is left in a database in memory: it would be gone with its connection.
        let is_memory = self.options.place == Place::Memory;
        match different.map_err(|failure| self.error(&failure)) {
            Err(error) if !is_memory => return Err(error),
            Ok(Some(name)) if !is_memory => {
                let message = format!("the setting `{name}` could not be restored");
                return Err(Error::new(ErrorKind::CONNECTION_LOST, message));
            }
            _ => {}
        }
        self.is_changed = false;
        Ok(())
    }

    fn set_busy_timeout(&mut self, timeout: Duration) {
        self.circumstances.busy_timeout = timeout;
        self.watch.set_busy_timeout(timeout);
    }
}
