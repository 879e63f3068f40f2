//! From values of a result to Rust values.
//!
//! What is common is decided in place, where the compiler often knows the kind of a value (see `RowBatch::with_value`); the
//! rest by functions that are called.

use crate::{Interval, Value, array, calendar};
use montrs_driver_abi::ValueRef;
use std::{borrow::Cow, fmt, sync::Arc};

/// A Rust type that a column can be read into.
///
/// `'r` is the life of the batch that the row lies in: `&'r str` and `&'r [u8]` borrow from it.
///
/// ```
/// use montrs_orm::{Decode, DecodeError, ValueRef};
///
/// struct Celsius(f64);
///
/// impl<'r> Decode<'r> for Celsius {
///     fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
///         f64::decode(value).map(Celsius)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a column cannot be read into `{Self}`",
    label = "not a type that montrs-orm knows how to read",
    note = "types of other crates need a feature of montrs-orm: bigdecimal, chrono, jiff, json, rust_decimal, time, uuid",
    note = "derive `montrs_orm::SqlType` for a type of your own; in a struct, #[orm(flatten)] is for a field that implements `FromRow`, and #[orm(json)] for one that is JSON"
)]
pub trait Decode<'r>: Sized {
    /// Reads the value.
    ///
    /// # Errors
    ///
    /// When the value does not fit the type. Column, types and row are added by whoever calls.
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError>;

    /// Makes of a text what [`decode`](Self::decode) then reads: a field of a composite comes as the text that the database
    /// prints for it, whatever its type. A type that wraps a number, a boolean, bytes or a vector lets that type do it; for others
    /// the text is what is read.
    ///
    /// ```
    /// use montrs_orm::{Decode, DecodeError, Value, ValueRef};
    ///
    /// struct Celsius(f64);
    ///
    /// impl<'r> Decode<'r> for Celsius {
    ///     fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
    ///         f64::decode(value).map(Celsius)
    ///     }
    ///     fn value_of_text(text: &str) -> Result<Value, DecodeError> {
    ///         f64::value_of_text(text)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is not one of such a value.
    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        Ok(Value::Text(text.to_owned()))
    }

    /// The same for several of these: an array; for `u8`, bytes.
    ///
    /// # Errors
    ///
    /// As for [`value_of_text`](Self::value_of_text).
    #[doc(hidden)]
    fn value_of_vec_text(text: &str) -> Result<Value, DecodeError> {
        array::of_text(text, Self::value_of_text)
    }

    /// Reads several of these from one value: an array; for `u8`, bytes.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode).
    #[doc(hidden)]
    fn decode_vec(value: ValueRef<'r>) -> Result<Vec<Self>, DecodeError> {
        array::decode(value)
    }
}

/// Why a value does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    message: Cow<'static, str>,
    pub(crate) reach: Reach,
}

/// Of which values an error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Of this one.
    Value,
    /// Of this integer and all others outside of a range.
    Range,
    /// Of all of this kind.
    Kind,
}

impl DecodeError {
    /// This very value does not fit the type, although others of its kind may.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), reach: Reach::Value }
    }

    /// No value of this kind fits the type, which a [check](crate::Query::check) finds without a value.
    pub fn of_kind(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), reach: Reach::Kind }
    }

    /// The value is of another kind than the type can hold.
    #[cold]
    pub fn unexpected(value: ValueRef<'_>) -> Self {
        Self::of_kind(match value {
            ValueRef::Null => Cow::Borrowed("it is NULL: use Option where a column can be NULL"),
            ValueRef::OtherBytes(_) => Cow::Borrowed(
                "its bytes are not UTF-8 text, or of a type that has no form of its own here: read them as Vec<u8>",
            ),
            other => Cow::Owned(format!("its value is {}", noun(other))),
        })
    }

    /// A text that is no label of an enum.
    #[cold]
    #[doc(hidden)]
    pub fn unknown_label(label: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|known| format!("{known:?}")).collect::<Vec<_>>().join(", ");
        Self::new(format!("{label:?} is not among its labels, which are {known}"))
    }

    /// A number that is no discriminant of an enum.
    #[cold]
    #[doc(hidden)]
    pub fn unknown_number<N: fmt::Display>(number: N, known: &[(N, &str)]) -> Self {
        let known = known.iter().map(|(number, name)| format!("{number} ({name})")).collect::<Vec<_>>().join(", ");
        Self::new(format!("{number} is not among its numbers, which are {known}"))
    }

    #[cold]
    fn outside(value: i64, min: impl fmt::Display, max: impl fmt::Display) -> Self {
        Self { reach: Reach::Range, ..Self::new(format!("{value} is outside {min} to {max}")) }
    }
}

