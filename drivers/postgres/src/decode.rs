//! From values as the server sends them to values as they cross.

use crate::{
    array, datetime,
    message::{Body, garbage},
    types::{Form, Reader},
};
use montrs_driver_sdk::{Array, Batch, Error, ErrorKind, Result, ValueRef};

/// Appends a row to the batch.
#[inline]
pub(crate) fn row(forms: &[Form], body: &[u8], batch: &mut Batch) -> Result<()> {
    let mut body = Body::new(body);
    if usize::from(body.u16()?) != forms.len() {
        return Err(garbage("a row with another number of columns than was said"));
    }
    for form in forms {
        match body.value()? {
            None => batch.push(ValueRef::Null)?,
            Some(bytes) => push(*form, bytes, batch)?,
        }
    }
    batch.end_row();
    Ok(())
}

#[inline]
fn push(form: Form, bytes: &[u8], batch: &mut Batch) -> Result<()> {
    match form {
        // Whether it is UTF-8 is looked at once a batch.
        Form::One(Reader::Text(kind) | Reader::Printed(kind)) => batch.push_unchecked_text(kind, bytes),
        Form::One(Reader::Jsonb) => batch.push_unchecked_text(Reader::Jsonb.kind(), jsonb(bytes)?),
        Form::One(reader) => batch.push(value(reader, bytes)?),
        Form::Array(reader, delimiter) => {
            let encoded = match reader {
                Reader::Printed(kind) => array::from_text(bytes, delimiter, kind),
                reader => array::from_binary(bytes, reader),
            };
            match encoded {
                Ok(encoded) => match Array::parse(&encoded) {
                    Ok(array) => batch.push(ValueRef::Array(array)),
                    Err(error) => Err(garbage(&error.to_string())),
                },
                // Text that is not UTF-8, in a database of an older encoding, concerns who reads this very value.
                Err(error) if error.kind() == ErrorKind::DECODE => batch.push(ValueRef::OtherBytes(bytes)),
                Err(error) => Err(error),
            }
        }
    }
}

/// Reads a value.
#[inline]
pub(crate) fn value(reader: Reader, bytes: &[u8]) -> Result<ValueRef<'_>> {
    Ok(match reader {
        Reader::Int4 => ValueRef::I32(i32::from_be_bytes(fixed(bytes)?)),
        Reader::Int8 => ValueRef::I64(i64::from_be_bytes(fixed(bytes)?)),
        Reader::Bool => ValueRef::Bool(fixed::<1>(bytes)? != [0]),
        Reader::Int2 => ValueRef::I16(i16::from_be_bytes(fixed(bytes)?)),
        Reader::Oid => ValueRef::I64(u32::from_be_bytes(fixed(bytes)?).into()),
        Reader::Float4 => ValueRef::F32(f32::from_be_bytes(fixed(bytes)?)),
        Reader::Float8 => ValueRef::F64(f64::from_be_bytes(fixed(bytes)?)),
        Reader::Bytea => ValueRef::Bytes(bytes),
        Reader::Date => ValueRef::Date(datetime::date_from_postgres(i32::from_be_bytes(fixed(bytes)?))),
        Reader::Time => {
            let micros = u64::from_be_bytes(fixed(bytes)?);
            ValueRef::Time(micros.checked_mul(1000).ok_or_else(|| garbage("a time that is not within a day"))?)
        }
        Reader::Timestamp => ValueRef::Timestamp(datetime::timestamp_from_postgres(i64::from_be_bytes(fixed(bytes)?))),
        Reader::TimestampTz => {
            ValueRef::TimestampTz(datetime::timestamp_from_postgres(i64::from_be_bytes(fixed(bytes)?)))
        }
        Reader::Interval => {
            let mut body = Body::new(bytes);
            let microseconds = i64::from_be_bytes(body.array()?);
            let (days, months) = (body.i32()?, body.i32()?);
            ValueRef::Interval { months, days, microseconds }
        }
        Reader::Uuid => ValueRef::Uuid(fixed(bytes)?),
        Reader::Jsonb => ValueRef::Json(utf8(jsonb(bytes)?)?),
        Reader::Text(kind) | Reader::Printed(kind) => array::text_value(kind, utf8(bytes)?),
    })
}

#[inline]
fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| garbage("a value of a length that its type does not have"))
}

/// The text behind the version.
fn jsonb(bytes: &[u8]) -> Result<&[u8]> {
    match bytes {
        [1, text @ ..] => Ok(text),
        _ => Err(garbage("a jsonb of an unknown version")),
    }
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| unreadable("its text is not UTF-8"))
}

/// An error of one value; the messages around it are sound.
#[cold]
pub(crate) fn unreadable(why: &str) -> Error {
    Error::new(ErrorKind::DECODE, format!("an array that the server sent cannot be read: {why}"))
        .with_hint("cast the column to text to see it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::{Kind, Timestamp};
    use proptest::prelude::*;

    #[test]
    fn known_bytes_are_read() {
        for (reader, bytes, expected) in [
            (Reader::Bool, &[1][..], ValueRef::Bool(true)),
            (Reader::Int2, &[255, 254], ValueRef::I16(-2)),
            (Reader::Int4, &[0, 0, 1, 0], ValueRef::I32(256)),
            (Reader::Int8, &[128, 0, 0, 0, 0, 0, 0, 0], ValueRef::I64(i64::MIN)),
            (Reader::Oid, &[255, 255, 255, 255], ValueRef::I64(4_294_967_295)),
            (Reader::Float4, &[0x3f, 0x80, 0, 0], ValueRef::F32(1.0)),
            (Reader::Float8, &[0xc0, 0, 0, 0, 0, 0, 0, 0], ValueRef::F64(-2.0)),
            (Reader::Date, &[0, 0, 0, 1], ValueRef::Date(10_958)),
            (Reader::Date, &[0x7f, 255, 255, 255], ValueRef::Date(i64::MAX)),
            (Reader::Time, &[0, 0, 0, 0, 0, 0, 0, 1], ValueRef::Time(1000)),
            (
                Reader::Timestamp,
                &[0, 0, 0, 0, 0, 0, 0, 1],
                ValueRef::Timestamp(Timestamp { seconds: 946_684_800, nanoseconds: 1000 }),
            ),
            (
                Reader::Interval,
                &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 255, 255, 255, 255],
                ValueRef::Interval { months: -1, days: 2, microseconds: 3 },
            ),
            (Reader::Jsonb, b"\x01{}", ValueRef::Json("{}")),
            (Reader::Text(Kind::TEXT), "ä".as_bytes(), ValueRef::Text("ä")),
            (Reader::Printed(Kind::DECIMAL), b"NaN", ValueRef::Decimal("NaN")),
        ] {
            assert_eq!(value(reader, bytes).unwrap(), expected, "{reader:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            const READERS: &[Reader] = &[
                Reader::Bool, Reader::Int2, Reader::Int4, Reader::Int8, Reader::Oid, Reader::Float4, Reader::Float8,
                Reader::Bytea, Reader::Date, Reader::Time, Reader::Timestamp, Reader::TimestampTz, Reader::Interval,
                Reader::Uuid, Reader::Jsonb, Reader::Text(Kind::TEXT), Reader::Printed(Kind::DECIMAL),
            ];
            for reader in READERS {
                let mut batch = Batch::EMPTY;
                batch.clear(1);
                let _ = push(Form::One(*reader), &bytes, &mut batch);
                let _ = push(Form::Array(*reader, b','), &bytes, &mut batch);
                let _ = row(&[Form::One(*reader)], &bytes, &mut batch);
                let _ = value(*reader, &bytes);
            }
        }
    }
}
