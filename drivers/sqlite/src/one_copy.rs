//! Finding out whether something else in this process has a database's file open: another copy of SQLite, be it the
//! application's own, one of another driver, or of another version of this one.
//!
//! The locks of POSIX belong to the process. When one copy of SQLite closes a file, the locks of the other copy on it are
//! gone, and the file can be corrupted ("How To Corrupt An SQLite Database File", section 2.2.1). Copies do not know of
//! each other, but a process has one table of open files. So this copy notes which databases it has open, and when it
//! opens one for the first time, nobody else may have it open.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A file, whatever its name: device and inode.
type FileId = (u64, u64);

/// The databases that this copy of SQLite has open, by the address of SQLite's object for the open file.
static OPEN: Mutex<BTreeMap<usize, FileId>> = Mutex::new(BTreeMap::new());

/// Where the system lists the descriptors of this process.
const DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// Keeps other threads from opening databases with this copy meanwhile.
pub(crate) struct Opening(MutexGuard<'static, BTreeMap<usize, FileId>>);

impl Opening {
    pub(crate) fn begin() -> Self {
        Self(OPEN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the file may be opened: this copy has it open already, or nobody in the process has.
    pub(crate) fn may_open(&self, path: &Path) -> bool {
        id(path).is_none_or(|file| self.has(file) || open_descriptors(file) == 0)
    }

    /// Notes that the file was opened. Not where something else in the process has opened it at the same moment: this
    /// answers `false` then, and the file must not be closed.
    pub(crate) fn opened(&mut self, path: &Path, address: usize) -> bool {
        let Some(file) = id(path) else { return true };
        if !self.has(file) && open_descriptors(file) > 1 {
            return false;
        }
        self.0.insert(address, file);
        true
    }

    fn has(&self, file: FileId) -> bool {
        self.0.values().any(|open| *open == file)
    }
}

/// Notes that a file was closed, of whatever kind.
pub(crate) fn closed(address: usize) {
    Opening::begin().0.remove(&address);
}

fn id(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}

/// How many descriptors of this process stand for a file; 0 where the system does not tell.
fn open_descriptors(file: FileId) -> usize {
    let Ok(descriptors) = fs::read_dir(DESCRIPTORS) else { return 0 };
    descriptors.flatten().filter(|descriptor| id(&descriptor.path()) == Some(file)).count()
}
