//! Which columns of a result a type reads.

use crate::{Columns, DbError, DbErrorKind, Decode, FromRow, check, row::short_type_name};
use std::borrow::Cow;

/// Where in a result the columns of a type are.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) positions: Vec<u32>,
    /// What does not fit, where that is [asked for](Plan::misfits) instead of the positions.
    misfits: Option<Vec<String>>,
    /// Whether the number of columns is one of the misfits, so that single ones are not told as well.
    is_miscounted: bool,
    /// What the names of the type's columns begin with, in a type that is flattened.
    prefix: String,
    /// Whether the columns are those of a type that may be missing, so that all of them may be NULL.
    may_be_null: bool,
}

/// Set in what is no position: [`MISSING`], or the number of entries after it that belong to a type which may be missing.
pub(crate) const NO_POSITION: u32 = 1 << 31;

/// The position of a column that is missing and has a default.
pub(crate) const MISSING: u32 = u32::MAX;

impl Plan {
    pub(crate) fn of<'r, T: FromRow<'r>>(columns: &Columns) -> Result<Self, DbError> {
        let mut plan = Self::default();
        let resolved =
            T::resolve(columns, &mut plan).map_err(|error| if columns.is_empty() { no_rows() } else { error });
        resolved.map_err(|error| error.during(format_args!("cannot read rows into {}", short_type_name::<T>())))?;
        Ok(plan)
    }

    /// All that does not fit between a type and columns: names, kinds of values, NULL.
    pub(crate) fn misfits<'r, T: FromRow<'r>>(columns: &Columns) -> Result<Vec<String>, DbError> {
        let mut plan = Self { misfits: Some(Vec::new()), ..Self::default() };
        T::resolve(columns, &mut plan)?;
        Ok(plan.misfits.unwrap_or_default())
    }

    /// Adds the column of this name, which is read as `T`.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is none, or more than one.
    pub fn column<'r, T: Decode<'r>>(&mut self, columns: &Columns, name: &str) -> Result<(), DbError> {
        let position = columns.require(&self.prefixed(name));
        self.add::<T>(columns, position.map(Some))
    }

    /// Adds the column of this name, which is read as `T`, or a gap for [`RowReader::take_or_else`](crate::RowReader::take_or_else).
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is more than one.
    pub fn optional_column<'r, T: Decode<'r>>(&mut self, columns: &Columns, name: &str) -> Result<(), DbError> {
        let position = columns.position(&self.prefixed(name));
        self.add::<T>(columns, position)
    }

    /// Requires that the result has so many columns, which are then named by [`next_column`](Self::next_column).
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there are not exactly so many.
    pub fn column_count(&mut self, columns: &Columns, count: usize) -> Result<(), DbError> {
        if columns.len() == count {
            return Ok(());
        }
        self.is_miscounted = true;
        let is_or_are = if count == 1 { "is" } else { "are" };
        let message =
            format!("the result has {}, and {count} {is_or_are} read by position", counted(columns.len(), "column"));
        self.miscounted(message)
    }

    /// Adds the column after the one that was added last, whatever its name. It is read as `T`.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is none.
    pub fn next_column<'r, T: Decode<'r>>(&mut self, columns: &Columns) -> Result<(), DbError> {
        let position = self.positions.iter().rfind(|entry| *entry & NO_POSITION == 0);
        let position = position.map_or(0, |last| *last as usize + 1);
        if position >= columns.len() {
            if self.misfits.is_some() && self.is_miscounted {
                return Ok(());
            }
            let message = format!("the result has {}, and more are read by position", counted(columns.len(), "column"));
            return self.miscounted(message);
        }
        self.add::<T>(columns, Ok(Some(position)))
    }

    /// Adds the columns of a type whose names begin with this.
    ///
    /// # Errors
    ///
    /// Those of the type's [`FromRow::resolve`].
    pub fn flatten<'r, T: FromRow<'r>>(&mut self, columns: &Columns, prefix: &str) -> Result<(), DbError> {
        let outer = self.prefix.len();
        self.prefix.push_str(prefix);
        let resolved = T::resolve(columns, self);
        self.prefix.truncate(outer);
        resolved
    }

    /// The same for [`RowReader::take_optional`](crate::RowReader::take_optional).
    ///
    /// # Errors
    ///
    /// Those of the type's [`FromRow::resolve`].
    pub fn flatten_optional<'r, T: FromRow<'r>>(&mut self, columns: &Columns, prefix: &str) -> Result<(), DbError> {
        let start = self.positions.len();
        self.positions.push(NO_POSITION);
        let outer = std::mem::replace(&mut self.may_be_null, true);
        let resolved = self.flatten::<T>(columns, prefix);
        self.may_be_null = outer;
        let len = self.positions.len() - start - 1;
        self.positions[start] |= u32::try_from(len).unwrap_or(MISSING);
        resolved
    }

    /// Too few columns, or too many. A report of a check says only that.
    #[cold]
    fn miscounted(&mut self, message: String) -> Result<(), DbError> {
        let error = DbError::new(DbErrorKind::ColumnNotFound, message);
        self.refuse(match self.misfits {
            Some(_) => error,
            None => error
                .fixed_by("Select as many columns as are read: a scalar reads one, a tuple one for each of its types.")
                .fixed_by("Or read them by their names, into a struct with #[derive(FromRow)]."),
        })
    }

    fn prefixed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.prefix.is_empty() { name.into() } else { format!("{}{name}", self.prefix).into() }
    }

    fn add<'r, T: Decode<'r>>(
        &mut self,
        columns: &Columns,
        position: Result<Option<usize>, DbError>,
    ) -> Result<(), DbError> {
        match position {
            Ok(Some(position)) => {
                if let Some(misfits) = &mut self.misfits {
                    let column = columns.get(position);
                    misfits.extend(column.and_then(|column| check::misfit::<T>(column, self.may_be_null)));
                }
                self.positions.push(u32::try_from(position).unwrap_or(MISSING));
                Ok(())
            }
            Ok(None) => {
                self.positions.push(MISSING);
                Ok(())
            }
            Err(error) => self.refuse(error),
        }
    }

    /// Ends with an error, or notes it where all are asked for.
    fn refuse(&mut self, error: DbError) -> Result<(), DbError> {
        match &mut self.misfits {
            Some(misfits) => {
                misfits.push(check::with_fixes(&error));
                Ok(())
            }
            None => Err(error),
        }
    }
}

#[cold]
fn no_rows() -> DbError {
    DbError::new(DbErrorKind::ColumnNotFound, "the statement returns no rows").fixed_by(
        "Await the query instead of fetching from it, or let the statement return rows: by RETURNING, for example.",
    )
}

/// A number with its noun.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
