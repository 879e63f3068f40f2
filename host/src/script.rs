//! Scripts: texts of many statements.

use crate::{Cursor, DbError, DbErrorKind, Done, Sql, query::left_open, source::Source, transaction::SessionRef};
use std::{future::IntoFuture, pin::Pin};

/// A script: a text of many statements, which are run one after the other on one connection.
///
/// Awaiting it runs all of them and answers with what they did together. [`next`](Self::next) runs one statement after the
/// other and hands over its result.
///
/// ```no_run
/// use montrs_orm::RuntimeSql;
///
/// # async fn example(db: montrs_orm::Database) -> Result<(), Box<dyn std::error::Error>> {
/// db.script(RuntimeSql(std::fs::read_to_string("schema.sql")?)).await?;
///
/// let mut script = db.script("SELECT count(*) FROM users; SELECT id, name FROM users;");
/// while let Some(mut result) = script.next().await? {
///     println!("{:?}", result.columns());
///     while let Some(row) = result.next().await? {
///         println!("{}", row.get::<i64>(0)?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Transactions
///
/// Each statement is a transaction of its own, unless the script, or whoever runs it, has begun one. The first error ends
/// the script: what the statements before it did stays done, unless that was in a transaction. For all or nothing, run the
/// script in a transaction:
///
/// ```no_run
/// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
/// db.transaction(async |tx| tx.script("DELETE FROM orders; DELETE FROM users;").await).await?;
/// # Ok(())
/// # }
/// ```
///
/// A transaction that the script has begun and not ended is rolled back where the connection is the pool's, which is an
/// error; in a [`Connection`](crate::Connection) it stays open, also after an error.
///
/// # Errors
///
/// What the database says of a statement. The message begins with the number of the statement and with its line and column
/// in the script, [`DbError::position`] is the offset in the script, and [`DbError::sql`] the statement alone.
/// [`Unsupported`](DbErrorKind::Unsupported) where the driver knows no scripts.
///
/// A script has no parameters. What it may hold beside SQL is the driver's to say, for example data behind PostgreSQL's
/// `COPY … FROM STDIN`.
#[must_use = "a script does nothing until it is awaited"]
pub struct Script<'e> {
    sql: Sql,
    /// Where the session comes from, until it is there.
    source: Option<Source<'e>>,
    session: Option<SessionRef<'e>>,
    is_pooled: bool,
    /// Where what was not run yet begins.
    place: Place,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ready for the next statement.
    Ready,
    /// A statement was begun; its future may have been dropped.
    Underway,
    /// It has come to its end, or to an error.
    Ended,
}

/// A place in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of the statement, from 1.
    pub(crate) number: usize,
    /// In bytes, from 0.
    pub(crate) offset: usize,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
}

impl Default for Place {
    /// The beginning.
    fn default() -> Self {
        Self { number: 1, offset: 0, line: 1, column: 1 }
    }
}

impl Place {
    /// The place that follows this text.
    pub(crate) fn after(self, text: &str) -> Self {
        let offset = self.offset + text.len();
        match text.rfind('\n') {
            None => Self { offset, column: self.column + text.chars().count(), ..self },
            Some(end) => {
                let line = self.line + text.bytes().filter(|byte| *byte == b'\n').count();
                Self { offset, line, column: text[end + 1..].chars().count() + 1, ..self }
            }
        }
    }
}

impl<'e> Script<'e> {
    pub(crate) fn new(source: Source<'e>, sql: Sql) -> Self {
        let is_pooled = matches!(source, Source::Pool(..));
        Self { sql, source: Some(source), session: None, is_pooled, place: Place::default(), state: State::Ready }
    }

    /// Runs the next statement up to its first rows and hands over its result; `None` at the end of the script. What was
    /// not read of the result before is read and thrown away, so that its statement is done.
    ///
    /// When the future is dropped before its end, the script is over: the next call is an error.
    ///
    /// # Errors
    ///
    /// What the database says; after it the script has ended.
    pub async fn next(&mut self) -> Result<Option<Cursor<'_>>, DbError> {
        match self.state {
            State::Ready => self.state = State::Underway,
            State::Ended => return Ok(None),
            State::Underway => {
                let message = format!("statement {} of the script was dropped before its end", self.place.number);
                return Err(DbError::new(DbErrorKind::Cancelled, message));
            }
        }
        let ran = self.step().await;
        self.state = if matches!(ran, Ok(true)) { State::Ready } else { State::Ended };
        let session = if ran? { self.session.as_deref_mut() } else { None };
        Ok(session.map(|session| Cursor::new(SessionRef::Borrowed(session))))
    }

    /// Runs the next statement; `false` at the end of the script.
    async fn step(&mut self) -> Result<bool, DbError> {
        let session = match (&mut self.session, self.source.take()) {
            (Some(session), _) => session,
            (none, Some(source)) => none.insert(source.session().await?),
            (None, None) => return Ok(false),
        };
        while session.has_more() {
            session.next().await.map_err(|error| session.layout().blame(error))?;
        }
        let rest = &self.sql.as_str()[self.place.offset..];
        let found = session.first_statement(rest).await.map_err(|error| error.in_script(rest, self.place))?;
        let Some(found) = found else {
            return if self.is_pooled && session.in_transaction() { Err(left_open("script")) } else { Ok(false) };
        };
        let start = self.place.after(&rest[..found.start]);
        let statement = self.sql.part(start.offset..self.place.offset + found.end);
        let end = start.after(statement.as_str());
        let result = session.run_once(statement.clone(), start).await;
        result.map_err(|error| error.in_script(statement.as_str(), start))?;
        self.place = Place { number: start.number + 1, ..end };
        Ok(true)
    }
}

impl<'e> IntoFuture for Script<'e> {
    type Output = Result<Done, DbError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'e>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut all = Done { rows_affected: 0, last_insert_id: None };
            while let Some(mut result) = self.next().await? {
                result.each(|_| Ok(())).await?;
                let done = result.done();
                all.rows_affected += done.rows_affected;
                all.last_insert_id = done.last_insert_id.or(all.last_insert_id);
            }
            Ok(all)
        })
    }
}

impl std::fmt::Debug for Script<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let place = |text: &str| {
            let Place { offset, line, column, .. } = Place::default().after(text);
            (offset, line, column)
        };
        assert_eq!(place(""), (0, 1, 1));
        assert_eq!(place("äö"), (4, 1, 3));
        assert_eq!(place("a\r\n"), (3, 2, 1));
        assert_eq!(place("a\n\näb"), (6, 3, 3));
        let start = Place::default().after("a\nb");
        assert_eq!(start.after("ä\n"), Place { number: 1, offset: 6, line: 3, column: 1 });
        assert_eq!(start.after("ä"), Place { number: 1, offset: 5, line: 2, column: 3 });
    }
}
