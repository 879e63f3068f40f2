//! The rows of a statement that is being run.

use crate::{Columns, DbError, DbErrorKind, Done, FromRow, Plan, Row, Sql, transaction::SessionRef};
use montrs_driver_abi::{Batch, BatchError, RowBatch};
use montrs_driver_loader::QueryResult;

/// The result of a statement: its columns, its rows one by one, and what it did. Made by [`Query::cursor`].
///
/// The rows come in batches, so memory is bounded, and each is borrowed from its batch. A cursor may be dropped at any
/// time; the result is then closed before the next operation on its connection.
///
/// [`Query::cursor`]: crate::Query::cursor
#[must_use = "a cursor that is dropped reads no row"]
pub struct Cursor<'e> {
    session: SessionRef<'e>,
    sql: Sql,
    columns: Columns,
    /// `None` while the next one is fetched.
    batch: Option<RowBatch>,
    /// The place in the batch of the row that is to be read next.
    index: usize,
    /// The place of that row in the result.
    number: u64,
    done: Done,
}

impl<'e> Cursor<'e> {
    pub(crate) fn new(session: SessionRef<'e>, sql: Sql, result: QueryResult) -> Result<Self, DbError> {
        let mut cursor = Self {
            session,
            sql,
            columns: Columns::new(result.columns),
            batch: None,
            index: 0,
            number: 0,
            done: Done { rows_affected: result.affected, last_insert_id: result.last_insert_id },
        };
        cursor.put(result.batch)?;
        Ok(cursor)
    }

    /// The columns of the result; none for a statement without one.
    pub fn columns(&self) -> &Columns {
        &self.columns
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
        Ok(self.take())
    }

    /// Where the columns of a type are.
    pub(crate) fn plan<T: for<'r> FromRow<'r>>(&self) -> Result<Plan, DbError> {
        Plan::of::<T>(&self.columns).map_err(|error| self.failed(error))
    }

    /// Whether the statement has left a transaction open, or was run in one.
    pub(crate) fn session_is_in_transaction(&mut self) -> bool {
        self.session.in_transaction()
    }

    /// An error that came after the statement was run.
    #[cold]
    fn failed(&self, error: DbError) -> DbError {
        error.in_statement(self.sql.as_str()).after_execution()
    }

    pub(crate) fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// What the statement did, once all rows were read.
    pub fn done(&self) -> Done {
        self.done
    }

    /// How many rows can be read without asking the database.
    pub(crate) fn rows_at_hand(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.rows() - self.index)
    }

    /// Reads the first row, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        read: impl FnOnce(Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        if !self.fill().await? {
            return Ok(None);
        }
        self.read(read).map(Some)
    }

    /// Reads all rows that are left.
    pub(crate) async fn each(&mut self, mut read: impl FnMut(Row<'_>) -> Result<(), DbError>) -> Result<(), DbError> {
        while self.fill().await? {
            for _ in 0..self.rows_at_hand() {
                self.read(&mut read)?;
            }
        }
        Ok(())
    }

    /// Reads the next of the rows at hand.
    pub(crate) fn read<T>(&mut self, read: impl FnOnce(Row<'_>) -> Result<T, DbError>) -> Result<T, DbError> {
        let Some(row) = self.take() else {
            return Err(DbError::new(DbErrorKind::RowNotFound, "no row is at hand"));
        };
        read(row).map_err(|error| error.in_statement(self.sql.as_str()).after_execution())
    }

    /// The next of the rows at hand.
    #[inline]
    fn take(&mut self) -> Option<Row<'_>> {
        let batch = self.batch.as_ref()?;
        let row = Row { columns: &self.columns, batch, index: self.index, number: self.number };
        self.index += 1;
        self.number += 1;
        Some(row)
    }

    /// Sees to it that a row is at hand; `false` when there are no more.
    pub(crate) async fn fill(&mut self) -> Result<bool, DbError> {
        while self.rows_at_hand() == 0 {
            let session = &mut *self.session;
            if !session.has_more() {
                return Ok(false);
            }
            if let Some(read) = self.batch.take() {
                session.recycle(read.into_spare());
            }
            let next = session.next().await.map_err(|error| self.failed(error.into()))?;
            if next.finished {
                self.done.rows_affected = next.affected;
            }
            self.put(next.batch)?;
        }
        Ok(true)
    }

    fn put(&mut self, batch: Batch) -> Result<(), DbError> {
        let batch = batch.check().map_err(|error| self.unreadable(error))?;
        if batch.rows() > 0 && batch.columns() != self.columns.len() {
            return Err(self.unreadable(BatchError::WrongLength));
        }
        (self.batch, self.index) = (Some(batch), 0);
        Ok(())
    }

    #[cold]
    fn unreadable(&mut self, error: BatchError) -> DbError {
        self.session.give_up();
        self.failed(DbError::new(DbErrorKind::DriverProtocol, error.to_string()))
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("sql", &self.sql()).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.session.recycle(batch.into_spare());
        }
    }
}
