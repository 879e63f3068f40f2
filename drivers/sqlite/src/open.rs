//! Opening a database: flags, limits, switches and pragmas, and errors that say what is wrong with the file.

use crate::{
    error::{self, Circumstances, primary},
    extension,
    handle::{self, Failure, Handle, Switch, Watch},
    options::{self, Mode, Options, Place, configuration},
    pragma, url, vfs,
};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::{
    ffi::{CString, c_int},
    fs, io,
    path::Path,
    sync::Arc,
};

/// Reads the first page of the file, and so finds a file that is no database.
pub(crate) const SIGN_OF_LIFE: &str = "PRAGMA schema_version";

/// The longest pattern of LIKE and GLOB, in bytes. SQLite's own 50,000 let one pattern of `%a%a…` recurse until the stack
/// of a blocking thread (2 MiB) overflows.
const LIKE_PATTERN_LENGTH: u16 = 10_000;

/// SQLite's own file systems with which no database can be in WAL mode.
const WITHOUT_SHARED_MEMORY: &[&str] = &["unix-none", "unix-dotfile"];

/// Opens the database.
pub(crate) fn open(options: &Options, watch: Arc<dyn Watch>, circumstances: &Circumstances) -> Result<Handle> {
    let path = match &options.place {
        Place::Memory => None,
        Place::File(path) => Some(path.as_path()),
    };
    let is_new = path.is_some_and(|path| !options.is_read_only() && is_new(path));
    let (name, flags) = name_and_flags(options)?;
    handle::configure_library();
    let file_system = vfs::wrapping(options.vfs.as_deref()).ok_or_else(|| no_file_system(options))?;
    let mut handle = Handle::open(&name, flags, file_system).map_err(|failure| match path {
        Some(path) => {
            let missing = match options.mode {
                _ if options.was_open => Missing::Lost,
                _ if options.is_read_only() => Missing::Refused,
                Some(Mode::ReadWrite) => Missing::Refused,
                _ => Missing::Created,
            };
            cannot_open(path, missing, &failure, circumstances)
        }
        None => error::error(&failure, circumstances),
    })?;
    handle.set_watch(watch);
    handle.set_limit(ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_PATTERN_LENGTH);
    // No threads of SQLite's own: they would call the file system beside this one.
    handle.set_limit(ffi::SQLITE_LIMIT_WORKER_THREADS, 0);
    let explain = |failure: Failure| {
        let error = error::error(&failure, circumstances);
        match path {
            Some(path) if is_about_files_beside(failure.code) => cannot_use(path, options, error),
            _ => error,
        }
    };
    harden(&handle, options).map_err(explain)?;
    extension::load(&handle, &options.extensions)?;
    handle.execute(SIGN_OF_LIFE).map_err(explain)?;
    pragma::set(&handle, options, circumstances)?;
    set_up(&handle, options, is_new).map_err(explain)?;
    check(&handle, options, circumstances)?;
    handle.look_at_statements();
    Ok(handle)
}

fn harden(handle: &Handle, options: &Options) -> Result<(), Failure> {
    handle.forbid_extensions()?;
    handle.set_switch(Switch::Defensive, true)?;
    handle.set_switch(Switch::TrustedSchema, false)?;
    handle.set_switch(Switch::DoubleQuotedStringsInQueries, false)?;
    handle.set_switch(Switch::DoubleQuotedStringsInDefinitions, false)?;
    handle.set_switch(Switch::ForeignKeys, options.foreign_keys)
}

fn set_up(handle: &Handle, options: &Options, is_new: bool) -> Result<(), Failure> {
    if let Some(mode) = options.journal_mode {
        handle.execute(&format!("PRAGMA journal_mode = {mode}"))?;
    } else if is_new {
        match handle.execute("PRAGMA journal_mode = wal") {
            // Somebody else makes the same file at this moment; whoever is first decides.
            Err(failure) if primary(failure.code) != ffi::SQLITE_BUSY => return Err(failure),
            _ => {}
        }
    }
    match options.synchronous {
        Some(synchronous) => handle.execute(&format!("PRAGMA synchronous = {synchronous}"))?,
        None if is_journal(handle, "wal")? => handle.execute("PRAGMA synchronous = normal")?,
        None => handle.execute("PRAGMA synchronous = full")?,
    }
    if let Some(size) = options.cache_size {
        handle.execute(&format!("PRAGMA cache_size = {size}"))?;
    }
    if let Some(size) = options.mmap_size {
        handle.execute(&format!("PRAGMA mmap_size = {size}"))?;
    }
    if let Some(place) = options.temp_store {
        handle.execute(&format!("PRAGMA temp_store = {place}"))?;
    }
    Ok(())
}

