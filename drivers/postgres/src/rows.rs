//! Reading the rows of a result.

use crate::{
    decode,
    error::Report,
    message::{self, tag},
    session::Session,
    shape::Shape,
};
use montrs_driver_sdk::{Batch, Error, ErrorKind, Result};
use std::{sync::Arc, time::Duration};

/// An open result.
pub struct PgRows {
    pub(crate) shape: Arc<Shape>,
    batch_bytes: usize,
    /// The rows come in pieces, of which the next has this many.
    pub(crate) piece: Option<u32>,
    /// How many rows came in the piece so far, and how many bytes they had.
    seen: (u64, u64),
    /// The statement has been bound: what comes from here on is not about how it was prepared.
    is_bound: bool,
    /// The columns are not those that the statement was prepared with.
    pub(crate) has_changed: bool,
}

/// How far reading came.
pub(crate) enum Progress {
    /// The batch is full.
    Full,
    /// The portal has more rows, and the server waits for being asked.
    Suspended,
    /// The result has ended.
    Done { affected: u64 },
    /// The server has forgotten the statement, or knows another one by now. Nothing was performed.
    Stale(Error),
}

const PIECE_BYTES: u64 = 256 * 1024;
pub(crate) const MAX_PIECE: u64 = 64 * 1024;
/// How much of the rows that nobody wants is read before the result is given up, and how long the server may take.
const MAX_UNWANTED: usize = 64 * 1024;
const UNWANTED_TIME: Duration = Duration::from_millis(10);
impl PgRows {
    pub(crate) fn new(shape: Arc<Shape>, batch_bytes: u32, piece: Option<u32>) -> Self {
        Self { shape, batch_bytes: batch_bytes as usize, piece, seen: (0, 0), is_bound: false, has_changed: false }
    }

    /// The portal stays, and the next piece is as long as the rows so far suggest.
    pub(crate) fn ask_for_more(&mut self, session: &mut Session) {
        session.has_open_portal = true;
        let (rows, bytes) = self.seen;
        let length = (PIECE_BYTES * rows).checked_div(bytes).unwrap_or(MAX_PIECE);
        self.piece = Some(length.clamp(1, MAX_PIECE) as u32);
        self.seen = (0, 0);
    }

    /// Reads rows until the batch is full, the piece or the result ends, or `max_rows` are read.
    pub(crate) async fn read(
        &mut self,
        session: &mut Session,
        sql: &str,
        batch: &mut Batch,
        max_rows: u64,
    ) -> Result<Progress> {
        let mut progress = Progress::Done { affected: 0 };
        let mut failure: Option<Error> = None;
        let mut unwanted = 0;
        loop {
            let is_enough = max_rows > 0 && batch.rows() as u64 >= max_rows;
            let Some(message) = session.next()? else {
                if !is_enough {
                    session.fill().await?;
                } else if !end_is_near(session, unwanted).await? {
                    return Ok(Progress::Full);
                }
                continue;
            };
            match message.tag {
                tag::DATA_ROW if failure.is_some() => {}
                tag::DATA_ROW if is_enough => unwanted += message.body.len(),
                tag::DATA_ROW => {
                    decode::row(&self.shape.forms, session.wire.body(&message), batch)?;
                    self.seen.0 += 1;
                    self.seen.1 += message.body.len() as u64;
                    if batch.size() >= self.batch_bytes {
                        return Ok(Progress::Full);
                    }
                }
                tag::BIND_COMPLETE => self.is_bound = true,
                tag::PARSE_COMPLETE | tag::NO_DATA | tag::COPY_DATA | tag::COPY_DONE => {}
                tag::COMMAND_COMPLETE => {
                    let tag = message::command_tag(session.wire.body(&message))?.to_owned();
                    session.completed(&tag);
                    let affected = if changes_rows(&tag) { message::affected(&tag) } else { 0 };
                    progress = Progress::Done { affected };
                }
                tag::PORTAL_SUSPENDED => progress = Progress::Suspended,
                tag::EMPTY_QUERY_RESPONSE => {
                    failure = Some(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty"));
                }
                tag::ROW_DESCRIPTION => {
                    let fields = message::row_description(session.wire.body(&message))?;
                    if !self.shape.is_of(&fields) {
                        self.has_changed = true;
                        failure.get_or_insert_with(columns_changed);
                    }
                }
                tag::COPY_IN_RESPONSE => {
                    failure = Some(copy());
                    session.refuse_copy().await?;
                }
                tag::COPY_OUT_RESPONSE => failure = Some(copy()),
                tag::ERROR_RESPONSE => {
                    let report = session.report(&message)?;
                    let is_stale = report.is_stale_statement(self.is_bound) && batch.rows() == 0;
                    let error = with_copy(report, sql, failure.take());
                    if is_stale {
                        progress = Progress::Stale(error);
                    } else {
                        failure = Some(error);
                    }
                }
                tag::READY_FOR_QUERY => {
                    if session.ready(&message)? {
                        return failure.map_or(Ok(progress), Err);
                    }
                }
                _ => return Err(session.broken("a message that does not belong to the answer of a query")),
            }
        }
    }
}

/// Waits a moment for the end of a result whose rows are not wanted any more; `false` says that it is not near.
async fn end_is_near(session: &mut Session, unwanted: usize) -> Result<bool> {
    if unwanted > MAX_UNWANTED {
        return Ok(false);
    }
    let host = session.host.clone();
    match crate::timeout::within(&host, UNWANTED_TIME, session.fill()).await {
        Some(filled) => filled.map(|()| true),
        None => Ok(false),
    }
}

/// Whether the number in the tag is one of changed rows: of `SELECT 5` it is not.
pub(crate) fn changes_rows(tag: &str) -> bool {
    !tag.starts_with("SELECT") && !tag.starts_with("FETCH") && !tag.starts_with("MOVE")
}

/// The server's complaint of a refused COPY is our own doing.
fn with_copy(report: Report, sql: &str, failure: Option<Error>) -> Error {
    failure.filter(|error| error.kind() == ErrorKind::UNSUPPORTED).unwrap_or_else(|| report.into_error(sql))
}

#[cold]
pub(crate) fn copy() -> Error {
    Error::new(ErrorKind::UNSUPPORTED, "COPY FROM STDIN and COPY TO STDOUT cannot be run as statements")
        .with_hint("there are the commands `copy_in` and `copy_out`: bind the statement to command(\"copy_in\")")
}

#[cold]
pub(crate) fn columns_changed() -> Error {
    let mut error = Error::new(ErrorKind::QUERY, "the columns of the statement have changed since it was prepared");
    error.record_mut().may_have_executed = true;
    error
}
