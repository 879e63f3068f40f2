//! Running other programs.

use anyhow::{Context, Result, bail};
use std::{env, path::PathBuf, process::Command};

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Says what is run, runs it, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Whether the program can be run at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The root of the workspace, and the directory that cargo builds into.
pub(crate) fn directories() -> Result<(PathBuf, PathBuf)> {
    let metadata =
        cargo_metadata::MetadataCommand::new().no_deps().exec().context("cannot ask cargo for its metadata")?;
    Ok((metadata.workspace_root.into_std_path_buf(), metadata.target_directory.into_std_path_buf()))
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| {
            let word = word.to_string_lossy();
            if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
        })
        .collect();
    match words.split_first() {
        Some((program, arguments)) => {
            let program = program.rsplit('/').next().unwrap_or(program);
            std::iter::once(program).chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        }
        None => String::new(),
    }
}
