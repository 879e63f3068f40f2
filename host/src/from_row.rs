//! From rows to structs.

mod values;

use crate::{Columns, DbError, Plan, RowReader};
use std::borrow::Cow;

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
///     #[orm(flatten, prefix = "Album")]
///     album: Option<Album>,       // AlbumId and AlbumTitle; None where both are NULL: the outer side of a left join
///     #[orm(try_from = "i64")]
///     size: Size,                 // an i64, made a Size by TryFrom
///     #[orm(json)]
///     tags: Vec<String>,          // JSON
///     #[orm(skip)]
///     selected: bool,             // no column
/// }
///
/// #[derive(FromRow)]
/// #[orm(rename_all = "PascalCase")]
/// struct Price {
///     unit_price: f64,
/// }
///
/// #[derive(FromRow)]
/// #[orm(rename_all = "PascalCase")]
/// struct Album {
///     id: i64,
///     title: Option<String>,
/// }
///
/// struct Size(u32);
///
/// impl TryFrom<i64> for Size {
///     type Error = std::num::TryFromIntError;
///     fn try_from(bytes: i64) -> Result<Self, Self::Error> {
///         u32::try_from(bytes).map(Size)
///     }
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
///         fields.push(Field { name: "x".into(), rust_field: "x", rust_type: "i64", required: true });
///         fields.push(Field { name: "y".into(), rust_field: "y", rust_type: "i64", required: true });
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
    /// [`DbErrorKind::ColumnNotFound`](crate::DbErrorKind::ColumnNotFound).
    fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError>;

    /// Reads a row, taking the columns in the order in which [`resolve`](Self::resolve) named them.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::Decode`](crate::DbErrorKind::Decode).
    fn read(row: &mut RowReader<'r>) -> Result<Self, DbError>;
}

/// A column that a [`FromRow`] type reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: Cow<'static, str>,
    /// The field's name.
    pub rust_field: &'static str,
    /// The field's type, as it is written.
    pub rust_type: &'static str,
    /// Whether a result without the column is an error.
    pub required: bool,
}

impl Field {
    /// Adds the fields of a type whose columns have a prefix.
    #[doc(hidden)]
    pub fn with_prefix(fields: &mut Vec<Self>, prefix: &str, of_type: impl FnOnce(&mut Vec<Self>)) {
        let start = fields.len();
        of_type(fields);
        for field in &mut fields[start..] {
            field.name = format!("{prefix}{}", field.name).into();
        }
    }
}
