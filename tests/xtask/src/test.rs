//! Every test.

use crate::{
    run::{cargo, directories, run},
    setup::setup,
};
use anyhow::Result;

pub(crate) fn test() -> Result<()> {
    setup()?;
    let (root, _) = directories()?;
    let cargo = || {
        let mut command = cargo();
        command.current_dir(&root);
        command
    };
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    run(cargo().args(["test", "--workspace"]))
}
