//! The main job, shown on SQLite.

use crate::run::{cargo, directories, run};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn demo() -> Result<()> {
    let (root, target) = directories()?;

    heading("1. The application and the tool are built without any database client");
    run(cargo().args(["build", "--package", "montrs-examples", "--package", "montrs-db"]).current_dir(&root))?;
    let tree =
        cargo().args(["tree", "--package", "montrs-examples", "--edges", "normal"]).current_dir(&root).output()?;
    let tree = String::from_utf8_lossy(&tree.stdout).to_lowercase();
    let clients = ["sqlite", "postgres", "mysql", "libpq"];
    ensure!(
        !clients.iter().any(|client| tree.contains(client)),
        "a database client is among the dependencies:\n{tree}"
    );
    println!("none of {clients:?} is among the {} lines of its dependency tree", tree.lines().count());

    heading("2. The driver is built on its own");
    run(cargo().args(["build", "--package", "montrs-driver-sqlite"]).current_dir(&root))?;

    heading("3. Its library goes into a fresh plugins directory");
    let plugins = fresh(&target.join("plugins"))?;
    let library = install(&target, &plugins, "montrs_driver_sqlite")?;
    println!("{}", library.display());

    heading("4. DATABASE_URL selects the driver");
    let database = fresh(&target.join("demo"))?.join("quickstart.db");
    let url = format!("sqlite://{}", database.display());
    let quickstart = target.join("debug").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    println!("DATABASE_URL={url}\nMONTRS_PLUGINS={}", plugins.display());
    run(Command::new(&quickstart).env("DATABASE_URL", &url).env("MONTRS_PLUGINS", &plugins))?;

    heading("5. The same tool speaks to it");
    let tool = target.join("debug").join(format!("montrs-db{}", std::env::consts::EXE_SUFFIX));
    run(Command::new(&tool).arg("--plugins").arg(&plugins).arg("drivers"))?;
    run(Command::new(&tool).arg("--plugins").arg(&plugins).args([
        "--url",
        &url,
        "query",
        "SELECT id, email, name FROM users WHERE id = $1",
        "--param",
        "1",
    ]))?;

    heading("6. The same program with an empty plugins directory");
    let empty = fresh(&target.join("no-plugins"))?;
    println!("MONTRS_PLUGINS={}", empty.display());
    let status = Command::new(&quickstart)
        .env("DATABASE_URL", &url)
        .env("MONTRS_PLUGINS", &empty)
        .status()
        .context("cannot run the quickstart")?;
    ensure!(!status.success(), "the program should have failed: there is no driver");
    Ok(())
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// An empty directory that nobody else can write to.
fn fresh(directory: &Path) -> Result<PathBuf> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", directory.display()));
        }
        _ => {}
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    keep_others_out(directory, 0o755)?;
    Ok(directory.to_owned())
}

/// Copies a driver that was built to the plugins directory.
fn install(target: &Path, plugins: &Path, crate_name: &str) -> Result<PathBuf> {
    let name = format!("{}{crate_name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let (from, to) = (target.join("debug").join(&name), plugins.join(&name));
    fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    keep_others_out(&to, 0o755)?;
    Ok(to)
}

#[cfg(unix)]
fn keep_others_out(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

#[cfg(not(unix))]
fn keep_others_out(_path: &Path, _mode: u32) -> Result<()> {
    Ok(())
}
