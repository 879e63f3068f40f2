//! Who runs the servers: PostgreSQL refuses to run as root.

use anyhow::{Context, Result, ensure};
use std::{
    fmt, fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

/// The user who runs servers: `nobody` where this process is root, else whoever runs this process.
pub(crate) struct Account(Option<Nobody>);

struct Nobody {
    user: u32,
    group: u32,
}

impl Account {
    /// What is right for the one who owns the directory, which this process has just made.
    pub(crate) fn for_owner_of(directory: &Path) -> Result<Self> {
        if fs::metadata(directory)?.uid() != 0 {
            return Ok(Self(None));
        }
        Ok(Self(Some(Nobody { user: id("-u")?, group: id("-g")? })))
    }

    /// Makes a file or directory this user's.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        match &self.0 {
            Some(nobody) => chown(path, Some(nobody.user), Some(nobody.group))
                .with_context(|| format!("cannot give {} to nobody", path.display())),
            None => Ok(()),
        }
    }

    /// Makes a directory and all in it this user's.
    pub(crate) fn give_all(&self, directory: &Path) -> Result<()> {
        let Some(nobody) = &self.0 else { return Ok(()) };
        let owner = format!("{}:{}", nobody.user, nobody.group);
        let status = Command::new("chown").args(["-R", &owner]).arg(directory).status().context("cannot run chown")?;
        ensure!(status.success(), "cannot give {} to nobody", directory.display());
        Ok(())
    }

    /// Lets the command run as this user, without other groups.
    pub(crate) fn run_as(&self, command: &mut Command) {
        if let Some(nobody) = &self.0 {
            command.gid(nobody.group).uid(nobody.user);
        }
    }

    /// Whether this user can use what lies below the directory, as far as directories are concerned.
    pub(crate) fn can_reach(&self, directory: &Path) -> bool {
        let open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
        self.0.is_none() || directory.ancestors().all(open)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "nobody" } else { "this user" })
    }
}

fn id(option: &str) -> Result<u32> {
    let output = Command::new("id").args([option, "nobody"]).output().context("cannot run id")?;
    ensure!(output.status.success(), "this system has no user nobody, who would run servers in place of root");
    String::from_utf8_lossy(&output.stdout).trim().parse().context("id did not print a number")
}
