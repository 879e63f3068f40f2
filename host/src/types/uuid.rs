//! `uuid::Uuid`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded};
use montrs_driver_abi::ValueRef;
use uuid::Uuid;

impl Encode for Uuid {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Uuid(*self.as_bytes())))
    }
}

impl Decode<'_> for Uuid {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Uuid(bytes) => Ok(Uuid::from_bytes(bytes)),
            ValueRef::Text(text) => {
                Uuid::try_parse(text).map_err(|error| DecodeError::new(format!("its text is not a UUID: {error}")))
            }
            ValueRef::Bytes(bytes) => Uuid::from_slice(bytes)
                .map_err(|_| DecodeError::new(format!("a UUID has 16 bytes, and the value has {}", bytes.len()))),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}
