//! Extensions that the URL asks for. They are native code in the process, so a file that others can change is not loaded.

use crate::{handle::Handle, options::configuration};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::{
    ffi::CString,
    fs, io,
    path::{Path, PathBuf},
};

/// An extension of a URL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extension {
    /// Its library; the path is absolute.
    path: PathBuf,
    /// The function that starts it. Defaults to what SQLite makes of the file's name.
    entry: Option<String>,
}

impl Extension {
    /// Reads `extension=<path>` and `extension.<entry>=<path>`.
    pub(crate) fn of_url(path: &str, entry: Option<&str>) -> Result<Self> {
        if entry.is_some_and(|entry| !is_identifier(entry)) {
            return Err(configuration("the entry point of an extension in the URL is not the name of a function")
                .with_hint("write `extension=/path/name.so`, or `extension.sqlite3_name_init=/path/name.so`"));
        }
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            let message = format!("the extension `{}` in the URL has no absolute path", path.display());
            return Err(configuration(message).with_hint(
                "write the whole path: another library would be loaded where the working directory or the system's \
                 search path is another",
            ));
        }
        Ok(Self { path, entry: entry.map(Into::into) })
    }
}

/// Loads extensions, and forbids to load more, from SQL and from C.
pub(crate) fn load(handle: &Handle, extensions: &[Extension]) -> Result<()> {
    for Extension { path, entry } in extensions {
        let name = path.display();
        // Every link is resolved, so that what is judged is what is loaded.
        let path = fs::canonicalize(path).map_err(|error| {
            let kind =
                if error.kind() == io::ErrorKind::NotFound { ErrorKind::NOT_FOUND } else { ErrorKind::CONNECTION };
            Error::new(kind, format!("the extension {name} cannot be loaded: {error}"))
        })?;
        check_owner(&path)?;
        let nul = |_| configuration("the path of an extension contains a NUL character");
        let file =
            path.to_str().ok_or_else(|| configuration(format!("{name}: SQLite takes only paths that are UTF-8")))?;
        let file = CString::new(file).map_err(nul)?;
        let entry = entry.as_deref().map(CString::new).transpose().map_err(nul)?;
        handle.load_extension(&file, entry.as_deref()).map_err(|reason| {
            Error::new(ErrorKind::CONNECTION, format!("the extension {name} cannot be loaded: {reason}")).with_hint(
                "it must be made for this machine; a function that starts it under another name is named as in \
                 `extension.sqlite3_name_init=/path/name.so`",
            )
        })?;
    }
    Ok(())
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// As the host does it with drivers: nobody but the user and root can have changed the file, or any directory on its way.
/// A sticky directory is excused on the way, never as the one that holds the file.
#[cfg(unix)]
fn check_owner(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    // SAFETY: it takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    for (distance, place) in path.ancestors().enumerate() {
        let metadata = fs::symlink_metadata(place).map_err(|error| not_trusted(path, &format!("{error}")))?;
        if distance == 0 && !metadata.is_file() {
            return Err(not_trusted(path, "it is not a file"));
        }
        if metadata.uid() != user && metadata.uid() != 0 {
            return Err(not_trusted(path, &format!("{} belongs to another user", place.display())));
        }
        let is_excused = distance > 1 && metadata.mode() & STICKY != 0;
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 && !is_excused {
            return Err(not_trusted(path, &format!("other users can write {}", place.display()))
                .with_hint(format!("run `chmod go-w '{}'`", place.display())));
        }
    }
    Ok(())
}

/// Who may write to the directory is the administrator's care.
#[cfg(not(unix))]
fn check_owner(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn not_trusted(path: &Path, reason: &str) -> Error {
    let message = format!("the extension {} is not loaded: {reason}", path.display());
    Error::new(ErrorKind::PERMISSION, message)
}
