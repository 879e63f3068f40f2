//! Putting right what was abandoned, and making a session as good as new.

use crate::{
    cancel, copy_in, listen,
    message::tag,
    session::{Session, TransactionStatus, closed},
    sql::Leaves,
    wire::Message,
};
use montrs_driver_sdk::{LogLevel, Result};
use std::time::Duration;

/// What `DISCARD ALL` does, but for the prepared statements, which the host keeps.
const RESTORE: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// How long a cancellation may take to have an effect, before there is another one. Then it is twice as long.
const FIRST_PATIENCE: Duration = Duration::from_millis(100);

/// Ends what was abandoned, and the transaction that it was in.
pub(crate) async fn put_right(session: &mut Session) -> Result<()> {
    stop(session).await?;
    if session.status != TransactionStatus::Idle {
        session.command("ROLLBACK").await?;
    }
    session.has_open_portal = false;
    session.load = None;
    listen::end(session).await
}

/// Makes the session as good as new for another user.
pub(crate) async fn restore(session: &mut Session) -> Result<()> {
    match session.leaves {
        Leaves::Nothing => {}
        Leaves::State => drop(session.command(RESTORE).await?),
        Leaves::Statements => {
            session.command("DISCARD ALL").await?;
            session.generation += 1;
        }
    }
    session.leaves = Leaves::Nothing;
    session.inbox.clear();
    Ok(())
}

/// Brings the request that is under way to its end, however it ends: by reading what is there of its answer, else by a
/// cancellation on the server.
pub(crate) async fn stop(session: &mut Session) -> Result<()> {
    if session.wire.is_lost() {
        return Err(closed());
    }
    if session.copy_in.is_some() {
        return stop_copy(session).await;
    }
    if session.pending > 0 && !session.wire.has_begun_to_write() {
        session.take_back();
    }
    if session.pending == 0 {
        return Ok(());
    }
    // A message of which a part has left must be ended, while the server may be waiting for its answers to be read.
    while !session.wire.is_written() {
        session.write_or_read().await?;
    }
    loop {
        while let Some(message) = session.next()? {
            if message.tag == tag::COPY_IN_RESPONSE {
                session.refuse_copy().await?;
            }
            if skip(session, &message)? {
                return Ok(());
            }
        }
        if !session.wire.read_what_is_there().await? {
            break;
        }
    }
    session.host.log(LogLevel::DEBUG, crate::session::LOG, || "an abandoned statement is cancelled".into());
    stop_by_cancelling(session).await
}

/// Ends a COPY that takes data. A server that is busy with what it was given, or waits for a lock, is told to stop.
async fn stop_copy(session: &mut Session) -> Result<()> {
    let (host, mut patience) = (session.host.clone(), FIRST_PATIENCE);
    loop {
        if let Some(ended) = crate::timeout::within(&host, patience, copy_in::give_up(session)).await {
            return ended;
        }
        cancel::cancel(session).await?;
        patience *= 2;
    }
}

/// Cancels until the answer has ended. Of a request of many statements, the server may have been between two of them: a
/// cancellation is without effect there.
async fn stop_by_cancelling(session: &mut Session) -> Result<()> {
    let (host, mut patience) = (session.host.clone(), FIRST_PATIENCE);
    loop {
        cancel::cancel(session).await?;
        if let Some(ended) = crate::timeout::within(&host, patience, finish(session)).await {
            return ended;
        }
        patience *= 2;
    }
}

/// Reads the answer that is under way to its end.
pub(crate) async fn finish(session: &mut Session) -> Result<()> {
    while session.pending > 0 {
        let message = session.message().await?;
        skip(session, &message)?;
    }
    Ok(())
}

/// Takes a message of the answer that nobody reads; `true` at its end.
pub(crate) fn skip(session: &mut Session, message: &Message) -> Result<bool> {
    match message.tag {
        tag::READY_FOR_QUERY => session.ready(message),
        tag::ERROR_RESPONSE => session.report(message).map(|_| false),
        tag::COMMAND_COMPLETE => {
            let tag = crate::message::command_tag(session.wire.body(message))?.to_owned();
            session.completed(&tag);
            Ok(false)
        }
        _ => Ok(false),
    }
}
