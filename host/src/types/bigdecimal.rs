//! `bigdecimal::BigDecimal`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value};
use bigdecimal::BigDecimal;
use montrs_driver_abi::ValueRef;

impl Encode for BigDecimal {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        // In digits as long as those are few, with an exponent otherwise.
        Ok(Encoded::Owned(Value::Decimal(self.to_string())))
    }
}

impl Decode<'_> for BigDecimal {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Decimal(text) | ValueRef::Text(text) => {
                text.parse().map_err(|error| DecodeError::new(format!("{text:?} has no form as BigDecimal: {error}")))
            }
            ValueRef::I16(v) => Ok(v.into()),
            ValueRef::I32(v) => Ok(v.into()),
            ValueRef::I64(v) => Ok(v.into()),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}
