//! Rows on the wire.

use crate::{
    ArrayError, Cell, DriverError, Kind, Params, UseValue, ValueRef,
    cell::{write_unchecked_text, write_value},
};
use abi_stable::{StableAbi, std_types::RVec};
use std::fmt;

/// Rows as a driver writes them: `rows * columns` cells, row after row, and the heaps of text and bytes.
///
/// Nothing in it is trusted. The host makes a [`RowBatch`] of it, which checks.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Batch {
    rows: u32,
    columns: u32,
    cells: RVec<Cell>,
    text: RVec<u8>,
    bytes: RVec<u8>,
}

impl Batch {
    /// An empty batch without buffers.
    pub const EMPTY: Self = Self { rows: 0, columns: 0, cells: RVec::new(), text: RVec::new(), bytes: RVec::new() };

    /// Empties the batch, keeping its buffers, and sets how many columns its rows have.
    #[inline]
    pub fn clear(&mut self, columns: usize) {
        self.rows = 0;
        self.set_columns(columns);
        self.cells.clear();
        self.text.clear();
        self.bytes.clear();
    }

    /// Sets how many columns the rows have, where that shows with the first one; before the row is ended.
    #[inline]
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = u32::try_from(columns).unwrap_or(u32::MAX);
    }

    /// Appends the next value of the row that is being written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TOO_LARGE`](crate::ErrorKind::TOO_LARGE) for a value of 4 GiB or more.
    #[inline(always)] // As `write_value` is.
    pub fn push(&mut self, value: ValueRef<'_>) -> Result<(), DriverError> {
        let cell = write_value(value, &mut self.text, &mut self.bytes)?;
        self.cells.push(cell);
        Ok(())
    }

    /// Appends bytes as the next value, of a kind whose values are text, without looking whether they are UTF-8.
    ///
    /// One look at [`text`](Self::text) when the batch is full is cheaper than one a value; the host looks anyway, and
    /// refuses the whole batch.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    #[inline]
    pub fn push_unchecked_text(&mut self, kind: Kind, value: &[u8]) -> Result<(), DriverError> {
        let cell = write_unchecked_text(kind, value, &mut self.text)?;
        self.cells.push(cell);
        Ok(())
    }

    /// Ends the row that is being written.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Forgets the row that is being written.
    pub fn abandon_row(&mut self) {
        self.cells.truncate(self.rows as usize * self.columns as usize);
    }

    /// How many rows were ended.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// How many columns a row has.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// How many bytes the batch holds.
    #[inline]
    pub fn size(&self) -> usize {
        self.cells.len() * Cell::SIZE + self.text.len() + self.bytes.len()
    }

    /// The heap of text, which may not be UTF-8 yet.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Gives every text that is not UTF-8 the kind [`Kind::OTHER_BYTES`], so that the rest of the batch can be read.
    #[inline]
    pub fn demote_invalid_text(&mut self) {
        if !is_utf8(&self.text) {
            self.demote();
        }
    }

    #[cold]
    fn demote(&mut self) {
        let mut text = RVec::with_capacity(self.text.len());
        for cell in self.cells.iter_mut() {
            let Some(value) = cell.in_text_heap(&self.text) else {
                continue;
            };
            let kind = cell.kind();
            let moved = match std::str::from_utf8(value) {
                Ok(_) => write_unchecked_text(kind, value, &mut text),
                Err(_) => write_value(ValueRef::OtherBytes(value), &mut text, &mut self.bytes),
            };
            // A value that was pushed once is not too large for a second time.
            *cell = moved.unwrap_or(Cell::NULL);
        }
        self.text = text;
    }

    /// Checks the batch, so that it can be read.
    ///
    /// # Errors
    ///
    /// What does not fit together: a fault of the driver.
    pub fn check(self) -> Result<RowBatch, BatchError> {
        let mut rows = RowBatch { batch: self, rows: 0 };
        rows.check()?;
        Ok(rows)
    }
}

/// Rows that can be read.
#[derive(Debug)]
pub struct RowBatch {
    batch: Batch,
    /// The rows that can be read: none until the batch was checked, and while it is written to.
    rows: usize,
}

impl RowBatch {
    /// No rows, and no buffers.
    pub const EMPTY: Self = Self { batch: Batch::EMPTY, rows: 0 };

    /// The batch, to be written to anew. Nothing can be read until it was [checked](Self::check).
    #[inline]
    pub fn refill(&mut self) -> &mut Batch {
        self.rows = 0;
        &mut self.batch
    }

    /// Checks what was written to the batch, so that it can be read.
    ///
    /// # Errors
    ///
    /// As for [`Batch::check`].
    #[inline]
    pub fn check(&mut self) -> Result<(), BatchError> {
        self.rows = 0;
        let Batch { rows, columns, cells, text, .. } = &self.batch;
        if cells.len() as u64 != u64::from(*rows) * u64::from(*columns) {
            return Err(BatchError::WrongLength);
        }
        if !is_utf8(text) {
            return Err(BatchError::NotUtf8);
        }
        self.rows = *rows as usize;
        Ok(())
    }

