//! The derives of `montrs-orm`. Applications use them through that crate: `montrs_orm::FromRow`.
//!
//! A derive goes one way through these modules:
//!
//! ```text
//! #[orm(...)] -> attributes, rename_all -> row_type: what to read -> from_row: the code that reads it
//! ```
//!
//! Whatever is wrong on that way is collected in `problems` and reported at once. Generated code names everything by
//! its full path from `::montrs_orm`, `::core` or `::std`, so it needs no import and nothing in scope can change it.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attributes;
mod from_row;
mod problems;
mod rename_all;
mod row_type;
mod source_text;

use proc_macro::TokenStream;

/// Derives `montrs_orm::FromRow`: a struct that is read from a row, each field from the column of its name.
///
/// ```text
/// use montrs_orm::FromRow;
///
/// #[derive(FromRow)]
/// struct User<'r> {
///     id: i64,
///     name: &'r str,                          // borrowed from the row
///     email: Option<String>,                  // may be NULL
///     #[orm(rename = "type")]
///     kind: String,                           // from the column `type`
///     #[orm(default)]
///     logins: i32,                            // 0 when the result has no such column
///     #[orm(flatten)]
///     address: Address,                       // another FromRow, from columns of the same row
///     #[orm(skip)]
///     cache: Vec<u8>,                         // not read: Default::default()
/// }
///
/// #[derive(FromRow)]
/// #[orm(rename_all = "camelCase")]
/// struct Address {
///     street: String,
///     zip_code: String,                       // from the column `zipCode`
/// }
/// ```
///
/// The documentation of `montrs_orm::FromRow` has an example that runs.
///
/// Columns are found by name once for each result, in any order; columns that no field reads are ignored. The name
/// is the field's own: `r#type` reads the column `type`. A column may be missing only if its field has a `default`,
/// and NULL is read only into `Option`.
///
/// # Attributes of the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `#[orm(rename_all = "camelCase")]` | How columns are spelt, given fields in `snake_case`: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or `SCREAMING-KEBAB-CASE`, by the rules of serde. Flattened structs have their own. |
///
/// # Attributes of a field
///
/// | attribute | meaning |
/// |---|---|
/// | `#[orm(rename = "x")]` | Reads the column `x`, whatever `rename_all` says. |
/// | `#[orm(default)]` | When the result has no such column, the value is `Default::default()`. NULL is no missing column: it is an error still, except in an `Option`. |
/// | `#[orm(default = path::to::function)]` | The same, with the value that the function returns. The path may stand in quotes. |
/// | `#[orm(skip)]` | Reads nothing: the value is `Default::default()`, or that of the function in `default`. |
/// | `#[orm(flatten)]` | The field's type implements `FromRow` itself and reads its columns from the same row. |
///
/// # Generic structs and structs that borrow
///
/// A struct may have one lifetime, which is that of the row: `User<'r>` above implements `FromRow<'r>`. A struct
/// without one implements `FromRow` for every lifetime. Where a field's type names a type parameter or a constant,
/// the implementation requires of that type what reading it requires: a field `Option<T>` adds
/// `where Option<T>: Decode<'r>`.
///
/// # Compile errors
///
/// Enums, unions, structs without named fields, structs with two lifetimes, attributes that are unknown, repeated or
/// contradictory, and two fields that read one column.
#[proc_macro_derive(FromRow, attributes(orm))]
pub fn derive_from_row(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    from_row::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
