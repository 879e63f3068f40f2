//! A connection handle: the only module that holds a `sqlite3*`.

mod callbacks;

pub(crate) use callbacks::{Findings, Watch};

use crate::statement::Statement;
use libsqlite3_sys as ffi;
use montrs_driver_sdk::Nullability;
use std::{
    cell::Cell,
    ffi::{CStr, CString, c_char, c_int},
    ptr::{self, NonNull},
    sync::{Arc, Once},
};

unsafe extern "C" {
    /// Closes a connection, or what is left of it when its last statement is finalized. Not among the bindings of
    /// libsqlite3-sys.
    fn sqlite3_close_v2(db: *mut ffi::sqlite3) -> c_int;
}

/// An open SQLite connection.
///
/// It is opened without a mutex, so it and its statements must stay on one thread at a time. Neither is `Send`: whoever
/// owns all of them says so (see [`Session`](crate::session::Session)).
pub(crate) struct Handle {
    db: NonNull<ffi::sqlite3>,
    /// What the handlers point to, boxed for a fixed address.
    watch: Option<Box<Arc<dyn Watch>>>,
    /// What the authorizer points to.
    findings: Option<Box<Cell<Findings>>>,
}

/// What SQLite said of a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The extended result code.
    pub(crate) code: c_int,
    /// One line.
    pub(crate) message: String,
    /// Where in the SQL text, in bytes.
    pub(crate) offset: Option<usize>,
    /// The operating system's error number, 0 where there is none.
    pub(crate) system_error: i32,
}

/// A boolean setting of a connection that has no SQL form or should not depend on one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Switch {
    /// Refuses what could damage the file: writing the schema or a shadow table, `journal_mode=OFF`.
    Defensive,
    /// Takes an unknown name in double quotes for a string, in queries.
    DoubleQuotedStringsInQueries,
    /// The same in definitions.
    DoubleQuotedStringsInDefinitions,
    /// Lets views and triggers of the file call any function.
    TrustedSchema,
    /// Enforces foreign keys.
    ForeignKeys,
    /// Lets extensions be loaded, from C only.
    Extensions,
}

impl Handle {
    /// Opens a database with these `SQLITE_OPEN_` flags in a file system of [`vfs`], without a mutex and without a shared
    /// cache.
    pub(crate) fn open(name: &CStr, flags: c_int, vfs: &CStr) -> Result<Self, Failure> {
        let flags = flags | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_PRIVATECACHE | ffi::SQLITE_OPEN_EXRESCODE;
        let mut db = ptr::null_mut();
        // SAFETY: the names are C strings, and `db` is valid for a write.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &mut db, flags, vfs.as_ptr()) };
        let Some(db) = NonNull::new(db) else {
            return Err(Failure::general(code));
        };
        // Also a failed opening leaves a handle that knows why and wants to be closed.
        let handle = Self { db, watch: None, findings: None };
        if code == ffi::SQLITE_OK { Ok(handle) } else { Err(handle.failure(code)) }
    }

    /// SQLite's own handle, for the calls of files that hold what belongs to it. It is not kept.
    pub(crate) fn raw(&self) -> *mut ffi::sqlite3 {
        self.db.as_ptr()
    }

    /// Turns a switch on or off.
    pub(crate) fn set_switch(&self, switch: Switch, on: bool) -> Result<(), Failure> {
        let switch = match switch {
            Switch::Defensive => ffi::SQLITE_DBCONFIG_DEFENSIVE,
            Switch::DoubleQuotedStringsInQueries => ffi::SQLITE_DBCONFIG_DQS_DML,
            Switch::DoubleQuotedStringsInDefinitions => ffi::SQLITE_DBCONFIG_DQS_DDL,
            Switch::TrustedSchema => ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
            Switch::ForeignKeys => ffi::SQLITE_DBCONFIG_ENABLE_FKEY,
            Switch::Extensions => ffi::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
        };
        // SAFETY: these switches take an int and a pointer to an int, which may be null.
        let code =
            unsafe { ffi::sqlite3_db_config(self.db.as_ptr(), switch, c_int::from(on), ptr::null_mut::<c_int>()) };
        self.check(code)
    }

