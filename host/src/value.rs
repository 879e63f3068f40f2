//! A value of a type that is not known before.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Interval};
use montrs_driver_abi::{Array, Timestamp, ValueRef};

/// A value that owns what it holds. [`ValueRef`] is its borrowed form, and documents the variants.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is documented at the constant of its name in Kind")]
pub enum Value {
    Null,
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal(String),
    Text(String),
    Bytes(Vec<u8>),
    Date(i64),
    Time(u64),
    Timestamp(Timestamp),
    TimestampTz(Timestamp),
    Interval {
        months: i32,
        days: i32,
        microseconds: i64,
    },
    Uuid([u8; 16]),
    Json(String),
    /// An array in its encoded form; see [`Array::parse`].
    Array(Vec<u8>),
    OtherText(String),
    OtherBytes(Vec<u8>),
}

impl Value {
    /// The borrowed form.
    ///
    /// # Errors
    ///
    /// For a [`Value::Array`] whose bytes are not an encoded array.
    pub fn as_ref(&self) -> Result<ValueRef<'_>, EncodeError> {
        Ok(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(v) => ValueRef::Bool(*v),
            Self::I16(v) => ValueRef::I16(*v),
            Self::I32(v) => ValueRef::I32(*v),
            Self::I64(v) => ValueRef::I64(*v),
            Self::F32(v) => ValueRef::F32(*v),
            Self::F64(v) => ValueRef::F64(*v),
            Self::Decimal(v) => ValueRef::Decimal(v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Bytes(v) => ValueRef::Bytes(v),
            Self::Date(v) => ValueRef::Date(*v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::Timestamp(v) => ValueRef::Timestamp(*v),
            Self::TimestampTz(v) => ValueRef::TimestampTz(*v),
            Self::Interval { months, days, microseconds } => {
                ValueRef::Interval { months: *months, days: *days, microseconds: *microseconds }
            }
            Self::Uuid(v) => ValueRef::Uuid(*v),
            Self::Json(v) => ValueRef::Json(v),
            Self::Array(v) => ValueRef::Array(Array::parse(v).map_err(|error| EncodeError::new(error.to_string()))?),
            Self::OtherText(v) => ValueRef::OtherText(v),
            Self::OtherBytes(v) => ValueRef::OtherBytes(v),
        })
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Bool(v) => Self::Bool(v),
            ValueRef::I16(v) => Self::I16(v),
            ValueRef::I32(v) => Self::I32(v),
            ValueRef::I64(v) => Self::I64(v),
            ValueRef::F32(v) => Self::F32(v),
            ValueRef::F64(v) => Self::F64(v),
            ValueRef::Decimal(v) => Self::Decimal(v.into()),
            ValueRef::Text(v) => Self::Text(v.into()),
            ValueRef::Bytes(v) => Self::Bytes(v.into()),
            ValueRef::Date(v) => Self::Date(v),
            ValueRef::Time(v) => Self::Time(v),
            ValueRef::Timestamp(v) => Self::Timestamp(v),
            ValueRef::TimestampTz(v) => Self::TimestampTz(v),
            ValueRef::Interval { months, days, microseconds } => Self::Interval { months, days, microseconds },
            ValueRef::Uuid(v) => Self::Uuid(v),
            ValueRef::Json(v) => Self::Json(v.into()),
            ValueRef::Array(v) => Self::Array(v.as_bytes().into()),
            ValueRef::OtherText(v) => Self::OtherText(v.into()),
            ValueRef::OtherBytes(v) => Self::OtherBytes(v.into()),
        }
    }
}

impl From<Interval> for Value {
    fn from(Interval { months, days, microseconds }: Interval) -> Self {
        Self::Interval { months, days, microseconds }
    }
}

impl Decode<'_> for Value {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        Ok(value.into())
    }
}

impl<'r> Decode<'r> for ValueRef<'r> {
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        Ok(value)
    }
}

impl Encode for Value {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(self.as_ref()?))
    }
}
