//! What the integration tests share: a plugins directory with the drivers that were built, databases to run on, and
//! processes of their own.

mod builds;
mod numbers;
mod place;
pub mod process;

pub use builds::SqliteBuild;
pub use numbers::Numbers;
pub use place::{Place, differs, on_postgres, open, over_loopback, with};

use montrs_orm::{Database, DatabaseBuilder, drivers::SearchPath};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::OnceLock,
};
use tempfile::TempDir;

/// A directory with every driver that was built for the tests, in the state in which an operator would have it: no one
/// else can write to it. Kept from run to run, and shared by all test executables of a target directory.
///
/// For a test executable whose name begins with `without_coroutines` it holds nothing but the SQLite driver as it is on
/// platforms that have none.
pub fn plugins() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        if let Some(parents) = std::env::var_os(PLUGINS) {
            return parents.into();
        }
        let executable = std::env::current_exe().expect("a test knows its executable");
        let without_coroutines = executable_begins_with("without_coroutines");
        let of = (executable.parent(), without_coroutines);
        let plugins = std::env::temp_dir().join(format!("montrs-plugins-{:016x}", hash(of)));
        fs::create_dir_all(&plugins).expect("a temporary directory");
        restrict(&plugins, 0o700);
        let built = if without_coroutines { vec![SqliteBuild::without_coroutines()] } else { built_libraries() };
        for stale in
            libraries_in(&plugins).into_iter().filter(|old| built.iter().all(|new| new.file_name() != old.file_name()))
        {
            let _ = fs::remove_file(stale);
        }
        for library in built {
            let to = plugins.join(library.file_name().expect("a library has a name"));
            if !is_older_or_same(&library, &to) {
                // Other test executables may load it at this moment: the name changes its file, never the file its content.
                let new = plugins.join(format!(".{}", std::process::id()));
                install(&library, &new);
                fs::rename(&new, &to).expect("a file can be renamed");
            }
        }
        plugins
    })
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Whether the file has been there, in the same length, since the other one was made.
fn is_older_or_same(file: &Path, copy: &Path) -> bool {
    let (Ok(file), Ok(copy)) = (fs::metadata(file), fs::metadata(copy)) else { return false };
    file.len() == copy.len() && file.modified().ok() <= copy.modified().ok()
}

/// Names the plugins directory to a process that a test starts.
const PLUGINS: &str = "MONTRS_TEST_PLUGINS";

/// The library of a driver that was built for the tests, such as `montrs_driver_sqlite`.
///
/// # Panics
///
/// When there is none: the package's dev-dependencies say which are built.
pub fn built_library(crate_name: &str) -> PathBuf {
    let name = library_name(crate_name);
    built_libraries()
        .into_iter()
        .find(|path| path.file_name().is_some_and(|file| file == name.as_str()))
        .unwrap_or_else(|| panic!("{name} was not built beside the test executable"))
}

/// A new directory that only this user can enter.
///
/// # Panics
///
/// When the system gives none.
pub fn private_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("montrs-test-").tempdir().expect("a temporary directory");
    restrict(dir.path(), 0o700);
    dir
}

/// Copies a library so that no one else can write to it.
///
/// # Panics
///
/// When it cannot be copied.
pub fn install(library: &Path, to: &Path) {
    fs::copy(library, to).unwrap_or_else(|error| panic!("{} -> {}: {error}", library.display(), to.display()));
    restrict(to, 0o755);
}

/// A builder that looks for drivers in [`plugins`] only.
///
/// In a test executable whose name begins with `blocking_` SQLite runs on the blocking pool: the same suites are compiled
/// into one of that name.
pub fn builder(url: &str) -> DatabaseBuilder {
    let mut url = url.to_owned();
    if url.starts_with("sqlite:") && !url.contains("execution=") && executable_begins_with("blocking_") {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str("execution=blocking");
    }
    Database::builder().url(url).search_path(SearchPath::only([plugins()]))
}

fn executable_begins_with(prefix: &str) -> bool {
    let executable = std::env::current_exe().expect("a test knows its executable");
    executable.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

fn library_name(crate_name: &str) -> String {
    format!("{}{crate_name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The drivers' libraries beside the test executable, where cargo puts those of dev-dependencies.
fn built_libraries() -> Vec<PathBuf> {
    let executable = std::env::current_exe().expect("a test knows its executable");
    libraries_in(executable.parent().expect("an executable lies in a directory"))
}

/// The drivers' libraries in a directory.
fn libraries_in(directory: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}montrs_", std::env::consts::DLL_PREFIX);
    let mut libraries: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&prefix) && name.contains("driver") && name.ends_with(std::env::consts::DLL_SUFFIX)
        })
        .collect();
    libraries.sort();
    libraries
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the owner can set permissions");
}

#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) {}

/// A fresh database file, and the directory that is removed with it.
pub struct TestFile {
    directory: TempDir,
    url: String,
}

impl TestFile {
    /// A file that does not exist yet, in a new directory.
    #[expect(clippy::new_without_default, reason = "each one makes a directory")]
    pub fn new() -> Self {
        let directory = private_dir();
        let url = format!("sqlite://{}/test.db", directory.path().display());
        Self { directory, url }
    }

    /// The URL of the file.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("test.db")
    }

    /// Opens the database with the default settings.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    pub async fn open(&self) -> Database {
        builder(&self.url).connect().await.unwrap_or_else(|error| panic!("{}: {error}", self.url))
    }
}

/// Polls a future at most `polls` times, waiting for its wake-ups in between, and drops it. The result, if it ended.
pub async fn poll_then_drop<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            // The next poll is the one that drops: it must come when there is something to interrupt.
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
            poll => poll.map(Some),
        }
    })
    .await
}

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So does the code in the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Guide;

/// And that in the description of the SQLite driver.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sqlite.md")]
struct Sqlite;

/// And that in the description of the PostgreSQL driver.
#[cfg(doctest)]
#[doc = include_str!("../../docs/postgres.md")]
struct Postgres;
