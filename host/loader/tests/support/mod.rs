//! What the test programs share.
#![allow(dead_code, reason = "each test program uses some of these")]

pub(crate) mod library;

use montrs_driver_loader::{Loader, SearchPath};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A plugin directory that this user alone can write to, whatever the umask is.
pub(crate) struct Plugins(TempDir);

impl Plugins {
    pub(crate) fn new() -> Self {
        let plugins = Self(tempfile::tempdir().expect("a temporary directory"));
        set_mode(plugins.path(), 0o700);
        plugins
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file there that this user alone can write to.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file is written");
        set_mode(&path, 0o644);
        path
    }

    /// Puts a library there that has a record and no code.
    pub(crate) fn put_record(&self, name: &str, fields: &[(&str, &str)]) -> PathBuf {
        self.put(name, &library::elf(&library::record_bytes(fields)))
    }

    pub(crate) fn loader(&self) -> Loader {
        Loader::new(SearchPath::only([self.path()]))
    }
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

/// The content of one of the libraries in `tests/drivers`.
pub(crate) fn driver(name: &str) -> Vec<u8> {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build_drivers);
    let file = format!("{}loader_test_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    fs::read(BUILT.join(file)).expect("the driver was built")
}

/// Builds the libraries as this test was built, and gives their directory. `cargo test` builds examples before it runs
/// all tests, but not before it runs one.
fn build_drivers() -> PathBuf {
    let test = std::env::current_exe().expect("a test program has a path");
    let build = test.ancestors().nth(2).expect("a test program is two directories deep");
    let target = build.parent().expect("a build directory is in a target directory");
    let profile = build.file_name().and_then(|name| name.to_str()).expect("a profile has a plain name");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--examples"])
        .args(["--profile", if profile == "debug" { "dev" } else { profile }])
        .arg("--target-dir")
        .arg(target)
        .status();
    assert!(status.expect("cargo runs").success(), "the test drivers do not build");
    build.join("examples")
}

/// Whether this process is one that [`again`] started.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

const CHILD: &str = "MONTRS_LOADER_TEST_CHILD";

/// Runs a test of this program again in a process of its own, with another environment or as another user.
pub(crate) fn again(test: &str, configure: impl FnOnce(&mut Command)) {
    let mut command = Command::new(std::env::current_exe().expect("a test program has a path"));
    command.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
    configure(&mut command);
    let output = command.output().expect("the test program starts again");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// As [`again`], without the rights of root, for which no directory is closed.
#[cfg(unix)]
pub(crate) fn again_without_rights(test: &str, configure: impl FnOnce(&mut Command)) {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let program = std::env::current_exe().expect("a test program has a path");
    let reachable = Command::new(program).arg("--list").uid(NOBODY).gid(NOBODY).output();
    match reachable {
        Ok(output) if output.status.success() => again(test, |command| {
            configure(command.uid(NOBODY).gid(NOBODY));
        }),
        _ => eprintln!("skipped: another user cannot run this test program"),
    }
}
