//! A prepared statement: the only file that holds a `sqlite3_stmt*`.

use crate::handle::text;
use libsqlite3_sys as ffi;
use std::{
    ffi::{CString, c_char, c_int, c_uchar},
    ptr::NonNull,
    slice,
};

/// A statement of SQLite's. Dropping it finalizes it.
///
/// Like its connection it must stay on one thread at a time, and is not `Send`. It may outlive the connection's handle,
/// which SQLite then keeps in part. Failed calls give the extended result code; the handle knows the rest.
pub(crate) struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
}

/// A value of the row that a statement stands on, by its storage class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stored<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT, which may not be UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

/// Where a column comes from.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The schema, such as `main`.
    pub(crate) schema: String,
    /// The table.
    pub(crate) table: String,
    /// The column in the table.
    pub(crate) column: String,
}

impl Statement {
    /// Takes over a statement that SQLite has just prepared.
    pub(crate) fn new(raw: NonNull<ffi::sqlite3_stmt>) -> Self {
        Self { raw }
    }

    /// Goes on to the next row; `false` at the end.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<bool, c_int> {
        // SAFETY: the statement is not finalized; `&mut` ends all borrows of the row before.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(code),
        }
    }

    /// Ends the run, so that values can be bound and locks are given back. What the last step failed with, SQLite says
    /// once more here; that is not repeated.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the statement is not finalized; `&mut` ends all borrows of its row.
        unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
    }

    /// Makes all parameters NULL and frees what they held.
    pub(crate) fn clear_bindings(&mut self) {
        // SAFETY: the statement is not finalized.
        unsafe { ffi::sqlite3_clear_bindings(self.raw.as_ptr()) };
    }

    /// The value in this column, from 0, of the row that the last step found; `None` when memory is exhausted.
    #[inline(always)] // For each value; what becomes of it is decided by its class, which is found here.
    pub(crate) fn value(&self, column: c_int) -> Option<Stored<'_>> {
        // The functions for columns would look the column up for its type, for its value, and for its length.
        // SAFETY: the statement is not finalized; SQLite answers NULL for a column or row that does not exist. The value is
        // used until the next step or reset, which take `&mut self`, and by one thread at a time, as all of a connection.
        let value = unsafe { ffi::sqlite3_column_value(self.raw.as_ptr(), column) };
        // SAFETY: as above.
        Some(match unsafe { ffi::sqlite3_value_type(value) } {
            // SAFETY: as above.
            ffi::SQLITE_INTEGER => Stored::Integer(unsafe { ffi::sqlite3_value_int64(value) }),
            // SAFETY: as above.
            ffi::SQLITE_FLOAT => Stored::Real(unsafe { ffi::sqlite3_value_double(value) }),
            ffi::SQLITE_TEXT => {
                // SAFETY: as above. This may convert the value to UTF-8, once.
                let start = NonNull::new(unsafe { ffi::sqlite3_value_text(value) }.cast_mut())?;
                // SAFETY: as above, and the value stays in this form: nothing converts one that was read.
                Stored::Text(unsafe { block(value, start) })
            }
            ffi::SQLITE_BLOB => {
                // SAFETY: as above.
                match NonNull::new(unsafe { ffi::sqlite3_value_blob(value) }.cast_mut().cast::<u8>()) {
                    // SAFETY: as for text.
                    Some(start) => Stored::Blob(unsafe { block(value, start) }),
                    // SAFETY: as above. An empty blob has no address.
                    None if unsafe { ffi::sqlite3_value_bytes(value) } == 0 => Stored::Blob(&[]),
                    None => return None,
                }
            }
            _ => Stored::Null,
        })
    }

    /// The value in this column as text.
    pub(crate) fn text(&self, column: c_int) -> Option<String> {
        // SAFETY: the statement is not finalized; the text is copied before the next call.
        unsafe { text(ffi::sqlite3_column_text(self.raw.as_ptr(), column).cast::<c_char>()) }
    }

    /// Binds NULL; parameters count from 1.
    pub(crate) fn bind_null(&mut self, parameter: c_int) -> Result<(), c_int> {
        // SAFETY: the statement is not finalized; SQLite checks the number.
        check(unsafe { ffi::sqlite3_bind_null(self.raw.as_ptr(), parameter) })
    }

    /// Binds an INTEGER.
    pub(crate) fn bind_integer(&mut self, parameter: c_int, value: i64) -> Result<(), c_int> {
        // SAFETY: as for `bind_null`.
        check(unsafe { ffi::sqlite3_bind_int64(self.raw.as_ptr(), parameter, value) })
    }

    /// Binds a REAL.
    pub(crate) fn bind_real(&mut self, parameter: c_int, value: f64) -> Result<(), c_int> {
        // SAFETY: as for `bind_null`.
        check(unsafe { ffi::sqlite3_bind_double(self.raw.as_ptr(), parameter, value) })
    }

    /// Binds a TEXT, which SQLite copies.
    pub(crate) fn bind_text(&mut self, parameter: c_int, value: &str) -> Result<(), c_int> {
        const UTF8: c_uchar = ffi::SQLITE_UTF8 as c_uchar;
        // SAFETY: as for `bind_null`; the text is valid for reads of its length, and copied.
        check(unsafe {
            ffi::sqlite3_bind_text64(
                self.raw.as_ptr(),
                parameter,
                value.as_ptr().cast::<c_char>(),
                value.len() as u64,
                ffi::SQLITE_TRANSIENT(),
                UTF8,
            )
        })
    }

    /// Binds a BLOB, which SQLite copies.
    pub(crate) fn bind_blob(&mut self, parameter: c_int, value: &[u8]) -> Result<(), c_int> {
        // SAFETY: as for `bind_text`.
        check(unsafe {
            ffi::sqlite3_bind_blob64(
                self.raw.as_ptr(),
                parameter,
                value.as_ptr().cast(),
                value.len() as u64,
                ffi::SQLITE_TRANSIENT(),
            )
        })
    }

    /// The largest number of a parameter.
    pub(crate) fn parameter_count(&self) -> usize {
        // SAFETY: the statement is not finalized.
        usize::try_from(unsafe { ffi::sqlite3_bind_parameter_count(self.raw.as_ptr()) }).unwrap_or(0)
    }

    /// The number of the parameter with this name, sign included.
    pub(crate) fn parameter_index(&self, name: &str) -> Option<c_int> {
        let name = CString::new(name).ok()?;
        // SAFETY: the statement is not finalized, and the name is a C string.
        let index = unsafe { ffi::sqlite3_bind_parameter_index(self.raw.as_ptr(), name.as_ptr()) };
        (index > 0).then_some(index)
    }

    /// How many columns a row has; 0 for a statement without rows.
    pub(crate) fn column_count(&self) -> c_int {
        // SAFETY: the statement is not finalized.
        unsafe { ffi::sqlite3_column_count(self.raw.as_ptr()) }
    }

    /// The name of a column in the result.
    pub(crate) fn column_name(&self, column: c_int) -> String {
        // SAFETY: the statement is not finalized; the text is copied before the next call.
        unsafe { text(ffi::sqlite3_column_name(self.raw.as_ptr(), column)) }.unwrap_or_default()
    }

    /// The declared type of a column; empty for an expression.
    pub(crate) fn column_type(&self, column: c_int) -> String {
        // SAFETY: as for `column_name`.
        unsafe { text(ffi::sqlite3_column_decltype(self.raw.as_ptr(), column)) }.unwrap_or_default()
    }

    /// The table's column that a column is taken from; `None` for an expression.
    pub(crate) fn column_origin(&self, column: c_int) -> Option<Origin> {
        let raw = self.raw.as_ptr();
        Some(Origin {
            // SAFETY: as for `column_name`.
            schema: unsafe { text(ffi::sqlite3_column_database_name(raw, column)) }?,
            // SAFETY: as above.
            table: unsafe { text(ffi::sqlite3_column_table_name(raw, column)) }?,
            // SAFETY: as above.
            column: unsafe { text(ffi::sqlite3_column_origin_name(raw, column)) }?,
        })
    }

    /// Whether the statement changes no database file by itself.
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: the statement is not finalized.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw.as_ptr()) != 0 }
    }

    /// How often SQLite has prepared the statement anew, for example because the schema changed.
    pub(crate) fn reprepared(&self) -> c_int {
        // SAFETY: the statement is not finalized; the counter is not reset.
        unsafe { ffi::sqlite3_stmt_status(self.raw.as_ptr(), ffi::SQLITE_STMTSTATUS_REPREPARE, 0) }
    }

    /// The statement's text.
    pub(crate) fn sql(&self) -> String {
        // SAFETY: the statement is not finalized; the text is copied before the next call.
        unsafe { text(ffi::sqlite3_sql(self.raw.as_ptr())) }.unwrap_or_default()
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: this is the only call that finalizes. SQLite allows it at any time, also in the middle of a run and
        // after the connection was closed.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

/// The bytes of a text or blob whose start SQLite has just told.
///
/// # Safety
///
/// The value must be valid and stay as it is for `'a`.
#[inline]
unsafe fn block<'a>(value: *mut ffi::sqlite3_value, start: NonNull<u8>) -> &'a [u8] {
    // SAFETY: the value is valid and has its final form, so this converts nothing.
    let len = unsafe { ffi::sqlite3_value_bytes(value) };
    // SAFETY: these are the value's bytes, which SQLite keeps for as long.
    unsafe { slice::from_raw_parts(start.as_ptr(), usize::try_from(len).unwrap_or(0)) }
}

fn check(code: c_int) -> Result<(), c_int> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}
