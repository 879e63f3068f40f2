//! The SQLite driver, built otherwise than for the other tests.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A build of the SQLite driver in a directory of its own, which is kept for the next time.
#[derive(Debug)]
pub struct SqliteBuild(Command);

impl SqliteBuild {
    /// The library of the driver with a copy of SQLite that was compiled with its assertions.
    ///
    /// # Panics
    ///
    /// When it cannot be built.
    pub fn with_assertions(library_flags: &str) -> PathBuf {
        let mut build = Self::new();
        build.0.env("LIBSQLITE3_FLAGS", format!("{library_flags} -DSQLITE_DEBUG"));
        // Fast enough.
        build.0.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        build.library("sqlite-assertions", &[])
    }

    /// The library of the driver as it is on platforms without coroutines.
    ///
    /// # Panics
    ///
    /// When it cannot be built.
    pub fn without_coroutines() -> PathBuf {
        Self::new().library("sqlite-without-coroutines", &["--cfg", "montrs_no_coroutines", "-D", "warnings"])
    }

    fn new() -> Self {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["rustc", "--package", "montrs-driver-sqlite", "--lib", "--locked", "--quiet"]);
        cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the workspace"));
        // How the tests are built must not matter.
        for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(variable);
        }
        Self(cargo)
    }

    fn library(self, directory: &str, rustc_arguments: &[&str]) -> PathBuf {
        let Self(mut cargo) = self;
        let executable = env::current_exe().expect("a test knows its executable");
        // <target>/<profile>/deps/<test>
        let target = executable.ancestors().nth(3).expect("tests lie in the target directory").join(directory);
        cargo.arg("--target-dir").arg(&target).arg("--").args(rustc_arguments);
        let status = cargo.status().unwrap_or_else(|error| panic!("{cargo:?}: {error}"));
        assert!(status.success(), "{cargo:?} failed");
        target.join("debug").join(crate::library_name("montrs_driver_sqlite"))
    }
}
