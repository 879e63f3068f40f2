//! Sending a request, and taking what the server says.

use super::{LOG, Session, TransactionStatus, unwritable};
use crate::{
    error::Report,
    listen,
    message::{self, garbage, tag},
    sql::{self, Leaves},
    wire::Message,
};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use postgres_protocol::message::frontend;

/// More settings are not kept.
const MAX_SETTINGS: usize = 1000;

impl Session {
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
                tag::COMMAND_COMPLETE => {
                    self.has_committed |= self.wire.body(&message) == b"COMMIT\0";
                    return Ok(Some(message));
                }
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
                self.host.log(report.level(), LOG, || report.line());
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
            self.has_committed = false;
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
            let mut error = report.into_error("");
            if self.has_committed {
                let record = error.record_mut();
                (record.may_have_executed, record.is_retryable) = (true, false);
            }
            return Err(error);
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
}