/// SQLite does less than it was told in some cases, and says nothing.
fn check(handle: &Handle, options: &Options, circumstances: &Circumstances) -> Result<()> {
    if let Some(mode) = options.journal_mode {
        let is_set = is_journal(handle, mode).map_err(|failure| error::error(&failure, circumstances))?;
        if !is_set {
            let message = format!("{}: the journal mode cannot be {mode} here", circumstances.database);
            return Err(configuration(message));
        }
    }
    if let Some(size) = options.mmap_size {
        let now = handle.first_text("PRAGMA mmap_size").map_err(|failure| error::error(&failure, circumstances))?;
        let now = now.unwrap_or_else(|| "0".into());
        if now != size.to_string() {
            let message = format!("{}: `mmap_size` can be at most {now} bytes here", circumstances.database);
            return Err(configuration(message));
        }
    }
    if matches!(options.mode, Some(Mode::ReadWrite | Mode::Create)) && handle.is_read_only() {
        let message = format!("{}: the database file cannot be written", circumstances.database);
        return Err(Error::new(ErrorKind::PERMISSION, message)
            .with_hint("change the file's permissions, or open it with `mode=ro`"));
    }
    Ok(())
}

pub(crate) fn is_journal(handle: &Handle, mode: &str) -> Result<bool, Failure> {
    Ok(handle.first_text("PRAGMA journal_mode")?.is_some_and(|now| now.eq_ignore_ascii_case(mode)))
}

