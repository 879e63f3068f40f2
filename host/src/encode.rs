//! From Rust values to parameters.

use crate::{Value, array};
use montrs_driver_abi::{DriverError, ParamBuffer, ValueRef};
use std::{borrow::Cow, sync::Arc};

/// A Rust type that can be bound to a parameter.
///
/// ```
/// use montrs_orm::{Encode, EncodeError, Encoded, ValueRef};
///
/// struct Celsius(f64);
///
/// impl Encode for Celsius {
///     fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
///         if self.0 < -273.15 {
///             return Err(EncodeError::new("a temperature below absolute zero"));
///         }
///         Ok(Encoded::Borrowed(ValueRef::F64(self.0)))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be bound to a parameter",
    label = "not a type that montrs-orm knows how to send",
    note = "types of other crates need a feature of montrs-orm: bigdecimal, chrono, jiff, json, rust_decimal, time, uuid",
    note = "derive `montrs_orm::SqlType` for a type of your own; what serde can serialize is bound as `montrs_orm::Json(value)`"
)]
pub trait Encode {
    /// The value to send.
    ///
    /// # Errors
    ///
    /// When this very value has no form that can be sent.
    fn encode(&self) -> Result<Encoded<'_>, EncodeError>;

    /// The value to send for several of these: an array; for `u8`, bytes.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    #[doc(hidden)]
    fn encode_slice(values: &[Self]) -> Result<Encoded<'_>, EncodeError>
    where
        Self: Sized,
    {
        array::encode(values)
    }
}

/// A value to send: borrowed from the Rust value, or made of it.
#[derive(Clone, Debug)]
pub enum Encoded<'a> {
    /// Borrowed.
    Borrowed(ValueRef<'a>),
    /// Made for the purpose.
    Owned(Value),
}

impl Encoded<'_> {
    /// The value.
    #[inline]
    pub(crate) fn value(&self) -> Result<ValueRef<'_>, EncodeError> {
        match self {
            Self::Borrowed(value) => Ok(*value),
            Self::Owned(value) => value.as_ref(),
        }
    }
}

/// Why a value cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl EncodeError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Appends a value to the parameters.
#[inline]
pub(crate) fn push<T: Encode + ?Sized>(
    parameters: &mut ParamBuffer,
    name: Option<&str>,
    value: &T,
) -> Result<(), EncodeError> {
    let encoded = value.encode()?;
    let value = encoded.value()?;
    let pushed = match name {
        Some(name) => parameters.push_named(name.trim_start_matches([':', '@', '$']), value),
        None => parameters.push(value),
    };
    pushed.map_err(|error: DriverError| EncodeError::new(error.to_string()))
}

macro_rules! encode {
    ($($type:ty => |$value:ident| $encoded:expr;)*) => {
        $(impl Encode for $type {
            #[inline]
            fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
                let $value = self;
                Ok(Encoded::Borrowed($encoded))
            }
        })*
    };
}

encode! {
    bool => |v| ValueRef::Bool(*v);
    i8 => |v| ValueRef::I16((*v).into());
    i16 => |v| ValueRef::I16(*v);
    i32 => |v| ValueRef::I32(*v);
    i64 => |v| ValueRef::I64(*v);
    u16 => |v| ValueRef::I32((*v).into());
    u32 => |v| ValueRef::I64((*v).into());
    f32 => |v| ValueRef::F32(*v);
    f64 => |v| ValueRef::F64(*v);
    str => |v| ValueRef::Text(v);
    String => |v| ValueRef::Text(v);
}

impl Encode for u8 {
    #[inline]
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::I16((*self).into())))
    }

    #[inline]
    fn encode_slice(values: &[Self]) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Bytes(values)))
    }
}

/// Integers that may be larger than the largest of databases.
macro_rules! large_integers {
    ($($type:ty)*) => {
        $(impl Encode for $type {
            fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
                let value = i64::try_from(*self).map_err(|_| {
                    EncodeError::new(format!(
                        "{self} is larger than {}, the largest integer of a database; an i128 goes to a column of decimals",
                        i64::MAX
                    ))
                })?;
                Ok(Encoded::Borrowed(ValueRef::I64(value)))
            }
        })*
    };
}

large_integers! { isize u64 usize }

/// Integers that are decimals where they are longer than 64 bits.
macro_rules! long_integers {
    ($($type:ty)*) => {
        $(impl Encode for $type {
            fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
                Ok(match i64::try_from(*self) {
                    Ok(value) => Encoded::Borrowed(ValueRef::I64(value)),
                    Err(_) => Encoded::Owned(Value::Decimal(self.to_string())),
                })
            }
        })*
    };
}

long_integers! { i128 u128 }

/// An array, or bytes where the values are bytes.
impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        T::encode_slice(self)
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        T::encode_slice(self)
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    #[inline]
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        T::encode_slice(self)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        match self {
            Some(value) => value.encode(),
            None => Ok(Encoded::Borrowed(ValueRef::Null)),
        }
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    #[inline]
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        (**self).encode()
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        (**self).encode()
    }
}

impl<T: Encode + ?Sized> Encode for Arc<T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        (**self).encode()
    }
}

impl<T: Encode + ToOwned + ?Sized> Encode for Cow<'_, T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        (**self).encode()
    }
}

impl Encode for ValueRef<'_> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(*self))
    }
}
