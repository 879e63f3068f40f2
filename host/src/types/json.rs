//! `serde_json::Value`, and what serde makes of a type.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value, row::short_type_name};
use montrs_driver_abi::ValueRef;
use serde::{Deserialize, Serialize};

/// A value that is JSON in the database: of a type for JSON, or text. NULL is read as `null`, so `Json<Option<T>>` reads it too.
///
/// ```
/// use montrs_orm::Json;
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct Settings {
///     dark: bool,
/// }
///
/// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
/// db.execute("UPDATE users SET settings = $1").bind(Json(Settings { dark: true })).await?;
/// let Json(settings) = db.query("SELECT settings FROM users").fetch_scalar::<Json<Settings>>().await?;
/// # assert!(settings.dark);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json<T: ?Sized>(pub T);

impl<T: Serialize + ?Sized> Encode for Json<T> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        match serde_json::to_string(&self.0) {
            Ok(text) => Ok(Encoded::Owned(Value::Json(text))),
            Err(error) => Err(EncodeError::new(format!("it cannot be written as JSON: {error}"))),
        }
    }
}

impl<'r, T: Deserialize<'r>> Decode<'r> for Json<T> {
    fn decode(value: ValueRef<'r>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Json(text) | ValueRef::Text(text) => serde_json::from_str(text)
                .map(Self)
                .map_err(|error| DecodeError::new(format!("its JSON does not fit: {error}"))),
            ValueRef::Bytes(_) => Err(bytes()),
            // NULL is JSON's null for a type that takes it.
            ValueRef::Null => serde_json::from_str("null").map(Self).map_err(|_| null::<T>()),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

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
            ValueRef::Bytes(_) => Err(bytes()),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

#[cold]
fn null<T>() -> DecodeError {
    let name = short_type_name::<T>();
    DecodeError::new(format!("it is NULL: use Option<{name}> for what is in the JSON, so that NULL is None"))
}

#[cold]
fn bytes() -> DecodeError {
    DecodeError::new(
        "its value is bytes: let SQL make text of it, by a function such as json(column), or read it as Vec<u8>",
    )
}
