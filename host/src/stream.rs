//! Rows as a stream.

use crate::{DbError, FromRow, cursor::Cursor};
use futures_core::Stream;
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The rows of a query, one by one. It may be dropped at any time; after an error it ends.
#[must_use = "a stream does nothing until its items are taken"]
pub struct RowStream<'e, T> {
    state: State<'e>,
    row: std::marker::PhantomData<fn() -> T>,
}

type Filling<'e> = Pin<Box<dyn Future<Output = Result<Option<Box<Cursor<'e>>>, DbError>> + Send + 'e>>;

enum State<'e> {
    /// The statement is started, or more rows are fetched; `None` is the end.
    Filling(Filling<'e>),
    /// There are rows at hand.
    Reading(Box<Cursor<'e>>),
    Ended,
}

impl<'e, T: for<'r> FromRow<'r>> RowStream<'e, T> {
    pub(crate) fn new(start: impl Future<Output = Result<Cursor<'e>, DbError>> + Send + 'e) -> Self {
        let state = State::Filling(Box::pin(async move { fill(Box::new(start.await?)).await }));
        Self { state, row: std::marker::PhantomData }
    }

    /// The next row, or `None` at the end. Dropping the future loses no row.
    pub async fn next(&mut self) -> Option<Result<T, DbError>> {
        poll_fn(|cx| self.poll_row(cx)).await
    }

    pub(crate) fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, DbError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Reading(mut cursor) if cursor.rows_at_hand() > 0 => {
                    let row = cursor.resolve::<T>().and_then(|()| cursor.read());
                    if row.is_ok() {
                        self.state = State::Reading(cursor);
                    }
                    return Poll::Ready(Some(row));
                }
                State::Reading(cursor) => self.state = State::Filling(Box::pin(fill(cursor))),
                State::Filling(mut filling) => {
                    let poll = filling.as_mut().poll(cx);
                    if poll.is_pending() {
                        self.state = State::Filling(filling);
                    }
                    match ready!(poll) {
                        Ok(Some(cursor)) => self.state = State::Reading(cursor),
                        Ok(None) => return Poll::Ready(None),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            }
        }
    }
}

async fn fill(mut cursor: Box<Cursor<'_>>) -> Result<Option<Box<Cursor<'_>>>, DbError> {
    Ok(cursor.fill().await?.then_some(cursor))
}

impl<T: for<'r> FromRow<'r>> Stream for RowStream<'_, T> {
    type Item = Result<T, DbError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_row(cx)
    }
}

impl<T> std::fmt::Debug for RowStream<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").finish_non_exhaustive()
    }
}