    /// How many rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns a row has.
    #[inline]
    pub fn columns(&self) -> usize {
        self.batch.columns()
    }

    /// The value in this row and column, both counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such row or column, or the value is not where its cell says.
    pub fn value(&self, row: usize, column: usize) -> Result<ValueRef<'_>, BatchError> {
        self.cell(row, column).ok_or(BatchError::OutsideBatch)?.read(self.text(), &self.batch.bytes)
    }

    /// Gives what [`value`](Self::value) answers to `user`, in place for the kinds that make up most of all values.
    #[inline(always)]
    pub fn with_value<'b, U: UseValue<'b>>(&'b self, row: usize, column: usize, user: U) -> U::Output {
        match self.cell(row, column) {
            Some(cell) => cell.with_value(self.text(), &self.batch.bytes, user),
            None => user.use_value(Err(BatchError::OutsideBatch)),
        }
    }

    #[inline]
    fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        if row < self.rows && column < self.columns() {
            self.batch.cells.get(row * self.columns() + column)
        } else {
            None
        }
    }

    /// The heap of text.
    #[inline]
    fn text(&self) -> &str {
        if self.rows == 0 {
            return "";
        }
        // SAFETY: there are rows only after `check` has found the text to be UTF-8, and until `refill` lets it be changed.
        unsafe { std::str::from_utf8_unchecked(&self.batch.text) }
    }

    /// A row as the parameters of a statement, `None` where there is no such row.
    #[inline]
    pub fn params(&self, row: usize) -> Option<Params<'_>> {
        // There are `rows * columns` cells, so this does not overflow.
        let start = (row < self.rows).then(|| row * self.columns())?;
        Some(Params::of_row(&self.batch.cells[start..start + self.columns()], self.text(), &self.batch.bytes))
    }

    /// The batch's buffers, for the driver to use again.
    pub fn into_spare(self) -> Batch {
        let mut spare = self.batch;
        spare.clear(0);
        spare
    }
}

/// Whether the text is UTF-8. Most is ASCII, which is found out in half the time.
#[inline]
fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

