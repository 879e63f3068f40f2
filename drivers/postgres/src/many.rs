//! One statement for many rows of parameters, in one go.
//!
//! All rows are bound and executed in one request, with one Sync at its end. Answers are read while the request is still being
//! written: a server whose answers nobody takes would stop reading.

use crate::{
    encode,
    message::{self, tag},
    request,
    session::{Session, unwritable},
    sql::{self, Leaves},
    statement::PgStatement,
};
use montrs_driver_sdk::{Error, ErrorKind, ManyReply, Result, RowBatch};
use postgres_protocol::message::frontend;

/// Runs a statement once for each row. The server stops at the first error.
pub(crate) async fn run(session: &mut Session, mut statement: &mut PgStatement, rows: RowBatch) -> Result<ManyReply> {
    if !statement.prepared.shape.forms.is_empty() {
        let message = "the statement returns rows, and is to be run for many rows of parameters";
        return Err(Error::new(ErrorKind::UNSUPPORTED, message)
            .with_hint("drop its RETURNING, or run it for one row after the other in a transaction"));
    }
    if sql::is_copy(statement.text.sent()) {
        let hint = "call the command `copy_in` or `copy_out` with it as its parameter; `copy_in` takes many rows";
        return Err(
            Error::new(ErrorKind::UNSUPPORTED, "COPY cannot be run for many rows of parameters").with_hint(hint)
        );
    }
    // Where the first row has a list, all have.
    let lists = rows.params(0).map_or_else(Vec::new, |first| statement.lists(&first));
    if !lists.is_empty() {
        statement = statement.for_lists(session, &lists).await?;
    }
    if statement.must_be_prepared(session) {
        statement.prepare_again(session).await?;
    }
    if let Err(error) = write(session, statement, &rows) {
        session.take_back();
        return Err(error);
    }
    let affected = read(session, statement, rows.rows()).await?;
    Ok(ManyReply { affected, last_insert_id: None.into(), spare: rows.into_spare() })
}

/// Writes the request to the wire's buffer.
fn write(session: &mut Session, statement: &PgStatement, rows: &RowBatch) -> Result<()> {
    session.begin()?;
    session.close_what_was_dropped()?;
    if statement.may_change_session {
        session.leaves = session.leaves.max(Leaves::State);
    }
    let (types, name) = (&statement.prepared.parameters, statement.name());
    let out = &mut session.wire.outgoing;
    if statement.is_unnamed() {
        frontend::parse("", statement.text.sent(), types.iter().copied(), out).map_err(unwritable)?;
    }
    for row in 0..rows.rows() {
        let bound = rows.params(row).ok_or_else(|| Error::protocol("the row is missing")).and_then(|values| {
            statement.text.assign(&values, types.len())?;
            request::bind(out, &name, &[], |out| {
                request::parameters(out, types.len(), |index, out| {
                    let value = values.get(index).map_err(|error| Error::protocol(error.to_string()))?;
                    encode::parameter(index, types[index], value, out)
                })
            })
        });
        bound.map_err(|error| statement.text.as_written(error).with_row(row))?;
        frontend::execute("", 0, out).map_err(unwritable)?;
    }
    session.sync();
    Ok(())
}

/// Sends the request, and reads its answer to the end. Returns how many rows were changed.
async fn read(session: &mut Session, statement: &mut PgStatement, rows: usize) -> Result<u64> {
    let (mut affected, mut row, mut is_bound, mut result) = (0_u64, 0, false, Ok(()));
    loop {
        let message = session.message_while_writing().await?;
        match message.tag {
            // A row can be without columns.
            tag::PARSE_COMPLETE | tag::DATA_ROW => {}
            tag::BIND_COMPLETE => is_bound = true,
            tag::COMMAND_COMPLETE if row < rows => {
                let tag = message::command_tag(session.wire.body(&message)).map(str::to_owned);
                let tag = session.sound(tag)?;
                session.completed(&tag);
                affected = affected.saturating_add(message::affected(&tag));
                (row, is_bound) = (row + 1, false);
            }
            tag::ERROR_RESPONSE => {
                let report = session.report(&message)?;
                statement.prepared.is_stale |= report.is_stale_statement(is_bound);
                let error = statement.text.as_written(report.into_error(statement.text.sent()));
                // After the last row it concerns all of them: a constraint that is checked at the end.
                let error = if row < rows { error.with_row(row) } else { error };
                result = result.and(Err(error));
            }
            tag::READY_FOR_QUERY => {
                if session.ready(&message)? {
                    return result.map(|()| affected);
                }
            }
            _ => return Err(session.broken("a message that does not belong to the answer of a statement without rows")),
        }
    }
}
