//! What is bound to a query.

use crate::{DbError, DbErrorKind, Encode, EncodeError, ParamRow, ToParams, encode};
use montrs_driver_abi::ParamBuffer;

/// What was bound to a query.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) values: ParamBuffer,
    /// The first one that could not be encoded.
    pub(crate) error: Option<DbError>,
}

impl Parameters {
    /// Empties them for the next query.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.error = None;
    }

    /// Adds a value; the first one that cannot be encoded is kept as an error.
    #[inline]
    pub(crate) fn push(&mut self, name: Option<&str>, value: &impl Encode) {
        if let Err(error) = encode::push(&mut self.values, name, value) {
            let parameter = match name {
                Some(name) => format!(":{name}"),
                None => format!("${}", self.values.len() + 1),
            };
            self.refuse(&parameter, &error);
        }
    }

    /// Adds the values of a row.
    pub(crate) fn push_all(&mut self, row: &impl ToParams) {
        let before = self.values.len();
        let mut values = ParamRow::by_position(&mut self.values);
        let (pushed, len) = (row.to_params(&mut values), values.len());
        if let Err(error) = pushed {
            self.refuse(&format!("${}", before + len), &error);
        }
    }

    /// Adds the values of a row by their names.
    pub(crate) fn push_all_named(&mut self, row: &impl ToParams) {
        let mut values = ParamRow::by_name(&mut self.values);
        let (pushed, number) = (row.to_params(&mut values), values.len());
        let name = values.into_last_name();
        if let Err(error) = pushed {
            self.refuse(&name.map_or_else(|| format!("${number}"), |name| format!(":{name}")), &error);
        }
    }

    #[cold]
    pub(crate) fn refuse(&mut self, parameter: &str, error: &EncodeError) {
        let error = DbError::new(DbErrorKind::Encode, format!("parameter {parameter} cannot be sent: {error}"));
        self.error.get_or_insert(error);
    }
}
