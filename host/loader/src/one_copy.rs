//! Keeping two copies of one database library from being used in one process at the same time.
//!
//! SQLite locks its files with POSIX locks, which belong to the process: when one copy closes a file, the locks of the
//! other copy on it are gone, and the file can be corrupted ("How To Corrupt An SQLite Database File", section 2.2.1).
//! A driver to which this applies declares [`ONE_COPY_PER_PROCESS`]. While databases of one copy of it are open, no
//! database can be opened with another.

use crate::{ContentHash, DriverRecord, LoadError, LoadErrorKind};
use montrs_driver_abi::record::trait_word::ONE_COPY_PER_PROCESS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The right to have a database of a driver open. Keep it until the database is closed.
#[derive(Debug)]
#[must_use = "without the guard another copy of the driver may be used at the same time"]
pub struct OpenGuard {
    /// The driver's name; `None` if its copies do not get into each other's way.
    driver: Option<String>,
}

struct InUse {
    hash: ContentHash,
    path: PathBuf,
    databases: usize,
}

/// The copies in use, by the driver's name.
static IN_USE: Mutex<BTreeMap<String, InUse>> = Mutex::new(BTreeMap::new());

fn in_use() -> MutexGuard<'static, BTreeMap<String, InUse>> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenGuard {
    pub(crate) fn acquire(record: &DriverRecord, path: &Path, hash: ContentHash) -> Result<Self, LoadError> {
        if !record.has_trait(ONE_COPY_PER_PROCESS) {
            return Ok(Self { driver: None });
        }
        let mut in_use = in_use();
        let entry =
            in_use.entry(record.name.clone()).or_insert_with(|| InUse { hash, path: path.into(), databases: 0 });
        if entry.hash != hash {
            return Err(another_copy(record, path, entry));
        }
        entry.databases += 1;
        Ok(Self { driver: Some(record.name.clone()) })
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        let Some(driver) = &self.driver else { return };
        let mut in_use = in_use();
        if let Some(entry) = in_use.get_mut(driver) {
            entry.databases -= 1;
            if entry.databases == 0 {
                in_use.remove(driver);
            }
        }
    }
}

fn another_copy(record: &DriverRecord, path: &Path, in_use: &InUse) -> LoadError {
    let message = format!(
        "driver {record} ({}) is not used yet: this process has {} open with another copy of driver `{}`, read from \
         {}, and two copies of its database library in one process can corrupt a file that both have open",
        path.display(),
        if in_use.databases == 1 { "1 database".into() } else { format!("{} databases", in_use.databases) },
        record.name,
        in_use.path.display(),
    );
    LoadError::new(LoadErrorKind::AnotherCopyInUse, message)
        .fixed_by("close the databases that are open, or restart the application")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::library::{fields, record_bytes};
    use montrs_driver_abi::record::key;

    fn record(name: &str, traits: &str) -> DriverRecord {
        let mut fields = fields(name, "1.0.0", "toy");
        fields.push((key::TRAITS, traits));
        DriverRecord::parse(&record_bytes(&fields)).unwrap()
    }

    fn acquire(record: &DriverRecord, bytes: &[u8]) -> Result<OpenGuard, LoadError> {
        OpenGuard::acquire(record, Path::new("/plugins/liba.so"), ContentHash::of(bytes))
    }

    #[test]
    fn another_copy_is_refused_until_the_last_database_of_the_first_is_closed() {
        let record = record("one-copy", ONE_COPY_PER_PROCESS);
        let first = acquire(&record, b"old").unwrap();
        let second = acquire(&record, b"old").unwrap();
        drop(first);
        let error = acquire(&record, b"new").unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::AnotherCopyInUse);
        assert!(error.message().contains("1 database open") && error.message().contains("/plugins/liba.so"), "{error}");
        drop(second);
        let third = acquire(&record, b"new").unwrap();
        assert!(acquire(&record, b"old").is_err());
        drop(third);
    }

    #[test]
    fn drivers_of_other_names_are_not_concerned() {
        let _one = acquire(&record("concerned", ONE_COPY_PER_PROCESS), b"x").unwrap();
        let _other = acquire(&record("unconcerned", ONE_COPY_PER_PROCESS), b"y").unwrap();
    }

    #[test]
    fn without_the_trait_copies_live_side_by_side() {
        let record = record("many-copies", "something-else");
        let _old = acquire(&record, b"old").unwrap();
        let _new = acquire(&record, b"new").unwrap();
    }
}
