//! An array as one value.
//!
//! All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | number of dimensions, at most [`MAX_DIMENSIONS`] |
//! | 4 | number of elements |
//! | 4 | length of the text |
//! | 8 for each dimension | its length (u32) and lower bound (i32) |
//! | 16 for each element, the last dimension varying fastest | its [`Cell`], whose offsets count from the parts below |
//! | as said above | text |
//! | the rest | bytes |

use crate::{BatchError, Cell, DriverError, ErrorKind, ValueRef, write_value};
use abi_stable::std_types::{RString, RVec};
use std::fmt;

/// PostgreSQL has no more than six either.
pub(crate) const MAX_DIMENSIONS: usize = 6;
const HEADER: usize = 12;

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// How many elements.
    pub len: u32,
    /// The index of the first; 1 unless somebody chose otherwise.
    pub lower_bound: i32,
}

/// An array, borrowed from a batch or a buffer.
#[derive(Clone, Copy, PartialEq)]
pub struct Array<'a> {
    whole: &'a [u8],
    dimensions: &'a [u8],
    cells: &'a [u8],
    text: &'a str,
    bytes: &'a [u8],
}

/// An array that cannot be read: a fault of the side that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayError(&'static str);

impl fmt::Display for ArrayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array cannot be read: {}", self.0)
    }
}

impl<'a> Array<'a> {
    /// Reads an array, checking its header.
    ///
    /// # Errors
    ///
    /// When the bytes are not such an array.
    pub fn parse(whole: &'a [u8]) -> Result<Self, ArrayError> {
        const SHORT: ArrayError = ArrayError("it is too short");
        let (header, rest) = whole.split_first_chunk::<HEADER>().ok_or(SHORT)?;
        let number = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]) as usize;
        let (dimensions, elements, text_len) = (number(0), number(4), number(8));
        if dimensions > MAX_DIMENSIONS {
            return Err(ArrayError("it has too many dimensions"));
        }
        let (dimensions, rest) = rest.split_at_checked(dimensions * 8).ok_or(SHORT)?;
        let cells_len = elements.checked_mul(Cell::SIZE).ok_or(SHORT)?;
        let (cells, rest) = rest.split_at_checked(cells_len).ok_or(SHORT)?;
        let (text, bytes) = rest.split_at_checked(text_len).ok_or(SHORT)?;
        let text = std::str::from_utf8(text).map_err(|_| ArrayError("its text is not UTF-8"))?;
        let array = Self { whole, dimensions, cells, text, bytes };
        let product = array.dimensions().try_fold(1u64, |n, d| n.checked_mul(d.len.into()));
        let expected = if dimensions.is_empty() { Some(0) } else { product };
        if expected != Some(elements as u64) {
            return Err(ArrayError("its dimensions do not fit its elements"));
        }
        Ok(array)
    }

    /// Makes the bytes of an array; no dimension means an empty one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ENCODE`] when the dimensions do not fit the elements, [`ErrorKind::TOO_LARGE`] from 4 GiB on.
    pub fn encode<'v>(
        dimensions: &[Dimension],
        elements: impl Iterator<Item = ValueRef<'v>>,
    ) -> Result<Vec<u8>, DriverError> {
        let (mut cells, mut text, mut bytes) = (Vec::new(), RString::new(), RVec::new());
        let mut count = 0u64;
        for element in elements {
            cells.extend(write_value(element, &mut text, &mut bytes)?.to_le_bytes());
            count += 1;
        }
        let product = dimensions.iter().try_fold(1u64, |n, d| n.checked_mul(d.len.into()));
        let expected = if dimensions.is_empty() { Some(0) } else { product };
        if dimensions.len() > MAX_DIMENSIONS || expected != Some(count) {
            let message = format!("an array of {count} elements does not have the dimensions {dimensions:?}");
            return Err(DriverError::new(ErrorKind::ENCODE, message));
        }
        let number = |n: usize| {
            u32::try_from(n).map_err(|_| DriverError::new(ErrorKind::TOO_LARGE, "an array of 4 GiB or more"))
        };
        let mut out = Vec::with_capacity(HEADER + dimensions.len() * 8 + cells.len() + text.len() + bytes.len());
        for n in [dimensions.len(), count as usize, text.len()] {
            out.extend(number(n)?.to_le_bytes());
        }
        for dimension in dimensions {
            out.extend(dimension.len.to_le_bytes());
            out.extend(dimension.lower_bound.to_le_bytes());
        }
        out.extend(cells);
        out.extend(text.as_bytes());
        out.extend(bytes.as_slice());
        Ok(out)
    }

    /// The dimensions, outermost first; none for an empty array.
    pub fn dimensions(&self) -> impl ExactSizeIterator<Item = Dimension> + use<'a> {
        self.dimensions.chunks_exact(8).map(|d| Dimension {
            len: u32::from_le_bytes([d[0], d[1], d[2], d[3]]),
            lower_bound: i32::from_le_bytes([d[4], d[5], d[6], d[7]]),
        })
    }

    /// How many elements, over all dimensions.
    pub fn len(&self) -> usize {
        self.cells.len() / Cell::SIZE
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The element at this index, from 0, the last dimension varying fastest.
    ///
    /// # Errors
    ///
    /// When there is no such element, or it is not where its cell says.
    pub fn get(&self, index: usize) -> Result<ValueRef<'a>, BatchError> {
        let (cells, _) = self.cells.as_chunks::<{ Cell::SIZE }>();
        let cell = cells.get(index).ok_or(BatchError::OutsideBatch)?;
        Cell::from_le_bytes(cell).read(self.text, self.bytes)
    }

    /// The array as it lies in a heap of bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.whole
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len()).map(|index| self.get(index))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_array_with_two_dimensions_and_nulls_reads_back() {
        let dimensions = [Dimension { len: 2, lower_bound: 1 }, Dimension { len: 2, lower_bound: -3 }];
        let elements = [ValueRef::I32(1), ValueRef::Null, ValueRef::Text("x"), ValueRef::Bytes(b"yz")];
        let encoded = Array::encode(&dimensions, elements.into_iter()).unwrap();
        let array = Array::parse(&encoded).unwrap();
        assert!(array.dimensions().eq(dimensions));
        assert!((0..4).map(|i| array.get(i).unwrap()).eq(elements));
        assert_eq!(array.get(4), Err(BatchError::OutsideBatch));
        for end in 0..encoded.len() - 2 {
            assert!(Array::parse(&encoded[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn dimensions_that_do_not_fit_are_refused() {
        let dimension = [Dimension { len: 3, lower_bound: 1 }];
        let error = Array::encode(&dimension, [ValueRef::Null].into_iter()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ENCODE);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), small in any::<bool>()) {
            let mut bytes = bytes;
            if small {
                bytes.iter_mut().take(HEADER).for_each(|b| *b &= 3);
            }
            if let Ok(array) = Array::parse(&bytes) {
                for index in 0..array.len() {
                    let _ = array.get(index);
                }
            }
        }
    }
}
