//! A value that is read or written in place, in parts: the only file that holds a `sqlite3_blob*`.

use crate::{
    backup::c_string,
    command::Place,
    handle::{Failure, Handle},
};
use libsqlite3_sys as ffi;
use std::{
    ffi::c_int,
    ptr::{self, NonNull},
};

/// A value that is open. It must be dropped before its handle.
pub(crate) struct Blob {
    raw: NonNull<ffi::sqlite3_blob>,
    len: usize,
}

impl Blob {
    /// Opens a value.
    pub(crate) fn open(handle: &Handle, place: &Place, is_written: bool) -> Result<Self, Failure> {
        let [schema, table, column] = [&place.schema, &place.table, &place.column].map(|name| c_string(name));
        let mut raw = ptr::null_mut();
        // SAFETY: the handle is open, the names are C strings, and `raw` is valid for a write.
        let code = unsafe {
            ffi::sqlite3_blob_open(
                handle.raw(),
                schema.as_ptr(),
                table.as_ptr(),
                column.as_ptr(),
                place.row,
                c_int::from(is_written),
                &mut raw,
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| handle.failure(code))?;
        // SAFETY: the value is open.
        let len = unsafe { ffi::sqlite3_blob_bytes(raw.as_ptr()) };
        Ok(Self { raw, len: usize::try_from(len).unwrap_or(0) })
    }

    /// How many bytes the value has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Reads the bytes from here on, as many as the buffer takes; they must be there.
    pub(crate) fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), c_int> {
        let (len, offset) = (int(into.len())?, int(offset)?);
        // SAFETY: the value is open, and the buffer valid for a write of its length; SQLite checks both numbers.
        check(unsafe { ffi::sqlite3_blob_read(self.raw.as_ptr(), into.as_mut_ptr().cast(), len, offset) })
    }

    /// Writes the bytes over those from here on, which must be there.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), c_int> {
        let (len, offset) = (int(bytes.len())?, int(offset)?);
        // SAFETY: the value is open, and the bytes valid for a read of their length; SQLite checks both numbers.
        check(unsafe { ffi::sqlite3_blob_write(self.raw.as_ptr(), bytes.as_ptr().cast(), len, offset) })
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        // SAFETY: this is the only call that closes it. There is nothing to commit: a savepoint is around what writes.
        unsafe { ffi::sqlite3_blob_close(self.raw.as_ptr()) };
    }
}

fn int(number: usize) -> Result<c_int, c_int> {
    c_int::try_from(number).map_err(|_| ffi::SQLITE_TOOBIG)
}

fn check(code: c_int) -> Result<(), c_int> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}
