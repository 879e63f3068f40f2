//! Text and bytes.

use super::{Decode, DecodeError};
use crate::{Interval, Value, calendar};
use montrs_driver_abi::ValueRef;
use std::{borrow::Cow, sync::Arc};

impl<'r> Decode<'r> for &'r str {
    #[inline(always)]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Text(v) | ValueRef::Json(v) | ValueRef::Decimal(v) | ValueRef::OtherText(v) => Ok(v),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

/// Text, and what has one text: UUIDs, dates and times, such as `2024-02-29`, `23:59:59.5`, `2024-02-29 23:59:59.5` and
/// `2024-02-29 23:59:59.5+00:00`; `infinity` and `-infinity` for those of dates; and intervals, as [`Interval`] writes them.
impl Decode<'_> for String {
    #[inline(always)]
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Text(v) => Ok(v.to_owned()),
            other => text(other),
        }
    }
}

fn text(value: ValueRef<'_>) -> Result<String, DecodeError> {
    match value {
        ValueRef::Uuid(v) => Ok(hyphenated(v)),
        ValueRef::Date(v) => Ok(calendar::date(v)),
        ValueRef::Time(v) => Ok(calendar::time(v)),
        ValueRef::Timestamp(v) => Ok(calendar::timestamp(v)),
        ValueRef::TimestampTz(v) => Ok(calendar::timestamp_tz(v)),
        ValueRef::Interval { months, days, microseconds } => Ok(Interval { months, days, microseconds }.to_string()),
        other => <&str>::decode(other).map(str::to_owned),
    }
}

/// A UUID's text: 36 characters in lower case.
fn hyphenated(uuid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
    }
    text
}

impl<'r> Decode<'r> for Cow<'r, str> {
    #[inline]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Uuid(_)
            | ValueRef::Date(_)
            | ValueRef::Time(_)
            | ValueRef::Timestamp(_)
            | ValueRef::TimestampTz(_)
            | ValueRef::Interval { .. } => String::decode(value).map(Cow::Owned),
            other => <&str>::decode(other).map(Cow::Borrowed),
        }
    }
}

impl Decode<'_> for Box<str> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        String::decode(value).map(Into::into)
    }
}

impl Decode<'_> for Arc<str> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        Cow::decode(value).map(Into::into)
    }
}

impl<'r> Decode<'r> for &'r [u8] {
    #[inline(always)]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Bytes(v) | ValueRef::OtherBytes(v) => Ok(v),
            ValueRef::Text(v) | ValueRef::Json(v) | ValueRef::OtherText(v) => Ok(v.as_bytes()),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

impl<'r> Decode<'r> for Cow<'r, [u8]> {
    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        u8::value_of_vec_text(text)
    }

    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Uuid(v) => Ok(Cow::Owned(v.into())),
            other => <&[u8]>::decode(other).map(Cow::Borrowed),
        }
    }
}

/// Bytes as `\x` and two digits for each.
pub(super) fn bytes_of_text(text: &str) -> Option<Value> {
    let digits = text.strip_prefix("\\x").filter(|digits| digits.len() % 2 == 0)?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    digits.chunks_exact(2).map(byte).collect::<Option<_>>().map(Value::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_abi::Timestamp;

    #[test]
    fn a_uuid_has_its_text() {
        let uuid = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0, 1, 2, 3, 4, 5, 6, 0xff];
        assert_eq!(String::decode(ValueRef::Uuid(uuid)).unwrap(), "12345678-9abc-def0-0001-0203040506ff");
    }

    #[test]
    fn what_a_declared_type_made_a_date_or_time_can_be_read_as_text() {
        let at = |seconds| Timestamp { seconds, nanoseconds: 500_000_000 };
        for (value, text) in [
            (ValueRef::Date(19_782), "2024-02-29"),
            (ValueRef::Time(86_399_500_000_000), "23:59:59.5"),
            (ValueRef::Time(86_400_000_000_000), "24:00:00"),
            (ValueRef::Timestamp(at(1_709_251_199)), "2024-02-29 23:59:59.5"),
            (ValueRef::TimestampTz(at(1_709_251_199)), "2024-02-29 23:59:59.5+00:00"),
            (ValueRef::Date(i64::MAX), "infinity"),
            (ValueRef::TimestampTz(at(i64::MIN)), "-infinity"),
        ] {
            assert_eq!(String::decode(value).unwrap(), text);
            assert_eq!(Cow::<str>::decode(value).unwrap(), text);
            let error = <&str>::decode(value).unwrap_err().to_string();
            assert!(error.contains("or String"), "{error}");
        }
        assert_eq!(Cow::<str>::decode(ValueRef::Uuid([255; 16])).unwrap(), "ffffffff-ffff-ffff-ffff-ffffffffffff");
    }
}