/// What a value is, in words.
fn noun(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "NULL",
        ValueRef::Bool(_) => "a boolean, which fits bool",
        ValueRef::I16(_) | ValueRef::I32(_) | ValueRef::I64(_) => "an integer, which fits i64",
        ValueRef::F32(_) | ValueRef::F64(_) => "a floating-point number, which fits f64",
        ValueRef::Decimal(_) => "a decimal, which fits a decimal type or String",
        ValueRef::Text(_) => "text, which fits String",
        ValueRef::Bytes(_) => "bytes, which fit Vec<u8>",
        ValueRef::Date(_) => "a date, which fits a date of chrono, jiff or time, or String",
        ValueRef::Time(_) => "a time, which fits a time of chrono, jiff or time, or String",
        ValueRef::Timestamp(_) => {
            "a date and time without time zone, which fits chrono::NaiveDateTime, jiff::civil::DateTime, \
             time::PrimitiveDateTime or String"
        }
        ValueRef::TimestampTz(_) => {
            "a date and time with time zone, which fits chrono::DateTime<Utc>, jiff::Timestamp, time::OffsetDateTime or String"
        }
        ValueRef::Interval { .. } => "an interval, which fits Interval, Duration or String",
        ValueRef::Uuid(_) => "a UUID, which fits uuid::Uuid or String",
        ValueRef::Json(_) => "JSON, which fits Json<T>, serde_json::Value or String",
        ValueRef::Array(_) => "an array, which fits Vec<T>",
        ValueRef::OtherText(_) | ValueRef::OtherBytes(_) => "of a type that has no form of its own here",
    }
}

impl Decode<'_> for bool {
    #[inline(always)]
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Bool(v) => Ok(v),
            // Comparisons are integers in databases without a boolean type.
            ValueRef::I16(0) | ValueRef::I32(0) | ValueRef::I64(0) => Ok(false),
            ValueRef::I16(1) | ValueRef::I32(1) | ValueRef::I64(1) => Ok(true),
            ValueRef::I16(_) | ValueRef::I32(_) | ValueRef::I64(_) => Err(DecodeError {
                reach: Reach::Range,
                ..DecodeError::new("its value is an integer other than 0 and 1")
            }),
            other => Err(DecodeError::unexpected(other)),
        }
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        match text {
            "t" | "true" => Ok(Value::Bool(true)),
            "f" | "false" => Ok(Value::Bool(false)),
            _ => Err(not_text_of("boolean", text)),
        }
    }
}

/// A text that is read as a number or boolean, and is none.
#[cold]
fn not_text_of(what: &str, text: &str) -> DecodeError {
    DecodeError::new(format!("{text:?} is not the text of a {what}"))
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Decode<'_> for $type {
            #[inline(always)]
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
                let wide = match value {
                    ValueRef::I64(v) => v,
                    other => integer(other)?,
                };
                <$type>::try_from(wide).map_err(|_| DecodeError::outside(wide, <$type>::MIN, <$type>::MAX))
            }

            fn value_of_text(text: &str) -> Result<Value, DecodeError> {
                text.parse().map(Value::I64).map_err(|_| not_text_of("number of 64 bits", text))
            }
        })*
    };
}

integers! { i8 i16 i32 i64 isize u16 u32 u64 usize }

fn integer(value: ValueRef<'_>) -> Result<i64, DecodeError> {
    match value {
        ValueRef::I64(v) => Ok(v),
        ValueRef::I32(v) => Ok(v.into()),
        ValueRef::I16(v) => Ok(v.into()),
        // Integers in columns that are declared as something else, in databases without such types.
        ValueRef::Bool(v) => Ok(v.into()),
        ValueRef::Decimal(v) => v.parse().map_err(|_| DecodeError::new(format!("{v} is not an integer of 64 bits"))),
        other => Err(DecodeError::unexpected(other)),
    }
}

impl<'r> Decode<'r> for u8 {
    #[inline]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        let wide = i64::decode(value)?;
        u8::try_from(wide).map_err(|_| DecodeError::outside(wide, u8::MIN, u8::MAX))
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        i64::value_of_text(text)
    }

    fn value_of_vec_text(text: &str) -> Result<Value, DecodeError> {
        bytes_of_text(text)
            .ok_or_else(|| DecodeError::new(format!("{text:?} is not the text of bytes, such as \\x00ff")))
    }

    #[inline]
    fn decode_vec(value: ValueRef<'r>) -> Result<Vec<Self>, DecodeError> {
        match value {
            ValueRef::Uuid(v) => Ok(v.into()),
            other => <&[u8]>::decode(other).map(<[u8]>::to_vec),
        }
    }
}

/// Bytes as `\x` and two digits for each.
fn bytes_of_text(text: &str) -> Option<Value> {
    let digits = text.strip_prefix("\\x").filter(|digits| digits.len() % 2 == 0)?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    digits.chunks_exact(2).map(byte).collect::<Option<_>>().map(Value::Bytes)
}

/// Integers that are decimals, or the text of one, where they are longer than 64 bits.
macro_rules! long_integers {
    ($($type:ty)*) => {
        $(impl Decode<'_> for $type {
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
                match value {
                    ValueRef::Decimal(v) | ValueRef::Text(v) => v.parse().map_err(|_| {
                        DecodeError::new(format!("{v:?} is not an integer from {} to {}", <$type>::MIN, <$type>::MAX))
                    }),
                    other => {
                        let wide = i64::decode(other)?;
                        <$type>::try_from(wide).map_err(|_| DecodeError::outside(wide, <$type>::MIN, <$type>::MAX))
                    }
                }
            }
        })*
    };
}

