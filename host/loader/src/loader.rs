//! From a database URL to an opened driver.

use crate::known_files::{self, FileIdentity};
use crate::select::{fix_of, select};
use crate::{
    ContentHash, DriverRecord, LoadError, LoadErrorKind, OpenGuard, Refusal, Scan, Scheme, SearchPath, candidate,
    image, open, scan, trust,
};
use montrs_driver_abi::DriverModuleRef;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Finds drivers in a search path and opens those that are asked for.
///
/// All calls read files and may take milliseconds: an async caller makes them on a thread that may block.
///
/// ```no_run
/// use montrs_driver_loader::{Loader, SearchPath};
/// let driver = Loader::new(SearchPath::standard()).load_for_url("sqlite:app.db")?;
/// println!("{} from {}", driver.record(), driver.path().display());
/// # Ok::<(), montrs_driver_loader::LoadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loader {
    search_path: SearchPath,
}

impl Loader {
    /// A loader that looks in these directories.
    pub fn new(search_path: SearchPath) -> Self {
        Self { search_path }
    }

    /// The directories that this loader looks in.
    pub fn search_path(&self) -> &SearchPath {
        &self.search_path
    }

    /// Lists what the search path holds, without opening anything.
    pub fn scan(&self) -> Scan {
        Scan::of(&self.search_path)
    }

    /// Opens the driver that serves a URL's scheme: of one name the newest version that this application can use.
    ///
    /// The directories are read anew each time, so a driver that was installed meanwhile is found. Nothing of the URL
    /// but its scheme is looked at or shown.
    ///
    /// # Errors
    ///
    /// See [`LoadErrorKind`]; all but [`LoadErrorKind::AnotherCopyInUse`] can occur.
    pub fn load_for_url(&self, url: &str) -> Result<LoadedDriver, LoadError> {
        let scheme = Scheme::of_url(url)?;
        let scan = self.scan();
        let (path, record) = select(&scan, &scheme)?;
        load(path, Some(record))
    }

    /// Opens the driver in one file, wherever it is.
    ///
    /// # Errors
    ///
    /// See [`LoadErrorKind`]; the file is judged as in the search path.
    pub fn load_file(path: impl AsRef<Path>) -> Result<LoadedDriver, LoadError> {
        let path = path.as_ref();
        trust::check_way_to_file(path).map_err(|refusal| refused(path, &refusal))?;
        load(path, None)
    }

    /// Reads the record of one file without opening it, wherever it is.
    ///
    /// # Errors
    ///
    /// The reason why the file is no driver, or not one to be trusted.
    pub fn read_record(path: impl AsRef<Path>) -> Result<DriverRecord, Refusal> {
        let path = path.as_ref();
        trust::check_way_to_file(path)?;
        scan::read_record(path)
    }
}

/// An opened driver. Cheap to clone; the library stays open until the process ends.
#[derive(Clone)]
pub struct LoadedDriver {
    record: Arc<DriverRecord>,
    path: Arc<Path>,
    hash: ContentHash,
    module: DriverModuleRef,
}

impl LoadedDriver {
    /// What the driver says of itself.
    pub fn record(&self) -> &DriverRecord {
        &self.record
    }

    /// The file in which it was found. A copy of that file's content is what was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of its library. Two loaded drivers of the same hash are the same code.
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// Its root module.
    pub fn module(&self) -> DriverModuleRef {
        self.module
    }

    /// Asks for the right to open one database with this driver, to be kept until that database is closed.
    ///
    /// # Errors
    ///
    /// [`LoadErrorKind::AnotherCopyInUse`] if the driver allows one copy per process and databases of another copy are
    /// open.
    pub fn open_guard(&self) -> Result<OpenGuard, LoadError> {
        OpenGuard::acquire(&self.record, &self.path, self.hash)
    }
}

impl fmt::Debug for LoadedDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedDriver")
            .field("record", &self.record)
            .field("path", &self.path)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Opens a file; whatever was found out about it before is found out again from the very bytes that are opened.
fn load(path: &Path, expected: Option<&DriverRecord>) -> Result<LoadedDriver, LoadError> {
    let file = candidate::open(path).map_err(|refusal| refused(path, &refusal))?;
    let identity = || file.metadata().ok().as_ref().and_then(FileIdentity::of);
    let before = identity();
    let known = before.as_ref().and_then(known_files::find);
    if let Some(known) = known {
        check_expected(path, &known.record, expected)?;
        return Ok(LoadedDriver { path: path.into(), ..known });
    }
    let bytes = candidate::read(&file).map_err(|refusal| refused(path, &refusal))?;
    let record = image::record_of_bytes(&bytes).map_err(|refusal| refused(path, &refusal))?;
    check_expected(path, &record, expected)?;
    if let Some(reason) = record.incompatibility() {
        let message = format!("driver {record} ({}) does not fit this application: {reason}", path.display());
        return Err(LoadError::new(LoadErrorKind::Incompatible, message).fixed_by(fix_of(&record)));
    }
    let hash = ContentHash::of(&bytes);
    let module = open::open(&record, path, &bytes, hash)?;
    let driver = LoadedDriver { record: Arc::new(record), path: path.into(), hash, module };
    if let Some(identity) = before.filter(|before| identity().as_ref() == Some(before)) {
        known_files::note(identity, driver.clone());
    }
    Ok(driver)
}

fn check_expected(path: &Path, found: &DriverRecord, expected: Option<&DriverRecord>) -> Result<(), LoadError> {
    if expected.is_none_or(|expected| expected == found) {
        return Ok(());
    }
    let message = format!("{} was replaced while it was being opened", path.display());
    Err(LoadError::new(LoadErrorKind::Refused, message).fixed_by("try again"))
}

fn refused(path: &Path, refusal: &Refusal) -> LoadError {
    let error =
        LoadError::new(LoadErrorKind::Refused, format!("{} is not opened: {}", path.display(), refusal.reason()));
    error.fixed_by(refusal.fix(path, ""))
}
