//! The derives of `montrs-orm`. Applications use them through that crate: `montrs_orm::FromRow`.
//!
//! A derive goes one way through these modules:
//!
//! ```text
//! #[orm(...)] -> attributes, rename_all -> row_type: what to read -> from_row:  the code that reads it
//!                                                                 -> to_params: the code that sends it
//!                                       -> sql_type: a type that is the value of one column
//! ```
//!
//! Whatever is wrong on that way is collected in `problems` and reported at once. Generated code names everything by
//! its full path from `::montrs_orm`, `::core` or `::std`, so it needs no import and nothing in scope can change it.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attributes;
mod bounds;
mod composite;
mod from_row;
mod problems;
mod rename_all;
mod row_type;
mod source_text;
mod sql_type;
mod table;
mod to_params;

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
///     #[orm(try_from = "i64")]
///     level: Level,                           // made of an i64 by TryFrom
///     #[orm(json)]
///     settings: Settings,                     // Deserialize, from JSON
///     #[orm(flatten)]
///     address: Address,                       // another FromRow, from columns of the same row
///     #[orm(flatten, prefix = "work_")]
///     work: Option<Address>,                  // from `work_street` and `work_zipCode`; None if all are NULL
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
/// | `#[orm(try_from = "i64")]` | The column is read as this type, from which the field's is made by `TryFrom`. |
/// | `#[orm(json)]` | The column is JSON, which the field's type deserializes; NULL is JSON's `null`. It needs montrs-orm's feature `json`. |
/// | `#[orm(flatten)]` | The field's type implements `FromRow` itself and reads its columns from the same row. |
/// | `#[orm(flatten, prefix = "x_")]` | The same, from the columns whose names begin with `x_`. Prefixes of structs in structs are put together. |
///
/// A flattened `Option` is `None` when all its columns are NULL, as they are on the outer side of a left join without a match.
/// One column at least should therefore be declared as never NULL, such as the key: a row of which every column may be NULL
/// cannot be told from none. The columns themselves must be in the result.
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

/// Derives `montrs_orm::ToParams`: a struct whose fields are the parameters of a statement, in their order for `$1`, `$2`, …,
/// or by their names for `:name`.
///
/// ```text
/// #[derive(ToParams)]
/// struct NewUser<'a> {
///     name: &'a str,                          // $1, :name
///     #[orm(rename = "mail")]
///     email: Option<String>,                  // $2, :mail
///     #[orm(flatten, prefix = "home_")]
///     address: Address,                       // another ToParams: $3, :home_street and $4, :home_zip
///     #[orm(json)]
///     settings: Settings,                     // Serialize, as JSON: $5, :settings
///     #[orm(skip)]
///     cache: Vec<u8>,                         // not sent
/// }
///
/// db.execute("INSERT INTO users VALUES ($1, $2, $3, $4, $5)").bind_all(&user).await?;
/// ```
///
/// The attributes are those of `FromRow`, which one struct can derive as well; `default` and `try_from` say how to read, and mean
/// nothing here. Fields are sent by reference, whatever the struct's lifetimes and generics.
///
/// # Compile errors
///
/// Enums, unions, structs without named fields; attributes as for `FromRow`; a flattened `Option`: how many parameters it is
/// would not be known.
#[proc_macro_derive(ToParams, attributes(orm))]
pub fn derive_to_params(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    to_params::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives `montrs_orm::Encode`, `Decode` and `FromRow` for a type that is the value of one column.
///
/// ```text
/// #[derive(SqlType)]
/// struct UserId(i64);                         // as an i64
///
/// #[derive(SqlType)]
/// #[orm(rename_all = "snake_case")]
/// enum Mood {
///     Sad,                                    // as the text `sad`
///     #[orm(rename = "so happy")]
///     Happy,
/// }
///
/// #[derive(SqlType)]
/// #[repr(i16)]
/// enum Level {
///     Low = 1,                                // as the integer 1, of 16 bits
///     High = 10,
/// }
///
/// #[derive(SqlType)]
/// #[orm(composite)]
/// struct Address {                            // as CREATE TYPE address AS (street TEXT, zip INTEGER)
///     street: String,
///     zip: Option<i32>,
/// }
/// ```
///
/// - A struct of one field is as that field is. `#[orm(transparent)]` may say so.
/// - An enum is text, its variants' names as they are written, or spelt by `rename_all` or `rename`: the same spellings as for
///   `FromRow`, by the rules of serde. That is also how a database's own enum is read and bound: PostgreSQL takes a text for
///   `CREATE TYPE mood AS ENUM ('sad', 'so happy')` and refuses one that is no label.
/// - An enum with `#[repr(i32)]` or another integer is that integer, by its discriminants.
/// - A struct with `#[orm(composite)]` is a composite: its fields in the order in which the database's type has them, whatever
///   their names. Fields are values of columns, other composites and vectors among them, and own what they hold. A database
///   without such types stores the same text, the literal of a row: `("High Street",)`.
///
/// What is read and is no label or discriminant is an error that names those that are. Vectors of such types are arrays.
///
/// # Compile errors
///
/// Structs of no or several fields that are no composites, composites that borrow, variants with fields, two variants of one label, structs with two lifetimes, and attributes
/// that are unknown or mean nothing.
#[proc_macro_derive(SqlType, attributes(orm))]
pub fn derive_sql_type(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    sql_type::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives `montrs_orm::Table`, and `montrs_orm::Keyed` where there is a key: a struct that is a row of a table, with the
/// statements that insert, update, upsert and delete it, written when the program is compiled.
///
/// ```text
/// #[derive(FromRow, Table)]
/// #[table(name = "users")]                    // or "schema.users"
/// struct User {
///     #[table(key, generated)]
///     id: i64,                                // made by the database when the row is inserted
///     name: String,
///     #[orm(rename = "type")]
///     kind: String,                           // the column `type`
///     #[orm(skip)]
///     cache: Vec<u8>,                         // no column
/// }
///
/// user.id = db.insert(&user).fetch_scalar().await?;
/// db.update(&user).await?;
/// ```
///
/// Columns have the names that `FromRow` gives them, by the same `#[orm(rename)]`, `#[orm(rename_all)]` and `#[orm(skip)]`. All names
/// are written in quotes: they are what they are in the database, in upper and lower case.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[table(name = "users")]` | Of the struct: the table, which may have its schema before it. |
/// | `#[table(key)]` | Of a field: by these columns a row is found. An upsert needs a unique constraint on just these. |
/// | `#[table(generated)]` | Of a field: the database makes the value. It is not inserted but returned, and not updated. |
#[proc_macro_derive(Table, attributes(orm, table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    table::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
