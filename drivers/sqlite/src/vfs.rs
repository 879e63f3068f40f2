//! The file systems as SQLite sees them: the system's own, except that work stops where it reads, writes, and waits for the
//! disk, and that no database is opened that another copy of SQLite has open in this process.
//!
//! A single step of SQLite's virtual machine may read or write thousands of pages: then reading and writing are the places
//! where it can be paused. Nobody begins to write to a file with a write-ahead log that was removed or replaced. Each frame of such a
//! log is written at once: see [`log`].

use crate::{
    coroutine::{self, Pause, Place},
    one_copy::{self, Opening},
};
use kept::{Kept, Ours, kept, log};
use libsqlite3_sys as ffi;
use log::Log;
use presence::Presence;
use std::{
    ffi::{CStr, CString, c_int, c_void},
    path::Path,
    ptr, slice,
    sync::{Mutex, PoisonError},
};

mod kept;
mod log;
#[cfg_attr(not(target_os = "linux"), path = "vfs/no_presence.rs")]
mod presence;

/// What `xOpen` fails with where another copy of SQLite has the file open: an extended code of our own.
pub(crate) const OPEN_ELSEWHERE: c_int = ffi::SQLITE_CANTOPEN | (200 << 8);

/// What the names of ours begin with.
const PREFIX: &str = "montrs-";

/// A file system, one method replaced. SQLite links file systems to each other, so there are no references to them.
#[repr(C)]
struct Wrapper {
    /// First: SQLite gives a pointer to it, which is one to these.
    vfs: ffi::sqlite3_vfs,
    system: *const ffi::sqlite3_vfs,
}

/// The methods of a kind of file, some of them replaced.
#[repr(C)]
struct Methods {
    /// First: SQLite takes a pointer to it for a pointer to these.
    methods: ffi::sqlite3_io_methods,
    system: &'static ffi::sqlite3_io_methods,
    /// Where in a file what is ours begins, behind what is the system's.
    ours: usize,
}

/// The name of the file system to open with, for the system's own of this name or for its default one; `None` where there
/// is none of this name.
pub(crate) fn wrapping(name: Option<&str>) -> Option<&'static CStr> {
    let name = name.map(CString::new).transpose().ok()?;
    if name.as_deref().is_some_and(is_ours) {
        return None;
    }
    // SAFETY: it is null, which asks for the default one, or a C string.
    let system = unsafe { ffi::sqlite3_vfs_find(name.as_deref().map_or(ptr::null(), CStr::as_ptr)) };
    if system.is_null() {
        return None;
    }
    // SAFETY: it is registered, and file systems are registered for good.
    let theirs = unsafe { CStr::from_ptr((*system).zName) };
    static KNOWN: Mutex<Vec<&CStr>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = [PREFIX.as_bytes(), theirs.to_bytes()].concat();
    if let Some(known) = known.iter().find(|known| known.to_bytes() == name) {
        return Some(known);
    }
    let name: &'static CStr = Box::leak(CString::new(name).ok()?.into_boxed_c_str());
    // SAFETY: as above; it is a plain C struct.
    let copy = unsafe { ptr::read(system) };
    let size = c_int::try_from(ours_begin(&copy) + size_of::<Ours>()).ok()?;
    let vfs =
        ffi::sqlite3_vfs { szOsFile: size, zName: name.as_ptr(), pNext: ptr::null_mut(), xOpen: Some(open), ..copy };
    let wrapper = Box::into_raw(Box::new(Wrapper { vfs, system }));
    // SAFETY: it lives for ever. Its methods are the system's, whose data it has a copy of, and `open`; its files are as large
    // as the system's, and have room for what is ours behind that.
    unsafe { ffi::sqlite3_vfs_register(wrapper.cast(), 0) };
    known.push(name);
    Some(name)
}

/// Where in a file of this file system what is ours begins.
fn ours_begin(system: &ffi::sqlite3_vfs) -> usize {
    usize::try_from(system.szOsFile).unwrap_or(0).next_multiple_of(align_of::<Ours>())
}

/// The names of the system's file systems.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: null asks for the default one, which is the first of the list.
    let mut next = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    while !next.is_null() {
        // SAFETY: it is registered, and file systems are registered for good.
        let (name, after) = unsafe { (CStr::from_ptr((*next).zName), (*next).pNext) };
        if !is_ours(name) {
            names.push(name.to_string_lossy().into_owned());
        }
        next = after;
    }
    names
}

