//! A row of parameters that is being written.

use crate::{Encode, EncodeError, ToParams, encode};
use montrs_driver_abi::{Batch, ParamBuffer};

/// A row of parameters that is being written.
pub struct ParamRow<'b> {
    target: Target<'b>,
    /// How many values were pushed, or were meant to be.
    len: usize,
    /// What the names of a flattened struct's parameters begin with.
    prefix: String,
    /// The name of the value that was pushed last, where values have names.
    name: Option<String>,
}

/// Where the values go, and whether they are told apart by place or name.
enum Target<'b> {
    Batch(&'b mut Batch),
    Positions(&'b mut ParamBuffer),
    Names(&'b mut ParamBuffer),
}

impl<'b> ParamRow<'b> {
    pub(crate) fn in_batch(batch: &'b mut Batch) -> Self {
        Self::new(Target::Batch(batch))
    }

    pub(crate) fn by_position(values: &'b mut ParamBuffer) -> Self {
        Self::new(Target::Positions(values))
    }

    pub(crate) fn by_name(values: &'b mut ParamBuffer) -> Self {
        Self::new(Target::Names(values))
    }

    fn new(target: Target<'b>) -> Self {
        Self { target, len: 0, prefix: String::new(), name: None }
    }

    /// How many values were pushed; the last one may have failed.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The name of the value that was pushed last.
    pub(crate) fn into_last_name(self) -> Option<String> {
        self.name
    }

    /// Appends the next value.
    ///
    /// # Errors
    ///
    /// When this very value has no form that can be sent; when values are bound by name, of which this one has none.
    #[inline]
    pub fn push(&mut self, value: impl Encode) -> Result<(), EncodeError> {
        self.len += 1;
        match &mut self.target {
            Target::Batch(batch) => {
                let encoded = value.encode()?;
                batch.push(encoded.value()?).map_err(|error| EncodeError::new(error.to_string()))
            }
            Target::Positions(values) => encode::push(values, None, &value),
            Target::Names(_) => {
                self.name = None;
                Err(EncodeError::new("it has no name: what derives ToParams has, tuples and vectors have not"))
            }
        }
    }

    /// Appends the next value, which has this name where values are bound by name.
    ///
    /// # Errors
    ///
    /// When this very value has no form that can be sent.
    pub fn push_named<T: Encode>(&mut self, name: &str, value: T) -> Result<(), EncodeError> {
        let Target::Names(values) = &mut self.target else {
            return self.push(value);
        };
        self.len += 1;
        let name = self.name.insert(format!("{}{name}", self.prefix));
        encode::push(values, Some(name), &value)
    }

    /// Appends the values of another row of parameters, whose names get this prefix.
    ///
    /// # Errors
    ///
    /// Those of its [`ToParams::to_params`].
    pub fn flatten<T: ToParams>(&mut self, prefix: &str, row: &T) -> Result<(), EncodeError> {
        let outer = self.prefix.len();
        self.prefix.push_str(prefix);
        row.to_params(self)?;
        self.prefix.truncate(outer);
        Ok(())
    }
}

impl std::fmt::Debug for ParamRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParamRow").field("len", &self.len).finish_non_exhaustive()
    }
}
