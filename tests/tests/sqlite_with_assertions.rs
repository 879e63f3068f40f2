//! SQLite checks itself: a driver whose copy of SQLite was compiled with its assertions does everything at once, and is
//! dropped anywhere. A failed assertion ends the process.

mod stress;

use montrs_orm::{Database, DatabaseBuilder, drivers::SearchPath};
use montrs_tests::{TestFile, install, private_dir};
use std::{env, path::Path, process::Command};
use tempfile::TempDir;

/// Builds the driver in a directory of its own, which is kept for the next time. A plugins directory with nothing but it.
fn driver_with_assertions() -> TempDir {
    let executable = env::current_exe().expect("a test knows its executable");
    // <target>/<profile>/deps/<test>
    let target = executable.ancestors().nth(3).expect("tests lie in the target directory").join("sqlite-assertions");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "montrs-driver-sqlite", "--locked", "--quiet", "--target-dir"]).arg(&target);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace"));
    // How the tests are built must not matter.
    for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(variable);
    }
    // With the flags of the configuration of cargo, and fast enough.
    cargo.env("LIBSQLITE3_FLAGS", concat!(env!("LIBSQLITE3_FLAGS"), " -DSQLITE_DEBUG"));
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    let status = cargo.status().unwrap_or_else(|error| panic!("{cargo:?}: {error}"));
    assert!(status.success(), "{cargo:?} failed");
    let library = format!("{}montrs_driver_sqlite{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let plugins = private_dir();
    install(&target.join("debug").join(&library), &plugins.path().join(&library));
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
