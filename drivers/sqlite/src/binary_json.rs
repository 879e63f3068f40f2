//! SQLite's binary JSON (<https://sqlite.org/jsonb.html>), of which SQLite itself makes text.

use crate::{
    error::Fault,
    handle::Handle,
    statement::{Statement, Stored},
};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{Batch, Kind, ValueRef};

/// No row for a blob that is none, down to its last byte.
const AS_TEXT: &str = "SELECT json(?1) WHERE json_valid(?1, 8)";

/// Appends blobs of columns that are declared as JSON.
#[derive(Default)]
pub(crate) struct BinaryJson {
    /// Prepared when it is first used.
    as_text: Option<Statement>,
}

impl BinaryJson {
    /// Appends a blob: JSON if it is binary JSON, else its bytes.
    #[cold]
    pub(crate) fn push(&mut self, handle: &Handle, batch: &mut Batch, blob: &[u8]) -> Result<(), Fault> {
        let statement = match &mut self.as_text {
            Some(statement) => statement,
            empty => {
                let prepared = handle.prepare(AS_TEXT).map_err(|failure| Fault::Code(failure.code))?.0;
                empty.insert(prepared.ok_or(Fault::Code(ffi::SQLITE_INTERNAL))?)
            }
        };
        let pushed = push(statement, batch, blob);
        statement.reset();
        statement.clear_bindings();
        pushed
    }
}

fn push(statement: &mut Statement, batch: &mut Batch, blob: &[u8]) -> Result<(), Fault> {
    statement.bind_blob(1, blob)?;
    if !statement.step()? {
        return Ok(batch.push(ValueRef::Bytes(blob))?);
    }
    match statement.value(0) {
        Some(Stored::Text(text)) => Ok(batch.push_unchecked_text(Kind::JSON, text)?),
        _ => Err(Fault::Code(ffi::SQLITE_NOMEM)),
    }
}
