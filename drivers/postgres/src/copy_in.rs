//! `COPY … FROM STDIN`: data goes to the server as it is written, and what the server says meanwhile is read.
//!
//! After Execute there is a Flush, not a Sync: the server would swallow it. The Sync follows the end of the data, be that
//! CopyDone or CopyFail, and with an error too.

use crate::{
    copy_binary::{self, Columns},
    message::{self, Body, tag},
    print,
    session::{Session, unwritable},
};
use bytes::{BufMut, BytesMut};
use montrs_driver_sdk::{Batch, Error, ErrorKind, Result, RowBatch, ValueRef};
use postgres_protocol::message::frontend;
use std::{fmt::Write, sync::Arc};

mod load;

/// The COPY that a session is in.
pub(crate) struct CopyIn {
    sql: Arc<str>,
    /// How many columns there are.
    columns: usize,
    /// The types of the columns, where the server takes COPY's binary format and they are known.
    types: Option<Columns>,
    data: Data,
    /// The statement in text of a `load` that goes in binary.
    load: Option<Arc<str>>,
    /// The rows that the COPYs before it have taken, of the same `load`.
    copied: u64,
    /// Its end, and the Sync, are in the wire's buffer, or have left.
    is_ended: bool,
}

/// The format that the server names.
const BINARY: u8 = 1;

/// What was written so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Nothing,
    /// Bytes, which bring what a format begins with along.
    Bytes,
    /// Rows at first.
    Rows,
}

/// A message has at most so many bytes of data.
const MESSAGE: usize = 1024 * 1024;

/// Runs a COPY with the data that stands behind it in a script. Returns how many rows that were.
pub(crate) async fn run(session: &mut Session, sql: &str, data: &str) -> Result<u64> {
    begin(session, sql.to_owned()).await?;
    for piece in data.as_bytes().chunks(MESSAGE) {
        bytes(session, piece)?;
        send(session).await?;
    }
    end(session).await
}

/// Begins a COPY.
pub(crate) async fn begin(session: &mut Session, sql: String) -> Result<()> {
    let types = copy_binary::columns(session, &sql).await?;
    session.begin()?;
    session.close_what_was_dropped()?;
    let out = &mut session.wire.outgoing;
    frontend::parse("", &sql, [], out).map_err(unwritable)?;
    crate::request::bind(out, "", &[], |out| crate::request::parameters(out, 0, |_, _| unreachable_parameter()))?;
    frontend::execute("", 0, out).map_err(unwritable)?;
    frontend::flush(out);
    session.pending += 1;
    let copy =
        CopyIn { sql: sql.into(), columns: 0, types, data: Data::Nothing, load: None, copied: 0, is_ended: false };
    session.copy_in = Some(copy);
    let mut was_performed = false;
    loop {
        let message = session.message_while_writing().await?;
        match message.tag {
            tag::PARSE_COMPLETE | tag::BIND_COMPLETE => {}
            tag::COPY_IN_RESPONSE => {
                let mut body = Body::new(session.wire.body(&message));
                let told = body.u8().and_then(|format| Ok((format, body.u16()?)));
                let (format, columns) = session.sound(told)?;
                if let Some(copy) = &mut session.copy_in {
                    copy.columns = columns.into();
                    // With generated columns a table has more than its COPY.
                    copy.types.take_if(|types| format != BINARY || types.len() != copy.columns);
                }
                session.wire.sent();
                return Ok(());
            }
            tag::ERROR_RESPONSE => return Err(failed(session, &message).await),
            tag::COMMAND_COMPLETE => was_performed = true,
            tag::COPY_OUT_RESPONSE => {}
            _ => return Err(session.broken("a message that does not belong to the answer of a COPY")),
        }
        if was_performed || message.tag == tag::COPY_OUT_RESPONSE {
            crate::reset::stop(session).await?;
            let mut error = Error::new(ErrorKind::UNSUPPORTED, "the statement of `copy_in` takes no data")
                .with_hint("write `COPY table (columns) FROM STDIN`; for TO STDOUT there is the command `copy_out`");
            error.record_mut().may_have_executed = was_performed;
            return Err(error);
        }
    }
}

