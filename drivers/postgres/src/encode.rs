//! From parameters as they cross to parameters as the server takes them.
//!
//! The server has told the type of each parameter. A value that has a binary form of that type is sent so; of others the
//! text is sent, which the server reads as it reads a literal: an enum, a `uuid` or an `inet` can be bound as text, a whole
//! number as `numeric`. What would be read as something else than is meant is refused.

use crate::{
    datetime::{self, OutOfRange},
    print,
    types::{self, oid},
};
use bytes::{BufMut, BytesMut};
use montrs_driver_sdk::{Array, Error, ErrorKind, Kind, Result, ValueRef};

/// The two forms of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text = 0,
    Binary = 1,
}

/// Why a value cannot be sent.
#[derive(Debug, PartialEq)]
pub(crate) enum Unfit {
    /// It is outside the type's range, or would lose digits.
    Range,
    /// Its kind and the type do not go together.
    Kind(&'static str),
}

impl From<OutOfRange> for Unfit {
    fn from(_: OutOfRange) -> Self {
        Self::Range
    }
}

/// Appends a value with its length before it.
///
/// # Errors
///
/// [`ErrorKind::ENCODE`], with the number of the parameter.
pub(crate) fn parameter(index: usize, oid: u32, value: ValueRef<'_>, out: &mut BytesMut) -> Result<Format> {
    prefixed(out, |out| write(oid, value, out))
        .map_err(|unfit| error(&format!("the parameter ${}", index + 1), oid, value, &unfit))
}

/// Writes what `write` writes with its length before it; NULL has the length -1.
#[inline]
pub(crate) fn prefixed(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<Option<Format>, Unfit>,
) -> Result<Format, Unfit> {
    let start = out.len();
    out.put_i32(-1);
    let Some(format) = write(out)? else {
        return Ok(Format::Text);
    };
    let len = i32::try_from(out.len() - start - 4).map_err(|_| Unfit::Range)?;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    Ok(format)
}

/// Appends a value; `None` says that it is NULL.
pub(crate) fn write(oid: u32, value: ValueRef<'_>, out: &mut BytesMut) -> Result<Option<Format>, Unfit> {
    let is_binary = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Bool(v) if oid == oid::BOOL => put(out, [u8::from(v)]),
        ValueRef::Bool(_) if is_number(oid) => return Err(Unfit::Kind(BOOL_HINT)),
        ValueRef::I16(v) => integer(oid, v.into(), out)?,
        ValueRef::I32(v) => integer(oid, v.into(), out)?,
        ValueRef::I64(v) => integer(oid, v, out)?,
        ValueRef::F32(v) => float(oid, v.into(), out)?,
        ValueRef::F64(v) => float(oid, v, out)?,
        ValueRef::Bytes(v) if oid == oid::BYTEA => slice(out, v),
        ValueRef::Bytes(_) => return Err(Unfit::Kind(BYTES_HINT)),
        // The caller knows the binary form of the type.
        ValueRef::OtherBytes(v) => slice(out, v),
        ValueRef::Text(_) if oid == oid::BYTEA => return Err(Unfit::Kind(BYTEA_HINT)),
        ValueRef::Uuid(v) if oid == oid::UUID => slice(out, &v),
        ValueRef::Interval { months, days, microseconds } if oid == oid::INTERVAL => {
            put(out, microseconds.to_be_bytes());
            put(out, days.to_be_bytes());
            put(out, months.to_be_bytes())
        }
        ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_) | ValueRef::TimestampTz(_) => {
            temporal(oid, value, out)?
        }
        ValueRef::Array(_) if is_no_array(oid) => return Err(Unfit::Kind(LIST_HINT)),
        ValueRef::Array(array) => binary_array(oid, array, out)?,
        _ => false,
    };
    if is_binary {
        return Ok(Some(Format::Binary));
    }
    let mut text = String::new();
    let text = print::borrowed(value).unwrap_or_else(|| {
        match value {
            ValueRef::Array(array) => print::print_array(array, types::delimiter(oid), &mut text),
            value => print::value(value, &mut text),
        }
        &text
    });
    out.put_slice(text.as_bytes());
    Ok(Some(Format::Text))
}

