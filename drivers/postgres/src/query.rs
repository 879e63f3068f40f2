//! Running a statement and reading its rows.
//!
//! Outside of a transaction a result is sent as a whole (`Execute` without a limit) and read as it is asked for: what is not
//! read waits in the socket and holds the server back. PostgreSQL uses no parallel workers for an `Execute` with a limit,
//! so there is none. A result that is not wanted any more is cancelled.
//!
//! Inside of a transaction a cancellation would be the end of the transaction. There a result is read through the portal
//! in pieces, each of which ends with a Sync, so that it can be left at any time.

use crate::{
    command::PgResult,
    encode, request, reset,
    rows::{MAX_PIECE, PgRows, Progress},
    session::{Session, TransactionStatus, unwritable, unwritable_sql},
    sql::Leaves,
    statement::PgStatement,
};
use bytes::BytesMut;
use montrs_driver_sdk::{Batch, Error, ErrorKind, Fetched, NextBatch, ParamBuffer, Params, QueryOptions, Result};
use postgres_protocol::message::frontend;
use std::{ops::Range, time::Duration};

/// The first piece of a result; those after it are as long as seems right by then.
const FIRST_PIECE: u32 = 64;
/// How long the rest of a piece may take, when the result is left in the middle of it.
const PIECE_TIME: Duration = Duration::from_secs(1);

/// A query that was written to the wire's buffer.
pub(crate) struct Request {
    options: QueryOptions,
    /// Where the parameters are in the buffer.
    parameters: Range<usize>,
    piece: Option<u32>,
}

/// Writes a query to the wire's buffer. The parameters are borrowed for this call.
pub(crate) fn write(
    session: &mut Session,
    statement: &PgStatement,
    parameters: &Params<'_>,
    options: QueryOptions,
) -> Result<Request> {
    let values = values(statement, parameters)?;
    session.begin()?;
    session.close_what_was_dropped()?;
    if statement.may_change_session {
        session.leaves = session.leaves.max(Leaves::State);
    }
    let piece = piece(session, statement, options);
    let range = write_messages(session, statement, piece, values)?;
    Ok(Request { options, parameters: range, piece })
}

/// Writes the parameters, once it is called.
///
/// # Errors
///
/// When they do not belong to the statement; the function's, when they do not fit their types.
pub(crate) fn values<'a>(
    statement: &'a PgStatement,
    parameters: &'a Params<'a>,
) -> Result<impl FnOnce(&mut BytesMut) -> Result<()> + use<'a>> {
    let types = &statement.prepared.parameters;
    let order = statement.text.assign(parameters, types.len())?;
    Ok(move |out: &mut BytesMut| {
        request::parameters(out, types.len(), |index, out| {
            // Of a name that is none to the server there is no value.
            let from = order.as_ref().map_or(Some(index), |order| order.get(index).copied());
            let value =
                parameters.get(from.unwrap_or(usize::MAX)).map_err(|error| Error::protocol(error.to_string()))?;
            encode::parameter(index, types[index], value, out).map_err(|error| statement.text.as_written(error))
        })
    })
}

/// How many rows are asked for at first.
fn piece(session: &Session, statement: &PgStatement, options: QueryOptions) -> Option<u32> {
    let has_rows = !statement.prepared.shape.forms.is_empty();
    if session.status == TransactionStatus::Idle || !has_rows {
        return None;
    }
    Some(u32::try_from(options.max_rows).ok().filter(|rows| *rows > 0).unwrap_or(FIRST_PIECE).min(MAX_PIECE as u32))
}

fn write_messages(
    session: &mut Session,
    statement: &PgStatement,
    piece: Option<u32>,
    parameters: impl FnOnce(&mut BytesMut) -> Result<()>,
) -> Result<Range<usize>> {
    let range = append(statement, piece.unwrap_or(0) as i32, parameters, &mut session.wire.outgoing)?;
    session.sync();
    Ok(range)
}

/// Appends the messages that run a statement, up to so many rows; 0 is all. Returns where the parameters are.
pub(crate) fn append(
    statement: &PgStatement,
    max_rows: i32,
    parameters: impl FnOnce(&mut BytesMut) -> Result<()>,
    out: &mut BytesMut,
) -> Result<Range<usize>> {
    let forms = &statement.prepared.shape.forms;
    if statement.is_unnamed() {
        let types = statement.prepared.parameters.iter().copied();
        let sql = statement.text.sent();
        frontend::parse("", sql, types, out).map_err(|error| statement.text.as_written(unwritable_sql(error, sql)))?;
    }
    let range = request::bind(out, &statement.name(), forms, parameters)?;
    if statement.is_unnamed() {
        frontend::describe(b'P', "", out).map_err(unwritable)?;
    }
    frontend::execute("", max_rows, out).map_err(unwritable)?;
    Ok(range)
}

