//! From rows to structs.

use crate::{Columns, DbError, DbErrorKind, Decode, Row, check, row::short_type_name};

/// A type that a row can be read into.
///
/// Derived for structs; tuples read by position, and scalars read the only column. `'r` is the life of the batch that
/// the row lies in, from which fields such as `&'r str` borrow.
///
/// ```
/// use montrs_orm::FromRow;
///
/// #[derive(FromRow)]
/// #[orm(rename_all = "PascalCase")]
/// struct Track {
///     track_id: i64,              // TrackId
///     name: String,               // Name
///     #[orm(rename = "Milliseconds")]
///     duration_ms: i64,
///     composer: Option<String>,   // Composer, which can be NULL
///     #[orm(default)]
///     rating: i32,                // 0 where the result has no column Rating
///     #[orm(flatten)]
///     price: Price,               // reads its own columns from the same row
///     #[orm(skip)]
///     selected: bool,             // no column
/// }
///
/// #[derive(FromRow)]
/// #[orm(rename_all = "PascalCase")]
/// struct Price {
///     unit_price: f64,
/// }
/// ```
///
/// By hand, it takes two steps: [`resolve`](Self::resolve) finds the columns once for a statement, and
/// [`read`](Self::read) takes their values, in the same order, once for a row.
///
/// ```
/// use montrs_orm::{Columns, DbError, Field, FromRow, Plan, RowReader};
///
/// struct Point { x: i64, y: i64 }
///
/// impl<'r> FromRow<'r> for Point {
///     fn fields(fields: &mut Vec<Field>) {
///         fields.push(Field { name: "x", rust_field: "x", rust_type: "i64", required: true });
///         fields.push(Field { name: "y", rust_field: "y", rust_type: "i64", required: true });
///     }
///     fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
///         plan.column::<i64>(columns, "x")?;
///         plan.column::<i64>(columns, "y")
///     }
///     fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
///         Ok(Point { x: row.take()?, y: row.take()? })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a row cannot be read into `{Self}`",
    label = "not a type that a row can be read into",
    note = "derive it: #[derive(montrs_orm::FromRow)]",
    note = "a single column can be read with fetch_scalar, or into a tuple of one: (T,)"
)]
pub trait FromRow<'r>: Sized {
    /// The columns that the type reads, those of flattened types included: the data model, for tools to read.
    fn fields(fields: &mut Vec<Field>);

    /// Finds the type's columns in a result. What it finds is kept for as long as a statement's columns are the same.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`].
    fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError>;

    /// Reads a row, taking the columns in the order in which [`resolve`](Self::resolve) named them.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::Decode`].
    fn read(row: &mut RowReader<'r>) -> Result<Self, DbError>;
}

/// A column that a [`FromRow`] type reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: &'static str,
    /// The field's name.
    pub rust_field: &'static str,
    /// The field's type, as it is written.
    pub rust_type: &'static str,
    /// Whether a result without the column is an error.
    pub required: bool,
}

/// Where in a result the columns of a type are.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    positions: Vec<u32>,
    /// What does not fit, where that is [asked for](Plan::misfits) instead of the positions.
    misfits: Option<Vec<String>>,
}

/// The position of a column that is missing and has a default.
const MISSING: u32 = u32::MAX;

impl Plan {
    pub(crate) fn of<'r, T: FromRow<'r>>(columns: &Columns) -> Result<Self, DbError> {
        let mut plan = Self::default();
        let resolved = T::resolve(columns, &mut plan);
        resolved.map_err(|error| error.during(format_args!("cannot read rows into {}", short_type_name::<T>())))?;
        Ok(plan)
    }

    /// All that does not fit between a type and columns: names, kinds of values, NULL.
    pub(crate) fn misfits<'r, T: FromRow<'r>>(columns: &Columns) -> Result<Vec<String>, DbError> {
        let mut plan = Self { positions: Vec::new(), misfits: Some(Vec::new()) };
        T::resolve(columns, &mut plan)?;
        Ok(plan.misfits.unwrap_or_default())
    }

    /// Adds the column of this name, which is read as `T`.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is none, or more than one.
    pub fn column<'r, T: Decode<'r>>(&mut self, columns: &Columns, name: &str) -> Result<(), DbError> {
        let position = columns.require(name);
        self.add::<T>(columns, position.map(Some))
    }

