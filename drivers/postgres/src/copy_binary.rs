//! Rows in COPY's binary format.
//!
//! The server says that it wants binary, but not of which types. So before the COPY, a SELECT of the same columns is prepared,
//! and never run: it tells their types.

use crate::{
    catalog,
    encode::{self, Format, Unfit},
    message::{self, tag},
    numeric, print,
    session::{Session, TransactionStatus, unwritable},
    sql, token,
    types::{Form, Reader},
};
use bytes::{BufMut, BytesMut};
use montrs_driver_sdk::{BatchError, Error, Kind, Result, RowBatch, UseValue, ValueRef};
use postgres_protocol::message::frontend;

/// What the data begins with: a signature, no flags, and an extension without a byte.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What stands where the next row would tell its number of values.
pub(crate) const TRAILER: i16 = -1;

/// The columns that a COPY fills.
pub(crate) type Columns = Box<[(u32, Form)]>;

/// Asks for the columns of a COPY whose text has the word BINARY; `None` where it has not, or they cannot be told.
///
/// # Errors
///
/// What the server says, where that has ended the transaction. Else the COPY fails by itself.
pub(crate) async fn columns(session: &mut Session, sql: &str) -> Result<Option<Columns>> {
    let Some(select) = sql::mentions(sql, b"binary").then(|| select(sql)).flatten() else {
        return Ok(None);
    };
    match describe(session, &select).await {
        Ok(columns) => Ok(Some(columns)),
        Err(_) if session.status == TransactionStatus::Idle && !session.wire.is_lost() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn describe(session: &mut Session, select: &str) -> Result<Columns> {
    session.begin()?;
    let out = &mut session.wire.outgoing;
    frontend::parse("", select, [], out).map_err(unwritable)?;
    frontend::describe(b'S', "", out).map_err(unwritable)?;
    session.sync();
    let mut fields = Vec::new();
    let on = |tag, body: &[u8]| {
        if tag == tag::ROW_DESCRIPTION {
            fields = message::row_description(body)?;
        }
        Ok(())
    };
    session.exchange("", on).await?;
    let types = catalog::types(session, fields.iter().map(|field| field.type_oid)).await?;
    let column = |oid| types.get(&oid).map(|of_type| (oid, of_type.form));
    let columns = fields.iter().map(|field| column(field.type_oid)).collect::<Option<_>>();
    columns.ok_or_else(|| Error::protocol("a column has a type that the catalog does not have"))
}

/// Appends a row.
///
/// # Errors
///
/// [`ENCODE`](montrs_driver_sdk::ErrorKind::ENCODE) for a value that has no binary form of its column's type.
pub(crate) fn row(columns: &[(u32, Form)], rows: &RowBatch, row: usize, out: &mut BytesMut) -> Result<()> {
    out.put_u16(columns.len() as u16);
    for (index, (oid, form)) in columns.iter().enumerate() {
        if rows.with_value(row, index, Common { form: *form, out }) {
            continue;
        }
        let value = rows.value(row, index).map_err(|error| Error::protocol(error.to_string()))?;
        let written = encode::prefixed(out, |out| write(*oid, *form, value, out));
        written.map_err(|unfit| {
            let column = format!("the column {}", index + 1);
            encode::error(&column, *oid, value, &unfit).with_hint(HINT).with_row(row)
        })?;
    }
    Ok(())
}

const HINT: &str = "give a value of the column's own type; or leave `FORMAT binary` out of the COPY: in text, the server reads \
     every value as it reads a literal";

/// Appends the kinds that make up most of all values, where their type is the column's own. They are not moved through memory.
struct Common<'o> {
    form: Form,
    out: &'o mut BytesMut,
}

impl UseValue<'_> for Common<'_> {
    /// Whether the value is one of them.
    type Output = bool;

    #[inline(always)]
    fn use_value(self, value: std::result::Result<ValueRef<'_>, BatchError>) -> bool {
        let out = self.out;
        match (self.form, value) {
            (_, Ok(ValueRef::Null)) => out.put_i32(-1),
            (Form::One(Reader::Int8), Ok(ValueRef::I64(number))) => {
                out.put_i32(8);
                out.put_i64(number);
            }
            (Form::One(Reader::Float8), Ok(ValueRef::F64(number))) => {
                out.put_i32(8);
                out.put_f64(number);
            }
            (Form::One(Reader::Text(_)), Ok(ValueRef::Text(text))) => {
                // Longer ones are refused where the others are.
                let Ok(len) = i32::try_from(text.len()) else { return false };
                out.put_i32(len);
                out.put_slice(text.as_bytes());
            }
            _ => return false,
        }
        true
    }
}

/// Appends the binary form; `None` says that it is NULL.
fn write(oid: u32, form: Form, value: ValueRef<'_>, out: &mut BytesMut) -> Result<Option<Format>, Unfit> {
    let is_text = |reader| matches!(reader, Reader::Text(_));
    match (form, value, print::borrowed(value)) {
        (Form::One(Reader::Jsonb), _, Some(text)) => {
            // The version of the form.
            out.put_u8(1);
            out.put_slice(text.as_bytes());
        }
        (Form::One(Reader::Printed(Kind::DECIMAL)), _, text) => {
            let mut printed = String::new();
            let text = text.unwrap_or_else(|| {
                print::value(value, &mut printed);
                &printed
            });
            numeric::write(text, out).ok_or(Unfit::Kind(HINT))?;
        }
        _ => match encode::write(oid, value, out)? {
            // The same in binary.
            Some(Format::Text) if matches!(form, Form::One(reader) if is_text(reader)) => {}
            Some(Format::Text) => return Err(Unfit::Kind(HINT)),
            written => return Ok(written),
        },
    }
    Ok(Some(Format::Binary))
}

/// A SELECT of the columns that a COPY names, or of all.
fn select(copy: &str) -> Option<String> {
    let target = sql::first_word(copy).get("COPY".len()..)?;
    let (bytes, mut at, mut open, mut close) = (target.as_bytes(), 0, None, None);
    loop {
        let rest = &bytes[at..];
        at = match rest.first()? {
            b'"' => token::after(bytes, at + 1, b"\""),
            b'-' if rest.starts_with(b"--") => token::line_end(bytes, at),
            b'/' if rest.starts_with(b"/*") => bytes.len() - token::after_comment(&target[at..])?.len(),
            byte if token::begins_name(*byte) => {
                let end = token::end_of(bytes, at, |byte| token::begins_name(byte) || byte.is_ascii_digit());
                if target[at..end].eq_ignore_ascii_case("FROM") {
                    break;
                }
                end
            }
            byte => {
                match byte {
                    b'(' => open = open.or(Some(at)),
                    b')' => close = close.or(Some(at)),
                    _ => {}
                }
                at + 1
            }
        };
    }
    match (open, close) {
        (None, None) => Some(format!("SELECT * FROM {}", &target[..at])),
        (Some(open), Some(close)) => Some(format!("SELECT {} FROM {}", target.get(open + 1..close)?, &target[..open])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_of_a_copy_are_selected() {
        for (copy, expected) in [
            ("COPY t FROM STDIN BINARY", Some("SELECT * FROM  t ")),
            ("-- x\ncopy a.t(b,c)from STDIN", Some("SELECT b,c FROM  a.t")),
            ("COPY \"from\" (\"a)\"\"\", /* ) */ b) FROM STDIN", Some("SELECT \"a)\"\"\", /* ) */ b FROM  \"from\" ")),
            ("COPY from_here (a) FROM STDIN", Some("SELECT a FROM  from_here ")),
            ("COPY t (a TO STDOUT", None),
            ("COPY t) (FROM STDIN", None),
        ] {
            assert_eq!(select(copy).as_deref(), expected, "{copy}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,30}", odd in "[-/*()\"\n a]{0,20}( FROM)?") {
            select(&text);
            select(&format!("COPY {text}"));
            select(&format!("COPY {odd}"));
        }
    }
}
