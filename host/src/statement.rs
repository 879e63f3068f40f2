//! A statement with its parameters that belongs to no database yet.

use crate::{
    Decode, Encode, Expected, FromRow, IntoSql, Sql, ToParams,
    parameters::Parameters,
    pipeline::{All, One, Optional, Scalar},
};

/// A statement for a [pipeline](crate::Session::pipeline). The same as [`Database::query`](crate::Database::query), without a
/// database to run it on.
///
/// ```
/// let statement = montrs_orm::query("SELECT name FROM users WHERE id = $1").bind(7);
/// assert_eq!(statement.sql(), "SELECT name FROM users WHERE id = $1");
/// ```
pub fn query(sql: impl IntoSql) -> Statement {
    Statement { sql: sql.into_sql(), parameters: Box::default() }
}

/// A statement with its parameters, for a [pipeline](crate::Session::pipeline); made by [`query`].
///
/// The pipeline answers it with what it did, see [`Done`](crate::Done); its rows are thrown away unless one of the methods says how
/// they are wanted.
#[must_use = "a statement does nothing until its pipeline is run"]
pub struct Statement {
    pub(crate) sql: Sql,
    pub(crate) parameters: Box<Parameters>,
}

impl Statement {
    /// The statement's text.
    pub fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// Binds the next parameter; see [`Query::bind`](crate::Query::bind).
    pub fn bind(mut self, value: impl Encode) -> Self {
        self.parameters.push(None, &value);
        self
    }

    /// Binds a parameter by its name; see [`Query::bind_named`](crate::Query::bind_named).
    pub fn bind_named(mut self, name: &str, value: impl Encode) -> Self {
        self.parameters.push(Some(name), &value);
        self
    }

    /// Binds the next parameters; see [`Query::bind_all`](crate::Query::bind_all).
    pub fn bind_all(mut self, row: impl ToParams) -> Self {
        self.parameters.push_all(&row);
        self
    }

    /// Binds the fields of a struct by their names; see [`Query::bind_all_named`](crate::Query::bind_all_named).
    pub fn bind_all_named(mut self, row: impl ToParams) -> Self {
        self.parameters.push_all_named(&row);
        self
    }

    /// Wants the first row; that there is none is an error. What the statement would return after it is not fetched.
    pub fn one<T: for<'r> FromRow<'r> + Send>(self) -> Expected<One<T>> {
        Expected::new(self, One(None), 1)
    }

    /// Wants the first row, if there is one.
    pub fn optional<T: for<'r> FromRow<'r> + Send>(self) -> Expected<Optional<T>> {
        Expected::new(self, Optional(None), 1)
    }

    /// Wants the first column of the first row; that there is none is an error.
    pub fn scalar<T: for<'r> Decode<'r> + Send>(self) -> Expected<Scalar<T>> {
        Expected::new(self, Scalar(None), 1)
    }

    /// Wants all rows.
    pub fn all<T: for<'r> FromRow<'r> + Send>(self) -> Expected<All<T>> {
        Expected::new(self, All(Vec::new()), 0)
    }
}

impl std::fmt::Debug for Statement {
    /// The SQL and the number of parameters; not their values, which may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("sql", &self.sql.as_str())
            .field("parameters", &self.parameters.values.len())
            .finish()
    }
}
