//! Rows: from what SQLite has stored to the cells of a batch.

use crate::{
    binary_json::BinaryJson,
    declared_type::{DeclaredType, Meaning},
    error::Fault,
    handle::Handle,
    statement::{Statement, Stored},
};
use libsqlite3_sys::SQLITE_NOMEM;
use montrs_driver_sdk::{Batch, Kind, ValueRef};

/// Appends the row that the statement stands on. Text is not looked at: see [`Batch::demote_invalid_text`].
#[inline]
pub(crate) fn push_row(
    batch: &mut Batch,
    statement: &Statement,
    types: &[DeclaredType],
    (handle, json): (&Handle, &mut BinaryJson),
) -> Result<(), Fault> {
    for (column, declared) in (0..).zip(types) {
        match (statement.value(column).ok_or(Fault::Code(SQLITE_NOMEM))?, declared) {
            (Stored::Null, _) => batch.push(ValueRef::Null)?,
            (Stored::Integer(value), DeclaredType::Stored(_)) => batch.push(ValueRef::I64(value))?,
            (Stored::Real(value), DeclaredType::Stored(_)) => batch.push(ValueRef::F64(value))?,
            (Stored::Text(value), DeclaredType::Stored(_)) => batch.push_unchecked_text(Kind::TEXT, value)?,
            (Stored::Blob(value), DeclaredType::Stored(_)) => batch.push(ValueRef::Bytes(value))?,
            (Stored::Integer(value), _) => push_meaning(batch, declared.integer(value))?,
            (Stored::Real(value), _) => push_meaning(batch, declared.real(value))?,
            (Stored::Text(value), _) => push_meaning(batch, declared.text(value))?,
            (Stored::Blob(value), DeclaredType::Json) => json.push(handle, batch, value)?,
            (Stored::Blob(value), _) => push_meaning(batch, declared.blob(value))?,
        }
    }
    batch.end_row();
    Ok(())
}

fn push_meaning(batch: &mut Batch, meaning: Meaning<'_>) -> montrs_driver_sdk::Result<()> {
    match meaning {
        Meaning::Value(value) => batch.push(value),
        Meaning::Text(kind, text) => batch.push_unchecked_text(kind, text),
        Meaning::Decimal(text) => batch.push(ValueRef::Decimal(&text)),
        Meaning::Json(text) => batch.push(ValueRef::Json(&text)),
    }
}
