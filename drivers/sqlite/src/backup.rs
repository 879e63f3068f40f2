//! Copying a database page by page, while others use it: the only file that holds a `sqlite3_backup*`.

use crate::{
    error::{self, Circumstances},
    handle::{Failure, Handle, Switch, Watch},
    open,
};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::{
    ffi::{CStr, CString, c_int},
    fs,
    path::{Path, PathBuf},
    ptr::NonNull,
    sync::Arc,
};

/// A copy between a database of a session and one in a file, which is open for as long.
///
/// It must be dropped before the session's handle. Dropped before its end, it leaves the destination as it was.
pub(crate) struct Backup {
    raw: NonNull<ffi::sqlite3_backup>,
    /// Closed after the copy has ended: fields are dropped after `drop`.
    file: Handle,
    pages: c_int,
}

impl Backup {
    /// Begins to copy the database `schema` of the handle to the file.
    pub(crate) fn to_file(handle: &Handle, schema: &str, pages: c_int, file: Handle) -> Result<Self, Failure> {
        Self::begin(&file, "main", handle, schema).map(|raw| Self { raw, file, pages })
    }

    /// Begins to copy the file to the database `schema` of the handle.
    pub(crate) fn from_file(handle: &Handle, schema: &str, pages: c_int, file: Handle) -> Result<Self, Failure> {
        Self::begin(handle, schema, &file, "main").map(|raw| Self { raw, file, pages })
    }

    fn begin(
        to: &Handle,
        to_schema: &str,
        from: &Handle,
        from_schema: &str,
    ) -> Result<NonNull<ffi::sqlite3_backup>, Failure> {
        let (to_schema, from_schema) = (c_string(to_schema), c_string(from_schema));
        // SAFETY: both handles are open and outlive the copy, and the names are C strings.
        let raw = unsafe { ffi::sqlite3_backup_init(to.raw(), to_schema.as_ptr(), from.raw(), from_schema.as_ptr()) };
        NonNull::new(raw).ok_or_else(|| {
            // SAFETY: the handle is open.
            to.failure(unsafe { ffi::sqlite3_extended_errcode(to.raw()) })
        })
    }

    /// Copies some pages; `true` when these were all.
    pub(crate) fn step(&mut self) -> Result<bool, c_int> {
        self.file.renew_watch();
        // SAFETY: the copy has not ended.
        match unsafe { ffi::sqlite3_backup_step(self.raw.as_ptr(), self.pages) } {
            ffi::SQLITE_OK => Ok(false),
            ffi::SQLITE_DONE => Ok(true),
            code => Err(code),
        }
    }

    /// The file, where it is what is copied and cannot be read.
    pub(crate) fn unreadable_source(&self) -> Option<PathBuf> {
        let is_unreadable = self.file.is_read_only() && self.file.execute(open::SIGN_OF_LIFE).is_err();
        if is_unreadable { file_of(&self.file, "main") } else { None }
    }

    /// How many pages are left after the last step, and how many there are.
    pub(crate) fn progress(&self) -> (i64, i64) {
        // SAFETY: the copy has not ended.
        let left = unsafe { ffi::sqlite3_backup_remaining(self.raw.as_ptr()) };
        // SAFETY: as above.
        let all = unsafe { ffi::sqlite3_backup_pagecount(self.raw.as_ptr()) };
        (left.into(), all.into())
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        // SAFETY: this is the only call that ends it. What it says, the last step has said already.
        unsafe { ffi::sqlite3_backup_finish(self.raw.as_ptr()) };
    }
}

/// Opens the file that is the other side of a copy, as carefully as a database of a URL.
pub(crate) fn open_file(
    path: &Path,
    is_written: bool,
    file_system: &CStr,
    watch: Arc<dyn Watch>,
    circumstances: &Circumstances,
) -> Result<Handle> {
    if !is_written && !path.exists() {
        return Err(Error::new(ErrorKind::NOT_FOUND, format!("the file {} does not exist", path.display())));
    }
    let flags =
        if is_written { ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE } else { ffi::SQLITE_OPEN_READONLY };
    let mut handle = Handle::open(&c_string(&path.to_string_lossy()), flags, file_system).map_err(|failure| {
        open::cannot_open(
            path,
            if is_written { open::Missing::Created } else { open::Missing::Refused },
            &failure,
            circumstances,
        )
    })?;
    handle.set_watch(watch);
    let safe = handle.forbid_extensions().and_then(|()| handle.set_switch(Switch::TrustedSchema, false));
    safe.map_err(|failure| error::error(&failure, circumstances))?;
    Ok(handle)
}

/// The file of a handle's database; `None` for one in memory.
pub(crate) fn file_of(handle: &Handle, schema: &str) -> Option<PathBuf> {
    let schema = c_string(schema);
    // SAFETY: the handle is open and the name a C string; what is told is valid until the database is detached, and
    // copied.
    let name = unsafe { crate::handle::text(ffi::sqlite3_db_filename(handle.raw(), schema.as_ptr())) };
    name.filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Whether the transaction that is open on the handle, if one is, has written.
pub(crate) fn has_written(handle: &Handle, schema: &str) -> bool {
    let schema = c_string(schema);
    // SAFETY: the handle is open, and the name a C string.
    unsafe { ffi::sqlite3_txn_state(handle.raw(), schema.as_ptr()) == ffi::SQLITE_TXN_WRITE }
}

/// Whether two paths lead to the same file, which exists.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path| fs::metadata(path).ok().map(|file: fs::Metadata| (file.dev(), file.ino()));
        identity(a).is_some_and(|file| Some(file) == identity(b))
    }
    #[cfg(not(unix))]
    {
        fs::canonicalize(a).is_ok_and(|file| fs::canonicalize(b).is_ok_and(|other| other == file))
    }
}

/// A text that was found to be without NUL.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
