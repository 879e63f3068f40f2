//! Booleans and numbers.

use super::{Decode, DecodeError, Reach, text};
use crate::Value;
use montrs_driver_abi::ValueRef;

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
        text::bytes_of_text(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_zero_and_one_where_a_database_has_none() {
        for one in [ValueRef::I16(1), ValueRef::I32(1), ValueRef::I64(1), ValueRef::Bool(true)] {
            assert_eq!(bool::decode(one), Ok(true));
        }
        for zero in [ValueRef::I16(0), ValueRef::I32(0), ValueRef::I64(0), ValueRef::Bool(false)] {
            assert_eq!(bool::decode(zero), Ok(false));
        }
        assert!(bool::decode(ValueRef::I64(2)).is_err());
    }

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
}
