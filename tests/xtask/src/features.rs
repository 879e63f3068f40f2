//! The features of `montrs-orm`: it compiles, without a warning, with none, with each alone, and with all.

use crate::run::{cargo, run};
use anyhow::{Context, Result};

const PACKAGE: &str = "montrs-orm";

pub(crate) fn check() -> Result<()> {
    let metadata =
        cargo_metadata::MetadataCommand::new().no_deps().exec().context("cannot ask cargo for its metadata")?;
    let package = metadata.packages.iter().find(|package| package.name == PACKAGE);
    let package = package.with_context(|| format!("{PACKAGE} is not in the workspace"))?;
    let alone = package.features.keys().filter(|name| *name != "default").map(|name| vec!["--features", name]);
    for features in alone.chain([vec![], vec!["--all-features"]]) {
        let mut clippy = cargo();
        clippy.args(["clippy", "--manifest-path", package.manifest_path.as_str(), "--no-default-features"]);
        run(clippy.args(features).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}
