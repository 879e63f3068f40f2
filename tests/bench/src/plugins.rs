//! A plugins directory as an operator would have it: no one else can write to it.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Makes the directory, and copies a driver into it.
pub(crate) fn install(driver: &Path, plugins: PathBuf) -> Result<PathBuf> {
    fs::create_dir(&plugins).with_context(|| format!("cannot make {}", plugins.display()))?;
    keep_others_out(&plugins, 0o700)?;
    let copy = plugins.join(driver.file_name().context("the driver has no file name")?);
    fs::copy(driver, &copy).with_context(|| format!("cannot copy {} to {}", driver.display(), copy.display()))?;
    keep_others_out(&copy, 0o755)?;
    Ok(plugins)
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
