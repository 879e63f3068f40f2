//! SQL that is put together at run time.

use crate::{
    DbError, DbErrorKind, Encode, Executor, IntoSql, Query, RuntimeSql, Statement, encode, parameters::Parameters,
};
use std::fmt::Write;

/// A statement that is put together piece by piece: SQL as string literals, values as parameters, names in quotes.
///
/// Nothing but literals gets into the text: what is made at run time goes in as a value, by [`push_bind`](Self::push_bind), or
/// as a name, by [`push_ident`](Self::push_ident). Fragments that the program makes itself need the wrapper
/// [`RuntimeSql`], as statements do.
///
/// Placeholders are numbered by `push_bind`. Beside it, SQL that is pushed may have `:name`, which is bound by its name after
/// [`build`](Self::build), but not `$1`: that would be the first value of `push_bind`. Such a statement is an error,
/// [`Parameters`](crate::DbErrorKind::Parameters), when it runs.
///
/// ```no_run
/// use montrs_orm::{Database, DbError, QueryBuilder};
///
/// struct Filter {
///     city: Option<String>,
///     ages: (i32, i32),
/// }
///
/// async fn names(db: &Database, filter: Filter) -> Result<Vec<String>, DbError> {
///     let mut query = QueryBuilder::new("SELECT name FROM users");
///     let mut conditions = query.conditions();
///     conditions.push_opt("city = ", filter.city);
///     conditions.push("age BETWEEN ").push_bind_unseparated(filter.ages.0);
///     conditions.push_unseparated(" AND ").push_bind_unseparated(filter.ages.1);
///     query.push(" ORDER BY ").push_ident("name");
///     // SELECT name FROM users WHERE city = $1 AND age BETWEEN $2 AND $3 ORDER BY "name"
///     query.build(db).fetch_all().await
/// }
/// ```
#[must_use = "a query that is not built does nothing"]
#[derive(Debug, Default)]
pub struct QueryBuilder {
    sql: String,
    parameters: Box<Parameters>,
    /// The first placeholder with a number that was written in the SQL, such as `$1`.
    written: Option<String>,
    /// What was pushed ends inside of a string.
    in_string: bool,
}

/// Writes a separator between what is pushed; made by [`QueryBuilder::separated`] and [`QueryBuilder::conditions`].
#[derive(Debug)]
pub struct Separated<'b> {
    builder: &'b mut QueryBuilder,
    /// What comes before the next item.
    before: &'static str,
    separator: &'static str,
}

impl QueryBuilder {
    /// A statement that begins like this.
    pub fn new(sql: impl IntoSql) -> Self {
        let mut builder = Self::default();
        builder.push(sql);
        builder
    }

    /// Appends SQL.
    pub fn push(&mut self, sql: impl IntoSql) -> &mut Self {
        let sql = sql.into_sql();
        self.look_for_numbers(sql.as_str());
        self.sql.push_str(sql.as_str());
        self
    }

