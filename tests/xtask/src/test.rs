//! Every test.

use crate::{
    run::{cargo, directories, run},
    setup::setup,
};
use anyhow::{Context, Result, anyhow};
use montrs_test_clusters::{Bouncer, Cluster, Installation, sql};
use std::{env, process::Command};

pub(crate) fn test() -> Result<()> {
    setup()?;
    let (root, target) = directories()?;
    let cargo = || {
        let mut command = cargo();
        command.current_dir(&root);
        command
    };
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;

    let mut servers = Vec::new();
    servers.push(on_throwaway_servers(&Installation::system()?, cargo().args(["test", "--workspace"]))?);
    // What follows are the tests of PostgreSQL alone.
    let postgres = ["test", "--workspace", "--test", "postgres*"];
    match Installation::newer_in(&target) {
        Ok(newer) => servers.push(on_throwaway_servers(&newer, cargo().args(postgres))?),
        Err(error) => servers.push(format!("not on a newer PostgreSQL: {error:#}")),
    }
    match env::var("DATABASE_URL_POSTGRES") {
        Ok(url) => servers.push(on_server(&url, cargo().args(postgres))?),
        Err(_) => servers.push("not on another server: DATABASE_URL_POSTGRES is not set".to_owned()),
    }
    println!("\nThe tests of PostgreSQL have run\n- {}", servers.join("\n- "));
    Ok(())
}

/// Runs tests, which make their databases on one server of this installation and their own servers from it.
fn on_throwaway_servers(installation: &Installation, tests: &mut Command) -> Result<String> {
    let server = Cluster::start_from(installation, &[])?;
    let bouncer = Bouncer::version().map_or("none".to_owned(), |(major, minor)| format!("{major}.{minor}"));
    let what = format!(
        "on PostgreSQL {} of {}: plain, with TLS, with a streaming standby, and behind PgBouncer {bouncer}",
        server.version(),
        installation.bin().display()
    );
    println!("\n== {what}");
    tests.env("MONTRS_TEST_POSTGRES", server.url()).env("MONTRS_TEST_POSTGRES_BIN", installation.bin());
    run(tests).map_err(|error| anyhow!("{error:#}\nThe last lines of the server:\n{}", server.log()))?;
    Ok(what)
}

/// Runs tests, which make their databases on this server.
fn on_server(url: &str, tests: &mut Command) -> Result<String> {
    let version = sql(url, "SHOW server_version").context("the server of DATABASE_URL_POSTGRES does not answer")?;
    let what = format!("on PostgreSQL {version} of DATABASE_URL_POSTGRES");
    println!("\n== {what}");
    run(tests.env("MONTRS_TEST_POSTGRES", url))?;
    Ok(what)
}
