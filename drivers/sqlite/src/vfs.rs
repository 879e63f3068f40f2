//! The file systems as SQLite sees them: the system's own, except that work stops where it reads, writes, and waits for the
//! disk, and that no database is opened that another copy of SQLite has open in this process.
//!
//! A single step of SQLite's virtual machine may read or write thousands of pages: then reading and writing are the places
//! where it can be paused. Nobody begins to write to a file with a write-ahead log that was removed or replaced.

use crate::{
    coroutine::{self, Pause, Place},
    one_copy::{self, Opening},
};
use libsqlite3_sys as ffi;
use std::{
    ffi::{CStr, CString, c_int, c_void},
    path::Path,
    ptr,
    sync::{Mutex, PoisonError},
};

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
    let vfs = ffi::sqlite3_vfs { zName: name.as_ptr(), pNext: ptr::null_mut(), xOpen: Some(open), ..copy };
    let wrapper = Box::into_raw(Box::new(Wrapper { vfs, system }));
    // SAFETY: it lives for ever. Its methods are the system's, whose data it has a copy of, and `open`.
    unsafe { ffi::sqlite3_vfs_register(wrapper.cast(), 0) };
    known.push(name);
    Some(name)
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
    let Some(open) = (unsafe { (*(*vfs.cast::<Wrapper>()).system).xOpen }) else {
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
    // SAFETY: the arguments are SQLite's own, and `vfs` differs from the system's in name and `xOpen` only.
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
    // SAFETY: as above.
    unsafe { (*file).pMethods = &raw const pausing(methods).methods };
    code
}

/// The same methods, with places to pause. There are few kinds of files, so what is made for one is kept for good.
fn pausing(system: &'static ffi::sqlite3_io_methods) -> &'static Methods {
    static KNOWN: Mutex<Vec<&Methods>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(methods) = known.iter().find(|methods| ptr::eq(methods.system, system)) {
        return methods;
    }
    let methods = ffi::sqlite3_io_methods {
        xRead: Some(read),
        xWrite: Some(write),
        xSync: Some(sync),
        xShmLock: system.xShmLock.map(|_| lock_shared as LockShared),
        xClose: Some(close),
        ..*system
    };
    let methods: &'static Methods = Box::leak(Box::new(Methods { methods, system }));
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

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    coroutine::pause_if_spent();
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { system(file) }.xRead {
        // SAFETY: the arguments are SQLite's own.
        Some(read) => unsafe { read(file, buffer, amount, offset) },
        None => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    coroutine::pause_if_spent();
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { system(file) }.xWrite {
        // SAFETY: the arguments are SQLite's own.
        Some(write) => unsafe { write(file, buffer, amount, offset) },
        None => ffi::SQLITE_IOERR_WRITE,
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if coroutine::place() == Some(Place::Executor) {
        coroutine::pause(Pause::Syncing);
    }
    // SAFETY: SQLite calls this for a file that `open` has opened.
    match unsafe { system(file) }.xSync {
        // SAFETY: the arguments are SQLite's own.
        Some(sync) => unsafe { sync(file, flags) },
        None => ffi::SQLITE_IOERR_FSYNC,
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
        let mut has_moved: c_int = 0;
        if let Some(control) = system.xFileControl {
            // SAFETY: the file is SQLite's own, and the question is answered by an int.
            unsafe { control(file, ffi::SQLITE_FCNTL_HAS_MOVED, (&raw mut has_moved).cast()) };
        }
        if has_moved != 0 {
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
    // SAFETY: SQLite calls this for a file that `open` has opened.
    let code = match unsafe { system(file) }.xClose {
        // SAFETY: the argument is SQLite's own.
        Some(close) => unsafe { close(file) },
        None => ffi::SQLITE_OK,
    };
    one_copy::closed(file.addr());
    code
}