    /// Notes whether a placeholder with a number is written here, outside of a string.
    fn look_for_numbers(&mut self, sql: &str) {
        let mut before = ' ';
        for (at, character) in sql.char_indices() {
            match character {
                '\'' => self.in_string = !self.in_string,
                '$' if !self.in_string && !before.is_alphanumeric() && !matches!(before, '_' | '$') => {
                    let digits = sql[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
                    if digits > 0 {
                        self.written.get_or_insert_with(|| sql[at..=at + digits].to_owned());
                    }
                }
                _ => {}
            }
            before = character;
        }
    }

    /// The values, unless their numbers were taken.
    fn finish(&mut self) -> Box<Parameters> {
        let mut parameters = std::mem::take(&mut self.parameters);
        if let Some(written) = self.written.take().filter(|_| !parameters.values.is_empty()) {
            let message = format!("{written} is written in a statement whose placeholders are numbered by push_bind");
            let fix =
                format!("Push the value by push_bind instead of {written}, or write :name and bind it by bind_named.");
            parameters.error.get_or_insert(DbError::new(DbErrorKind::Parameters, message).fixed_by(fix));
        }
        parameters
    }

    /// Appends a placeholder, and binds the value to it.
    pub fn push_bind(&mut self, value: impl Encode) -> &mut Self {
        let number = self.parameters.values.len() + 1;
        if let Err(error) = encode::push(&mut self.parameters.values, None, &value) {
            self.parameters.refuse(&format!("${number}"), &error);
            // The numbers of those after it stay right.
            let _ = encode::push(&mut self.parameters.values, None, &None::<bool>);
        }
        // Writing to a string does not fail.
        let _ = write!(self.sql, "${number}");
        self
    }

    /// Appends a name in double quotes, as standard SQL has it: a table or column that is chosen at run time. In quotes a name
    /// is what it is, in upper and lower case.
    pub fn push_ident(&mut self, name: &str) -> &mut Self {
        self.sql.push_str(&quote(name));
        self
    }

    /// Appends what is pushed to the result, with this between each two.
    ///
    /// ```
    /// # use montrs_orm::QueryBuilder;
    /// let mut query = QueryBuilder::new("UPDATE users SET ");
    /// let mut columns = query.separated(", ");
    /// columns.push("name = ").push_bind_unseparated("Ada");
    /// columns.push("age = ").push_bind_unseparated(36);
    /// assert_eq!(query.sql(), "UPDATE users SET name = $1, age = $2");
    /// ```
    pub fn separated(&mut self, separator: &'static str) -> Separated<'_> {
        Separated { builder: self, before: "", separator }
    }

    /// Appends conditions: ` WHERE ` before the first, ` AND ` between each two, and nothing where there are none.
    ///
    /// ```
    /// # use montrs_orm::QueryBuilder;
    /// # let (name, age) = (None::<String>, Some(36));
    /// let mut query = QueryBuilder::new("SELECT id FROM users");
    /// query.conditions().push_opt("name = ", name).push_opt("age >= ", age);
    /// assert_eq!(query.sql(), "SELECT id FROM users WHERE age >= $1");
    /// ```
    pub fn conditions(&mut self) -> Separated<'_> {
        Separated { builder: self, before: " WHERE ", separator: " AND " }
    }

    /// Appends `VALUES` with one row in parentheses for each item, whose values the closure pushes. Without any item it
    /// appends `VALUES` alone, which is no statement: look before.
    ///
    /// A statement has as many parameters as the database allows, 32,766 with SQLite and 65,535 with PostgreSQL: for more rows
    /// there is [`execute_many`](crate::Database::execute_many).
    ///
    /// ```
    /// # use montrs_orm::QueryBuilder;
    /// let mut query = QueryBuilder::new("INSERT INTO users (name, age) ");
    /// query.push_values([("Ada", 36), ("Grace", 85)], |row, (name, age)| {
    ///     row.push_bind(name).push_bind(age);
    /// });
    /// assert_eq!(query.sql(), "INSERT INTO users (name, age) VALUES ($1, $2), ($3, $4)");
    /// ```
    pub fn push_values<I: IntoIterator>(
        &mut self,
        rows: I,
        mut push: impl FnMut(&mut Separated<'_>, I::Item),
    ) -> &mut Self {
        self.sql.push_str("VALUES ");
        for (index, row) in rows.into_iter().enumerate() {
            self.sql.push_str(if index == 0 { "(" } else { ", (" });
            push(&mut self.separated(", "), row);
            self.sql.push(')');
        }
        self
    }

    /// The text so far.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The statement with its values, for a [pipeline](crate::Session::pipeline).
    pub fn into_statement(mut self) -> Statement {
        let parameters = self.finish();
        Statement { sql: RuntimeSql(self.sql).into_sql(), parameters }
    }

    /// The statement with its values, to be run there; it is awaited or fetched like any other.
    #[track_caller]
    pub fn build<'e>(mut self, on: impl Executor<'e>) -> Query<'e> {
        let parameters = self.finish();
        let mut query = on.run(RuntimeSql(self.sql));
        query.parameters = parameters;
        query
    }
}

