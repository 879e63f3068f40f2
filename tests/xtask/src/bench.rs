//! How fast montrs-orm is, measured against its peers.

use crate::run::{cargo, directories, run};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is run, and where the result goes.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// How many rounds are measured. Defaults to 11.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only the cases with this in their name, such as `point` or `file`; `stream` and `ticker` are names too.
    #[arg(long)]
    only: Option<String>,
    /// Three rounds, and less of the rest.
    #[arg(long)]
    quick: bool,
    /// Also write the result to this file, between the two lines that mark its place.
    #[arg(long)]
    write: Option<PathBuf>,
}

pub(crate) fn bench(settings: &Settings) -> Result<()> {
    let (root, target) = directories()?;
    run(cargo().args(["build", "--release", "--package", "montrs-driver-sqlite"]).current_dir(&root))?;
    let driver = format!("{}montrs_driver_sqlite{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let driver = target.join("release").join(driver);

    let bench = root.join("tests").join("bench");
    let built = target.join("bench");
    for package in [bench.clone(), bench.join("sqlx")] {
        let manifest = package.join("Cargo.toml");
        let mut build = cargo();
        build.args(["build", "--release", "--manifest-path"]).arg(manifest);
        // The peers are built as they come, whatever flags this workspace has for the SQLite of its driver.
        run(build.arg("--target-dir").arg(&built).env("LIBSQLITE3_FLAGS", ""))?;
    }
    let program = |name: &str| built.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));

    let mut command = Command::new(program("montrs-bench"));
    command.arg("run").arg("--driver").arg(&driver).arg("--sqlx").arg(program("montrs-bench-sqlx"));
    if let Some(rounds) = settings.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(only) = &settings.only {
        command.args(["--only", only]);
    }
    if settings.quick {
        command.arg("--quick");
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run the benchmark")?;
    ensure!(output.status.success(), "the benchmark ended with {}", output.status);
    let result = String::from_utf8(output.stdout).context("the benchmark did not print text")?;
    println!("{result}");
    match &settings.write {
        Some(path) => write(path, &result),
        None => Ok(()),
    }
}

const BEGIN: &str = "<!-- begin: written by cargo xtask bench -->";
const END: &str = "<!-- end: written by cargo xtask bench -->";

/// Puts the result between the marks in the file. A file that does not exist is made.
fn write(path: &Path, result: &str) -> Result<()> {
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("# Performance\n\n{BEGIN}\n{END}\n"),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{} lacks the lines\n{BEGIN}\n{END}", path.display()))?;
    let new = format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", result.trim());
    fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}
