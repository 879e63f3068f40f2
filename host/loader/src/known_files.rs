//! Files whose content this process has read and opened before.
//!
//! An application opens many databases with one driver, and each time its file is looked at anew. Reading and hashing
//! 6.5 MB takes 3.5 ms in a release build and 140 ms in a debug build; asking whether the file is the same takes
//! microseconds.

use crate::LoadedDriver;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// What the file system says of a file, different for different content.
///
/// The time of the last change is set by the kernel alone. A change within the same tick of its clock does not show, so
/// a file that was changed lately has no identity yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    len: u64,
    changed_ns: i128,
}

/// Longer than the tick of any kernel's clock and than the second that some file systems count in.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// No process has more drivers; one that sees more files than this reads them anew.
const MAX_KNOWN: usize = 64;

static KNOWN: Mutex<BTreeMap<FileIdentity, LoadedDriver>> = Mutex::new(BTreeMap::new());

fn known() -> MutexGuard<'static, BTreeMap<FileIdentity, LoadedDriver>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The driver that was opened from this very file, under whatever path.
pub(crate) fn find(identity: &FileIdentity) -> Option<LoadedDriver> {
    known().get(identity).cloned()
}

/// Notes that this file has been opened.
pub(crate) fn note(identity: FileIdentity, driver: LoadedDriver) {
    let mut known = known();
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(identity, driver);
}

impl FileIdentity {
    /// The identity of an open file, unless it was changed lately.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let changed = Duration::new(metadata.ctime().try_into().ok()?, metadata.ctime_nsec().try_into().ok()?);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed).ok()?;
        (age > SETTLED_AFTER).then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            changed_ns: changed.as_nanos().cast_signed(),
        })
    }

    /// Elsewhere files are read each time.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_file_that_was_just_written_has_no_identity() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(FileIdentity::of(&file.metadata().unwrap()), None);
    }

    #[test]
    fn a_file_that_was_written_long_ago_has_one() {
        let file = || File::open(std::env::var_os("CARGO").unwrap()).unwrap().metadata().unwrap();
        assert!(FileIdentity::of(&file()).is_some());
        assert_eq!(FileIdentity::of(&file()), FileIdentity::of(&file()));
    }
}