impl Separated<'_> {
    fn separate(&mut self) {
        let before = std::mem::replace(&mut self.before, self.separator);
        self.builder.sql.push_str(before);
    }

    /// Appends SQL as the next item.
    pub fn push(&mut self, sql: impl IntoSql) -> &mut Self {
        self.separate();
        self.push_unseparated(sql)
    }

    /// Appends a placeholder as the next item, and binds the value to it.
    pub fn push_bind(&mut self, value: impl Encode) -> &mut Self {
        self.separate();
        self.push_bind_unseparated(value)
    }

    /// Appends SQL and the value as the next item, if there is a value: `push_opt("age >= ", min_age)`.
    pub fn push_opt(&mut self, sql: impl IntoSql, value: Option<impl Encode>) -> &mut Self {
        match value {
            Some(value) => self.push(sql).push_bind_unseparated(value),
            None => self,
        }
    }

    /// Appends a name in double quotes as the next item.
    pub fn push_ident(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.builder.push_ident(name);
        self
    }

    /// Appends SQL to the last item.
    pub fn push_unseparated(&mut self, sql: impl IntoSql) -> &mut Self {
        self.builder.push(sql);
        self
    }

    /// Appends a placeholder to the last item, and binds the value to it.
    pub fn push_bind_unseparated(&mut self, value: impl Encode) -> &mut Self {
        self.builder.push_bind(value);
        self
    }
}

/// A name in double quotes, as standard SQL has it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_values_never_in_the_text() {
        let mut query = QueryBuilder::new("SELECT * FROM ");
        query.push_ident("a\"; DROP TABLE users; --").push(RuntimeSql(format!(" LIMIT {}", 3)));
        query.conditions().push("x = ").push_bind_unseparated("'; DROP TABLE users; --");
        assert_eq!(query.sql(), "SELECT * FROM \"a\"\"; DROP TABLE users; --\" LIMIT 3 WHERE x = $1");
    }

    #[test]
    fn what_is_not_there_leaves_nothing() {
        let mut query = QueryBuilder::new("SELECT 1");
        query.conditions().push_opt("a = ", None::<i32>);
        query.separated(", ").push_opt("a", None::<i32>);
        assert_eq!(query.sql(), "SELECT 1");
        query.conditions().push("a").push_opt("b = ", Some(1)).push_ident("c");
        assert_eq!(query.sql(), "SELECT 1 WHERE a AND b = $1 AND \"c\"");
    }

    #[test]
    fn a_number_that_is_written_is_seen_unless_it_is_text() {
        for (sql, seen) in [
            ("a = $1", Some("$1")),
            ("a = '$1' AND b = ($12)", Some("$12")),
            ("a = '$1 it''s $2' AND b$1 = $$x", None),
            ("a = :b", None),
        ] {
            let mut query = QueryBuilder::new(sql);
            assert_eq!(query.written.as_deref(), seen, "{sql}");
            assert!(query.finish().error.is_none(), "nothing else has a number: {sql}");
        }
        let mut query = QueryBuilder::new("a = 'it");
        query.push("''s $1' AND b <> $2").push(" AND c = ").push_bind(1);
        assert!(query.finish().error.is_some_and(|error| error.to_string().starts_with("$2 is written")));
    }

    #[test]
    fn a_value_that_cannot_be_sent_keeps_its_number() {
        let mut query = QueryBuilder::new("SELECT ");
        query.separated(", ").push_bind(1).push_bind(u64::MAX).push_bind(3);
        assert_eq!((query.sql(), query.parameters.values.len()), ("SELECT $1, $2, $3", 3));
        assert!(query.parameters.error.is_some_and(|error| error.to_string().contains("$2")));
    }
}
