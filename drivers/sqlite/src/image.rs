//! A database as its bytes, in memory that SQLite has allocated.

use crate::{
    backup::c_string,
    handle::{Failure, Handle},
    url, vfs,
};
use libsqlite3_sys as ffi;
use std::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    slice,
};

/// The bytes of a database, or those that are to become one.
pub(crate) struct Image {
    /// Null while there is nothing.
    start: *mut u8,
    len: usize,
    capacity: usize,
}

impl Image {
    /// Where a file's header says which journal it is written with, and read with.
    const JOURNAL: std::ops::Range<usize> = 18..20;
    const ROLLBACK: u8 = 1;
    const WAL: u8 = 2;

    pub(crate) const fn empty() -> Self {
        Self { start: ptr::null_mut(), len: 0, capacity: 0 }
    }

    /// Copies a database. This reads all of it in one go.
    pub(crate) fn of(handle: &Handle, schema: &str) -> Result<Self, Failure> {
        let name = c_string(schema);
        let mut len = -1;
        // SAFETY: the handle is open, the name a C string, and `len` valid for a write. The copy is the caller's.
        let start = unsafe { ffi::sqlite3_serialize(handle.raw(), name.as_ptr(), &mut len, 0) };
        let len =
            usize::try_from(len).map_err(|_| Failure::of(ffi::SQLITE_ERROR, format!("unknown database {schema}")))?;
        if start.is_null() && len > 0 {
            // SAFETY: the handle is open.
            return Err(match unsafe { ffi::sqlite3_extended_errcode(handle.raw()) } {
                ffi::SQLITE_OK | ffi::SQLITE_ROW | ffi::SQLITE_DONE => {
                    Failure::of(ffi::SQLITE_NOMEM, format!("no memory for a copy of {len} bytes"))
                }
                code => handle.failure(code),
            });
        }
        Ok(Self { start, len: if start.is_null() { 0 } else { len }, capacity: len })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: so many bytes are written from there on, and `&self` keeps them.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }

    /// Appends bytes; an error when SQLite gives no memory for them, as it does from 2 GiB on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let len = self.len + bytes.len();
        if len > self.capacity {
            let capacity = len.max(self.capacity.saturating_mul(2)).max(64 * 1024);
            // SAFETY: `start` is null or comes from here, which is the only place that allocates.
            let start = unsafe { ffi::sqlite3_realloc64(self.start.cast(), capacity as u64) };
            let Some(start) = NonNull::new(start.cast::<u8>()) else {
                return Err(Failure::of(ffi::SQLITE_NOMEM, format!("no memory for a database of {len} bytes")));
            };
            (self.start, self.capacity) = (start.as_ptr(), capacity);
        }
        // SAFETY: there is room for so many bytes after the first `self.len`, and nobody else has a reference there.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.len), bytes.len()) };
        self.len = len;
        Ok(())
    }

    /// Reads the schema, to find out whether this is a database. One that was copied from a file in WAL mode is turned into
    /// one without: there are no files beside a database in memory.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        if self.bytes().get(Self::JOURNAL) == Some(&[Self::WAL; 2]) {
            // SAFETY: there are that many bytes, as was just seen, and `&mut self` keeps others away.
            unsafe { self.start.add(Self::JOURNAL.start).write_bytes(Self::ROLLBACK, Self::JOURNAL.len()) };
        }
        if self.len == 0 {
            return Err(Failure::of(ffi::SQLITE_NOTADB, "there are none"));
        }
        let file_system = vfs::wrapping(None).unwrap_or_default();
        let scratch = Handle::open(&c_string(url::MEMORY), ffi::SQLITE_OPEN_READWRITE, file_system)?;
        let len = self.len as i64;
        // SAFETY: the handle is open, and closed again before the bytes change or are freed; it only reads them.
        let code = unsafe {
            let flags = ffi::SQLITE_DESERIALIZE_READONLY;
            ffi::sqlite3_deserialize(scratch.raw(), c"main".as_ptr(), self.start, len, len, flags)
        };
        if code != ffi::SQLITE_OK {
            return Err(scratch.failure(code));
        }
        scratch.execute("SELECT count(*) FROM sqlite_schema")
    }

    /// Makes the bytes the content of a database in memory.
    pub(crate) fn become_database(self, handle: &Handle, schema: &str) -> Result<(), Failure> {
        let (name, image) = (c_string(schema), ManuallyDrop::new(self));
        // SAFETY: the handle is open and the name a C string. The bytes are allocated by SQLite, which from here on owns
        // them, also after an error.
        let code = unsafe {
            ffi::sqlite3_deserialize(
                handle.raw(),
                name.as_ptr(),
                image.start,
                image.len as i64,
                image.capacity as i64,
                ffi::SQLITE_DESERIALIZE_FREEONCLOSE | ffi::SQLITE_DESERIALIZE_RESIZEABLE,
            )
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(handle.failure(code)) }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the memory is SQLite's, and nobody else frees it; null is allowed.
        unsafe { ffi::sqlite3_free(self.start.cast()) };
    }
}
