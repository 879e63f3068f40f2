//! What the tests need of the system.

use crate::run::{exists, run};
use anyhow::{Result, bail};
use std::process::Command;

/// Something that the tests run, and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[("cc", "gcc"), ("sqlite3", "sqlite3")];

pub(crate) fn setup() -> Result<()> {
    let missing: Vec<&(&str, &str)> = NEEDED.iter().filter(|(program, _)| !exists(program)).collect();
    if missing.is_empty() {
        println!("everything that the tests need is here");
        return Ok(());
    }
    for (program, package) in &missing {
        println!("missing: {program}, from the system package {package}");
    }
    if !exists("apt-get") {
        bail!("install the packages above with this system's package manager");
    }
    let as_root = |program: &str| {
        if is_root() {
            Command::new(program)
        } else {
            let mut sudo = Command::new("sudo");
            sudo.arg(program);
            sudo
        }
    };
    run(as_root("apt-get").arg("update"))?;
    run(as_root("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(missing.iter().map(|(_, package)| *package)))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