/// A batch, parameter or array that is not what it should be: a fault of the side that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The number of cells or the length of a value is not what it should be.
    WrongLength,
    /// A cell points outside its heap, or into the middle of a character.
    OutsideHeap,
    /// A row or column that the batch does not have.
    OutsideBatch,
    /// The heap of text is not UTF-8.
    NotUtf8,
    /// A kind of a later version.
    UnknownKind(Kind),
    /// An array that cannot be read.
    Array(ArrayError),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength => f.write_str("a value or batch from the driver has the wrong length"),
            Self::OutsideHeap => f.write_str("a value from the driver points outside its batch"),
            Self::OutsideBatch => f.write_str("there is no such row or column in the batch"),
            Self::NotUtf8 => f.write_str("the driver sent text that is not UTF-8"),
            Self::UnknownKind(kind) => write!(f, "the driver sent a value of a kind that is not known here: {kind:?}"),
            Self::Array(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BatchError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, Dimension, Timestamp};
    use proptest::prelude::*;

    #[test]
    fn every_kind_reads_back() {
        let array = Array::encode(
            &[Dimension { len: 2, lower_bound: 1 }],
            [ValueRef::Text("grüße"), ValueRef::Null].into_iter(),
        )
        .unwrap();
        let values = [
            ValueRef::Null,
            ValueRef::Bool(true),
            ValueRef::I16(-7),
            ValueRef::I32(i32::MIN),
            ValueRef::I64(i64::MAX),
            ValueRef::F32(-0.5),
            ValueRef::F64(f64::INFINITY),
            ValueRef::Decimal("-12.30"),
            ValueRef::Text("grüße"),
            ValueRef::Bytes(&[0, 255]),
            ValueRef::Date(-1),
            ValueRef::Time(86_400_000_000_000),
            ValueRef::Timestamp(Timestamp { seconds: -1, nanoseconds: 999_999_999 }),
            ValueRef::TimestampTz(Timestamp { seconds: i64::MAX, nanoseconds: 0 }),
            ValueRef::Interval { months: -1, days: 2, microseconds: -3 },
            ValueRef::Uuid([9; 16]),
            ValueRef::Json("{}"),
            ValueRef::Array(Array::parse(&array).unwrap()),
            ValueRef::OtherText("(1,2)"),
            ValueRef::OtherBytes(&[1]),
        ];
        let mut batch = Batch::EMPTY;
        batch.clear(values.len());
        for _ in 0..2 {
            values.iter().for_each(|value| batch.push(*value).unwrap());
            batch.end_row();
        }
        let rows = batch.check().unwrap();
        for row in 0..2 {
            for (column, value) in values.iter().enumerate() {
                assert_eq!(rows.value(row, column).unwrap(), *value);
            }
        }
        assert_eq!(rows.value(2, 0), Err(BatchError::OutsideBatch));
        assert_eq!(rows.value(0, values.len()), Err(BatchError::OutsideBatch));
    }

    #[test]
    fn rows_cannot_be_read_while_they_are_written() {
        let mut rows = RowBatch::EMPTY;
        for text in ["grüße", "more"] {
            let batch = rows.refill();
            batch.clear(1);
            batch.push(ValueRef::Text(text)).unwrap();
            batch.end_row();
            assert_eq!((rows.rows(), rows.value(0, 0)), (0, Err(BatchError::OutsideBatch)));
            rows.check().unwrap();
            assert_eq!(rows.value(0, 0), Ok(ValueRef::Text(text)));
        }
        let batch = rows.refill();
        batch.clear(1);
        batch.push_unchecked_text(Kind::TEXT, b"\xff").unwrap();
        batch.end_row();
        assert_eq!(rows.check(), Err(BatchError::NotUtf8));
        assert_eq!(rows.rows(), 0);
    }

    #[test]
    fn rows_are_read_as_parameters() {
        let mut batch = Batch::EMPTY;
        batch.clear(2);
        for (number, text) in [(1, "one"), (2, "zwölf")] {
            batch.push(ValueRef::I64(number)).unwrap();
            batch.push(ValueRef::Text(text)).unwrap();
            batch.end_row();
        }
        let rows = batch.check().unwrap();
        let second = rows.params(1).unwrap();
        assert_eq!((second.len(), second.has_names()), (2, false));
        assert_eq!((second.get(0), second.get(1)), (Ok(ValueRef::I64(2)), Ok(ValueRef::Text("zwölf"))));
        assert_eq!(second.get(2), Err(BatchError::OutsideBatch));
        assert!(rows.params(2).is_none());
        let mut empty = Batch::EMPTY;
        empty.end_row();
        assert!(empty.check().unwrap().params(0).unwrap().is_empty());
    }

    #[test]
    fn invalid_text_is_demoted_and_its_neighbours_stay() {
        let mut batch = Batch::EMPTY;
        batch.clear(3);
        batch.push(ValueRef::Text("before")).unwrap();
        batch.push_unchecked_text(Kind::TEXT, b"\xff\xfe").unwrap();
        batch.push(ValueRef::Json("[]")).unwrap();
        batch.end_row();
        batch.demote_invalid_text();
        let rows = batch.check().unwrap();
        assert_eq!(rows.value(0, 0), Ok(ValueRef::Text("before")));
        assert_eq!(rows.value(0, 1), Ok(ValueRef::OtherBytes(b"\xff\xfe")));
        assert_eq!(rows.value(0, 2), Ok(ValueRef::Json("[]")));
    }

    #[test]
    fn a_row_without_its_end_is_refused_or_abandoned() {
        let half = || {
            let mut batch = Batch::EMPTY;
            batch.clear(2);
            batch.push(ValueRef::I32(1)).unwrap();
            batch
        };
        assert_eq!(half().check().unwrap_err(), BatchError::WrongLength);
        let mut batch = half();
        batch.abandon_row();
        assert_eq!(batch.check().unwrap().rows(), 0);
    }

    struct AsText;

    impl UseValue<'_> for AsText {
        type Output = String;

        fn use_value(self, value: Result<ValueRef<'_>, BatchError>) -> String {
            format!("{value:?}")
        }
    }

    proptest! {
        /// Whatever a driver sends, reading it ends in a value or an error.
        #[test]
        fn any_cells_over_any_heaps_are_read_or_refused(
            cells in proptest::collection::vec(any::<[u8; 16]>(), 0..20),
            text in ".{0,40}",
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            small in any::<bool>(),
        ) {
            let cells: RVec<Cell> = cells
                .into_iter()
                .map(|mut cell| {
                    if small {
                        cell[0] %= 21;
                        cell[5..8].fill(0);
                        cell[9..].fill(0);
                    }
                    Cell::from_le_bytes(&cell)
                })
                .collect();
            let count = cells.len();
            let batch = Batch {
                rows: 1,
                columns: count as u32,
                cells,
                text: text.into_bytes().into(),
                bytes: bytes.into(),
            };
            let rows = batch.check().unwrap();
            for column in 0..=count {
                let value = rows.value(0, column);
                // As text, because NaN is not equal to itself.
                prop_assert_eq!(rows.with_value(0, column, AsText), format!("{value:?}"));
                if let Ok(ValueRef::Array(array)) = value {
                    for index in 0..array.len() {
                        let _ = array.get(index);
                    }
                }
            }
        }
    }
}
