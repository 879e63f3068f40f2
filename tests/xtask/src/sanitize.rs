//! The tests of what crosses the boundary, under AddressSanitizer and its LeakSanitizer.

use crate::run::{directories, run};
use anyhow::Result;
use std::process::Command;

/// The integration tests that call into drivers.
const TESTS: &[&str] = &[
    "commands",
    "damaged_files",
    "driver_faults",
    "dropped_futures",
    "execution",
    "many",
    "pool",
    "queries",
    "replaced_files",
    "rows",
    "sdk_blocking",
    "sdk_own_runtime",
    "sdk_sockets",
    "transactions",
    "two_runtimes",
    "uploads",
];

pub(crate) fn sanitize() -> Result<()> {
    let (root, target) = directories()?;
    let cargo = |directory: &str, flags: &str| {
        let mut cargo = Command::new("cargo");
        cargo.args(["+nightly", "test", "--target", "x86_64-unknown-linux-gnu"]).current_dir(&root);
        cargo.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", target.join(directory));
        cargo
    };
    run(cargo("sanitize", "-Zsanitizer=address").args([
        "--lib",
        "--tests",
        "--package",
        "montrs-driver-abi",
        "--package",
        "montrs-driver-sdk",
        "--features",
        "montrs-driver-sdk/own-runtime",
    ]))?;
    // Drivers find the sanitizer in the executable that has loaded them. Its check for uses after a return keeps a second
    // stack for each thread, which coroutines leave behind when they change their thread.
    run(cargo("sanitize-drivers", "-Zsanitizer=address -Clink-arg=-Wl,--export-dynamic")
        .args(["--package", "montrs-tests"])
        .args(TESTS.iter().flat_map(|test| ["--test", test]))
        .env("ASAN_OPTIONS", "detect_stack_use_after_return=0"))
}
