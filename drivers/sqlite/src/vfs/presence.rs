//! Whether a database's file still is where it was opened, asked before each transaction that writes.
//!
//! To look a path up takes the system three times as long as to tell the state of an open file, and such a transaction takes
//! little longer than ten of that. A file that was removed or replaced has one link less, and most file systems note in its
//! state that it was moved. So while its state is as it was when the path was looked up last, the path is looked up once in a
//! while only: for a directory that was moved, and where the system's clock for the state of files has not gone on.

use std::{
    fs::{File, Metadata, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    time::{Duration, Instant},
};

/// How long a look at the path is good for, if the file's state stays as it is.
const GOOD_FOR: Duration = Duration::from_millis(1);

/// What is known of a file's presence at its path.
pub(super) struct Presence {
    /// A handle that stands for the file and cannot be read. Unlike others, it can be closed without the locks of the process
    /// on the file being lost.
    file: File,
    looked_up: Option<LookUp>,
}

/// The file was found at its path.
struct LookUp {
    at: Instant,
    /// What the state of the file was before.
    state: State,
}

/// How many links the file has, and when that or anything else about it has changed, in seconds and nanoseconds.
type State = (u64, i64, i64);

fn state(metadata: &Metadata) -> State {
    (metadata.nlink(), metadata.ctime(), metadata.ctime_nsec())
}

impl Presence {
    /// Of the file at this path, which is open.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).ok()?;
        Some(Self { file, looked_up: None })
    }

    /// Whether the file has moved from its path. `look_up` tells it by the path.
    pub(super) fn has_moved(&mut self, look_up: impl FnOnce() -> bool) -> bool {
        let state = self.file.metadata().ok().as_ref().map(state);
        let now = Instant::now();
        let is_known = |last: &LookUp| now.duration_since(last.at) < GOOD_FOR && state == Some(last.state);
        if self.looked_up.as_ref().is_some_and(is_known) {
            return false;
        }
        let has_moved = look_up();
        self.looked_up = if has_moved { None } else { state.map(|state| LookUp { at: now, state }) };
        has_moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, fs, thread};

    #[test]
    fn the_path_is_looked_up_when_the_state_has_changed_or_time_has_passed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("file"), directory.path().join("other"));
        fs::write(&path, "").unwrap();
        fs::write(&other, "").unwrap();
        let mut presence = Presence::of(&path).unwrap();
        let looked_up = Cell::new(0);
        let mut has_moved = |moved| {
            presence.has_moved(|| {
                looked_up.set(looked_up.get() + 1);
                moved
            })
        };
        assert!(!has_moved(false));
        let mut known = 0;
        // Within a millisecond, at least once in so many attempts.
        for _ in 0..1000 {
            let before = looked_up.get();
            assert!(!has_moved(false));
            known += usize::from(looked_up.get() == before);
        }
        assert!(known > 0);
        // However little time has passed.
        fs::rename(&other, &path).unwrap();
        let before = looked_up.get();
        assert!(has_moved(true));
        // And again, until it is found.
        assert!(has_moved(true));
        assert!(!has_moved(false));
        assert_eq!(looked_up.get(), before + 3);
        thread::sleep(GOOD_FOR);
        assert!(has_moved(true));
    }

    #[test]
    fn there_is_none_of_a_file_that_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Presence::of(&directory.path().join("file")).is_none());
    }
}
