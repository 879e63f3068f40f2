//! The rows of a statement that is being run.

use crate::{Columns, DbError, Done, FromRow, Row, RowReader, transaction::SessionRef};

/// The result of a statement: its columns, its rows one by one, and what it did. Made by [`Query::cursor`] and
/// [`Script::next`].
///
/// The rows come in batches, so memory is bounded, and each is borrowed from its batch. A cursor may be dropped at any
/// time; the result is then closed before the next operation on its connection.
///
/// [`Query::cursor`]: crate::Query::cursor
/// [`Script::next`]: crate::Script::next
#[must_use = "a cursor that is dropped reads no row"]
pub struct Cursor<'e> {
    /// It holds the columns and the rows at hand.
    session: SessionRef<'e>,
    /// The place among the rows at hand of the one that is to be read next.
    index: usize,
    /// The place of that row in the result.
    number: u64,
}

impl<'e> Cursor<'e> {
    /// Of a session that has just run a statement.
    #[inline]
    pub(crate) fn new(session: SessionRef<'e>) -> Self {
        Self { session, index: 0, number: 0 }
    }

    /// The columns of the result; none for a statement without one.
    pub fn columns(&self) -> &Columns {
        self.session.layout().columns()
    }

    /// The next row, or `None` at the end. When the future is dropped while rows are fetched, the result is over: the next
    /// call is an error.
    ///
    /// # Errors
    ///
    /// What the database says; a batch that cannot be read.
    pub async fn next(&mut self) -> Result<Option<Row<'_>>, DbError> {
        if !self.fill().await? {
            return Ok(None);
        }
        let place = self.advance();
        Ok(Some(self.row(place)))
    }

    /// Finds the columns of a type.
    #[inline]
    pub(crate) fn resolve<T: for<'r> FromRow<'r>>(&mut self) -> Result<(), DbError> {
        self.session.layout_mut().resolve::<T>().map_err(|error| self.failed(error))
    }

    /// Whether the statement has left a transaction open, or was run in one.
    pub(crate) fn session_is_in_transaction(&mut self) -> bool {
        self.session.in_transaction()
    }

    /// An error of what the database has answered already.
    #[cold]
    fn failed(&self, error: DbError) -> DbError {
        self.session.layout().blame(error).after_execution()
    }

    /// The text of the statement.
    pub fn sql(&self) -> &str {
        self.session.layout().sql()
    }

    /// What the statement did, once all rows were read.
    pub fn done(&self) -> Done {
        self.session.done()
    }

    /// How many rows can be read without asking the database.
    #[inline]
    pub(crate) fn rows_at_hand(&self) -> usize {
        self.session.batch().rows().saturating_sub(self.index)
    }

    /// Whether a row can be read without asking the database: then nobody needs to make the future of [`fill`](Self::fill).
    #[inline]
    pub(crate) fn has_row_at_hand(&self) -> bool {
        self.rows_at_hand() > 0
    }

    /// Whether the database has more rows than those at hand.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.session.has_more()
    }

    /// Reads all rows that are left.
    pub(crate) async fn each(&mut self, mut read: impl FnMut(Row<'_>) -> Result<(), DbError>) -> Result<(), DbError> {
        while self.fill().await? {
            for _ in 0..self.rows_at_hand() {
                self.read_with(&mut read)?;
            }
        }
        Ok(())
    }

    /// Reads all rows at hand into a type that was [resolved](Self::resolve).
    pub(crate) fn read_all<T: for<'r> FromRow<'r>>(&mut self, out: &mut Vec<T>) -> Result<(), DbError> {
        let session = &*self.session;
        let (layout, batch) = (session.layout(), session.batch());
        for index in self.index..batch.rows() {
            let row = Row { columns: layout.columns(), batch, index, number: self.number };
            out.push(T::read(&mut RowReader::new(row, layout.plan())).map_err(|error| self.failed(error))?);
            self.index += 1;
            self.number += 1;
        }
        Ok(())
    }

    /// Reads the next of the rows at hand into a type that was [resolved](Self::resolve).
    #[inline]
    pub(crate) fn read<T: for<'r> FromRow<'r>>(&mut self) -> Result<T, DbError> {
        let place = self.advance();
        let row = self.row(place);
        T::read(&mut RowReader::new(row, self.session.layout().plan())).map_err(|error| self.failed(error))
    }

    /// Reads the next of the rows at hand.
    pub(crate) fn read_with<T>(&mut self, read: impl FnOnce(Row<'_>) -> Result<T, DbError>) -> Result<T, DbError> {
        let place = self.advance();
        read(self.row(place)).map_err(|error| self.failed(error))
    }

    /// Goes past the next of the rows at hand, and tells its place among them and in the result.
    #[inline]
    fn advance(&mut self) -> (usize, u64) {
        let place = (self.index, self.number);
        self.index += 1;
        self.number += 1;
        place
    }

    #[inline]
    fn row(&self, (index, number): (usize, u64)) -> Row<'_> {
        Row { columns: self.session.layout().columns(), batch: self.session.batch(), index, number }
    }

    /// Sees to it that a row is at hand; `false` when there are no more.
    #[inline]
    pub(crate) async fn fill(&mut self) -> Result<bool, DbError> {
        if !self.has_row_at_hand() && self.session.has_more() {
            // In a box, so that the futures of short statements stay small.
            Box::pin(self.fetch()).await?;
        }
        Ok(self.has_row_at_hand())
    }

    /// Fetches rows until there are some, or no more.
    async fn fetch(&mut self) -> Result<(), DbError> {
        while self.rows_at_hand() == 0 && self.session.has_more() {
            self.session.next().await.map_err(|error| self.session.layout().blame(error))?;
            self.index = 0;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("sql", &self.sql()).field("columns", &self.columns()).finish_non_exhaustive()
    }
}
