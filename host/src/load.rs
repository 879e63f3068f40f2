//! Many rows into a table, by the fastest way that the database has.

use crate::{
    Database, DbError, EncodeError, IntoSql, ParamRow, RuntimeSql, Session, Sql, Table, ToParams, Transaction,
    TransactionOptions, many::Batches, query_builder::quote, source::Source,
};
use futures_core::Stream;
use montrs_driver_abi::{Batch, ParamBuffer, ValueRef};
use std::{
    borrow::Borrow,
    fmt,
    future::poll_fn,
    panic::Location,
    pin::{Pin, pin},
};

/// Loads rows into a table: by `COPY` or its like where the database has such, otherwise by a prepared insert that is run for
/// one row after the other. Made by [`Database::loader`] and [`Database::loader_of`], or those of a [`Session`].
///
/// All rows are kept, or none: they are loaded in a transaction, and inside a transaction in a savepoint. They cross to the
/// driver in batches of about 64 KiB, so memory is bounded however many there are.
///
/// ```no_run
/// # async fn example(db: montrs_orm::Database, other: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
/// let tracks = other.query("SELECT id, title FROM tracks").fetch::<(i64, String)>();
/// let rows = db
///     .loader_of("tracks", &["id", "title"])
///     .progress(|rows| println!("{rows} so far"))
///     .stream(tracks)
///     .await?;
/// println!("{rows} tracks were copied");
/// # Ok(())
/// # }
/// ```
#[must_use = "a loader does nothing until it is given rows, and awaited"]
pub struct Loader<'e, R> {
    source: Source<'e>,
    /// The table with its columns, as SQL.
    target: Sql,
    insert: Sql,
    push: Push<R>,
    progress: Option<Box<dyn FnMut(u64) + Send + 'e>>,
}

/// Pushes the values of a row.
type Push<R> = fn(&R, &mut ParamRow<'_>) -> Result<(), EncodeError>;

/// A row that is to be pushed in this way.
struct Pushed<'p, B, R>(B, &'p Push<R>);

impl<B: Borrow<R>, R> ToParams for Pushed<'_, B, R> {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        self.1(self.0.borrow(), row)
    }
}