fn is_ours(name: &CStr) -> bool {
    name.to_bytes().starts_with(PREFIX.as_bytes())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives what `wrapping` has registered, which is the first field of a `Wrapper`; the system's is
    // registered for good.
    let system = unsafe { &*(*vfs.cast::<Wrapper>()).system };
    let Some(open) = system.xOpen else {
        return ffi::SQLITE_CANTOPEN;
    };
    let is_database = flags & ffi::SQLITE_OPEN_MAIN_DB != 0 && !name.is_null();
    // SAFETY: a database's name is a C string. Other files may have none.
    let path = is_database.then(|| unsafe { CStr::from_ptr(name) }.to_str().ok()).flatten().map(Path::new);
    // Held until the file is open, by no one who is paused meanwhile: opening asks SQLite's handlers nothing.
    let mut opening = path.map(|path| (path, Opening::begin()));
    if opening.as_ref().is_some_and(|(path, opening)| !opening.may_open(path)) {
        // SAFETY: SQLite gave the file. Without methods it is not open.
        unsafe { (*file).pMethods = ptr::null() };
        return OPEN_ELSEWHERE;
    }
    // SAFETY: the arguments are SQLite's own, and `vfs` differs from the system's in name, `xOpen` and the size of files only.
    let code = unsafe { open(vfs, name, file, flags, out_flags) };
    // SAFETY: SQLite gave the file, and `open` has filled it in; without methods it is not open.
    let Some(methods) = (unsafe { (*file).pMethods.as_ref() }) else {
        return code;
    };
    if code == ffi::SQLITE_OK && opening.as_mut().is_some_and(|(path, opening)| !opening.opened(path, file.addr())) {
        // Closing it would drop the locks of the other copy. So it is never closed: what it holds is lost, once.
        // SAFETY: as above.
        unsafe { (*file).pMethods = ptr::null() };
        return OPEN_ELSEWHERE;
    }
    let methods = ours(methods, ours_begin(system));
    // SAFETY: as above.
    unsafe { (*file).pMethods = &raw const methods.methods };
    let kept = match path {
        _ if flags & ffi::SQLITE_OPEN_WAL != 0 => Some(Kept::Log(Log::default())),
        path => path.and_then(Presence::of).map(Kept::Database),
    };
    let kept = kept.map_or(ptr::null_mut(), |kept| Box::into_raw(Box::new(kept)));
    // SAFETY: SQLite has made room for a file of the size that `vfs` tells, so this is inside, and it is aligned as SQLite's
    // memory and `ours_begin` are.
    unsafe { file.byte_add(methods.ours).cast::<Ours>().write(kept) };
    code
}

/// The same methods, some of them replaced. There are few kinds of files, so what is made for one is kept for good.
fn ours(system: &'static ffi::sqlite3_io_methods, ours: usize) -> &'static Methods {
    static KNOWN: Mutex<Vec<&Methods>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(methods) = known.iter().find(|methods| ptr::eq(methods.system, system) && methods.ours == ours) {
        return methods;
    }
    let methods = ffi::sqlite3_io_methods {
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xFileSize: Some(file_size),
        xFileControl: Some(file_control),
        xShmLock: system.xShmLock.map(|_| lock_shared as LockShared),
        xClose: Some(close),
        ..*system
    };
    let methods: &'static Methods = Box::leak(Box::new(Methods { methods, system, ours }));
    known.push(methods);
    methods
}

/// The system's methods for this file.
///
/// # Safety
///
/// The file must be one that `open` has opened.
unsafe fn system(file: *mut ffi::sqlite3_file) -> &'static ffi::sqlite3_io_methods {
    // SAFETY: `open` has given the file these methods, which are the first field of a `Methods`.
    unsafe { &*(*file).pMethods.cast::<Methods>() }.system
}

/// Writes to a file as the system does.
///
/// # Safety
///
/// As for [`system`].
unsafe fn write_now(file: *mut ffi::sqlite3_file, bytes: &[u8], offset: i64) -> c_int {
    // SAFETY: the caller's promise.
    let (Some(write), Ok(amount)) = (unsafe { system(file) }.xWrite, c_int::try_from(bytes.len())) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: the file is open, and so many bytes are there.
    unsafe { write(file, bytes.as_ptr().cast(), amount, offset) }
}