    /// Loads an extension; the entry point is found by the file's name where none is given. No more can be loaded after
    /// it, from SQL at no time.
    pub(crate) fn load_extension(&self, path: &CStr, entry: Option<&CStr>) -> Result<(), String> {
        self.set_switch(Switch::Extensions, true).map_err(|failure| failure.message)?;
        let entry = entry.map_or(ptr::null(), CStr::as_ptr);
        let mut message = ptr::null_mut();
        // SAFETY: the handle is open, path and entry point are C strings or null, `message` is valid for a write. That
        // the code of the library keeps the rules is the promise of who named it in the URL.
        let code = unsafe { ffi::sqlite3_load_extension(self.db.as_ptr(), path.as_ptr(), entry, &mut message) };
        // SAFETY: SQLite gave null or a C string.
        let text = unsafe { text(message) };
        // SAFETY: it is SQLite's to free, also null.
        unsafe { ffi::sqlite3_free(message.cast()) };
        self.set_switch(Switch::Extensions, false).map_err(|failure| failure.message)?;
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(text.unwrap_or_else(|| result_text(code))) }
    }

    /// Refuses extensions, from SQL and from C.
    pub(crate) fn forbid_extensions(&self) -> Result<(), Failure> {
        // SAFETY: the handle is open.
        let code = unsafe { ffi::sqlite3_enable_load_extension(self.db.as_ptr(), 0) };
        self.check(code)
    }

    /// The limit with this `SQLITE_LIMIT_` number.
    pub(crate) fn limit(&self, limit: c_int) -> usize {
        // SAFETY: the handle is open; a negative value only asks.
        let value = unsafe { ffi::sqlite3_limit(self.db.as_ptr(), limit, -1) };
        usize::try_from(value).unwrap_or(0)
    }

    /// Lowers a limit.
    pub(crate) fn set_limit(&self, limit: c_int, value: u16) {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_limit(self.db.as_ptr(), limit, value.into()) };
    }

    /// Prepares the first statement of a text; `None` where there is only white space and comments. Also tells where
    /// the statement ends.
    ///
    /// The text must not contain NUL: SQLite reads up to it.
    pub(crate) fn prepare(&self, sql: &str) -> Result<(Option<Statement>, usize), Failure> {
        self.clear_findings();
        let Ok(len) = c_int::try_from(sql.len()) else {
            return Err(Failure::of(ffi::SQLITE_TOOBIG, "the statement is too long"));
        };
        let (mut statement, mut tail) = (ptr::null_mut(), ptr::null());
        // SAFETY: the text is valid for reads of `len` bytes, and the other pointers for a write.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                self.db.as_ptr(),
                sql.as_ptr().cast::<c_char>(),
                len,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &mut statement,
                &mut tail,
            )
        };
        // Taken first, so that whatever SQLite gave is freed.
        let statement = NonNull::new(statement).map(Statement::new);
        self.check(code)?;
        let end = (tail as usize).wrapping_sub(sql.as_ptr() as usize).min(sql.len());
        Ok((statement, end))
    }

    /// Runs one statement that has no parameters, and drops its rows.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), Failure> {
        self.first_text(sql).map(drop)
    }

    /// Runs one statement that has no parameters, and gives the first value of its first row as text.
    pub(crate) fn first_text(&self, sql: &str) -> Result<Option<String>, Failure> {
        let Some(mut statement) = self.prepare(sql)?.0 else {
            return Ok(None);
        };
        let mut first = None;
        while statement.step().map_err(|code| self.failure(code))? {
            if first.is_none() {
                first = statement.text(0);
            }
        }
        Ok(first)
    }

    /// Whether no transaction is open.
    pub(crate) fn is_autocommit(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_get_autocommit(self.db.as_ptr()) != 0 }
    }

    /// Whether the main database can only be read.
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: the handle is open, and the name is a C string.
        unsafe { ffi::sqlite3_db_readonly(self.db.as_ptr(), c"main".as_ptr()) == 1 }
    }

    /// Whether the file of the main database is not the one at its path any more.
    pub(crate) fn has_moved(&self) -> bool {
        let mut has_moved: c_int = 0;
        // SAFETY: the handle is open, the name is a C string, and the question is answered by an int. A file system that
        // cannot tell leaves it alone.
        unsafe {
            ffi::sqlite3_file_control(
                self.db.as_ptr(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_HAS_MOVED,
                (&raw mut has_moved).cast(),
            )
        };
        has_moved != 0
    }

    /// The rows that the last INSERT, UPDATE or DELETE has changed by itself.
    pub(crate) fn changes(&self) -> u64 {
        // SAFETY: the handle is open.
        u64::try_from(unsafe { ffi::sqlite3_changes64(self.db.as_ptr()) }).unwrap_or(0)
    }

    /// All rows that this connection has changed since it was opened, also by triggers.
    pub(crate) fn total_changes(&self) -> i64 {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_total_changes64(self.db.as_ptr()) }
    }

    /// The key of the row that this connection inserted last.
    pub(crate) fn last_insert_id(&self) -> i64 {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_last_insert_rowid(self.db.as_ptr()) }
    }

    /// Whether a table's column can be NULL, as far as its declaration tells.
    pub(crate) fn declared_nullability(&self, schema: &str, table: &str, column: &str) -> Nullability {
        let (Ok(schema), Ok(table), Ok(column)) = (CString::new(schema), CString::new(table), CString::new(column))
        else {
            return Nullability::UNKNOWN;
        };
        let (mut not_null, mut primary_key, mut autoincrement) = (0, 0, 0);
        // SAFETY: the names are C strings, and each pointer is null or valid for a write.
        let code = unsafe {
            ffi::sqlite3_table_column_metadata(
                self.db.as_ptr(),
                schema.as_ptr(),
                table.as_ptr(),
                column.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                &mut not_null,
                &mut primary_key,
                &mut autoincrement,
            )
        };
        match code {
            ffi::SQLITE_OK if not_null != 0 || autoincrement != 0 => Nullability::NOT_NULL,
            // The key is the number of the row, which is not NULL; or another column, which can be.
            ffi::SQLITE_OK if primary_key != 0 => Nullability::UNKNOWN,
            ffi::SQLITE_OK => Nullability::NULLABLE,
            _ => Nullability::UNKNOWN,
        }
    }

    /// What SQLite says of the call that has just failed with this code.
    pub(crate) fn failure(&self, code: c_int) -> Failure {
        // SAFETY: the handle is open; the text is valid until the next call on it.
        let message = unsafe { text(ffi::sqlite3_errmsg(self.db.as_ptr())) };
        // SAFETY: the handle is open.
        let offset = unsafe { ffi::sqlite3_error_offset(self.db.as_ptr()) };
        // SAFETY: the handle is open.
        let system_error = unsafe { ffi::sqlite3_system_errno(self.db.as_ptr()) };
        Failure {
            code,
            message: message.unwrap_or_else(|| result_text(code)),
            offset: usize::try_from(offset).ok(),
            system_error,
        }
    }

    fn check(&self, code: c_int) -> Result<(), Failure> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.failure(code)) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.remove_callbacks();
        // SAFETY: this is the only close. Statements that are left keep what they need until they are finalized.
        unsafe { sqlite3_close_v2(self.db.as_ptr()) };
    }
}

impl Failure {
    /// A failure that SQLite was not asked about.
    pub(crate) fn of(code: c_int, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offset: None, system_error: 0 }
    }

    /// What a code means in general.
    pub(crate) fn general(code: c_int) -> Self {
        Self::of(code, result_text(code))
    }
}

/// Settings of this copy of SQLite. A driver has a copy of its own; where another user of the copy was first, for example
/// in a test, SQLite refuses and the settings stay as they are.
pub(crate) fn configure_library() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // No `file:` names, so that SQL cannot ask for a shared cache with ATTACH.
        // SAFETY: this setting takes an int; it comes before the first use, or is refused.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_URI, 0 as c_int) };
        // No memory statistics, which nobody reads: they take a lock of the whole process at each allocation.
        // SAFETY: as above.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int) };
    });
}

/// SQLite's general text for a result code.
fn result_text(code: c_int) -> String {
    // SAFETY: any number is allowed, and the text is static.
    unsafe { text(ffi::sqlite3_errstr(code)) }.unwrap_or_default()
}

/// Copies a C string; `None` for a null pointer.
///
/// # Safety
///
/// The pointer must be null or a C string that is valid during the call.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