impl<'e, R> Loader<'e, R> {
    fn new(source: Source<'e>) -> Self
    where
        R: Table,
    {
        let push = R::insert_values;
        Self { source, target: R::TARGET.into_sql(), insert: R::INSERT_ONLY.into_sql(), push, progress: None }
    }

    fn of(source: Source<'e>, table: &str, columns: &[&str]) -> Self
    where
        R: ToParams,
    {
        let table: Vec<String> = table.split('.').map(quote).collect();
        let names: Vec<String> = columns.iter().copied().map(quote).collect();
        let target = format!("{} ({})", table.join("."), names.join(", "));
        let numbers: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
        let insert = format!("INSERT INTO {target} VALUES ({})", numbers.join(", "));
        let (target, insert) = (RuntimeSql(target).into_sql(), RuntimeSql(insert).into_sql());
        Self { source, target, insert, push: R::to_params, progress: None }
    }

    /// Calls the closure after each batch, with how many rows were sent so far. They are kept when the loader has ended.
    pub fn progress(mut self, progress: impl FnMut(u64) + Send + 'e) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Loads the rows of an iterator, which may be borrowed, and tells how many there were.
    ///
    /// # Errors
    ///
    /// What the database says, with [`DbError::row`] where it tells the row; rows that cannot be sent. Nothing is then
    /// loaded, and neither when the future is dropped.
    pub async fn rows<I>(self, rows: I) -> Result<u64, DbError>
    where
        I: IntoIterator<Item: Borrow<R>>,
    {
        let push = self.push;
        let mut batches = Batches::new(rows.into_iter().map(|row| Pushed(row, &push)));
        let (mut batch, insert) = (Batch::EMPTY, self.insert.clone());
        let in_statement = |error: DbError| error.in_statement(insert.as_str());
        if !batches.fill(&mut batch).map_err(in_statement)? {
            return Ok(0);
        }
        let mut load = self.begin().await?;
        let filled = loop {
            match load.send(batch).await {
                Ok(spare) => batch = spare,
                Err(error) => break Err(batches.failed(error)),
            }
            match batches.fill(&mut batch) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        load.end(filled).await.map_err(in_statement)
    }

    /// Loads the rows of a stream, such as that of a query on another database, and tells how many there were. An error in the
    /// stream ends the loading, and nothing is kept.
    ///
    /// # Errors
    ///
    /// As for [`rows`](Self::rows), and those of the stream.
    pub async fn stream<B: Borrow<R>>(self, rows: impl Stream<Item = Result<B, DbError>>) -> Result<u64, DbError> {
        let (push, mut rows, mut batch) = (self.push, pin!(rows), Batch::EMPTY);
        let mut batches = Batches::new(std::iter::empty::<Pushed<'_, B, R>>());
        let insert = self.insert.clone();
        let in_statement = |error: DbError| error.in_statement(insert.as_str());
        if !fill(&mut batches, &mut batch, rows.as_mut(), &push).await.map_err(in_statement)? {
            return Ok(0);
        }
        let mut load = self.begin().await?;
        let filled = loop {
            match load.send(batch).await {
                Ok(spare) => batch = spare,
                Err(error) => break Err(batches.failed(error)),
            }
            match fill(&mut batches, &mut batch, rows.as_mut(), &push).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        load.end(filled).await.map_err(in_statement)
    }

    async fn begin(self) -> Result<Load<'e>, DbError> {
        let Self { source, target, insert, progress, .. } = self;
        let mut transaction = Transaction::begin(source.session().await?, TransactionOptions::default()).await?;
        let is_upload = transaction.has_bulk_load();
        if is_upload {
            let mut parameters = ParamBuffer::default();
            parameters.push(ValueRef::Text(target.as_str()))?;
            let begun = transaction.begin_upload("load", parameters.as_params()).await;
            if let Err(error) = begun {
                let _ = transaction.rollback().await;
                return Err(error.in_statement(insert.as_str()));
            }
        }
        Ok(Load { transaction, insert, is_upload, sent: 0, progress })
    }
}

/// Fills a batch from a stream; `false` when there are no more rows.
async fn fill<B: Borrow<R>, R>(
    batches: &mut Batches<impl Iterator>,
    batch: &mut Batch,
    mut rows: Pin<&mut impl Stream<Item = Result<B, DbError>>>,
    push: &Push<R>,
) -> Result<bool, DbError> {
    batches.begin(batch);
    while batches.has_room(batch)
        && let Some(row) = poll_fn(|cx| rows.as_mut().poll_next(cx)).await
    {
        batches.push(batch, &Pushed(row?, push))?;
    }
    Ok(batch.rows() > 0)
}

/// A loading that is under way.
struct Load<'e> {
    transaction: Transaction<'e>,
    insert: Sql,
    is_upload: bool,
    sent: u64,
    progress: Option<Box<dyn FnMut(u64) + Send + 'e>>,
}

impl Load<'_> {
    /// Sends a batch, and gives its buffers back.
    async fn send(&mut self, batch: Batch) -> Result<Batch, DbError> {
        let rows = batch.rows() as u64;
        let spare = match self.is_upload {
            true => self.transaction.upload_rows(batch).await?,
            false => self.transaction.run_many(&self.insert, batch).await?.spare,
        };
        self.sent += rows;
        if let Some(progress) = &mut self.progress {
            progress(self.sent);
        }
        Ok(spare)
    }

    /// Keeps what was sent, unless sending it has failed.
    async fn end(mut self, sent: Result<(), DbError>) -> Result<u64, DbError> {
        let ended = match (sent, self.is_upload) {
            (Err(error), true) => {
                // An upload that is given up would end the transaction around it as well; one that fails does not.
                let _ = self.transaction.upload_rows(row_without_values()).await;
                Err(error)
            }
            (Ok(()), true) => self.transaction.end_upload().await.map(drop).map_err(DbError::from),
            (sent, false) => sent,
        };
        match ended {
            Ok(()) => {
                self.transaction.commit().await?;
                Ok(self.sent)
            }
            Err(error) => {
                // What failed is what the caller needs to see; a rollback that fails as well is made up for by the reset.
                let _ = self.transaction.rollback().await;
                Err(error)
            }
        }
    }
}

/// No table takes it.
fn row_without_values() -> Batch {
    let mut batch = Batch::EMPTY;
    batch.clear(0);
    batch.end_row();
    batch
}

impl Database {
    /// Inserts many rows, all of them or none, by the fastest way that the database has; see [`Loader`]. Columns that the
    /// database generates are not sent. Tells how many rows there were.
    ///
    /// ```no_run
    /// # #[derive(montrs_orm::Table)]
    /// # #[table(name = "users")]
    /// # struct User { name: String }
    /// # async fn example(db: montrs_orm::Database, users: Vec<User>) -> Result<(), montrs_orm::DbError> {
    /// db.insert_many(users).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Loader::rows`].
    #[track_caller]
    pub fn insert_many<'a, T, I>(&'a self, rows: I) -> impl Future<Output = Result<u64, DbError>> + use<'a, T, I>
    where
        T: Table + 'a,
        I: IntoIterator<Item = T>,
    {
        self.loader::<T>().rows(rows)
    }

    /// To load many rows of this type, with progress or from a stream; see [`Loader`].
    #[track_caller]
    pub fn loader<T: Table>(&self) -> Loader<'_, T> {
        Loader::new(Source::Pool(self, Location::caller()))
    }

    /// To load many rows into these columns of a table, which may have its schema before it; see [`Loader`]. A row is a tuple or
    /// anything else that is [`ToParams`]. Names are what they are in the database, in upper and lower case.
    #[track_caller]
    pub fn loader_of<R: ToParams>(&self, table: &str, columns: &[&str]) -> Loader<'_, R> {
        Loader::of(Source::Pool(self, Location::caller()), table, columns)
    }
}

impl Session {
    /// Inserts many rows, all of them or none; see [`Database::insert_many`].
    ///
    /// # Errors
    ///
    /// Those of [`Loader::rows`].
    pub async fn insert_many<T: Table>(&mut self, rows: impl IntoIterator<Item = T>) -> Result<u64, DbError> {
        self.loader::<T>().rows(rows).await
    }

    /// To load many rows of this type; see [`Database::loader`].
    pub fn loader<T: Table>(&mut self) -> Loader<'_, T> {
        Loader::new(Source::Session(self))
    }

    /// To load many rows into these columns of a table; see [`Database::loader_of`].
    pub fn loader_of<R: ToParams>(&mut self, table: &str, columns: &[&str]) -> Loader<'_, R> {
        Loader::of(Source::Session(self), table, columns)
    }
}

impl<R> fmt::Debug for Loader<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("target", &self.target.as_str()).finish_non_exhaustive()
    }
}