/// There are no parameters that could be written.
fn unreachable_parameter() -> Result<crate::encode::Format> {
    Err(Error::protocol("a COPY has no parameters"))
}

/// Appends bytes to the wire's buffer; they are borrowed for this call.
pub(crate) fn bytes(session: &mut Session, bytes: &[u8]) -> Result<()> {
    let copy = open(session)?;
    if copy.data == Data::Nothing && !bytes.is_empty() {
        copy.data = Data::Bytes;
    }
    for piece in bytes.chunks(MESSAGE) {
        data(&mut session.wire.outgoing, |out| out.put_slice(piece))?;
    }
    Ok(())
}

/// Sends rows in COPY's text or binary format.
pub(crate) async fn rows(session: &mut Session, rows: RowBatch) -> Result<Batch> {
    if let Some(text) = session.load.take() {
        load::begin(session, text, rows.rows() * rows.columns()).await?;
    }
    let mut written = write_rows(session, &rows);
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::ENCODE)
        && let Some(text) = open(session)?.load.take()
    {
        // A value has no binary form of its column's type: the server reads it as a literal.
        load::go_on(session, text).await?;
        written = write_rows(session, &rows);
    }
    if let Err(error) = written {
        crate::reset::stop(session).await?;
        return Err(error);
    }
    send(session).await?;
    Ok(rows.into_spare())
}

fn write_rows(session: &mut Session, rows: &RowBatch) -> Result<()> {
    open(session)?;
    let (Some(copy), out) = (&mut session.copy_in, &mut session.wire.outgoing) else {
        return Ok(());
    };
    let has_options = !copy.sql.trim_end_matches([';', ' ', '\t', '\r', '\n']).to_ascii_uppercase().ends_with("STDIN");
    if has_options && copy.types.is_none() {
        return Err(Error::new(ErrorKind::UNSUPPORTED, "rows cannot be written to a COPY with these options").with_hint(
            "end the statement with FROM STDIN, or FROM STDIN (FORMAT binary) where it names its columns; or write bytes in \
             the format that it has",
        ));
    }
    let (expected, given) = (copy.columns, rows.columns());
    if rows.rows() > 0 && expected != given {
        let message = format!("the COPY has {expected} columns, and the row has {given} values");
        return Err(Error::new(ErrorKind::PARAMETERS, message).with_row(0));
    }
    match &copy.types {
        Some(types) => {
            if copy.data == Data::Nothing {
                copy.data = Data::Rows;
                data(out, |out| out.put_slice(copy_binary::HEADER))?;
            }
            let before = out.len();
            let written =
                data(out, |out| (0..rows.rows()).try_for_each(|row| copy_binary::row(types, rows, row, out)))?;
            if written.is_err() {
                out.truncate(before);
            }
            written
        }
        None => {
            let mut text = String::new();
            data(out, |out| (0..rows.rows()).try_for_each(|row| line(rows, row, &mut text, out)))?
        }
    }
}

/// Appends a row in COPY's text format.
fn line(rows: &RowBatch, row: usize, text: &mut String, out: &mut BytesMut) -> Result<()> {
    for column in 0..rows.columns() {
        if column > 0 {
            out.put_u8(b'\t');
        }
        let value = rows.value(row, column).map_err(|error| Error::protocol(error.to_string()))?;
        field(value, text, out).map_err(|error| error.with_row(row))?;
    }
    out.put_u8(b'\n');
    Ok(())
}

/// Appends a value as COPY's text format has it.
fn field(value: ValueRef<'_>, text: &mut String, out: &mut BytesMut) -> Result<()> {
    text.clear();
    let text = match value {
        ValueRef::Null => {
            out.put_slice(b"\\N");
            return Ok(());
        }
        ValueRef::OtherBytes(_) => {
            return Err(Error::new(
                ErrorKind::ENCODE,
                "a value in a type's own binary form cannot be a row's of a COPY",
            ));
        }
        ValueRef::Bytes(bytes) => {
            text.push_str("\\x");
            for byte in bytes {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
        value => print::borrowed(value).unwrap_or_else(|| {
            print::value(value, text);
            text
        }),
    };
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        out.put_slice(&rest[..at]);
        out.put_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => b"\\r",
        });
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    Ok(())
}

