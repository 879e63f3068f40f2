//! Opening a file that may be a driver, to read it.

use crate::{Refusal, RefusalKind, trust};
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// No driver is larger; what is, is refused before it is read.
pub(crate) const MAX_FILE_LEN: u64 = 512 * 1024 * 1024;

/// Opens a candidate for reading, without ever waiting for it, and applies the owner rule to it.
///
/// The directory that holds it has passed [`trust::check_directory`] before.
pub(crate) fn open(path: &Path) -> Result<File, Refusal> {
    let link = fs::symlink_metadata(path).map_err(|e| unreadable(&e))?.is_symlink();
    // Asking before opening keeps devices closed; asking again after it, of the descriptor, is what counts.
    let metadata = fs::metadata(path).map_err(|e| if link { broken_link(path, &e) } else { unreadable(&e) })?;
    check_is_file(metadata.file_type())?;
    if link {
        trust::check_way_to_file(path)?;
    }
    let file = open_without_waiting(path).map_err(|e| unreadable(&e))?;
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    check_is_file(metadata.file_type())?;
    trust::check_open_file(path, &metadata)?;
    match metadata.len() {
        0 => Err(Refusal::new(RefusalKind::NotADriver, "it is empty")),
        1..=MAX_FILE_LEN => Ok(file),
        len => Err(Refusal::new(
            RefusalKind::NotADriver,
            format!("it has {len} bytes; a driver has at most {MAX_FILE_LEN}"),
        )),
    }
}

/// Reads all of a candidate that [`open`] has opened.
pub(crate) fn read(mut file: &File) -> Result<Vec<u8>, Refusal> {
    let len = file.metadata().map_err(|e| unreadable(&e))?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(len.min(MAX_FILE_LEN)).unwrap_or_default());
    file.by_ref().take(MAX_FILE_LEN + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 == len {
        Ok(bytes)
    } else {
        Err(Refusal::new(RefusalKind::Damaged, "it changed its length while it was read; somebody is writing to it"))
    }
}

#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    // A named pipe put there after the question above would otherwise wait for a writer; std adds `O_CLOEXEC`.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn check_is_file(kind: FileType) -> Result<(), Refusal> {
    if kind.is_file() {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::NotADriver, format!("it is {}, not a file", name_of(kind))))
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "something else" }
}

fn broken_link(path: &Path, error: &io::Error) -> Refusal {
    let target = fs::read_link(path).unwrap_or_default();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => {
            format!("it is a symbolic link to {}, which does not exist", target.display())
        }
        _ if is_loop(error) => "it is a symbolic link that leads back to itself".into(),
        _ => format!("it is a symbolic link to {}, which cannot be looked at: {error}", target.display()),
    };
    Refusal::new(RefusalKind::Unreadable, reason)
}

#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

fn unreadable(error: &io::Error) -> Refusal {
    Refusal::unreadable(format_args!("it cannot be read"), error)
}
