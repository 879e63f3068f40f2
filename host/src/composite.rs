//! Several values in one: what `#[orm(composite)]` makes of a struct.
//!
//! A composite crosses as its text, the literal of a row. That is what databases with composite types print and read, and what
//! others store.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value, literal};
use montrs_driver_abi::ValueRef;

/// Writes the fields of a composite, in their order.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct CompositeWriter(literal::Row);

impl CompositeWriter {
    /// Adds the next field.
    ///
    /// # Errors
    ///
    /// When its value has no text.
    pub fn push<T: Encode>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        let text = value.encode().and_then(|encoded| literal::text(encoded.value()?));
        self.0.push(text.map_err(|error| EncodeError::new(format!("its field {name}: {error}")))?.as_deref());
        Ok(())
    }

    /// The value to send.
    #[must_use]
    pub fn finish(self) -> Encoded<'static> {
        Encoded::Owned(Value::OtherText(self.0.finish()))
    }
}

/// Reads the fields of a composite, in their order.
#[doc(hidden)]
#[derive(Debug)]
pub struct CompositeReader(std::vec::IntoIter<Option<String>>);

impl CompositeReader {
    /// The composite that a value is, which has as many fields as there are names.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn new(value: ValueRef<'_>, names: &[&str]) -> Result<Self, DecodeError> {
        let (ValueRef::OtherText(text) | ValueRef::Text(text)) = value else {
            return Err(DecodeError::unexpected(value));
        };
        let fields = literal::row(text)?;
        if fields.len() != names.len() {
            let (count, names) = (fields.len(), names.join(", "));
            return Err(DecodeError::new(format!("its fields are {count}, and read are {names}: {text}")));
        }
        Ok(Self(fields.into_iter()))
    }

    /// The next field.
    ///
    /// # Errors
    ///
    /// When its value does not fit.
    pub fn take<T: for<'f> Decode<'f>>(&mut self, name: &str) -> Result<T, DecodeError> {
        let value = match self.0.next().flatten() {
            Some(text) => <T as Decode<'_>>::value_of_text(&text),
            None => Ok(Value::Null),
        };
        let decoded =
            value.and_then(|value| T::decode(value.as_ref().map_err(|error| DecodeError::new(error.to_string()))?));
        decoded.map_err(|error| DecodeError::new(format!("its field {name}: {error}")))
    }
}
