//! `serde_json::Value`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value};
use montrs_driver_abi::ValueRef;

impl Encode for serde_json::Value {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Owned(Value::Json(self.to_string())))
    }
}

impl Decode<'_> for serde_json::Value {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Json(text) | ValueRef::Text(text) => {
                serde_json::from_str(text).map_err(|error| DecodeError::new(format!("its text is not JSON: {error}")))
            }
            ValueRef::Bytes(_) => Err(DecodeError::new(
                "its value is bytes: let SQL make text of it, by a function such as json(column), or read it as Vec<u8>",
            )),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}
