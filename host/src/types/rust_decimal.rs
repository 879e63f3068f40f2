//! `rust_decimal::Decimal`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value};
use montrs_driver_abi::ValueRef;
use rust_decimal::Decimal;

impl Encode for Decimal {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Owned(Value::Decimal(self.to_string())))
    }
}

impl Decode<'_> for Decimal {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Decimal(text) | ValueRef::Text(text) => Decimal::from_str_exact(text)
                .or_else(|error| Decimal::from_scientific(text).map_err(|_| error))
                .map_err(|error| DecodeError::new(format!("{text:?} has no exact form as Decimal: {error}"))),
            ValueRef::I16(v) => Ok(v.into()),
            ValueRef::I32(v) => Ok(v.into()),
            ValueRef::I64(v) => Ok(v.into()),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}
