//! Values as text that the server reads as it reads a literal.

use crate::{datetime, types};
use montrs_driver_sdk::{Array, ValueRef};
use std::fmt::Write;

/// The text of a value that is text already.
pub(crate) fn borrowed(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(text) | ValueRef::Decimal(text) | ValueRef::Json(text) | ValueRef::OtherText(text) => Some(text),
        _ => None,
    }
}

/// Writes a value.
pub(crate) fn value(value: ValueRef<'_>, out: &mut String) {
    // Writing to a string does not fail.
    let _ = match value {
        ValueRef::Null => Ok(()),
        ValueRef::Bool(v) => write!(out, "{v}"),
        ValueRef::I16(v) => write!(out, "{v}"),
        ValueRef::I32(v) => write!(out, "{v}"),
        ValueRef::I64(v) => write!(out, "{v}"),
        ValueRef::F32(v) if v.is_infinite() => out.write_str(infinity(v > 0.0)),
        ValueRef::F64(v) if v.is_infinite() => out.write_str(infinity(v > 0.0)),
        ValueRef::F32(v) => write!(out, "{v}"),
        ValueRef::F64(v) => write!(out, "{v}"),
        ValueRef::Decimal(v) | ValueRef::Text(v) | ValueRef::Json(v) | ValueRef::OtherText(v) => out.write_str(v),
        ValueRef::Bytes(v) | ValueRef::OtherBytes(v) => {
            out.push_str("\\x");
            v.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        ValueRef::Date(v) => {
            datetime::write_date(v, out);
            Ok(())
        }
        ValueRef::Time(v) => {
            datetime::write_time(v, out);
            Ok(())
        }
        ValueRef::Timestamp(v) => {
            datetime::write_timestamp(v, "", out);
            Ok(())
        }
        ValueRef::TimestampTz(v) => {
            datetime::write_timestamp(v, "+00", out);
            Ok(())
        }
        // The infinite ones, of PostgreSQL since version 17.
        ValueRef::Interval { months: i32::MAX, days: i32::MAX, microseconds: i64::MAX } => out.write_str("infinity"),
        ValueRef::Interval { months: i32::MIN, days: i32::MIN, microseconds: i64::MIN } => out.write_str("-infinity"),
        ValueRef::Interval { months, days, microseconds } => {
            write!(out, "{months} mons {days} days {microseconds} us")
        }
        ValueRef::Uuid(v) => v.iter().enumerate().try_for_each(|(index, byte)| {
            let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(out, "{hyphen}{byte:02x}")
        }),
        ValueRef::Array(array) => {
            print_array(array, types::COMMA, out);
            Ok(())
        }
    };
}

fn infinity(is_positive: bool) -> &'static str {
    if is_positive { "Infinity" } else { "-Infinity" }
}

/// `{1,NULL,"a\"b"}`, with the bounds before it where one is not 1.
pub(crate) fn print_array(array: Array<'_>, delimiter: u8, out: &mut String) {
    let dimensions: Vec<_> = array.dimensions().collect();
    if array.is_empty() {
        return out.push_str("{}");
    }
    if dimensions.iter().any(|dimension| dimension.lower_bound != 1) {
        for dimension in &dimensions {
            let upper = i64::from(dimension.lower_bound) + i64::from(dimension.len) - 1;
            let _ = write!(out, "[{}:{upper}]", dimension.lower_bound);
        }
        out.push('=');
    }
    let lens: Vec<usize> = dimensions.iter().map(|dimension| dimension.len as usize).collect();
    let mut next = 0;
    level(array, &lens, &mut next, delimiter.into(), out);
}

fn level(array: Array<'_>, lens: &[usize], next: &mut usize, delimiter: char, out: &mut String) {
    let Some((len, inner)) = lens.split_first() else {
        element(array.get(*next).unwrap_or(ValueRef::Null), out);
        *next += 1;
        return;
    };
    out.push('{');
    for index in 0..*len {
        if index > 0 {
            out.push(delimiter);
        }
        level(array, inner, next, delimiter, out);
    }
    out.push('}');
}

fn element(element: ValueRef<'_>, out: &mut String) {
    if element == ValueRef::Null {
        return out.push_str("NULL");
    }
    let mut text = String::new();
    value(element, &mut text);
    let is_bare = !text.is_empty()
        && !text.eq_ignore_ascii_case("NULL")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b':' | b'_'));
    if is_bare {
        return out.push_str(&text);
    }
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::Timestamp;

    fn printed(of: ValueRef<'_>) -> String {
        let mut out = String::new();
        value(of, &mut out);
        out
    }

    #[test]
    fn values_are_printed_as_postgres_reads_them() {
        let timestamp = Timestamp { seconds: 86_399, nanoseconds: 500_000_000 };
        for (value, text) in [
            (ValueRef::Bool(true), "true"),
            (ValueRef::F64(-1.5), "-1.5"),
            (ValueRef::F32(f32::NEG_INFINITY), "-Infinity"),
            (ValueRef::F64(f64::NAN), "NaN"),
            (ValueRef::Bytes(&[0, 255]), "\\x00ff"),
            (ValueRef::Time(1_000_000), "00:00:00.001000"),
            (ValueRef::Timestamp(timestamp), "1970-01-01 23:59:59.500000"),
            (ValueRef::TimestampTz(timestamp), "1970-01-01 23:59:59.500000+00"),
            (ValueRef::Interval { months: 1, days: -2, microseconds: 3 }, "1 mons -2 days 3 us"),
            (ValueRef::Uuid([17; 16]), "11111111-1111-1111-1111-111111111111"),
        ] {
            assert_eq!(printed(value), text);
        }
    }
}
