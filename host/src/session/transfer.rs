//! Commands, uploads, scripts, and one statement for many rows.

use super::{BATCH_BYTES, Session};
use crate::{
    DbError, Done, IntoSql, Query, Script, Sql, ToParams, layout::Layout, many, script::Place, source::Source,
    transaction::SessionRef,
};
use montrs_driver_abi::{Batch, DriverError, ManyReply, ParamBuffer, Params, QueryOptions};
use montrs_driver_loader::QueryResult;
use std::ops::Range;

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

    /// A text of many statements, to be run one after the other in this session; see [`Script`].
    ///
    /// ```no_run
    /// # async fn example(session: &mut montrs_orm::Session) -> Result<(), montrs_orm::DbError> {
    /// session.script("CREATE TABLE users (name TEXT); CREATE INDEX users_name ON users (name);").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn script(&mut self, sql: impl IntoSql) -> Script<'_> {
        Script::new(Source::Session(self), sql.into_sql())
    }

    /// Runs a statement once for each row of parameters: all of them, or none when one fails or the future is dropped. The
    /// rows are the values of `$1`, `$2`, …; see [`ToParams`].
    ///
    /// The rows cross to the driver in batches of about 64 KiB, so the memory is bounded however many there are, and run in a
    /// transaction; inside a transaction, in a savepoint. The answer tells what all rows together did.
    /// Without any row the database is not asked, and the statement not looked at: nothing is prepared, and a mistake in it not
    /// found.
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

    /// Runs a command up to its first rows, which are then at hand.
    pub(crate) async fn run_command(
        &mut self,
        name: &Sql,
        parameters: &ParamBuffer,
        max_rows: u64,
    ) -> Result<(), DbError> {
        self.ready().await?;
        let options = QueryOptions { max_rows, batch_bytes: BATCH_BYTES };
        let command = self.connection.command(name.as_str(), parameters.as_params(), options, self.batch.refill());
        let result = command.await?;
        self.opened(Layout::new(name.clone()), result)
    }

    /// Where in a script the first statement is.
    pub(crate) async fn first_statement(&mut self, script: &str) -> Result<Option<Range<usize>>, DbError> {
        self.ready().await?;
        Ok(self.connection.first_statement(script)?)
    }

    /// Runs a statement of a script up to its first rows, which are then at hand. It is not kept: it is run once.
    pub(crate) async fn run_once(&mut self, sql: Sql, place: Place) -> Result<(), DbError> {
        let options = QueryOptions { max_rows: 0, batch_bytes: BATCH_BYTES };
        let result = self.connection.query_once(sql.as_str(), options, self.batch.refill()).await?;
        self.opened(Layout::of_script(sql, place), result)
    }

    /// Takes the result of what is not among the statements that are kept.
    fn opened(&mut self, layout: Layout, result: QueryResult) -> Result<(), DbError> {
        self.command = Some(Box::new(layout));
        self.take_answer(result)
    }

    /// Runs a statement once for each row of a batch.
    pub(crate) async fn run_many(&mut self, sql: &Sql, rows: Batch) -> Result<ManyReply, DbError> {
        self.ready().await?;
        if !self.statements.find(sql) {
            self.prepare(sql).await?;
        }
        if self.statements.current().writes && self.turn.is_none() {
            self.wait_for_turn().await?;
        }
        self.is_untouched = false;
        Ok(self.connection.query_many(&mut self.statements.current_mut().statement, rows).await?)
    }

    /// Whether the upload `load` takes rows for a table.
    pub(crate) fn has_bulk_load(&self) -> bool {
        self.has_bulk_load
    }

    pub(crate) async fn begin_upload(&mut self, name: &str, parameters: Params<'_>) -> Result<(), DbError> {
        self.ready().await?;
        Ok(self.connection.upload(name, parameters).await?)
    }

    /// Gives the open upload its next bytes.
    pub(crate) async fn upload_bytes(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        self.pace.keep().await;
        self.connection.upload_bytes(bytes).await
    }

    /// Gives the open upload its next rows, and gets their buffers back.
    pub(crate) async fn upload_rows(&mut self, rows: Batch) -> Result<Batch, DriverError> {
        self.pace.keep().await;
        self.connection.upload_rows(rows).await
    }

    /// Ends the open upload.
    pub(crate) async fn end_upload(&mut self) -> Result<u64, DriverError> {
        self.connection.upload_end().await
    }
}
