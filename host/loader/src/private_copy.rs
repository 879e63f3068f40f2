//! The copy of a driver that is opened instead of the file it was found in.
//!
//! The system's loader maps a library: when the file is then overwritten in place, the process crashes, and when it is
//! replaced before it is opened, other code runs than was checked. So the bytes that were checked go into a file that
//! only this user can reach and that nobody changes any more.
//!
//! The order of places, and why:
//!
//! 1. `montrs/drivers` in the user's cache directory. A file with a lasting path has its pages shared by all processes
//!    and dropped under memory pressure, and debuggers, profilers and backtraces find its symbols.
//! 2. `montrs-drivers` in `$XDG_RUNTIME_DIR`, for a home that is read-only or mounted `noexec`.
//! 3. A sealed in-memory file (Linux). It costs its length in memory in each process, and only the process itself finds
//!    its symbols; but it needs no file system. A process with raised privileges, which does not believe its
//!    environment, starts here.
//!
//! Copies carry their hash as name and are never written in place: a new one is renamed to its name when it is whole,
//! and one that is there is compared byte by byte before it is used. After a new copy is written, all but the
//! [`KEPT`] last used ones of the same driver are removed. A process that has a removed copy mapped keeps it.

use crate::{ContentHash, LoadError, LoadErrorKind, privileges, trust};
use etcetera::BaseStrategy;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// So many copies of one driver are kept in a directory.
pub(crate) const KEPT: usize = 4;
/// A copy that was used so lately may be about to be opened by another process.
const IN_USE_FOR: Duration = Duration::from_secs(60);
/// A file that is still being written after this time belongs to a process that died.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// Makes or finds the copy of these bytes, and gives the path to open it by.
pub(crate) fn make(driver: &str, bytes: &[u8], hash: &ContentHash) -> Result<PathBuf, LoadError> {
    make_in(&places(), driver, bytes, hash)
}

fn make_in(places: &[PathBuf], driver: &str, bytes: &[u8], hash: &ContentHash) -> Result<PathBuf, LoadError> {
    let mut reasons = Vec::new();
    for place in places {
        match in_directory(place, driver, bytes, hash) {
            Ok(path) => return Ok(path),
            Err(reason) => reasons.push(format!("\n  {}: {reason}", place.display())),
        }
    }
    in_memory(driver, bytes).map_err(|error| {
        let reasons = reasons.concat();
        let message = format!("no private copy of driver `{driver}` could be made:{reasons}\n  in memory: {error}",);
        LoadError::new(LoadErrorKind::PrivateCopy, message)
            .fixed_by(
                "set XDG_CACHE_HOME to a directory of your own, on a file system with free space that is not mounted \
                 `noexec`",
            )
            .caused_by(error)
    })
}

fn places() -> Vec<PathBuf> {
    if privileges::raised().is_some() {
        return Vec::new();
    }
    let Ok(strategy) = etcetera::choose_base_strategy() else { return Vec::new() };
    let cache = strategy.cache_dir().join("montrs/drivers");
    let runtime = strategy.runtime_dir().map(|directory| directory.join("montrs-drivers"));
    std::iter::once(cache).chain(runtime).filter(|place| place.is_absolute()).collect()
}

fn in_directory(directory: &Path, driver: &str, bytes: &[u8], hash: &ContentHash) -> Result<PathBuf, String> {
    // A program that root runs with the user's environment leaves nothing of root's in the user's home.
    let existing = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(directory);
    trust::check_way_to_new(existing).map_err(|refusal| refusal.to_string())?;
    make_private(directory).map_err(|e| e.to_string())?;
    trust::check_directory(directory).map_err(|refusal| refusal.to_string())?;
    if forbids_execution(directory) {
        return Err("its file system is mounted `noexec`".into());
    }
    let path = directory.join(format!("{driver}-{hash}{}", std::env::consts::DLL_SUFFIX));
    if holds(&path, bytes) {
        return Ok(path);
    }
    write(directory, &path, bytes).map_err(|e| e.to_string())?;
    if !holds(&path, bytes) {
        return Err("what was written is not what is there".into());
    }
    remove_stale(directory, driver);
    Ok(path)
}

