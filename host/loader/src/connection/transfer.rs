//! Commands, uploads, scripts, and one statement for many rows.

use super::{Caught, Connection, QueryResult, State, Statement};
use montrs_driver_abi::{Batch, DriverError, ManyReply, Params, QueryOptions, Span};
use std::ops::Range;

impl Connection {
    /// Runs an operation of the driver's own and writes its first rows to the batch.
    ///
    /// # Errors
    ///
    /// What the driver says of it.
    pub async fn command(
        &mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &mut Batch,
    ) -> Result<QueryResult, DriverError> {
        self.expect(State::Idle)?;
        let reply = call!(self, self.vtable(), command(self.object.data(), name.into(), parameters, options, batch))?;
        Ok(self.opened(reply))
    }

    /// Where in a script the first statement is, which is not empty; `None` where there is none.
    ///
    /// # Errors
    ///
    /// What the driver says of the text; `UNSUPPORTED` from a driver that knows no scripts.
    pub fn first_statement(&mut self, script: &str) -> Result<Option<Range<usize>>, DriverError> {
        self.expect(State::Idle)?;
        // SAFETY: `&mut self` says that no other call is under way.
        let found = unsafe { self.vtable().first_statement()(self.object.data(), script.into()) }.into_result();
        self.finish(&found);
        let Span { start, end } = found?;
        match script.get(start..end) {
            Some("") if end == 0 => Ok(None),
            Some(statement) if !statement.is_empty() => Ok(Some(start..end)),
            _ => Err(DriverError::protocol("the driver found a statement outside of the script")),
        }
    }

    /// Prepares a statement, runs it without parameters, and writes its first rows to the batch.
    ///
    /// # Errors
    ///
    /// What the driver says of it.
    pub async fn query_once(
        &mut self,
        sql: &str,
        options: QueryOptions,
        batch: &mut Batch,
    ) -> Result<QueryResult, DriverError> {
        self.expect(State::Idle)?;
        let reply = call!(self, self.vtable(), query_once(self.object.data(), sql.into(), options, batch))?;
        Ok(self.opened(reply))
    }

    /// Runs a statement once for each row of parameters. After an error, whose `row` says in which row it was, what the
    /// rows before it did stays done.
    ///
    /// # Errors
    ///
    /// What the driver says of it, or when the statement belongs to another connection.
    pub async fn query_many(&mut self, statement: &mut Statement, rows: Batch) -> Result<ManyReply, DriverError> {
        self.expect(State::Idle)?;
        self.owns(statement.connection)?;
        let data = statement.object.data();
        call!(self, statement.object.vtable(), query_many(data, self.object.data(), rows))
    }

    /// Begins an upload. Until [`upload_end`](Self::upload_end) it is all that can go on; when it is given up,
    /// [`reset`](Self::reset) undoes it.
    ///
    /// # Errors
    ///
    /// What the driver says of it; no upload is open then.
    pub async fn upload(&mut self, name: &str, parameters: Params<'_>) -> Result<(), DriverError> {
        self.expect(State::Idle)?;
        call!(self, self.vtable(), upload(self.object.data(), name.into(), parameters))?;
        self.state = State::Uploading;
        Ok(())
    }

    /// Gives the open upload its next bytes.
    ///
    /// # Errors
    ///
    /// What the driver says; the upload is then over and undone.
    pub async fn upload_bytes(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        self.expect(State::Uploading)?;
        call!(self, self.vtable(), upload_bytes(self.object.data(), bytes.into()))?;
        self.state = State::Uploading;
        Ok(())
    }

    /// Gives the open upload its next rows, and gets their buffers back.
    ///
    /// # Errors
    ///
    /// As for [`upload_bytes`](Self::upload_bytes).
    pub async fn upload_rows(&mut self, rows: Batch) -> Result<Batch, DriverError> {
        self.expect(State::Uploading)?;
        let spare = call!(self, self.vtable(), upload_rows(self.object.data(), rows))?;
        self.state = State::Uploading;
        Ok(spare)
    }

    /// Ends the open upload, and tells how many rows or bytes it had.
    ///
    /// # Errors
    ///
    /// What the driver says; the upload is then undone.
    pub async fn upload_end(&mut self) -> Result<u64, DriverError> {
        self.expect(State::Uploading)?;
        call!(self, self.vtable(), upload_end(self.object.data()))
    }
}
