//! What is kept with each open file, behind what is the system's.

use super::{Methods, log::Log, presence::Presence};
use libsqlite3_sys as ffi;

/// What is ours in each file: null, or what is known of it.
pub(super) type Ours = *mut Kept;

/// What is known of a file.
pub(super) enum Kept {
    /// It is a write-ahead log.
    Log(Log),
    /// It is a database.
    Database(Presence),
}

/// What is known of the file.
///
/// # Safety
///
/// As for [`system`](super::system); and what this has answered before for this file is not used any more.
pub(super) unsafe fn kept<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a mut Kept> {
    // SAFETY: `open` has given the file these methods, which are the first field of a `Methods`.
    let ours = unsafe { &*(*file).pMethods.cast::<Methods>() }.ours;
    // SAFETY: `open` has written there null, or what lives until `close`.
    unsafe { file.byte_add(ours).cast::<Ours>().read().as_mut() }
}

/// The file as a write-ahead log, if it is one.
///
/// # Safety
///
/// As for [`kept`].
pub(super) unsafe fn log<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a mut Log> {
    // SAFETY: the caller's promise.
    match unsafe { kept(file) } {
        Some(Kept::Log(log)) => Some(log),
        _ => None,
    }
}