/// Appends a CopyData with what `write` appends.
fn data<T>(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut) -> T) -> Result<T> {
    let before = out.len();
    out.put_u8(b'd');
    out.put_i32(0);
    let written = write(out);
    let Ok(len) = i32::try_from(out.len() - before - 1) else {
        out.truncate(before);
        return Err(Error::new(ErrorKind::TOO_LARGE, "rows of 2 GiB or more"));
    };
    out[before + 1..before + 5].copy_from_slice(&len.to_be_bytes());
    Ok(written)
}

/// Sends what was appended. An error that the server has told by then ends the COPY.
pub(crate) async fn send(session: &mut Session) -> Result<()> {
    open(session)?;
    loop {
        let next = session.next();
        if let Some(message) = session.sound(next)? {
            match message.tag {
                tag::ERROR_RESPONSE => return Err(failed(session, &message).await),
                _ => return Err(session.broken("a message that does not belong into a COPY")),
            }
        } else if !session.wire.is_written() {
            session.write_or_read().await?;
        } else if !session.wire.read_what_is_there().await? {
            session.wire.sent();
            return Ok(());
        }
    }
}

/// Ends the COPY and keeps what it was given. Returns how many rows that were.
pub(crate) async fn end(session: &mut Session) -> Result<u64> {
    if let Some(text) = session.load.take() {
        begin(session, text.to_string()).await?;
    }
    let copy = open(session)?;
    copy.is_ended = true;
    let (has_types, written, before) = (copy.types.is_some(), copy.data, copy.copied);
    let out = &mut session.wire.outgoing;
    if has_types && written != Data::Bytes {
        data(out, |out| {
            if written == Data::Nothing {
                out.put_slice(copy_binary::HEADER);
            }
            out.put_i16(copy_binary::TRAILER);
        })?;
    }
    frontend::copy_done(&mut session.wire.outgoing);
    frontend::sync(&mut session.wire.outgoing);
    let mut copied = 0;
    loop {
        let message = session.message_while_writing().await?;
        match message.tag {
            tag::COMMAND_COMPLETE => {
                let tag = message::command_tag(session.wire.body(&message)).map(message::affected);
                copied = session.sound(tag)?;
            }
            tag::ERROR_RESPONSE => return Err(failed(session, &message).await),
            tag::READY_FOR_QUERY => {
                if session.ready(&message)? {
                    return Ok(before + copied);
                }
            }
            _ => return Err(session.broken("a message that does not belong into a COPY")),
        }
    }
}

/// Ends the COPY so that nothing is kept of it, and reads the answer to its end.
pub(crate) async fn give_up(session: &mut Session) -> Result<()> {
    if let Some(copy) = session.copy_in.as_mut().filter(|copy| !copy.is_ended) {
        copy.is_ended = true;
        frontend::copy_fail("the upload was given up", &mut session.wire.outgoing).map_err(unwritable)?;
        frontend::sync(&mut session.wire.outgoing);
    }
    while session.pending > 0 {
        let message = session.message_while_writing().await?;
        crate::reset::skip(session, &message)?;
    }
    Ok(())
}

/// The server's error. The session is ready for what comes next.
async fn failed(session: &mut Session, message: &crate::wire::Message) -> Error {
    let sql = session.copy_in.as_ref().map(|copy| copy.sql.clone()).unwrap_or_default();
    let mut error = match session.report(message) {
        Ok(report) => report.into_error(&sql),
        Err(fatal) => return fatal,
    };
    let record = error.record_mut();
    // Which line it is, and of what column.
    if let Some(place) = record.extra.iter().find(|pair| pair.0 == "where") {
        let separator = match record.detail.chars().last() {
            None => "",
            Some('.') => " ",
            Some(_) => "; ",
        };
        record.detail = format!("{}{separator}{}", record.detail, place.1).into();
    }
    match crate::reset::stop(session).await {
        Ok(()) => error,
        Err(lost) => lost,
    }
}

fn open(session: &mut Session) -> Result<&mut CopyIn> {
    session.copy_in.as_mut().filter(|copy| !copy.is_ended).ok_or_else(|| Error::protocol("no upload is open"))
}
