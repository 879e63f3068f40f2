//! How a result is printed, whatever the format.

use crate::failure::Failure;
use montrs_orm::ValueRef;

/// A format. The calls are [`begin`](Self::begin), [`row`](Self::row) for each row, [`end`](Self::end); or
/// [`done`](Self::done) alone.
pub(crate) trait RowWriter {
    /// The statement has a result with these columns.
    fn begin(&mut self, names: &[&str]) -> Result<(), Failure>;

    /// The next row, with a value for each column.
    fn row(&mut self, values: &[ValueRef<'_>]) -> Result<(), Failure>;

    /// There are no more rows.
    fn end(&mut self) -> Result<(), Failure>;

    /// The statement has no result; this is what it did.
    fn done(&mut self, rows_affected: u64, last_insert_id: Option<i64>) -> Result<(), Failure>;
}
