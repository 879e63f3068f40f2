//! Commands, uploads, and one statement for many rows.

use super::{Session, take_turn};
use crate::{DbError, Done, IntoSql, Query, Sql, ToParams, many, query::Source, transaction::SessionRef};
use montrs_driver_abi::{Batch, DriverError, ManyReply, Params, QueryOptions};
use montrs_driver_loader::QueryResult;

impl Session {
    /// An operation of the driver's own that has no SQL, such as a backup; the driver's documentation has their names and
    /// parameters. It is awaited, fetched or [uploaded](Query::upload) to like a statement.
    ///
    /// ```no_run
    /// # async fn example(session: &mut montrs_orm::Session) -> Result<(), montrs_orm::DbError> {
    /// let mut progress = session.command("backup").bind("/backups/app.db").fetch::<(i64, i64)>();
    /// while let Some(step) = progress.next().await {
    ///     let (remaining, total) = step?;
    ///     println!("{remaining} of {total} pages to go");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What comes of it has the errors of a query, and [`Unsupported`](crate::DbErrorKind::Unsupported) for a name that the
    /// driver does not know.
    pub fn command(&mut self, name: &str) -> Query<'_> {
        Query::command(Source::Session(self), name)
    }

    /// Runs a statement once for each row of parameters: all of them, or none when one fails or the future is dropped. The
    /// rows are the values of `$1`, `$2`, …; see [`ToParams`].
    ///
    /// The rows cross to the driver in batches of about 64 KiB, so the memory is bounded however many there are, and run in a
    /// transaction; inside a transaction, in a savepoint. The answer tells what all rows together did.
    ///
    /// ```no_run
    /// # async fn example(session: &mut montrs_orm::Session) -> Result<(), montrs_orm::DbError> {
    /// let users = [("Ada", 36), ("Grace", 85)];
    /// let done = session.execute_many("INSERT INTO users (name, age) VALUES ($1, $2)", users).await?;
    /// assert_eq!(done.rows_affected(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the database says of a row, with [`DbError::row`]; rows with different numbers of values;
    /// [`Unsupported`](crate::DbErrorKind::Unsupported) for a statement that returns rows, and where there are no
    /// transactions.
    pub async fn execute_many<I>(&mut self, sql: impl IntoSql, rows: I) -> Result<Done, DbError>
    where
        I: IntoIterator<Item: ToParams>,
    {
        many::execute(async { Ok(SessionRef::Borrowed(self)) }, sql.into_sql(), rows.into_iter()).await
    }

    /// Runs a command and answers with its first rows; when there are more, [`next`](Self::next) has them.
    pub(crate) async fn run_command(
        &mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
    ) -> Result<QueryResult, DbError> {
        self.ready().await?;
        let spare = self.spare.take().unwrap_or(Batch::EMPTY);
        let mut result = self.connection.command(name, parameters, options, spare).await?;
        self.rows = result.rows.take();
        Ok(result)
    }

    /// Runs a statement once for each row of a batch.
    pub(crate) async fn run_many(&mut self, sql: &Sql, rows: Batch) -> Result<ManyReply, DbError> {
        self.ready().await?;
        let statement = match self.statements.get_mut(sql) {
            Some(statement) => statement,
            None => {
                let statement = self.connection.prepare(sql.as_str()).await?;
                self.statements.put(sql.clone(), statement);
                self.statements.get_mut(sql).expect("it was put there just now")
            }
        };
        Ok(self.connection.query_many(statement, rows).await?)
    }

    pub(crate) async fn begin_upload(&mut self, name: &str, parameters: Params<'_>) -> Result<(), DbError> {
        self.ready().await?;
        Ok(self.connection.upload(name, parameters).await?)
    }

    /// Gives the open upload its next bytes.
    pub(crate) async fn upload_bytes(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        take_turn().await;
        self.connection.upload_bytes(bytes).await
    }

    /// Gives the open upload its next rows, and gets their buffers back.
    pub(crate) async fn upload_rows(&mut self, rows: Batch) -> Result<Batch, DriverError> {
        take_turn().await;
        self.connection.upload_rows(rows).await
    }

    /// Ends the open upload.
    pub(crate) async fn end_upload(&mut self) -> Result<u64, DriverError> {
        self.connection.upload_end().await
    }
}
