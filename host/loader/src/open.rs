//! Opening a library and asking it for its root module: the only `dlopen` of the project.
//!
//! A library that was opened stays open until the process ends: its code may be running on any thread, and its tables
//! and layouts are referred to as `'static`.

use crate::select::incompatible_fix;
use crate::{ContentHash, DriverRecord, LoadError, LoadErrorKind, layout, private_copy};
use montrs_driver_abi::DriverModuleRef;
use montrs_driver_abi::abi_stable::StableAbi;
use montrs_driver_abi::abi_stable::library::{
    AbiHeaderRef, LibHeader, LibraryError, ROOT_MODULE_LOADER_NAME_WITH_NUL, RootModuleError,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Opens the library that these bytes are, or finds it if this process has opened it before.
///
/// `found_at` is where the bytes were read, for messages.
pub(crate) fn open(
    record: &DriverRecord,
    found_at: &Path,
    bytes: &[u8],
    hash: ContentHash,
) -> Result<DriverModuleRef, LoadError> {
    static OPENED: Mutex<BTreeMap<ContentHash, DriverModuleRef>> = Mutex::new(BTreeMap::new());
    // The lock is held while a library is opened, so that two threads do not open one twice.
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = opened.get(&hash) {
        return Ok(*module);
    }
    let problem = |kind, what: String| LoadError::new(kind, format!("driver {record} ({}) {what}", found_at.display()));
    if cfg!(all(unix, target_feature = "crt-static")) {
        return Err(problem(
            LoadErrorKind::Unsupported,
            "cannot be opened: this application is linked statically, and such programs cannot open libraries".into(),
        )
        .fixed_by(
            "build the application with `-C target-feature=-crt-static`, or for a target that links dynamically",
        ));
    }
    let copy = private_copy::make(&record.name, bytes, &hash)?;
    let header = header(&copy).map_err(|(kind, what)| match kind {
        LoadErrorKind::Incompatible => problem(kind, what).fixed_by(incompatible_fix()),
        _ => problem(kind, what).fixed_by("ask the driver's author, or build the driver anew on this system"),
    })?;
    check_layout(header).map_err(|what| problem(LoadErrorKind::Incompatible, what).fixed_by(incompatible_fix()))?;
    let module = start(header).map_err(|(kind, what)| problem(kind, what))?;
    opened.insert(hash, module);
    Ok(module)
}

type Problem = (LoadErrorKind, String);

/// Maps the library and finds abi_stable's header in it.
fn header(path: &Path) -> Result<&'static LibHeader, Problem> {
    let library = map(path).map_err(|e| {
        // libloading keeps what the system said as the source.
        let reason = e.source().map_or_else(|| e.to_string(), ToString::to_string);
        (LoadErrorKind::OpenFailed, format!("cannot be opened: {reason}"))
    })?;
    // What was mapped stays mapped, whatever is wrong with it.
    let library = ManuallyDrop::new(library);
    // SAFETY: abi_stable's macro exports under this name a `LibHeader`, whose first field is the `AbiHeader` that the
    // reference points to; its magic number is checked by `upgrade` before anything else is read. The static lives as
    // long as the library, which is never closed.
    let symbol = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL) };
    let header = match symbol {
        Ok(symbol) => *symbol,
        Err(_) => return Err((LoadErrorKind::OpenFailed, "exports no driver module".into())),
    };
    header.upgrade().map_err(|error| match error {
        LibraryError::InvalidAbiHeader(theirs) => (
            LoadErrorKind::Incompatible,
            format!(
                "is made with version {}.{} of abi_stable's ABI, not with this application's",
                theirs.abi_major, theirs.abi_minor
            ),
        ),
        other => (
            LoadErrorKind::Incompatible,
            format!("passes values in another way: {}", layout::shortened(&other.to_string())),
        ),
    })
}

#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(windows)]
use libloading::os::windows::Library;

#[cfg(unix)]
fn map(path: &Path) -> Result<Library, libloading::Error> {
    // All symbols are bound now, because a missing one would otherwise end the process at its first use; nothing of
    // the driver is visible to other libraries; and it stays mapped whatever happens to the handle.
    let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE;
    // SAFETY: opening runs the library's initialisers. The owner rule says that the user or root put it there to be
    // run, its bytes were checked to be a whole library for this machine, and nobody can change this copy of them.
    unsafe { Library::open(Some(path), flags) }
}

#[cfg(windows)]
fn map(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: as on Unix, except that who may write to the directory is the administrator's care.
    unsafe { Library::new(path) }
}

fn check_layout(header: &'static LibHeader) -> Result<(), String> {
    let Some(theirs) = header.layout() else {
        return Err("comes without the description of its tables, so they cannot be checked".into());
    };
    layout::compare(<DriverModuleRef as StableAbi>::LAYOUT, theirs)
        .map_err(|causes| format!("has other tables than this application:{causes}"))
}

fn start(header: &'static LibHeader) -> Result<DriverModuleRef, Problem> {
    // SAFETY: `check_layout` has compared the layout that this header carries with that of `DriverModuleRef`.
    let module = unsafe { header.init_root_module_with_unchecked_layout::<DriverModuleRef>() };
    module.map_err(|error| match error {
        LibraryError::RootModule { err: RootModuleError::Unwound, .. } => (
            LoadErrorKind::Panicked,
            "panicked when it was started; its message is in the application's standard error".into(),
        ),
        LibraryError::RootModule { err: RootModuleError::Returned(error), .. } => {
            (LoadErrorKind::StartFailed, format!("did not start: {}", layout::shortened(&error.to_string())))
        }
        other => (LoadErrorKind::Incompatible, format!("does not fit: {}", layout::shortened(&other.to_string()))),
    })
}
