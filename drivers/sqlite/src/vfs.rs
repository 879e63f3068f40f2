//! The file system as SQLite sees it: the system's own, except that work stops where it reads, writes, and waits for the disk.
//!
//! A single step of SQLite's virtual machine may read or write thousands of pages: then reading and writing are the places
//! where it can be paused. Nobody begins to write to a file with a write-ahead log that was removed or replaced.

use crate::coroutine::{self, Pause, Place};
use libsqlite3_sys as ffi;
use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicPtr, Ordering},
    },
};

/// The system's own file system.
static SYSTEM: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// The methods of a kind of file, some of them replaced.
#[repr(C)]
struct Methods {
    /// First: SQLite takes a pointer to it for a pointer to these.
    methods: ffi::sqlite3_io_methods,
    system: &'static ffi::sqlite3_io_methods,
}

/// Makes it the default one. To be called once.
pub(crate) fn register() {
    // SAFETY: null asks for the default one, which is static.
    let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if system.is_null() {
        return;
    }
    SYSTEM.store(system, Ordering::Release);
    // SAFETY: it is not null, and is a plain C struct.
    let copy = unsafe { ptr::read(system) };
    let ours = ffi::sqlite3_vfs { zName: c"montrs".as_ptr(), pNext: ptr::null_mut(), xOpen: Some(open), ..copy };
    // SAFETY: it lives for ever. Its methods are the system's, whose data it has a copy of, and `open`.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1) };
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `register` has stored it before this could be called.
    let system = unsafe { &*SYSTEM.load(Ordering::Acquire) };
    let Some(open) = system.xOpen else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: the arguments are SQLite's own, and `vfs` differs from the system's in name and `xOpen` only.
    let code = unsafe { open(vfs, name, file, flags, out_flags) };
    // SAFETY: SQLite gave the file, and `open` has filled it in; without methods it is not open.
    unsafe {
        if let Some(methods) = (*file).pMethods.as_ref() {
            (*file).pMethods = &raw const pausing(methods).methods;
        }
    }
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
        ..*system
    };
    let methods = Methods { methods, system };
    let methods: &'static Methods = Box::leak(Box::new(methods));
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