/// Whether a file that nobody else can change holds exactly these bytes. If so, it counts as used now.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let look = || -> io::Result<bool> {
        let mut file = open_without_following(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file()
            || metadata.len() != bytes.len() as u64
            || trust::check_open_file(path, &metadata).is_err()
        {
            return Ok(false);
        }
        let mut buffer = vec![0; 64 * 1024];
        for expected in bytes.chunks(buffer.len()) {
            let found = &mut buffer[..expected.len()];
            file.read_exact(found)?;
            if found != expected {
                return Ok(false);
            }
        }
        // Only the order in which copies are removed hangs on this; on a read-only file system none are.
        let _ = file.set_modified(SystemTime::now());
        Ok(true)
    };
    look().unwrap_or(false)
}

fn write(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let unfinished = directory.join(format!(".{}-{nanos}{UNFINISHED}", std::process::id()));
    let result = create_private(&unfinished)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&unfinished, path));
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result
}

const UNFINISHED: &str = ".unfinished";

/// Removes copies of a driver that were not used lately. What cannot be removed stays: it is only a cache.
fn remove_stale(directory: &Path, driver: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut copies = Vec::new();
    for entry in entries.flatten() {
        let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
        let Ok(modified) = metadata.modified() else { continue };
        if name.ends_with(UNFINISHED) {
            if modified.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                let _ = fs::remove_file(entry.path());
            }
        } else if driver_of(&name) == Some(driver) {
            copies.push((modified, entry.path()));
        }
    }
    copies.sort_by(|(a, _), (b, _)| b.cmp(a));
    for (used, path) in copies.into_iter().skip(KEPT) {
        if used.elapsed().is_ok_and(|age| age > IN_USE_FOR) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The driver's name in the name of a copy.
fn driver_of(file_name: &str) -> Option<&str> {
    let (driver, hash) = file_name.strip_suffix(std::env::consts::DLL_SUFFIX)?.rsplit_once('-')?;
    (hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(driver)
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is not a directory of this user"));
    }
    if metadata.mode() & 0o7777 != 0o700 {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

#[cfg(target_os = "linux")]
fn forbids_execution(directory: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(directory).is_ok_and(|info| info.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Elsewhere the loader itself says it when it refuses.
#[cfg(not(target_os = "linux"))]
fn forbids_execution(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn open_without_following(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_without_following(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o500).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A file in memory that can no longer be changed. Its descriptor stays open for ever: the loader knows libraries by
/// name, so a second one under the same number would be taken for the first.
#[cfg(target_os = "linux")]
fn in_memory(driver: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use rustix::io::Errno;
    use std::os::fd::IntoRawFd;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and make all such files executable.
    let descriptor = match memfd_create(driver, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(driver, flags)?,
        other => other?,
    };
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(PathBuf::from(format!("/proc/self/fd/{}", file.into_raw_fd())))
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &str, _: &[u8]) -> io::Result<PathBuf> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no executable files in memory"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const BYTES: &[u8] = b"the bytes of a driver";

    /// A directory of this user alone, whatever the umask is.
    fn private_directory() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
    }

    fn copy(place: &Path, bytes: &[u8]) -> PathBuf {
        make_in(&[place.into()], "toy", bytes, &ContentHash::of(bytes)).unwrap()
    }

    fn is_in_memory(path: &Path) -> bool {
        path.starts_with("/proc/self/fd")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_copy_has_the_content_and_is_private() {
        let temp = private_directory();
        let place = temp.path().join("cache/montrs/drivers");
        let path = copy(&place, BYTES);
        assert!(path.starts_with(&place) && path.to_str().unwrap().contains(&ContentHash::of(BYTES).to_string()));
        assert_eq!(fs::read(&path).unwrap(), BYTES);
        assert_eq!((mode(&place), mode(&path)), (0o700, 0o500));
    }

    #[test]
    fn the_same_bytes_are_copied_once() {
        use std::os::unix::fs::MetadataExt;
        let temp = private_directory();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let first = copy(temp.path(), BYTES);
        let before = inode(&first);
        let second = copy(temp.path(), BYTES);
        assert_eq!((&second, inode(&second)), (&first, before));
        assert_ne!(copy(temp.path(), b"other"), first);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2, "nothing unfinished is left");
    }

    #[test]
    fn a_copy_that_was_changed_is_replaced_and_not_overwritten() {
        let temp = private_directory();
        let path = copy(temp.path(), BYTES);
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, b"THE BYTES OF A DRIVER").unwrap();
        let still_open = File::open(&path).unwrap();
        assert_eq!(fs::read(copy(temp.path(), BYTES)).unwrap(), BYTES);
        let old = io::read_to_string(still_open).unwrap();
        assert_eq!(old, "THE BYTES OF A DRIVER", "whoever has the old file mapped keeps it");
    }

    #[test]
    fn a_copy_that_others_can_write_and_a_link_are_replaced() {
        let temp = private_directory();
        let path = copy(temp.path(), BYTES);
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(mode(&copy(temp.path(), BYTES)), 0o500);
        let elsewhere = temp.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(!fs::symlink_metadata(copy(temp.path(), BYTES)).unwrap().is_symlink());
    }

    #[test]
    fn a_place_that_cannot_be_used_gives_way_to_the_next() {
        let temp = private_directory();
        let (file, open, good) = (temp.path().join("file"), temp.path().join("open"), temp.path().join("good"));
        fs::write(&file, b"").unwrap();
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let places = [file.join("below"), open.join("below"), good.clone()];
        let path = make_in(&places, "toy", BYTES, &ContentHash::of(BYTES)).unwrap();
        assert!(path.starts_with(&good));
    }

    #[test]
    fn nothing_is_made_in_the_home_of_another_user() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let temp = private_directory();
        let home = temp.path().join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(65534), None).unwrap();
        let path = make_in(&[home.join("cache")], "toy", BYTES, &ContentHash::of(BYTES)).unwrap();
        assert!(is_in_memory(&path) && !home.join("cache").exists());
    }

    #[test]
    fn without_a_place_the_copy_is_sealed_in_memory() {
        let path = make_in(&[], "toy", BYTES, &ContentHash::of(BYTES)).unwrap();
        assert!(is_in_memory(&path));
        assert_eq!(fs::read(&path).unwrap(), BYTES);
        let write = |file: File| (&file).write_all(b"x");
        assert!(OpenOptions::new().write(true).open(&path).and_then(write).is_err());
    }

    #[test]
    fn a_directory_mounted_noexec_is_not_used() {
        let proc = Path::new("/proc");
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let noexec = mounts.lines().any(|line| line.starts_with("proc /proc ") && line.contains("noexec"));
        assert_eq!(forbids_execution(proc), noexec);
        assert!(!forbids_execution(&std::env::current_exe().unwrap()));
    }

    #[test]
    fn only_the_last_used_copies_of_a_driver_are_kept() {
        let temp = private_directory();
        let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 60 * 60);
        let age = |path: &Path, seconds| {
            File::open(path).unwrap().set_modified(long_ago + Duration::from_secs(seconds)).unwrap();
        };
        let copies: Vec<PathBuf> = (0..KEPT as u8).map(|i| copy(temp.path(), &[i])).collect();
        copies.iter().zip(1..).for_each(|(path, seconds)| age(path, seconds));
        let other = make_in(&[temp.path().into()], "toy-2", b"x", &ContentHash::of(b"x")).unwrap();
        age(&other, 0);
        let abandoned = temp.path().join(format!(".1-1{UNFINISHED}"));
        fs::write(&abandoned, b"half").unwrap();
        age(&abandoned, 0);
        copy(temp.path(), &[0]);
        copy(temp.path(), b"new");
        assert!(copies[0].exists(), "it was used again");
        assert!(!copies[1].exists() && copies[2].exists() && other.exists() && !abandoned.exists());
    }
}