/// The system's methods for this file, for anything but writing: what is held back is written before.
///
/// # Safety
///
/// As for [`log`].
unsafe fn settled(file: *mut ffi::sqlite3_file) -> Result<&'static ffi::sqlite3_io_methods, c_int> {
    // SAFETY: the caller's promise; what is answered is used here only.
    let code = unsafe { log(file) }.map_or(ffi::SQLITE_OK, |log| {
        // SAFETY: the caller's promise.
        log.let_go(|bytes, offset| unsafe { write_now(file, bytes, offset) })
    });
    // SAFETY: the caller's promise.
    if code == ffi::SQLITE_OK { Ok(unsafe { system(file) }) } else { Err(code) }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    coroutine::pause_if_spent();
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { settled(file) }.map(|system| system.xRead) {
        // SAFETY: the arguments are SQLite's own.
        Ok(Some(read)) => unsafe { read(file, buffer, amount, offset) },
        Ok(None) => ffi::SQLITE_IOERR_READ,
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    coroutine::pause_if_spent();
    let Ok(amount) = usize::try_from(amount) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite gives so many bytes, for this call.
    let bytes = unsafe { slice::from_raw_parts(buffer.cast::<u8>(), amount) };
    // SAFETY: SQLite calls this for a file that `open` has opened.
    let system = |bytes: &[u8], offset| unsafe { write_now(file, bytes, offset) };
    // SAFETY: as above; what is answered is used here only.
    match unsafe { log(file) } {
        Some(log) => log.write(bytes, offset, system),
        None => system(bytes, offset),
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { settled(file) }.map(|system| system.xTruncate) {
        // SAFETY: the arguments are SQLite's own.
        Ok(Some(truncate)) => unsafe { truncate(file, size) },
        Ok(None) => ffi::SQLITE_IOERR_TRUNCATE,
        Err(code) => code,
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { settled(file) }.map(|system| system.xFileSize) {
        // SAFETY: the arguments are SQLite's own.
        Ok(Some(file_size)) => unsafe { file_size(file, size) },
        Ok(None) => ffi::SQLITE_IOERR_FSTAT,
        Err(code) => code,
    }
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { settled(file) }.map(|system| system.xFileControl) {
        // SAFETY: the arguments are SQLite's own.
        Ok(Some(control)) => unsafe { control(file, operation, argument) },
        Ok(None) => ffi::SQLITE_NOTFOUND,
        Err(code) => code,
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if coroutine::place() == Some(Place::Executor) {
        coroutine::pause(Pause::Syncing);
    }
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { settled(file) }.map(|system| system.xSync) {
        // SAFETY: the arguments are SQLite's own.
        Ok(Some(sync)) => unsafe { sync(file, flags) },
        Ok(None) => ffi::SQLITE_IOERR_FSYNC,
        Err(code) => code,
    }
}

type LockShared = unsafe extern "C" fn(*mut ffi::sqlite3_file, c_int, c_int, c_int) -> c_int;

/// Takes or gives back locks of a write-ahead log. Where it is the lock to write, the file must still be the one at its
/// path: what is written otherwise is lost when the last connection is closed. With a rollback journal SQLite itself
/// looks; here it does not.
unsafe extern "C" fn lock_shared(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    const WRITE_LOCK: c_int = 0;
    // SAFETY: SQLite calls this for a file that `open` has opened.
    let system = unsafe { system(file) };
    if first == WRITE_LOCK && flags == ffi::SQLITE_SHM_LOCK | ffi::SQLITE_SHM_EXCLUSIVE {
        let look_up = || {
            let mut has_moved: c_int = 0;
            if let Some(control) = system.xFileControl {
                // SAFETY: the file is SQLite's own, and the question is answered by an int.
                unsafe { control(file, ffi::SQLITE_FCNTL_HAS_MOVED, (&raw mut has_moved).cast()) };
            }
            has_moved != 0
        };
        // SAFETY: as above; what is answered is used here only.
        let has_moved = match unsafe { kept(file) } {
            Some(Kept::Database(presence)) => presence.has_moved(look_up),
            _ => look_up(),
        };
        if has_moved {
            return ffi::SQLITE_READONLY_DBMOVED;
        }
    }
    match system.xShmLock {
        // SAFETY: the arguments are SQLite's own.
        Some(lock) => unsafe { lock(file, first, count, flags) },
        None => ffi::SQLITE_IOERR_SHMLOCK,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // A header that is held back now is one of a transaction that was not committed.
    // SAFETY: SQLite calls this for a file that `open` has opened; what is answered is used here only.
    if let Some(kept) = unsafe { kept(file) } {
        // Before the file is closed: where a file is open, another copy of SQLite does not open it.
        // SAFETY: `open` has made it of a box, and nothing asks for it any more: to close a file, the system uses methods of its own.
        drop(unsafe { Box::from_raw(kept) });
    }
    // SAFETY: as above.
    let code = match unsafe { system(file) }.xClose {
        // SAFETY: the argument is SQLite's own.
        Some(close) => unsafe { close(file) },
        None => ffi::SQLITE_OK,
    };
    one_copy::closed(file.addr());
    code
}
