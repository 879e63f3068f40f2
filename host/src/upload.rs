//! A command that takes bytes or rows.

use crate::{DbError, DbErrorKind, Sql, ToParams, many::Batches, transaction::SessionRef};
use montrs_driver_abi::Batch;

/// A command that is being given bytes or rows. Made by [`Query::upload`](crate::Query::upload).
///
/// What it was given is kept by [`finish`](Self::finish); an upload that is dropped without it is undone, and with it the
/// transaction that it is part of, as for every operation that is dropped half-way. There is no buffer here: what is large is
/// written in pieces of 64 KiB or so.
#[must_use = "an upload that is dropped is undone"]
pub struct Upload<'e> {
    session: SessionRef<'e>,
    name: Sql,
    /// Whether it can be given more: no call has failed or was dropped.
    is_open: bool,
}

impl<'e> Upload<'e> {
    pub(crate) fn new(session: SessionRef<'e>, name: Sql) -> Self {
        Self { session, name, is_open: true }
    }

    /// Gives it the next bytes, as many as there are. When the future is dropped before its end, the upload is over.
    ///
    /// # Errors
    ///
    /// What the database says; the upload is then over and undone. [`Unsupported`](DbErrorKind::Unsupported) where the command
    /// takes rows.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DbError> {
        self.enter()?;
        let written = self.session.upload_bytes(bytes).await;
        self.is_open = written.is_ok();
        written.map_err(|error| DbError::from(error).in_statement(self.name.as_str()))
    }

    /// Gives it the next rows. They cross in batches of about 64 KiB. When the future is dropped before its end, the upload
    /// is over.
    ///
    /// # Errors
    ///
    /// What the database says, and rows with different numbers of values; the upload is then over and undone.
    /// [`Unsupported`](DbErrorKind::Unsupported) where the command takes bytes.
    pub async fn write_rows<I>(&mut self, rows: I) -> Result<(), DbError>
    where
        I: IntoIterator<Item: ToParams>,
    {
        self.enter()?;
        let (mut batches, mut batch) = (Batches::new(rows.into_iter()), Batch::EMPTY);
        while batches.fill(&mut batch).map_err(|error| error.in_statement(self.name.as_str()))? {
            batch = self.session.upload_rows(batch).await.map_err(|error| {
                let error = batches.failed(error.into());
                error.in_statement(self.name.as_str())
            })?;
        }
        self.is_open = true;
        Ok(())
    }

    /// Ends the upload and keeps what it was given. The number is that of its bytes or rows, as the driver documents.
    ///
    /// # Errors
    ///
    /// What the database says; the upload is then undone.
    pub async fn finish(mut self) -> Result<u64, DbError> {
        self.enter()?;
        let ended = self.session.end_upload().await;
        ended.map_err(|error| DbError::from(error).in_statement(self.name.as_str()))
    }

    /// Until the call that begins here has ended well, the upload counts as over: its future may be dropped.
    fn enter(&mut self) -> Result<(), DbError> {
        if std::mem::replace(&mut self.is_open, false) {
            return Ok(());
        }
        let message = "the upload is over: an earlier call failed, or was dropped before its end";
        Err(DbError::new(DbErrorKind::TransactionState, message).in_statement(self.name.as_str()))
    }
}

impl std::fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("name", &self.name.as_str())
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}