/// Sends the query and reads its first rows.
pub(crate) async fn run(
    session: &mut Session,
    statement: &mut PgStatement,
    mut request: Request,
    batch: &mut Batch,
) -> Result<Fetched<PgResult>> {
    if statement.must_be_prepared(session) {
        send_again(session, statement, &mut request).await?;
    }
    let mut rows = rows(statement, &request);
    let progress = match first(session, statement, &mut rows, &request, batch).await? {
        Progress::Stale(_) if session.status == TransactionStatus::Idle && statement.prepared.is_described => {
            send_again(session, statement, &mut request).await?;
            rows = self::rows(statement, &request);
            first(session, statement, &mut rows, &request, batch).await?
        }
        progress => progress,
    };
    let columns = rows.shape.set.clone();
    let fetched = |affected, rows: Option<PgRows>| {
        Ok(Fetched { columns, affected, last_insert_id: None, rows: rows.map(PgResult::Query) })
    };
    match progress {
        Progress::Full => fetched(0, Some(rows)),
        Progress::Suspended if request.options.max_rows > 0 => {
            session.has_open_portal = true;
            fetched(0, None)
        }
        Progress::Suspended => {
            rows.ask_for_more(session);
            fetched(0, Some(rows))
        }
        Progress::Done { affected } => fetched(affected, None),
        Progress::Stale(error) => Err(statement.text.as_written(error)),
    }
}

/// Runs a query whose parameters were copied. Where lists are among them, that is another statement to the server.
pub(crate) async fn execute(
    session: &mut Session,
    mut statement: &mut PgStatement,
    parameters: &ParamBuffer,
    options: QueryOptions,
    batch: &mut Batch,
) -> Result<Fetched<PgResult>> {
    let lists = statement.lists(&parameters.as_params());
    if !lists.is_empty() {
        statement = statement.for_lists(session, &lists).await?;
    }
    match write(session, statement, &parameters.as_params(), options) {
        Ok(request) => run(session, statement, request, batch).await,
        Err(error) => {
            session.take_back();
            Err(error)
        }
    }
}

/// Prepares the statement anew and writes the query again, with the parameters as they were written before.
async fn send_again(session: &mut Session, statement: &mut PgStatement, request: &mut Request) -> Result<()> {
    let parameters = session.wire.outgoing[request.parameters.clone()].to_vec();
    if session.pending > 0 {
        // It was not sent yet.
        session.take_back();
    }
    let types = statement.prepared.parameters.clone();
    statement.prepare_again(session).await?;
    if types != statement.prepared.parameters {
        // The host gives the values once more.
        return Err(Error::new(
            ErrorKind::STALE_STATEMENT,
            "the types of the statement's parameters have changed since it was prepared",
        )
        .with_hint("run it again: it is prepared anew"));
    }
    session.begin()?;
    request.piece = piece(session, statement, request.options);
    request.parameters = write_messages(session, statement, request.piece, |out| {
        out.extend_from_slice(&parameters);
        Ok(())
    })?;
    Ok(())
}

/// Sends what was written, and reads the first rows.
async fn first(
    session: &mut Session,
    statement: &mut PgStatement,
    rows: &mut PgRows,
    request: &Request,
    batch: &mut Batch,
) -> Result<Progress> {
    batch.clear(rows.shape.forms.len());
    session.flush().await?;
    let progress = rows.read(session, statement.text.sent(), batch, request.options.max_rows).await;
    let progress = session.sound(progress).map_err(|error| statement.text.as_written(error));
    if rows.has_changed || matches!(progress, Ok(Progress::Stale(_))) {
        statement.prepared.is_stale = true;
    }
    batch.demote_invalid_text();
    progress
}

/// The next rows.
pub(crate) async fn next(session: &mut Session, rows: &mut PgRows, batch: &mut Batch) -> Result<NextBatch> {
    batch.clear(rows.shape.forms.len());
    loop {
        if session.pending == 0 {
            session.begin()?;
            frontend::execute("", rows.piece.unwrap_or(0) as i32, &mut session.wire.outgoing).map_err(unwritable)?;
            session.sync();
            session.has_open_portal = false;
        }
        session.flush().await?;
        let progress = rows.read(session, "", batch, 0).await;
        let progress = session.sound(progress)?;
        batch.demote_invalid_text();
        match progress {
            Progress::Suspended => {
                rows.ask_for_more(session);
                if batch.rows() == 0 {
                    continue;
                }
            }
            Progress::Full => {}
            Progress::Done { affected } => return Ok(NextBatch { affected, finished: true }),
            Progress::Stale(error) => return Err(error),
        }
        return Ok(NextBatch { affected: 0, finished: false });
    }
}

/// Ends an open result early. A piece is read to its end: it is short, and a cancellation would end the transaction.
pub(crate) async fn close(session: &mut Session, rows: &PgRows) -> Result<()> {
    let host = session.host.clone();
    if rows.piece.is_some()
        && let Some(ended) = crate::timeout::within(&host, PIECE_TIME, reset::finish(session)).await
    {
        return ended;
    }
    reset::stop(session).await
}

fn rows(statement: &PgStatement, request: &Request) -> PgRows {
    PgRows::new(statement.prepared.shape.clone(), request.options.batch_bytes, request.piece)
}
