//! Rows as a map.

use crate::{DbError, DbErrorKind, Decode, FromRow, Query};
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

impl Query<'_> {
    /// All rows as a map from their first column to their second; there are no others.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let names = db.query("SELECT id, name FROM users").fetch_map::<i64, String>().await?;
    /// println!("{:?}", names.get(&7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says; a row that does not fit; a key that came before.
    pub async fn fetch_map<K, V>(self) -> Result<HashMap<K, V>, DbError>
    where
        K: for<'r> Decode<'r> + Eq + Hash,
        V: for<'r> Decode<'r>,
    {
        self.collect_map(|pair: (K, V)| pair).await
    }

    /// All rows as a map, each under the key that the closure finds in it.
    ///
    /// ```no_run
    /// # #[derive(montrs_orm::FromRow)]
    /// # struct User { id: i64, name: String }
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let users = db.query("SELECT id, name FROM users").fetch_map_by(|user: &User| user.id).await?;
    /// println!("{:?}", users.get(&7).map(|user| &user.name));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`fetch_map`](Self::fetch_map).
    pub async fn fetch_map_by<K, T>(self, mut key: impl FnMut(&T) -> K) -> Result<HashMap<K, T>, DbError>
    where
        K: Eq + Hash,
        T: for<'r> FromRow<'r>,
    {
        self.collect_map(|row: T| (key(&row), row)).await
    }

    async fn collect_map<T, K, V>(self, mut pair: impl FnMut(T) -> (K, V)) -> Result<HashMap<K, V>, DbError>
    where
        T: for<'r> FromRow<'r>,
        K: Eq + Hash,
    {
        let mut cursor = self.start(0).await?;
        cursor.resolve::<T>()?;
        let mut map = HashMap::new();
        while cursor.fill().await? {
            for _ in 0..cursor.rows_at_hand() {
                let (key, value) = pair(cursor.read()?);
                match map.entry(key) {
                    Entry::Vacant(entry) => entry.insert(value),
                    Entry::Occupied(_) => return Err(repeated(cursor.sql(), map.len())),
                };
            }
        }
        Ok(map)
    }
}

/// A row has the key of one before it; nothing would tell that a row was lost.
#[cold]
fn repeated(sql: &str, row: usize) -> DbError {
    DbError::new(DbErrorKind::Decode, "it has the key of a row before it, and a map has each key once")
        .in_row(row as u64, None)
        .fixed_by("Select a key that is unique, group by it, or read the rows with fetch_all().")
        .in_statement(sql)
        .after_execution()
}