const BOOL_HINT: &str = "bind a number, or write `$1::boolean::int`, which is 1 for true";
const BYTES_HINT: &str = "bytes are bound to `bytea`; write `convert_from($1, 'UTF8')` to make text of them";
const BYTEA_HINT: &str = "bind bytes, or write `$1::text::bytea` to have the text's backslashes read as escapes";
const LIST_HINT: &str = "write `x = ANY ($1)`, which takes an array; or `x IN ($1)`, with nothing beside the parameter in the parentheses, not \
     even a cast, and a list in each row of many or in none";
const ZONE_HINT: &str = "say which zone is meant: bind an instant to `timestamptz`, and a local time to `timestamp`";
const DATE_HINT: &str = "write a cast, such as `$1::timestamp`, so that the parameter has the type of the value";

/// Appends bytes; `true` for "in binary".
fn put<const N: usize>(out: &mut BytesMut, bytes: [u8; N]) -> bool {
    slice(out, &bytes)
}

fn slice(out: &mut BytesMut, bytes: &[u8]) -> bool {
    out.put_slice(bytes);
    true
}

fn integer(oid: u32, value: i64, out: &mut BytesMut) -> Result<bool, Unfit> {
    fn narrow<N: TryFrom<i64>>(value: i64) -> Result<N, Unfit> {
        N::try_from(value).map_err(|_| Unfit::Range)
    }
    Ok(match oid {
        oid::INT8 => put(out, value.to_be_bytes()),
        oid::INT4 => put(out, narrow::<i32>(value)?.to_be_bytes()),
        oid::INT2 => put(out, narrow::<i16>(value)?.to_be_bytes()),
        oid::OID => put(out, narrow::<u32>(value)?.to_be_bytes()),
        oid::FLOAT8 if value.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS => put(out, (value as f64).to_be_bytes()),
        oid::FLOAT4 if value.unsigned_abs() <= 1 << f32::MANTISSA_DIGITS => put(out, (value as f32).to_be_bytes()),
        oid::FLOAT8 | oid::FLOAT4 => return Err(Unfit::Range),
        _ => false,
    })
}

fn float(oid: u32, value: f64, out: &mut BytesMut) -> Result<bool, Unfit> {
    Ok(match oid {
        oid::FLOAT8 => put(out, value.to_be_bytes()),
        oid::FLOAT4 => {
            // Rounded, as PostgreSQL rounds a literal; but a number does not become infinite.
            let narrow = value as f32;
            if narrow.is_infinite() && value.is_finite() {
                return Err(Unfit::Range);
            }
            put(out, narrow.to_be_bytes())
        }
        _ => false,
    })
}

fn temporal(oid: u32, value: ValueRef<'_>, out: &mut BytesMut) -> Result<bool, Unfit> {
    Ok(match (oid, value) {
        (oid::DATE, ValueRef::Date(days)) => put(out, datetime::date_to_postgres(days)?.to_be_bytes()),
        (oid::TIME, ValueRef::Time(nanoseconds)) => {
            const DAY: u64 = 86_400_000_000_000;
            if nanoseconds > DAY {
                return Err(Unfit::Range);
            }
            put(out, (nanoseconds / 1000).to_be_bytes())
        }
        (oid::TIMESTAMP, ValueRef::Timestamp(v)) | (oid::TIMESTAMPTZ, ValueRef::TimestampTz(v)) => {
            put(out, datetime::timestamp_to_postgres(v)?.to_be_bytes())
        }
        // Midnight; the server reads it.
        (oid::TIMESTAMP, ValueRef::Date(_)) => false,
        (oid::TIMESTAMPTZ | oid::TIMESTAMP, _) => return Err(Unfit::Kind(ZONE_HINT)),
        (oid::DATE | oid::TIME, _) => return Err(Unfit::Kind(DATE_HINT)),
        _ => false,
    })
}

fn is_number(oid: u32) -> bool {
    matches!(oid, oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC)
}

/// Whether a type has values of one kind here, so that the text of an array would be refused by the server, or be a text.
fn is_no_array(oid: u32) -> bool {
    const UNKNOWN: u32 = 705;
    types::scalar(oid).is_some_and(|(_, reader)| reader != types::OTHER && oid != UNKNOWN)
}

