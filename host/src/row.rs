//! One row of a result.

use crate::{Columns, DbError, DbErrorKind, Decode, DecodeError, FromRow, Plan, RowReader, decode::Reach};
use montrs_driver_abi::{BatchError, RowBatch, UseValue, ValueRef};
use std::{fmt, marker::PhantomData};

/// One row, borrowed from the batch that it came in.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    pub(crate) columns: &'r Columns,
    pub(crate) batch: &'r RowBatch,
    /// The row's place in the batch.
    pub(crate) index: usize,
    /// The row's place in the result, from 0.
    pub(crate) number: u64,
}

impl<'r> Row<'r> {
    /// The value of a column, by its position (from 0) or its name.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// db.query("SELECT id, name FROM users")
    ///     .for_each(|row| {
    ///         println!("{}: {}", row.get::<i64>(0)?, row.get::<&str>("name")?);
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`], or [`DbErrorKind::Decode`] with column, types and row.
    #[inline]
    pub fn get<T: Decode<'r>>(&self, column: impl ColumnIndex) -> Result<T, DbError> {
        self.at(column.position(self.columns)?)
    }

    /// The whole row, also into a struct that borrows from it.
    ///
    /// The columns are looked up for each row; [`Query::fetch_all`](crate::Query::fetch_all) and its like do it once for a
    /// result.
    ///
    /// ```no_run
    /// #[derive(montrs_orm::FromRow)]
    /// struct User<'r> {
    ///     name: &'r str,
    /// }
    ///
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// db.query("SELECT name FROM users")
    ///     .for_each(|row| {
    ///         println!("{}", row.read::<User>()?.name);
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn read<T: FromRow<'r>>(&self) -> Result<T, DbError> {
        T::read(&mut RowReader::with_own_plan(*self, Plan::of::<T>(self.columns)?))
    }

    /// The result's columns.
    pub fn columns(&self) -> &'r Columns {
        self.columns
    }

    /// The row's place in the result, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    #[inline(always)]
    pub(crate) fn at<T: Decode<'r>>(&self, position: usize) -> Result<T, DbError> {
        self.batch.with_value(self.index, position, Decoding { row: self, position, into: PhantomData })
    }

    /// The value at this position, read by this function.
    #[inline]
    pub(crate) fn at_with<T>(
        &self,
        position: usize,
        read: impl FnOnce(ValueRef<'r>) -> Result<T, DecodeError>,
    ) -> Result<T, DbError> {
        match self.batch.value(self.index, position) {
            Ok(value) => read(value).map_err(|error| self.unfit::<T>(position, &error)),
            Err(error) => Err(self.unreadable::<T>(position, &error)),
        }
    }

    #[inline]
    pub(crate) fn is_null(&self, position: usize) -> bool {
        matches!(self.batch.value(self.index, position), Ok(ValueRef::Null))
    }

    #[cold]
    fn unfit<T>(&self, position: usize, error: &DecodeError) -> DbError {
        let unreadable = self.unreadable::<T>(position, error);
        let name = self.columns.get(position).map_or("column", |column| column.name());
        match error.reach {
            _ if self.is_null(position) => unreadable
                .fixed_by("Read it as an Option, which is None where it is NULL.")
                .fixed_by(format!("Or put another value in its place in the SQL: coalesce({name}, …).")),
            Reach::Value => unreadable.fixed_by("Correct the value where it is stored, or let the Rust type have it."),
            Reach::Range | Reach::Kind => unreadable,
        }
    }

    #[cold]
    fn unreadable<T>(&self, position: usize, reason: &dyn fmt::Display) -> DbError {
        let column = self.columns.get(position);
        let name = column.map_or("?", |column| column.name());
        let sql_type = match column.map_or("", |column| column.type_name()) {
            "" => String::new(),
            type_name => format!(" (SQL type {type_name})"),
        };
        let rust_type = short_type_name::<T>();
        let row = self.number + 1;
        let message = format!("column {name:?}{sql_type} of row {row} cannot be read as {rust_type}: {reason}");
        DbError::new(DbErrorKind::Decode, message)
    }
}

/// What a value of a row is decoded into.
struct Decoding<'a, 'r, T> {
    row: &'a Row<'r>,
    position: usize,
    into: PhantomData<fn() -> T>,
}

impl<'r, T: Decode<'r>> UseValue<'r> for Decoding<'_, 'r, T> {
    type Output = Result<T, DbError>;

    #[inline(always)]
    fn use_value(self, value: Result<ValueRef<'r>, BatchError>) -> Result<T, DbError> {
        match value {
            Ok(value) => T::decode(value).map_err(|error| self.row.unfit::<T>(self.position, &error)),
            Err(error) => Err(self.row.unreadable::<T>(self.position, &error)),
        }
    }
}

/// A type's name without the paths of modules: `Option<String>`.
pub(crate) fn short_type_name<T>() -> String {
    let (mut short, mut word) = (String::new(), String::new());
    for c in std::any::type_name::<T>().chars() {
        match c {
            ':' => word.clear(),
            // `{{closure}}` is the path of what is declared in one.
            c if c.is_alphanumeric() || "_{}".contains(c) => word.push(c),
            c => {
                short.push_str(&std::mem::take(&mut word));
                short.push(c);
            }
        }
    }
    short + &word
}

/// How a column is named: by its position, from 0, or by its name.
pub trait ColumnIndex {
    /// The column's position.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`].
    fn position(&self, columns: &Columns) -> Result<usize, DbError>;
}

impl ColumnIndex for usize {
    #[inline]
    fn position(&self, columns: &Columns) -> Result<usize, DbError> {
        if *self < columns.len() { Ok(*self) } else { Err(outside(*self, columns)) }
    }
}

#[cold]
fn outside(position: usize, columns: &Columns) -> DbError {
    let message = format!("the result has {} columns, and number {position} (from 0) is asked for", columns.len());
    DbError::new(DbErrorKind::ColumnNotFound, message)
        .fixed_by("Count columns from 0, or name the column: row.get(\"name\").")
}

impl ColumnIndex for &str {
    fn position(&self, columns: &Columns) -> Result<usize, DbError> {
        columns.require(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_lose_their_paths() {
        assert_eq!(short_type_name::<Option<String>>(), "Option<String>");
        assert_eq!(short_type_name::<&[Vec<std::time::Duration>]>(), "&[Vec<Duration>]");
    }
}
