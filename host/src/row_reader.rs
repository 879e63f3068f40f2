//! Reading a row by the plan of a type.

use crate::{
    DbError, Decode, DecodeError, FromRow, Plan, Row,
    plan::{MISSING, NO_POSITION},
};
use std::fmt;

/// Reads the columns of one row in the order of a plan.
pub struct RowReader<'r> {
    row: Row<'r>,
    positions: std::slice::Iter<'r, u32>,
    /// The positions, where the plan is made for this row alone; `positions` is then empty.
    own_positions: std::vec::IntoIter<u32>,
}

impl<'r> RowReader<'r> {
    #[inline]
    pub(crate) fn new(row: Row<'r>, plan: &'r Plan) -> Self {
        Self { row, positions: plan.positions.iter(), own_positions: Vec::new().into_iter() }
    }

    pub(crate) fn with_own_plan(row: Row<'r>, plan: Plan) -> Self {
        Self { row, positions: [].iter(), own_positions: plan.positions.into_iter() }
    }

    /// The next column's value.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::Decode`](crate::DbErrorKind::Decode), with column, SQL type, Rust type and row.
    #[inline(always)]
    pub fn take<T: Decode<'r>>(&mut self) -> Result<T, DbError> {
        let position = self.next()?;
        self.row.at(position)
    }

    #[inline(always)]
    fn next(&mut self) -> Result<usize, DbError> {
        match self.positions.next() {
            Some(position) => Ok(*position as usize),
            None => self.next_of_own(),
        }
    }

    #[cold]
    fn next_of_own(&mut self) -> Result<usize, DbError> {
        self.own_positions.next().map(|position| position as usize).ok_or_else(takes_too_many)
    }

    /// The next column's value, or the type's default where the result does not have the column.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take).
    #[inline]
    pub fn take_or_default<T: Decode<'r> + Default>(&mut self) -> Result<T, DbError> {
        self.take_or_else(T::default)
    }

    /// The next column's value, or this default where the result does not have the column.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take).
    #[inline]
    pub fn take_or_else<T: Decode<'r>>(&mut self, default: impl FnOnce() -> T) -> Result<T, DbError> {
        if self.skip_missing() { Ok(default()) } else { self.take() }
    }

    /// Whether the result does not have the next column, which is then skipped.
    #[inline]
    pub fn skip_missing(&mut self) -> bool {
        let is_missing = self.rest().first() == Some(&MISSING);
        if is_missing {
            self.skip(1);
        }
        is_missing
    }

    /// The next column's value, read as one type and made another.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take), and when the type cannot be made of the value.
    #[inline]
    pub fn take_try_from<Raw, T>(&mut self) -> Result<T, DbError>
    where
        Raw: Decode<'r>,
        T: TryFrom<Raw, Error: fmt::Display>,
    {
        let position = self.next()?;
        self.row.at_with(position, |value| {
            T::try_from(Raw::decode(value)?).map_err(|error| DecodeError::new(error.to_string()))
        })
    }

    /// The type of the next columns, or `None` where all of them are NULL or missing: the outer side of a left join.
    ///
    /// # Errors
    ///
    /// Those of the type's [`FromRow::read`].
    #[inline]
    pub fn take_optional<T: FromRow<'r>>(&mut self) -> Result<Option<T>, DbError> {
        let len = match self.rest().first() {
            Some(len) if len & NO_POSITION != 0 => (len & !NO_POSITION) as usize,
            _ => return Err(takes_too_many()),
        };
        self.skip(1);
        let columns = self.rest().get(..len).ok_or_else(takes_too_many)?;
        let has_value = |position: &u32| position & NO_POSITION == 0 && !self.row.is_null(*position as usize);
        if columns.iter().any(has_value) {
            return T::read(self).map(Some);
        }
        self.skip(len);
        Ok(None)
    }

    /// The entries of the plan that were not taken yet.
    #[inline]
    fn rest(&self) -> &[u32] {
        match self.positions.as_slice() {
            [] => self.own_positions.as_slice(),
            rest => rest,
        }
    }

    #[inline]
    fn skip(&mut self, entries: usize) {
        if entries > 0 && self.positions.nth(entries - 1).is_none() {
            self.own_positions.nth(entries - 1);
        }
    }
}

#[cold]
fn takes_too_many() -> DbError {
    DbError::decode("`FromRow::read` takes more columns than `FromRow::resolve` has named")
}
