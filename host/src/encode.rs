//! From Rust values to parameters.

use crate::Value;
use montrs_driver_abi::{DriverError, ParamBuffer, ValueRef};

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
    note = "types of other crates need a feature of montrs-orm: chrono, json, rust_decimal, uuid",
    note = "implement `montrs_orm::Encode` for a type of your own"
)]
pub trait Encode {
    /// The value to send.
    ///
    /// # Errors
    ///
    /// When this very value has no form that can be sent.
    fn encode(&self) -> Result<Encoded<'_>, EncodeError>;
}

/// A value to send: borrowed from the Rust value, or made of it.
#[derive(Clone, Debug)]
pub enum Encoded<'a> {
    /// Borrowed.
    Borrowed(ValueRef<'a>),
    /// Made for the purpose.
    Owned(Value),
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
    let value = match &encoded {
        Encoded::Borrowed(value) => *value,
        Encoded::Owned(value) => value.as_ref()?,
    };
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
    u8 => |v| ValueRef::I16((*v).into());
    u16 => |v| ValueRef::I32((*v).into());
    u32 => |v| ValueRef::I64((*v).into());
    f32 => |v| ValueRef::F32(*v);
    f64 => |v| ValueRef::F64(*v);
    str => |v| ValueRef::Text(v);
    String => |v| ValueRef::Text(v);
    [u8] => |v| ValueRef::Bytes(v);
    Vec<u8> => |v| ValueRef::Bytes(v);
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Bytes(self)))
    }
}

impl Encode for u64 {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let value = i64::try_from(*self).map_err(|_| {
            EncodeError::new(format!("{self} is larger than {}, the largest integer of a database", i64::MAX))
        })?;
        Ok(Encoded::Borrowed(ValueRef::I64(value)))
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

impl<T: Encode + ToOwned + ?Sized> Encode for std::borrow::Cow<'_, T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        (**self).encode()
    }
}

impl Encode for ValueRef<'_> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(*self))
    }
}
