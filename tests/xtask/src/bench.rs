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
    /// The database that it is measured on. Defaults to one after the other.
    database: Option<Database>,
    /// How many rounds are measured. Defaults to 11.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only the cases with this in their name, such as `point` or `copy`; `stream` and `ticker` are names too.
    #[arg(long)]
    only: Option<String>,
    /// Three rounds, and less of the rest.
    #[arg(long)]
    quick: bool,
    /// Also write the results to this file, each between the two lines that mark its place.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What is measured on.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    Sqlite,
    /// On a server that is started for it.
    Postgres,
}

pub(crate) fn bench(settings: &Settings) -> Result<()> {
    let databases = match settings.database {
        Some(database) => vec![database],
        None => vec![Database::Sqlite, Database::Postgres],
    };
    let (root, target) = directories()?;
    let mut build = cargo();
    build.args(["build", "--release"]).current_dir(&root);
    for database in &databases {
        build.args(["--package", &format!("montrs-driver-{}", database.name())]);
    }
    run(&mut build)?;

    let bench = root.join("tests").join("bench");
    let built = target.join("bench");
    for package in [bench.clone(), bench.join("sqlx")] {
        let manifest = package.join("Cargo.toml");
        let mut build = cargo();
        build.args(["build", "--release", "--manifest-path"]).arg(manifest);
        // The peers are built as they come, whatever flags this workspace has for the SQLite of its driver.
        run(build.arg("--target-dir").arg(&built).env("LIBSQLITE3_FLAGS", ""))?;
    }
    for database in databases {
        let result = measure(settings, database, &target)?;
        println!("{result}");
        if let Some(path) = settings.write.as_ref().filter(|_| !result.is_empty()) {
            write(path, database, &result)?;
        }
    }
    Ok(())
}

/// Runs the cases of a database that are asked for. The result is empty when there are none.
fn measure(settings: &Settings, database: Database, target: &Path) -> Result<String> {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
    let program = |name: &str| target.join("bench").join("release").join(format!("{name}{EXE_SUFFIX}"));
    let driver = format!("{DLL_PREFIX}montrs_driver_{}{DLL_SUFFIX}", database.name());
    let mut command = Command::new(program("montrs-bench"));
    command.arg(database.name()).arg("--driver").arg(target.join("release").join(driver));
    command.arg("--sqlx").arg(program("montrs-bench-sqlx"));
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
    String::from_utf8(output.stdout).context("the benchmark did not print text")
}

impl Database {
    /// As drivers and commands are named.
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Puts the result between the marks in the file.
fn write(path: &Path, database: Database, result: &str) -> Result<()> {
    let name = database.name();
    let begin = format!("<!-- begin: written by cargo xtask bench {name} -->");
    let end = format!("<!-- end: written by cargo xtask bench {name} -->");
    let old = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.with_context(|| format!("{} lacks the lines\n{begin}\n{end}", path.display()))?;
    let new = format!("{before}{begin}\n\n{}\n\n{end}{after}", result.trim());
    fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}
