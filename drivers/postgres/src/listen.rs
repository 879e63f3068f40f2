//! `LISTEN` and its notifications.

use crate::{
    command::PgResult,
    message::{Body, tag},
    session::{LOG, Session, TransactionStatus},
    statement::not_executed,
    timeout::within,
};
use montrs_driver_sdk::{
    Batch, Column, ColumnSet, Error, ErrorKind, Fetched, Kind, LogLevel, NextBatch, QueryOptions, Result, ValueRef,
};
use std::{collections::VecDeque, fmt::Write, io, time::Duration};

/// What came of a NOTIFY.
struct Notification {
    channel: String,
    payload: String,
    process: i32,
}

/// Notifications that nobody has read yet, and what `listen` has subscribed to.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Notification>,
    /// The bytes of those.
    size: usize,
    /// What is to be unsubscribed when the command ends.
    pub(crate) channels: Vec<String>,
}

/// More is not kept of what nobody reads.
const MAX_SIZE: usize = 16 * 1024 * 1024;
/// How long nothing may come before the server is asked for a sign of life, and how long that may take.
const QUIET: Duration = Duration::from_secs(30);

impl Inbox {
    /// Takes a NotificationResponse; `false` when there was no room, and the oldest ones are gone.
    pub(crate) fn put(&mut self, body: &[u8]) -> Result<bool> {
        let mut body = Body::new(body);
        let notification = Notification { process: body.i32()?, channel: body.text()?, payload: body.text()? };
        self.size += notification.size();
        self.waiting.push_back(notification);
        let has_room = self.size <= MAX_SIZE;
        while self.size > MAX_SIZE && self.take().is_some() {}
        Ok(has_room)
    }

    fn take(&mut self) -> Option<Notification> {
        let notification = self.waiting.pop_front()?;
        self.size -= notification.size();
        Some(notification)
    }

    /// Forgets what was not read.
    pub(crate) fn clear(&mut self) {
        (self.size, self.waiting) = (0, VecDeque::new());
    }
}

impl Notification {
    fn size(&self) -> usize {
        size_of::<Self>() + self.channel.len() + self.payload.len()
    }
}

/// An open subscription.
pub struct Notifications {
    batch_bytes: usize,
    /// What has ended it, to be told after the notifications that came before.
    end: Option<Error>,
}

/// Subscribes. It has been done when this returns; the first rows are those that are there already.
pub(crate) async fn run(
    session: &mut Session,
    channels: Vec<String>,
    options: QueryOptions,
    batch: &mut Batch,
) -> Result<Fetched<PgResult>> {
    if session.status != TransactionStatus::Idle {
        let message = "`listen` in a transaction: no notification comes before the transaction has ended";
        return Err(Error::new(ErrorKind::TRANSACTION_STATE, message).with_hint("listen on a connection of its own"));
    }
    let sql = statements("LISTEN", &channels);
    session.inbox.channels.extend(channels);
    let listening = session.command(&sql).await;
    if let Err(error) = listening {
        session.inbox.channels.clear();
        return Err(error);
    }
    session.completed("LISTEN");
    batch.clear(3);
    let notifications = Notifications { batch_bytes: options.batch_bytes as usize, end: None };
    notifications.read(session, batch)?;
    let column =
        |name: &str, kind, type_name: &str| Column { kind, type_name: type_name.into(), ..Column::named(name) };
    let columns = ColumnSet::of([
        column("channel", Kind::TEXT, "text"),
        column("payload", Kind::TEXT, "text"),
        column("process", Kind::I32, "int4"),
    ]);
    Ok(Fetched { columns, affected: 0, last_insert_id: None, rows: Some(PgResult::Listen(notifications)) })
}

/// Unsubscribes from what `listen` has subscribed to.
pub(crate) async fn end(session: &mut Session) -> Result<()> {
    if session.inbox.channels.is_empty() || session.wire.is_lost() {
        return Ok(());
    }
    let sql = statements("UNLISTEN", &session.inbox.channels);
    session.command(&sql).await?;
    session.inbox.channels.clear();
    session.inbox.clear();
    Ok(())
}

fn statements(verb: &str, channels: &[String]) -> String {
    let mut sql = String::new();
    for channel in channels {
        // Writing to a string does not fail.
        let _ = write!(sql, "{verb} \"{}\";", channel.replace('"', "\"\""));
    }
    sql
}

impl Notifications {
    /// Waits for notifications.
    pub(crate) async fn next(&mut self, session: &mut Session, batch: &mut Batch) -> Result<NextBatch> {
        batch.clear(3);
        loop {
            if self.end.is_none() {
                self.end = take_what_is_there(session).err();
            }
            self.read(session, batch)?;
            if batch.rows() > 0 {
                return Ok(NextBatch { affected: 0, finished: false });
            }
            if let Some(error) = self.end.take() {
                return Err(not_executed(error));
            }
            self.end = wait(session).await.err();
        }
    }

    /// Moves what is there to the batch.
    fn read(&self, session: &mut Session, batch: &mut Batch) -> Result<()> {
        while batch.size() < self.batch_bytes
            && let Some(Notification { channel, payload, process }) = session.inbox.take()
        {
            batch.push(ValueRef::Text(&channel))?;
            batch.push(ValueRef::Text(&payload))?;
            batch.push(ValueRef::I32(process))?;
            batch.end_row();
        }
        Ok(())
    }
}

/// Puts what has come of itself into the inbox. Anything else is the end of the session.
fn take_what_is_there(session: &mut Session) -> Result<()> {
    let message = session.next();
    match session.sound(message)? {
        None => Ok(()),
        Some(message) if message.tag == tag::ERROR_RESPONSE => Err(session.report(&message)?.into_error("")),
        Some(_) => Err(session.broken("a message that nobody asked for")),
    }
}

/// Waits for more, or for a sign of life.
async fn wait(session: &mut Session) -> Result<()> {
    let host = session.host.clone();
    if let Some(filled) = within(&host, QUIET, session.fill()).await {
        return filled;
    }
    match within(&host, QUIET, session.command("")).await {
        Some(alive) => alive.map(drop),
        None => Err(session.wire.lose(&io::ErrorKind::TimedOut.into())),
    }
}

/// Notifications were thrown away. Who listens is told so by the end of the connection.
#[cold]
pub(crate) fn overflowed(session: &mut Session) -> Result<()> {
    let message = || format!("more than {MAX_SIZE} bytes of notifications were not read: the oldest are gone");
    session.host.log(LogLevel::WARN, LOG, message);
    if session.inbox.channels.is_empty() {
        return Ok(());
    }
    session.inbox.clear();
    Err(session.wire.lose(&io::Error::other(message())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nobody_reads_is_bounded_and_the_latest_stay() {
        let mut inbox = Inbox::default();
        let mut body = b"\0\0\0\x07news\0".to_vec();
        body.resize(MAX_SIZE / 3, b'x');
        body.push(0);
        assert!(inbox.put(&body).unwrap() && inbox.put(&body).unwrap());
        assert!(!inbox.put(&body).unwrap());
        assert_eq!(inbox.waiting.len(), 2);
        assert!(inbox.put(b"\0\0\0\x08last\0\0").unwrap());
        assert_eq!(inbox.waiting.back().map(|last| last.process), Some(8));
        inbox.clear();
        assert!(inbox.take().is_none());
    }

    #[test]
    fn channels_are_quoted() {
        assert_eq!(statements("LISTEN", &["a".into(), "b\"; x".into()]), "LISTEN \"a\";LISTEN \"b\"\"; x\";");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_notification_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Inbox::default().put(&bytes);
        }
    }
}
