//! Binding: a value as SQLite stores it.
//!
//! | value | stored as |
//! |---|---|
//! | bool | INTEGER 0 or 1 |
//! | i16, i32, i64 | INTEGER |
//! | f32, f64 | REAL; NaN is refused, because SQLite would store NULL |
//! | decimal, text, JSON, other text | TEXT |
//! | bytes, other bytes | BLOB |
//! | date | TEXT `YYYY-MM-DD` |
//! | time | TEXT `HH:MM:SS[.fraction]` |
//! | timestamp | TEXT `YYYY-MM-DD HH:MM:SS[.fraction]` |
//! | timestamp with time zone | the same in UTC, with `+00:00` |
//! | UUID | TEXT, 36 characters in lower case |
//! | interval | TEXT of ISO 8601, such as `P14M3DT4.5S` |
//! | array | refused |

use crate::{
    datetime::{self, Unwritable},
    error::Fault,
    statement::Statement,
};
use montrs_driver_sdk::{Error, ErrorKind, ValueRef};
use std::ffi::c_int;
use uuid::Uuid;

/// Binds a value to a parameter; `name` is the parameter's name for people.
#[inline(always)] // Where the kind is known, nothing is left of the match.
pub(crate) fn bind(
    statement: &mut Statement,
    parameter: c_int,
    value: ValueRef<'_>,
    name: impl Fn() -> String,
) -> Result<(), Fault> {
    let refuse = |what: &str, hint: &str| {
        let message = format!("{what} cannot be bound to the parameter {}", name());
        Err(Fault::Error(Error::new(ErrorKind::ENCODE, message).with_hint(hint)))
    };
    let text = match value {
        ValueRef::Null => return Ok(statement.bind_null(parameter)?),
        ValueRef::Bool(value) => return Ok(statement.bind_integer(parameter, value.into())?),
        ValueRef::I16(value) => return Ok(statement.bind_integer(parameter, value.into())?),
        ValueRef::I32(value) => return Ok(statement.bind_integer(parameter, value.into())?),
        ValueRef::I64(value) => return Ok(statement.bind_integer(parameter, value)?),
        ValueRef::F32(value) if value.is_nan() => return refuse("NaN", NAN_HINT),
        ValueRef::F64(value) if value.is_nan() => return refuse("NaN", NAN_HINT),
        ValueRef::F32(value) => return Ok(statement.bind_real(parameter, value.into())?),
        ValueRef::F64(value) => return Ok(statement.bind_real(parameter, value)?),
        ValueRef::Decimal(value) | ValueRef::Text(value) | ValueRef::Json(value) | ValueRef::OtherText(value) => {
            return Ok(statement.bind_text(parameter, value)?);
        }
        ValueRef::Bytes(value) | ValueRef::OtherBytes(value) => return Ok(statement.bind_blob(parameter, value)?),
        ValueRef::Uuid(value) => {
            let mut buffer = Uuid::encode_buffer();
            let text = Uuid::from_bytes(value).hyphenated().encode_lower(&mut buffer);
            return Ok(statement.bind_text(parameter, text)?);
        }
        ValueRef::Date(days) => datetime::write_date(days),
        ValueRef::Time(nanoseconds) => datetime::write_time(nanoseconds),
        ValueRef::Timestamp(timestamp) => datetime::write_timestamp(timestamp),
        ValueRef::TimestampTz(timestamp) => datetime::write_timestamp(timestamp).map(|text| text + "+00:00"),
        ValueRef::Interval { months, days, microseconds } => {
            return Ok(statement.bind_text(parameter, &interval(months, days, microseconds))?);
        }
        ValueRef::Array(_) => {
            let hint = "SQLite has no arrays; bind a list to `IN ($1)`, with nothing else in the parentheses, in each row of many or in none, or a JSON array, such as \
                 Json(values), and read it with json_each()";
            return refuse("an array", hint);
        }
    };
    match text {
        Ok(text) => Ok(statement.bind_text(parameter, &text)?),
        Err(Unwritable::Infinite) => refuse("an infinite date", "SQLite has none; bind NULL, or a far date"),
        Err(Unwritable::Year) => refuse("a date outside the years 0000 to 9999", "SQLite's dates end there"),
        Err(Unwritable::Time) => refuse("a time that is not within a day", "times are from 00:00 to 24:00"),
    }
}

/// Months, days and seconds, each with its sign: `P14M3DT-4.5S`.
fn interval(months: i32, days: i32, microseconds: i64) -> String {
    let mut text = String::from("P");
    if months != 0 {
        text.push_str(&format!("{months}M"));
    }
    if days != 0 {
        text.push_str(&format!("{days}D"));
    }
    if microseconds != 0 || (months, days) == (0, 0) {
        let sign = if microseconds < 0 { "-" } else { "" };
        let (seconds, fraction) = (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
        text.push_str(&format!("T{sign}{seconds}"));
        if fraction != 0 {
            text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
        text.push('S');
    }
    text
}

const NAN_HINT: &str = "SQLite would store NULL; bind NULL if that is meant";