/// Whether SQLite will make the database. An empty file is one that another connection is about to fill, or that
/// somebody made as a placeholder.
fn is_new(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => metadata.is_file() && metadata.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn name_and_flags(options: &Options) -> Result<(CString, c_int)> {
    let (name, flags) = match &options.place {
        Place::Memory => (url::MEMORY.to_owned(), ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE),
        Place::File(path) => {
            let path = path
                .to_str()
                .ok_or_else(|| configuration(format!("{}: SQLite takes only paths that are UTF-8", path.display())))?;
            match (options.immutable, options.mode) {
                (true, _) => (immutable_name(path), ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_URI),
                (_, Some(Mode::ReadOnly)) => (path.to_owned(), ffi::SQLITE_OPEN_READONLY),
                (_, mode) if options.was_open || mode == Some(Mode::ReadWrite) => {
                    (path.to_owned(), ffi::SQLITE_OPEN_READWRITE)
                }
                _ => (path.to_owned(), ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE),
            }
        }
    };
    let name = CString::new(name).map_err(|_| configuration("the path contains a NUL character"))?;
    Ok((name, flags))
}

fn no_file_system(options: &Options) -> Error {
    let (name, names) = (options.vfs.as_deref().unwrap_or_default(), vfs::names());
    let mut message = format!("SQLite has no file system (`vfs`) `{name}`");
    if let Some(nearest) = options::nearest(name, names.iter().map(String::as_str)) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    configuration(message).with_hint(format!("there are {}", names.join(", ")))
}

/// Only SQLite's own `file:` names can say that a file never changes.
fn immutable_name(path: &str) -> String {
    let mut name = String::from("file://");
    if !path.starts_with('/') {
        name.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'\\' if cfg!(windows) => name.push('/'),
            b'/' | b':' | b'.' | b'-' | b'_' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name + "?immutable=1"
}

/// What a file that does not exist means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is created.
    Created,
    /// It had to be there.
    Refused,
    /// It was there.
    Lost,
}

/// Says why a file was not opened: SQLite itself only says that it was not.
pub(crate) fn cannot_open(path: &Path, missing: Missing, failure: &Failure, circumstances: &Circumstances) -> Error {
    let name = path.display();
    if failure.code == vfs::OPEN_ELSEWHERE {
        return error::error(failure, circumstances);
    }
    let mut error = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Error::new(ErrorKind::CONNECTION, format!("{name} is a directory, not a database file"))
                .with_hint(format!("name a file in the URL, such as {}", path.join("app.db").display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match missing_directory(path) {
            Some(directory) => {
                let message = format!("the directory {} does not exist, so neither does {name}", directory.display());
                Error::new(ErrorKind::NOT_FOUND, message)
                    .with_hint("create the directory; the driver creates files only")
            }
            None if missing == Missing::Lost => {
                Error::new(ErrorKind::NOT_FOUND, format!("the database file {name} does not exist any more"))
                    .with_hint("put the file back; opening the database anew creates another one")
            }
            None if missing == Missing::Refused => {
                Error::new(ErrorKind::NOT_FOUND, format!("the database file {name} does not exist"))
                    .with_hint("check the path; the file is created without `mode`, or with `mode=rwc`")
            }
            None => denied(&format!("the database file {name} cannot be created"), &creation_error(path)),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::PERMISSION, format!("{name}: {error}"))
        }
        Err(error) => {
            Error::new(ErrorKind::CONNECTION, format!("{name}: {error}")).with_hint("correct the path in the URL")
        }
        Ok(_) if primary(failure.code) == ffi::SQLITE_CANTOPEN && failure.system_error != 0 => {
            let error = io::Error::from_raw_os_error(failure.system_error);
            denied(&format!("the database file {name} cannot be opened"), &error)
        }
        Ok(_) => error::error(failure, circumstances),
    };
    error.record_mut().native_code = failure.code.into();
    error
}

/// The first directory on the way to a file that does not exist.
fn missing_directory(path: &Path) -> Option<&Path> {
    path.parent()?.ancestors().filter(|directory| !directory.exists()).last()
}

/// Why a file cannot be created. SQLite tries to read it then, and forgets the reason.
fn creation_error(path: &Path) -> io::Error {
    match fs::File::create_new(path) {
        Ok(_) => {
            // It can be now. The file was made here, and whoever opens the database next makes it again.
            let _ = fs::remove_file(path);
            io::Error::other("another process was making or removing it")
        }
        Err(error) => error,
    }
}

fn denied(what: &str, error: &io::Error) -> Error {
    let is_denied = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
    let kind = if is_denied { ErrorKind::PERMISSION } else { ErrorKind::CONNECTION };
    let denied = Error::new(kind, format!("{what}: {error}"));
    if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        return denied
            .with_hint("name a path on a file system that can be written; a file that exists opens with `mode=ro`");
    }
    denied
}

/// Whether the files beside a database could not be made.
pub(crate) fn is_about_files_beside(code: c_int) -> bool {
    matches!(code, ffi::SQLITE_READONLY_DIRECTORY | ffi::SQLITE_READONLY_CANTINIT)
        || primary(code) == ffi::SQLITE_CANTOPEN
}

/// What a database in WAL mode lacks.
pub(crate) fn no_files_beside(path: &Path) -> String {
    let directory = path.parent().unwrap_or(path).display();
    format!("a database in WAL mode needs files beside it, which cannot be made in {directory}")
}

/// The file could be opened, but nothing could be read.
fn cannot_use(path: &Path, options: &Options, mut error: Error) -> Error {
    error.record_mut().kind = ErrorKind::CONNECTION;
    error.with_hint(match options.vfs.as_deref() {
        Some(vfs) if WITHOUT_SHARED_MEMORY.contains(&vfs) => format!(
            "a database in WAL mode needs shared memory, which the file system (`vfs`) `{vfs}` does not have; leave `vfs` \
             out, or change the journal mode first, by `journal_mode=delete` without `vfs`"
        ),
        _ => format!("{}; if nobody writes the database, `immutable=1` reads it without them", no_files_beside(path)),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const EROFS: i32 = 30;

    #[test]
    fn a_file_system_that_is_only_read_is_no_matter_of_permissions() {
        let error = denied("x", &io::Error::from_raw_os_error(EROFS));
        assert_eq!(error.kind(), ErrorKind::PERMISSION);
        assert!(error.record().hint.contains("mode=ro"), "{error:?}");
    }
}
