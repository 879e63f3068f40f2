//! `COPY … TO STDOUT`: a row of bytes for each piece of data, as the server sends them.

use crate::{
    command::PgResult,
    message::{self, tag},
    request,
    session::{Session, unwritable},
};
use montrs_driver_sdk::{
    Batch, Column, ColumnSet, Error, ErrorKind, Fetched, Kind, NextBatch, QueryOptions, Result, ValueRef,
};
use postgres_protocol::message::frontend;

/// The data of a COPY that is under way.
pub struct CopyRows {
    sql: String,
    batch_bytes: usize,
    /// The server has said that it sends data.
    is_copy: bool,
}

/// Sends the statement, and reads its first data.
pub(crate) async fn run(
    session: &mut Session,
    sql: &str,
    options: QueryOptions,
    batch: &mut Batch,
) -> Result<Fetched<PgResult>> {
    session.begin()?;
    session.close_what_was_dropped()?;
    let out = &mut session.wire.outgoing;
    frontend::parse("", sql, [], out).map_err(unwritable)?;
    request::bind(out, "", &[], |out| {
        request::parameters(out, 0, |_, _| Err(Error::protocol("a COPY has no parameters")))
    })?;
    frontend::execute("", 0, out).map_err(unwritable)?;
    session.sync();
    session.flush().await?;
    let mut rows = CopyRows { sql: sql.to_owned(), batch_bytes: options.batch_bytes as usize, is_copy: false };
    let next = rows.next(session, batch).await?;
    let columns = ColumnSet::of([Column { type_name: "bytea".into(), kind: Kind::BYTES, ..Column::named("data") }]);
    Ok(Fetched {
        columns,
        affected: next.affected,
        last_insert_id: None,
        rows: (!next.finished).then_some(PgResult::Copy(rows)),
    })
}

impl CopyRows {
    /// The next data.
    pub(crate) async fn next(&mut self, session: &mut Session, batch: &mut Batch) -> Result<NextBatch> {
        batch.clear(1);
        let (mut affected, mut failure): (u64, Option<Error>) = (0, None);
        loop {
            let next = session.next();
            let Some(message) = session.sound(next)? else {
                session.fill().await?;
                continue;
            };
            match message.tag {
                tag::COPY_DATA => {
                    batch.push(ValueRef::Bytes(session.wire.body(&message)))?;
                    batch.end_row();
                    if batch.size() >= self.batch_bytes {
                        return Ok(NextBatch { affected: 0, finished: false });
                    }
                }
                tag::COPY_OUT_RESPONSE => self.is_copy = true,
                tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::COPY_DONE => {}
                tag::COPY_IN_RESPONSE => {
                    failure = Some(not_out(false));
                    session.refuse_copy().await?;
                }
                tag::COMMAND_COMPLETE => {
                    let tag = message::command_tag(session.wire.body(&message)).map(message::affected);
                    affected = session.sound(tag)?;
                    if !self.is_copy {
                        failure = Some(not_out(true));
                    }
                }
                tag::ERROR_RESPONSE => {
                    let report = session.report(&message)?;
                    failure.get_or_insert_with(|| report.into_error(&self.sql));
                }
                tag::READY_FOR_QUERY => {
                    if session.ready(&message)? {
                        return failure.map_or(Ok(NextBatch { affected, finished: true }), Err);
                    }
                }
                _ => return Err(session.broken("a message that does not belong to the answer of a COPY")),
            }
        }
    }
}

#[cold]
fn not_out(was_performed: bool) -> Error {
    let mut error = Error::new(ErrorKind::UNSUPPORTED, "the statement of `copy_out` gives no data")
        .with_hint("write `COPY … TO STDOUT`; for FROM STDIN there is the upload `copy_in`");
    error.record_mut().may_have_executed = was_performed;
    error
}
