//! From values of a result to Rust values.
//!
//! What is common is decided in place, where the compiler often knows the kind of a value (see `RowBatch::with_value`); the
//! rest by functions that are called.

mod number;
mod text;

use crate::{Value, array};
use montrs_driver_abi::ValueRef;
use std::{borrow::Cow, fmt};

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

    #[test]
    fn null_needs_an_option() {
        assert_eq!(Option::<i32>::decode(ValueRef::Null), Ok(None));
        assert!(i32::decode(ValueRef::Null).unwrap_err().to_string().contains("Option"));
    }
}
