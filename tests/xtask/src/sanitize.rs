//! The tests of the ABI and the SDK under a sanitizer.

use crate::run::{directories, run};
use anyhow::Result;
use std::process::Command;

pub(crate) fn sanitize() -> Result<()> {
    let (root, target) = directories()?;
    run(Command::new("cargo")
        .args(["+nightly", "test", "--package", "montrs-driver-abi", "--package", "montrs-driver-sdk"])
        .args(["--lib", "--tests", "--target", "x86_64-unknown-linux-gnu"])
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_TARGET_DIR", target.join("sanitize"))
        .current_dir(root))
}
