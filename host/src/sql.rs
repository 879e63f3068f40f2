//! SQL text: known when the program is compiled, or marked as made at run time.

use std::{borrow::Cow, fmt, ops::Range};

/// The text of a statement.
///
/// A string literal becomes one by itself. Text that was made at run time does not: wrap it in [`RuntimeSql`], so that
/// every place where values might get into SQL can be found by searching for that name.
///
/// ```compile_fail
/// # async fn example(db: montrs_orm::Database, name: String) -> Result<(), montrs_orm::DbError> {
/// db.execute(format!("DELETE FROM users WHERE name = '{name}'")).await?; // does not compile
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sql(Cow<'static, str>);

/// SQL text that was made at run time. Whoever writes this vouches for it: values belong into parameters.
///
/// ```no_run
/// use montrs_orm::RuntimeSql;
/// # async fn example(db: montrs_orm::Database, table: &str) -> Result<(), montrs_orm::DbError> {
/// assert!(["tracks", "albums"].contains(&table));
/// let n: i64 = db.query(RuntimeSql(format!("SELECT count(*) FROM {table}"))).fetch_scalar().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RuntimeSql<T: Into<String>>(
    /// The text.
    pub T,
);

impl Sql {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A part of the text, which is borrowed where the whole is.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self(match &self.0 {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
        })
    }
}

/// What can be the text of a statement: a string literal, a [`RuntimeSql`], or a [`Sql`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not taken for SQL",
    label = "SQL is a string literal, or is marked as made at run time",
    note = "wrap text that was made at run time: `RuntimeSql(text)`; values belong into parameters, `$1` and `.bind(value)`"
)]
pub trait IntoSql {
    /// The text.
    fn into_sql(self) -> Sql;
}

impl IntoSql for &'static str {
    fn into_sql(self) -> Sql {
        Sql(Cow::Borrowed(self))
    }
}

impl<T: Into<String>> IntoSql for RuntimeSql<T> {
    fn into_sql(self) -> Sql {
        Sql(Cow::Owned(self.0.into()))
    }
}

impl IntoSql for Sql {
    fn into_sql(self) -> Sql {
        self
    }
}

impl AsRef<str> for Sql {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
