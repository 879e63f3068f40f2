//! Many rows of parameters: what can be one, and how they are sent.

use crate::{
    DbError, DbErrorKind, Done, Encode, EncodeError, ParamRow, Session, Sql, Transaction, TransactionOptions,
    session::BATCH_BYTES, transaction::SessionRef,
};
use montrs_driver_abi::Batch;

/// A Rust type that is one row of parameters: the values of `$1`, `$2`, … in this order.
///
/// Tuples of up to twelve values are, and arrays, slices and vectors of values of one type. A single value is a tuple of one:
/// `(7,)`; so is one value of bytes, since `Vec<u8>` is a row of numbers.
///
/// A struct derives it, and is its fields in their order. It can be bound by their names as well, see
/// [`Query::bind_all_named`](crate::Query::bind_all_named).
///
/// ```
/// use montrs_orm::ToParams;
///
/// #[derive(ToParams)]
/// struct User {
///     name: String, // $1, or :name
///     age: i32,     // $2, or :age
/// }
///
/// # async fn example(db: montrs_orm::Database, users: Vec<User>) -> Result<(), montrs_orm::DbError> {
/// db.execute("INSERT INTO users VALUES ($1, $2)").bind_all(&users[0]).await?;
/// db.execute_many("INSERT INTO users VALUES ($1, $2)", &users[1..]).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of parameters",
    label = "expected a tuple, array, slice or vector of values",
    note = "a single value is a tuple of one: `(value,)`",
    note = "derive it for a struct: #[derive(montrs_orm::ToParams)]"
)]
pub trait ToParams {
    /// Pushes the values, in order.
    ///
    /// # Errors
    ///
    /// That of [`ParamRow::push`].
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError>;
}

/// Runs a statement once for each row, in a transaction.
pub(crate) async fn execute<'s, R: ToParams>(
    session: impl Future<Output = Result<SessionRef<'s>, DbError>>,
    sql: Sql,
    rows: impl Iterator<Item = R>,
) -> Result<Done, DbError> {
    let in_statement = |error: DbError| error.in_statement(sql.as_str());
    let (mut batches, mut batch) = (Batches::new(rows), Batch::EMPTY);
    if !batches.fill(&mut batch).map_err(in_statement)? {
        return Ok(Done { rows_affected: 0, last_insert_id: None });
    }
    let mut transaction = Transaction::begin(session.await?, TransactionOptions::default()).await?;
    match send(&mut transaction, &sql, batches, batch).await {
        Ok(done) => {
            transaction.commit().await.map_err(in_statement)?;
            Ok(done)
        }
        Err(error) => {
            // What failed is what the caller needs to see; a rollback that fails as well is made up for by the reset.
            let _ = transaction.rollback().await;
            Err(in_statement(error))
        }
    }
}

/// Sends the batch that is filled, and those after it.
async fn send<R: ToParams>(
    session: &mut Session,
    sql: &Sql,
    mut batches: Batches<impl Iterator<Item = R>>,
    mut batch: Batch,
) -> Result<Done, DbError> {
    let mut done = Done { rows_affected: 0, last_insert_id: None };
    loop {
        let reply = session.run_many(sql, batch).await.map_err(|error| batches.failed(error))?;
        done.rows_affected += reply.affected;
        done.last_insert_id = reply.last_insert_id.into_option().or(done.last_insert_id);
        batch = reply.spare;
        if !batches.fill(&mut batch)? {
            return Ok(done);
        }
    }
}

/// Fills one batch after the other with rows.
pub(crate) struct Batches<I> {
    rows: I,
    /// How many rows there are, where that is known.
    total: Option<usize>,
    /// How many values a row has, once there was one.
    columns: Option<usize>,
    /// How many rows are in the batches before the last one.
    before: u64,
    /// How many rows are in the last one.
    last: u64,
}

impl<R: ToParams, I: Iterator<Item = R>> Batches<I> {
    pub(crate) fn new(rows: I) -> Self {
        let total = match rows.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        };
        Self { rows, total, columns: None, before: 0, last: 0 }
    }

    /// Fills the batch with the next rows; `false` when there are none.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<bool, DbError> {
        self.begin(batch);
        while self.has_room(batch)
            && let Some(row) = self.rows.next()
        {
            self.push(batch, &row)?;
        }
        Ok(self.last > 0)
    }
}

impl<I> Batches<I> {
    /// Empties the batch for the next rows.
    pub(crate) fn begin(&mut self, batch: &mut Batch) {
        self.before += self.last;
        self.last = 0;
        batch.clear(self.columns.unwrap_or(0));
    }

    pub(crate) fn has_room(&self, batch: &Batch) -> bool {
        /// Also rows without values come to an end.
        const MOST_ROWS: usize = 4096;
        batch.size() < BATCH_BYTES as usize && batch.rows() < MOST_ROWS
    }

    /// Adds a row to the batch.
    pub(crate) fn push(&mut self, batch: &mut Batch, row: &impl ToParams) -> Result<(), DbError> {
        let mut values = ParamRow::in_batch(batch);
        let (pushed, len) = (row.to_params(&mut values), values.len());
        pushed.map_err(|error| {
            let message = format!("parameter ${len} cannot be sent: {error}");
            self.wrong(DbErrorKind::Encode, message)
        })?;
        let columns = *self.columns.get_or_insert_with(|| {
            batch.set_columns(len);
            len
        });
        if len != columns {
            let message = format!("it has {len} values, the rows before it have {columns}");
            return Err(self.wrong(DbErrorKind::Parameters, message));
        }
        batch.end_row();
        self.last += 1;
        Ok(())
    }

    /// The row that was to come next is wrong.
    #[cold]
    fn wrong(&self, kind: DbErrorKind, message: String) -> DbError {
        DbError::new(kind, message).in_row(self.before + self.last, self.total)
    }

    /// An error of the driver's, which counts the rows of the last batch.
    #[cold]
    pub(crate) fn failed(&self, error: DbError) -> DbError {
        match error.row() {
            Some(row) => error.in_row(self.before + row, self.total),
            None => error,
        }
    }
}

impl<T: ToParams + ?Sized> ToParams for &T {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        (**self).to_params(row)
    }
}

impl<T: Encode> ToParams for [T] {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        self.iter().try_for_each(|value| row.push(value))
    }
}

impl<T: Encode, const N: usize> ToParams for [T; N] {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        self.as_slice().to_params(row)
    }
}

impl<T: Encode> ToParams for Vec<T> {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        self.as_slice().to_params(row)
    }
}

macro_rules! tuples {
    ($($first:ident $($name:ident)*;)*) => {
        $(impl<$first: Encode, $($name: Encode),*> ToParams for ($first, $($name,)*) {
            fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
                #[allow(non_snake_case, reason = "the names are those of the types")]
                let ($first, $($name,)*) = self;
                row.push($first)?;
                $(row.push($name)?;)*
                Ok(())
            }
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