/// Appends an array when all its elements have the binary form of the array's element type.
fn binary_array(array_oid: u32, array: Array<'_>, out: &mut BytesMut) -> Result<bool, Unfit> {
    let Some(element) = types::element(array_oid) else {
        return Ok(false);
    };
    let is_text = types::scalar(element).is_some_and(|(_, reader)| matches!(reader, types::Reader::Text(Kind::TEXT)));
    let start = out.len();
    out.put_i32(array.dimensions().len() as i32);
    let has_null = (0..array.len()).any(|index| matches!(array.get(index), Ok(ValueRef::Null)));
    out.put_i32(has_null.into());
    out.put_u32(element);
    for dimension in array.dimensions() {
        out.put_u32(dimension.len);
        out.put_i32(dimension.lower_bound);
    }
    for index in 0..array.len() {
        let value = array.get(index).map_err(|_| Unfit::Range)?;
        let format = prefixed(out, |out| write(element, value, out))?;
        let is_same_in_binary = is_text && matches!(value, ValueRef::Text(_));
        if format == Format::Text && value != ValueRef::Null && !is_same_in_binary {
            out.truncate(start);
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why a value cannot be sent to this place.
#[cold]
pub(crate) fn error(place: &str, oid: u32, value: ValueRef<'_>, unfit: &Unfit) -> Error {
    let type_name = types::built_in(oid).map_or_else(|| format!("type {oid}"), |t| format!("`{}`", t.name));
    let what = noun(value.kind());
    match unfit {
        Unfit::Range => {
            let message = format!("{what} does not fit {place}, which is of {type_name}");
            Error::new(ErrorKind::ENCODE, message)
                .with_hint("bind a smaller value, or cast the parameter to a larger type")
        }
        Unfit::Kind(hint) => {
            let message = format!("{what} cannot be sent to {place}, which is of {type_name}");
            Error::new(ErrorKind::ENCODE, message).with_hint(*hint)
        }
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::BOOL => "a boolean",
        Kind::I16 | Kind::I32 | Kind::I64 => "the integer",
        Kind::F32 | Kind::F64 => "the floating-point number",
        Kind::BYTES => "a value of bytes",
        Kind::DATE => "the date",
        Kind::TIME => "the time",
        Kind::TIMESTAMP => "a date and time without zone",
        Kind::TIMESTAMP_TZ => "a date and time with zone",
        Kind::ARRAY => "the array",
        Kind::TEXT => "text",
        _ => "the value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array, decode, types::Reader};
    use montrs_driver_sdk::{Dimension, Timestamp};
    use proptest::prelude::*;

    fn written(oid: u32, value: ValueRef<'_>) -> Result<(Format, Vec<u8>), Unfit> {
        let mut out = BytesMut::new();
        let format = prefixed(&mut out, |out| write(oid, value, out))?;
        assert_eq!(out[..4], i32::try_from(out.len() - 4).unwrap().to_be_bytes());
        Ok((format, out[4..].to_vec()))
    }

    #[test]
    fn values_are_converted_to_the_type_that_the_server_expects() {
        use Format::{Binary, Text};
        let timestamp = Timestamp { seconds: 946_684_801, nanoseconds: 1999 };
        for (oid, value, expected) in [
            (oid::INT8, ValueRef::I32(-2), (Binary, &(-2i64).to_be_bytes()[..])),
            (oid::INT2, ValueRef::I64(7), (Binary, &[0, 7])),
            (oid::FLOAT8, ValueRef::I32(1), (Binary, &1f64.to_be_bytes())),
            (oid::FLOAT4, ValueRef::F64(0.1), (Binary, &0.1f32.to_be_bytes())),
            (1700, ValueRef::I64(5), (Text, b"5")),
            (1700, ValueRef::F64(f64::INFINITY), (Text, b"Infinity")),
            (25, ValueRef::I64(5), (Text, b"5")),
            (99_999, ValueRef::Text("happy"), (Text, b"happy")),
            (oid::UUID, ValueRef::Text("x"), (Text, b"x")),
            (oid::TIMESTAMPTZ, ValueRef::TimestampTz(timestamp), (Binary, &1_000_001i64.to_be_bytes())),
            (oid::TIMESTAMP, ValueRef::Date(0), (Text, b"1970-01-01")),
            (oid::BYTEA, ValueRef::Bytes(&[0]), (Binary, &[0])),
        ] {
            assert_eq!(written(oid, value), Ok((expected.0, expected.1.to_vec())), "{oid} {value:?}");
        }
    }

    #[test]
    fn what_would_be_another_value_is_refused() {
        let timestamp = Timestamp { seconds: 0, nanoseconds: 0 };
        let list = Array::encode(&[Dimension { len: 1, lower_bound: 1 }], [ValueRef::I64(1)].into_iter()).unwrap();
        let list = ValueRef::Array(Array::parse(&list).unwrap());
        for (oid, value) in [
            (oid::INT4, ValueRef::I64(1 << 31)),
            (oid::INT2, ValueRef::I32(40_000)),
            (oid::OID, ValueRef::I64(-1)),
            (oid::FLOAT8, ValueRef::I64(i64::MAX)),
            (oid::FLOAT4, ValueRef::F64(1e300)),
            (oid::TIME, ValueRef::Time(u64::MAX)),
            (oid::BYTEA, ValueRef::Text("\\x00")),
            (25, ValueRef::Bytes(b"x")),
            (oid::TIMESTAMPTZ, ValueRef::Timestamp(timestamp)),
            (oid::TIMESTAMP, ValueRef::TimestampTz(timestamp)),
            (oid::DATE, ValueRef::Timestamp(timestamp)),
            (oid::INT8, list),
            (25, list),
        ] {
            assert!(written(oid, value).is_err(), "{oid} {value:?}");
        }
        let error = parameter(1, oid::INT4, ValueRef::I64(1 << 40), &mut BytesMut::new()).unwrap_err();
        assert_eq!(error.to_string(), "the integer does not fit the parameter $2, which is of `int4`");
    }

    #[test]
    fn arrays_are_binary_where_all_their_elements_are() {
        let dimensions = [Dimension { len: 2, lower_bound: 1 }];
        let of = |elements: [ValueRef<'static>; 2]| Array::encode(&dimensions, elements.into_iter()).unwrap();
        let numbers = of([ValueRef::I64(1), ValueRef::Null]);
        let numbers = ValueRef::Array(Array::parse(&numbers).unwrap());
        let (format, bytes) = written(1007, numbers).unwrap();
        assert_eq!(format, Format::Binary);
        let read = array::from_binary(&bytes, Reader::Int4).unwrap();
        assert_eq!(Array::parse(&read).unwrap().get(0), Ok(ValueRef::I32(1)));
        assert_eq!(written(1231, numbers), Ok((Format::Text, b"{1,NULL}".to_vec())));
        let texts = of([ValueRef::Text("a\"b"), ValueRef::Text("NULL")]);
        let texts = ValueRef::Array(Array::parse(&texts).unwrap());
        assert_eq!(written(1009, texts).unwrap().0, Format::Binary);
        assert_eq!(written(99_999, texts), Ok((Format::Text, br#"{"a\"b","NULL"}"#.to_vec())));
    }

    proptest! {
        #[test]
        fn binary_values_read_back(number in any::<i64>(), float in any::<f64>(), days in any::<i32>(), uuid in any::<[u8; 16]>()) {
            let days = ValueRef::Date(datetime::date_from_postgres(days));
            let timestamp = datetime::timestamp_from_postgres(number);
            for (oid, reader, value) in [
                (oid::INT8, Reader::Int8, ValueRef::I64(number)),
                (oid::DATE, Reader::Date, days),
                (oid::TIMESTAMP, Reader::Timestamp, ValueRef::Timestamp(timestamp)),
                (oid::UUID, Reader::Uuid, ValueRef::Uuid(uuid)),
                (oid::INTERVAL, Reader::Interval, ValueRef::Interval { months: 1, days: -2, microseconds: number }),
            ] {
                let (format, bytes) = written(oid, value).unwrap();
                prop_assert_eq!((format, decode::value(reader, &bytes).unwrap()), (Format::Binary, value));
            }
            let (_, bytes) = written(oid::FLOAT8, ValueRef::F64(float)).unwrap();
            prop_assert_eq!(bytes, float.to_be_bytes());
        }

        #[test]
        fn printed_arrays_read_back(texts in proptest::collection::vec(proptest::option::of("[^\\x00]{0,8}"), 1..6)) {
            let dimensions = [Dimension { len: texts.len() as u32, lower_bound: -2 }];
            let values = texts.iter().map(|text| text.as_deref().map_or(ValueRef::Null, ValueRef::Text));
            let encoded = Array::encode(&dimensions, values).unwrap();
            let (_, printed) = written(99_999, ValueRef::Array(Array::parse(&encoded).unwrap())).unwrap();
            prop_assert_eq!(array::from_text(&printed, b',', Kind::TEXT).unwrap(), encoded);
        }
    }
}