    /// Adds the column of this name, which is read as `T`, or a gap for [`RowReader::take_or_else`].
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is more than one.
    pub fn optional_column<'r, T: Decode<'r>>(&mut self, columns: &Columns, name: &str) -> Result<(), DbError> {
        let position = columns.position(name);
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
        let message = format!("the result has {} columns, and {count} are read by position", columns.len());
        self.refuse(DbError::new(DbErrorKind::ColumnNotFound, message))
    }

    /// Adds the column after the one that was added last, whatever its name. It is read as `T`.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is none.
    pub fn next_column<'r, T: Decode<'r>>(&mut self, columns: &Columns) -> Result<(), DbError> {
        let position = self.positions.last().map_or(0, |last| last.wrapping_add(1) as usize);
        if position >= columns.len() {
            let message = format!("the result has {} columns, and more are read by position", columns.len());
            return self.refuse(DbError::new(DbErrorKind::ColumnNotFound, message));
        }
        self.add::<T>(columns, Ok(Some(position)))
    }

    fn add<'r, T: Decode<'r>>(
        &mut self,
        columns: &Columns,
        position: Result<Option<usize>, DbError>,
    ) -> Result<(), DbError> {
        match position {
            Ok(Some(position)) => {
                if let Some(misfits) = &mut self.misfits {
                    misfits.extend(columns.get(position).and_then(check::misfit::<T>));
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
    /// [`DbErrorKind::Decode`], with column, SQL type, Rust type and row.
    #[inline]
    pub fn take<T: Decode<'r>>(&mut self) -> Result<T, DbError> {
        match self.positions.next().copied().or_else(|| self.own_positions.next()) {
            Some(position) => self.row.at(position as usize),
            None => Err(takes_too_many()),
        }
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
        let next = self.positions.as_slice().first().or_else(|| self.own_positions.as_slice().first());
        if next == Some(&MISSING) {
            let _ = self.positions.next().copied().or_else(|| self.own_positions.next());
            return Ok(default());
        }
        self.take()
    }
}

#[cold]
fn takes_too_many() -> DbError {
    DbError::decode("`FromRow::read` takes more columns than `FromRow::resolve` has named")
}

/// Scalars read the only column.
macro_rules! scalars {
    ($($type:ty),* $(,)?) => {
        $(impl<'r> FromRow<'r> for $type {
            fn fields(_: &mut Vec<Field>) {}

            fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
                plan.column_count(columns, 1)?;
                plan.next_column::<$type>(columns)
            }

            #[inline]
            fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
                row.take()
            }
        })*
    };
}

scalars!(bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, String, &'r str, Vec<u8>, &'r [u8], crate::Value);

#[cfg(feature = "chrono")]
scalars!(
    chrono::NaiveDate,
    chrono::NaiveTime,
    chrono::NaiveDateTime,
    chrono::DateTime<chrono::Utc>,
    chrono::DateTime<chrono::FixedOffset>,
    chrono::DateTime<chrono::Local>,
);
#[cfg(feature = "json")]
scalars!(serde_json::Value);
#[cfg(feature = "rust_decimal")]
scalars!(rust_decimal::Decimal);
#[cfg(feature = "uuid")]
scalars!(uuid::Uuid);

impl<'r, T: Decode<'r>> FromRow<'r> for Option<T> {
    fn fields(_: &mut Vec<Field>) {}

    fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
        plan.column_count(columns, 1)?;
        plan.next_column::<Self>(columns)
    }

    #[inline]
    fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
        row.take()
    }
}

/// Nothing is read, whatever the columns: for statements whose rows do not matter.
impl<'r> FromRow<'r> for () {
    fn fields(_: &mut Vec<Field>) {}

    fn resolve(_: &Columns, _: &mut Plan) -> Result<(), DbError> {
        Ok(())
    }

    #[inline]
    fn read(_: &mut RowReader<'r>) -> Result<Self, DbError> {
        Ok(())
    }
}

/// Tuples read by position.
macro_rules! tuples {
    ($($($type:ident)+;)*) => {
        $(impl<'r, $($type: Decode<'r>),+> FromRow<'r> for ($($type,)+) {
            fn fields(_: &mut Vec<Field>) {}

            fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
                plan.column_count(columns, [$(stringify!($type)),+].len())?;
                $(plan.next_column::<$type>(columns)?;)+
                Ok(())
            }

            #[inline]
            fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
                Ok(($(row.take::<$type>()?,)+))
            }
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}