long_integers! { i128 u128 }

impl Decode<'_> for f64 {
    #[inline(always)]
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::F64(v) => Ok(v),
            other => float(other),
        }
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        text.parse().map(Value::F64).map_err(|_| not_text_of("floating-point number", text))
    }
}

fn float(value: ValueRef<'_>) -> Result<f64, DecodeError> {
    match value {
        ValueRef::F64(v) => Ok(v),
        ValueRef::F32(v) => Ok(v.into()),
        ValueRef::I16(v) => Ok(v.into()),
        ValueRef::I32(v) => Ok(v.into()),
        ValueRef::I64(v) if v.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS => Ok(v as f64),
        ValueRef::I64(v) => Err(DecodeError::new(format!("{v} has no exact form as f64"))),
        ValueRef::Decimal(v) => exact(v)
            .ok_or_else(|| DecodeError::new(format!("{v} has more digits than f64: read it as Decimal or String"))),
        other => Err(DecodeError::unexpected(other)),
    }
}

/// The number of which a decimal is the shortest text, zeros at its end aside.
fn exact(decimal: &str) -> Option<f64> {
    let number: f64 = decimal.parse().ok()?;
    let text = if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal };
    let is_exact = !number.is_finite() || number.to_string() == text || format!("{number:e}") == decimal;
    is_exact.then_some(number)
}

impl Decode<'_> for f32 {
    #[inline]
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let wide = match value {
            ValueRef::F32(v) => return Ok(v),
            other => f64::decode(other)?,
        };
        let narrow = wide as f32;
        if f64::from(narrow) == wide || wide.is_nan() {
            return Ok(narrow);
        }
        Err(DecodeError::new(format!("{wide} has no exact form as f32: use f64")))
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        text.parse().map(Value::F32).map_err(|_| not_text_of("floating-point number", text))
    }
}

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

/// An array, or bytes where the values are bytes.
impl<'r, T: Decode<'r>> Decode<'r> for Vec<T> {
    #[inline]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        T::decode_vec(value)
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        T::value_of_vec_text(text)
    }
}

/// An array, or bytes where the values are bytes, of exactly this length.
impl<'r, T: Decode<'r>, const N: usize> Decode<'r> for [T; N] {
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        T::decode_vec(value)?
            .try_into()
            .map_err(|values: Vec<T>| DecodeError::new(format!("it has {} elements, and {N} are read", values.len())))
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        T::value_of_vec_text(text)
    }
}

impl<'r, T: Decode<'r>> Decode<'r> for Option<T> {
    #[inline]
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Null => Ok(None),
            other => T::decode(other).map(Some),
        }
    }

    fn value_of_text(text: &str) -> Result<Value, DecodeError> {
        T::value_of_text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_abi::Timestamp;

    #[test]
    fn integers_are_checked_and_never_wrapped() {
        assert_eq!(i8::decode(ValueRef::I64(-128)), Ok(-128));
        let error = i8::decode(ValueRef::I64(128)).unwrap_err();
        assert_eq!(error.to_string(), "128 is outside -128 to 127");
        assert!(u64::decode(ValueRef::I16(-1)).is_err());
        assert!(i64::decode(ValueRef::Text("1")).is_err());
    }

    #[test]
    fn what_a_declared_type_made_of_a_number_or_text_can_be_read_as_that() {
        assert_eq!(i64::decode(ValueRef::Bool(true)), Ok(1));
        assert_eq!(i64::decode(ValueRef::Decimal("-7")), Ok(-7));
        assert!(i64::decode(ValueRef::Decimal("7.5")).is_err());
        for (text, number) in [("0.1", 0.1), ("-12.30", -12.3), ("1e300", 1e300), ("7", 7.0), ("1000", 1000.0)] {
            assert_eq!(f64::decode(ValueRef::Decimal(text)), Ok(number), "{text}");
        }
        assert!(f64::decode(ValueRef::Decimal("0.12345678901234567890")).is_err());
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

    #[test]
    fn floats_are_exact_or_refused() {
        assert_eq!(f64::decode(ValueRef::I64(1 << 53)), Ok(9_007_199_254_740_992.0));
        assert!(f64::decode(ValueRef::I64((1 << 53) + 1)).is_err());
        assert!(f64::decode(ValueRef::I64(i64::MIN)).is_err());
        assert_eq!(f32::decode(ValueRef::F64(0.5)), Ok(0.5));
        assert!(f32::decode(ValueRef::F64(0.1)).is_err());
        assert!(f32::decode(ValueRef::F64(f64::NAN)).unwrap().is_nan());
    }

    #[test]
    fn null_needs_an_option() {
        assert_eq!(Option::<i32>::decode(ValueRef::Null), Ok(None));
        assert!(i32::decode(ValueRef::Null).unwrap_err().to_string().contains("Option"));
    }
}
