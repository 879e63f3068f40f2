//! The everyday statements of a struct that is a table's row.

use crate::{Database, EncodeError, ParamRow, Query, Session, ToParams};

/// A struct that is a row of a table. Derive it: [`Table`](derive@crate::Table).
///
/// The statements are constants, which can be printed and looked at: nothing is hidden in them.
///
/// ```
/// use montrs_orm::{Keyed, Table};
///
/// #[derive(Table)]
/// #[table(name = "users")]
/// struct User {
///     #[table(key, generated)]
///     id: i64,
///     name: String,
///     age: Option<i32>,
/// }
///
/// assert_eq!(User::INSERT, r#"INSERT INTO "users" ("name", "age") VALUES ($1, $2) RETURNING "id""#);
/// assert_eq!(User::UPDATE, r#"UPDATE "users" SET "name" = $1, "age" = $2 WHERE "id" = $3"#);
/// assert_eq!(User::DELETE, r#"DELETE FROM "users" WHERE "id" = $1"#);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not known as the row of a table",
    label = "it does not derive `montrs_orm::Table`",
    note = "add `#[derive(montrs_orm::Table)]` and `#[table(name = \"…\")]` to it"
)]
pub trait Table {
    /// The table with the columns that are inserted, as SQL: `"users" ("name", "age")`.
    const TARGET: &'static str;

    /// Inserts a row; the columns that the database generates are returned.
    const INSERT: &'static str;

    /// Inserts a row, and returns nothing.
    const INSERT_ONLY: &'static str;

    /// Pushes the values of [`INSERT`](Self::INSERT).
    ///
    /// # Errors
    ///
    /// That of [`ParamRow::push`].
    fn insert_values(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError>;
}

/// A [`Table`] with a key, so that a row can be found again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no key by which its row could be found",
    label = "none of its fields is marked as the key",
    note = "mark the field, or fields, with `#[table(key)]`"
)]
pub trait Keyed: Table {
    /// Sets all columns that are not of the key, in the row of the key.
    const UPDATE: &'static str;

    /// Inserts a row, or updates the one that has its key.
    const UPSERT: &'static str;

    /// Deletes the row of the key.
    const DELETE: &'static str;

    /// Pushes the values of [`UPDATE`](Self::UPDATE).
    ///
    /// # Errors
    ///
    /// That of [`ParamRow::push`].
    fn update_values(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError>;

    /// Pushes the values of [`UPSERT`](Self::UPSERT).
    ///
    /// # Errors
    ///
    /// That of [`ParamRow::push`].
    fn upsert_values(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError>;

    /// Pushes the values of [`DELETE`](Self::DELETE).
    ///
    /// # Errors
    ///
    /// That of [`ParamRow::push`].
    fn key_values(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError>;
}

impl Database {
    /// Inserts a row: [`Table::INSERT`]. Columns that the database generates are not sent, and can be fetched.
    ///
    /// ```no_run
    /// # #[derive(montrs_orm::Table)]
    /// # #[table(name = "users")]
    /// # struct User { #[table(key, generated)] id: i64, name: String }
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let mut user = User { id: 0, name: "Ada".into() };
    /// user.id = db.insert(&user).fetch_scalar().await?;
    /// db.update(&user).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn insert<T: Table>(&self, row: &T) -> Query<'_> {
        insert(self.query(T::INSERT), row)
    }

    /// Updates the row that has this one's key: [`Keyed::UPDATE`]. Without such a row,
    /// [`rows_affected`](crate::Done::rows_affected) is 0.
    #[track_caller]
    pub fn update<T: Keyed>(&self, row: &T) -> Query<'_> {
        update(self.query(T::UPDATE), row)
    }

    /// Inserts a row, or updates the one that has its key: [`Keyed::UPSERT`]. The key is sent, also where the database would
    /// generate it.
    #[track_caller]
    pub fn upsert<T: Keyed>(&self, row: &T) -> Query<'_> {
        upsert(self.query(T::UPSERT), row)
    }

    /// Deletes the row that has this one's key: [`Keyed::DELETE`].
    #[track_caller]
    pub fn delete<T: Keyed>(&self, row: &T) -> Query<'_> {
        delete(self.query(T::DELETE), row)
    }
}

impl Session {
    /// Inserts a row; see [`Database::insert`].
    pub fn insert<T: Table>(&mut self, row: &T) -> Query<'_> {
        insert(self.query(T::INSERT), row)
    }

    /// Updates the row that has this one's key; see [`Database::update`].
    pub fn update<T: Keyed>(&mut self, row: &T) -> Query<'_> {
        update(self.query(T::UPDATE), row)
    }

    /// Inserts a row, or updates the one that has its key; see [`Database::upsert`].
    pub fn upsert<T: Keyed>(&mut self, row: &T) -> Query<'_> {
        upsert(self.query(T::UPSERT), row)
    }

    /// Deletes the row that has this one's key; see [`Database::delete`].
    pub fn delete<T: Keyed>(&mut self, row: &T) -> Query<'_> {
        delete(self.query(T::DELETE), row)
    }
}

fn insert<'e, T: Table>(query: Query<'e>, row: &T) -> Query<'e> {
    query.bind_all(Values(|values: &mut ParamRow<'_>| row.insert_values(values)))
}

fn update<'e, T: Keyed>(query: Query<'e>, row: &T) -> Query<'e> {
    query.bind_all(Values(|values: &mut ParamRow<'_>| row.update_values(values)))
}

fn upsert<'e, T: Keyed>(query: Query<'e>, row: &T) -> Query<'e> {
    query.bind_all(Values(|values: &mut ParamRow<'_>| row.upsert_values(values)))
}

fn delete<'e, T: Keyed>(query: Query<'e>, row: &T) -> Query<'e> {
    query.bind_all(Values(|values: &mut ParamRow<'_>| row.key_values(values)))
}

/// Which of a row's values are bound is the closure's to say.
struct Values<F>(F);

impl<F: Fn(&mut ParamRow<'_>) -> Result<(), EncodeError>> ToParams for Values<F> {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        self.0(row)
    }
}

impl<T: Table> Table for &T {
    const TARGET: &'static str = T::TARGET;
    const INSERT: &'static str = T::INSERT;
    const INSERT_ONLY: &'static str = T::INSERT_ONLY;

    fn insert_values(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        T::insert_values(self, row)
    }
}
