//! SQLite checks itself: a driver whose copy of SQLite was compiled with its assertions does everything at once, and is
//! dropped anywhere. A failed assertion ends the process.

mod stress;

use montrs_orm::{Database, DatabaseBuilder, drivers::SearchPath};
use montrs_tests::{SqliteBuild, TestFile, install, private_dir};
use tempfile::TempDir;

/// A plugins directory with nothing but the driver.
fn driver_with_assertions() -> TempDir {
    // With the flags of the configuration of cargo.
    let library = SqliteBuild::with_assertions(env!("LIBSQLITE3_FLAGS"));
    let plugins = private_dir();
    install(&library, &plugins.path().join(library.file_name().expect("a library has a name")));
    plugins
}

fn open(plugins: &TempDir, url: &str) -> DatabaseBuilder {
    Database::builder().url(url).search_path(SearchPath::only([plugins.path()]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_assertion_of_sqlite_fails_when_work_changes_threads_and_is_dropped_anywhere() {
    let plugins = driver_with_assertions();
    let db = open(&plugins, "sqlite::memory:").connect().await.unwrap();
    let options = db.query("PRAGMA compile_options").fetch_all::<String>().await.unwrap();
    for option in ["DEBUG", "THREADSAFE=2", "OMIT_SHARED_CACHE"] {
        assert!(options.iter().any(|known| known == option), "{option} is not among {options:?}");
    }
    for parameters in ["", "&execution=blocking", "&journal_mode=delete&synchronous=off&cache_size=10"] {
        let file = TestFile::new();
        let url = format!("{}?busy_timeout=60000{parameters}", file.url());
        stress::stress(open(&plugins, &url), 15).await;
    }
}
