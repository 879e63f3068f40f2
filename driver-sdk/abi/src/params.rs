//! Parameters on the wire: one row of cells, with a name for each where names are used.

use crate::{BatchError, Cell, DriverError, Kind, UseValue, ValueRef, write_value};
use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr, RString, RVec},
};

/// The parameters of one call, borrowed from the host's [`ParamBuffer`].
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Params<'a> {
    cells: RSlice<'a, Cell>,
    /// Empty, or one text or NULL for each cell.
    names: RSlice<'a, Cell>,
    text: RStr<'a>,
    bytes: RSlice<'a, u8>,
}

impl<'a> Params<'a> {
    /// The cells of one row of a batch.
    #[inline]
    pub(crate) fn of_row(cells: &'a [Cell], text: &'a str, bytes: &'a [u8]) -> Self {
        Self { cells: cells.into(), names: RSlice::EMPTY, text: text.into(), bytes: bytes.into() }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether any has a name.
    #[inline]
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The value at this index, from 0.
    ///
    /// # Errors
    ///
    /// When there is no such parameter, or its value is not where its cell says.
    pub fn get(&self, index: usize) -> Result<ValueRef<'a>, BatchError> {
        let cell = self.cells.as_slice().get(index).ok_or(BatchError::OutsideBatch)?;
        cell.read(self.text.as_str(), self.bytes.as_slice())
    }

    /// Gives what [`get`](Self::get) answers to `user`, in place for the kinds that make up most of all values.
    #[inline(always)]
    pub fn with_value<U: UseValue<'a>>(&self, index: usize, user: U) -> U::Output {
        match self.cells.as_slice().get(index) {
            Some(cell) => cell.with_value(self.text.as_str(), self.bytes.as_slice(), user),
            None => user.use_value(Err(BatchError::OutsideBatch)),
        }
    }

    /// Whether an array is among the values.
    #[inline]
    pub fn has_arrays(&self) -> bool {
        self.cells.iter().any(|cell| cell.kind() == Kind::ARRAY)
    }

    /// The name at this index, from 0, without a leading sign.
    pub fn name(&self, index: usize) -> Option<&'a str> {
        match self.names.as_slice().get(index)?.read(self.text.as_str(), &[]) {
            Ok(ValueRef::Text(name)) => Some(name),
            _ => None,
        }
    }

    /// A copy that outlives the call.
    pub fn to_buffer(&self) -> ParamBuffer {
        ParamBuffer {
            cells: self.cells.to_rvec(),
            names: self.names.to_rvec(),
            text: self.text.into(),
            bytes: self.bytes.to_rvec(),
        }
    }
}

/// Parameters that are being collected.
#[derive(Clone, Debug, Default)]
pub struct ParamBuffer {
    cells: RVec<Cell>,
    names: RVec<Cell>,
    text: RString,
    bytes: RVec<u8>,
}

impl ParamBuffer {
    /// Appends a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TOO_LARGE`](crate::ErrorKind::TOO_LARGE) for a value of 4 GiB or more.
    #[inline]
    pub fn push(&mut self, value: ValueRef<'_>) -> Result<(), DriverError> {
        let cell = write_value(value, &mut self.text, &mut self.bytes)?;
        self.cells.push(cell);
        if !self.names.is_empty() {
            self.names.push(Cell::NULL);
        }
        Ok(())
    }

    /// Appends a value under a name, which has no leading sign.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    pub fn push_named(&mut self, name: &str, value: ValueRef<'_>) -> Result<(), DriverError> {
        self.names.resize(self.cells.len(), Cell::NULL);
        let name = write_value(ValueRef::Text(name), &mut self.text, &mut self.bytes)?;
        let cell = write_value(value, &mut self.text, &mut self.bytes)?;
        self.names.push(name);
        self.cells.push(cell);
        Ok(())
    }

    /// Empties it. The buffers are used again, unless they are large.
    #[inline]
    pub fn clear(&mut self) {
        const LARGE: usize = 64 * 1024;
        if self.text.capacity().max(self.bytes.capacity()).max(self.cells.capacity()) > LARGE {
            *self = Self::default();
            return;
        }
        self.cells.clear();
        self.names.clear();
        self.text.clear();
        self.bytes.clear();
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The form that crosses.
    #[inline]
    pub fn as_params(&self) -> Params<'_> {
        Params {
            cells: self.cells.as_rslice(),
            names: self.names.as_rslice(),
            text: self.text.as_rstr(),
            bytes: self.bytes.as_rslice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_read_back_also_from_a_copy() {
        let mut buffer = ParamBuffer::default();
        buffer.push(ValueRef::I32(1)).unwrap();
        buffer.push_named("name", ValueRef::Text("Ada")).unwrap();
        buffer.push(ValueRef::Bytes(b"x")).unwrap();
        for buffer in [buffer.clone(), buffer.as_params().to_buffer()] {
            let params = buffer.as_params();
            assert_eq!(params.get(0), Ok(ValueRef::I32(1)));
            assert_eq!(params.get(1), Ok(ValueRef::Text("Ada")));
            assert_eq!(params.get(2), Ok(ValueRef::Bytes(b"x")));
            assert_eq!(params.get(3), Err(BatchError::OutsideBatch));
            assert_eq!((params.name(0), params.name(1), params.name(2)), (None, Some("name"), None));
        }
    }
}
