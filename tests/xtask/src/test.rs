//! Every test.

use crate::{
    features,
    run::{cargo, directories, run},
    setup::setup,
};
use anyhow::{Context, Result, anyhow};
use montrs_test_clusters::{Bouncer, Cluster, Installation, sql};
use std::{env, process::Command};

pub(crate) fn test() -> Result<()> {
    setup()?;
    let other = other_server()?;
    let (root, target) = directories()?;
    let cargo = || {
        let mut command = cargo();
        command.current_dir(&root);
        command
    };
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    features::check()?;
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;

    let all = ["test", "--workspace", "--no-fail-fast"];
    let mut servers = vec![on_throwaway_servers(&Installation::system()?, cargo().args(all))?];
    // What follows are the tests of PostgreSQL alone.
    let postgres = ["test", "--workspace", "--no-fail-fast", "--test", "postgres*"];
    match Installation::newer_in(&target) {
        Ok(newer) => servers.push(on_throwaway_servers(&newer, cargo().args(postgres))?),
        Err(error) => servers.push(format!("not on a newer PostgreSQL: {error:#}")),
    }
    servers.push(match other {
        Some((what, url)) => {
            println!("\n== {what}");
            run(cargo().args(postgres).env("MONTRS_TEST_POSTGRES", url))?;
            what
        }
        None => "not on a server of yours: DATABASE_URL_POSTGRES is not set".to_owned(),
    });
    println!("\nThe tests of PostgreSQL have run\n- {}", servers.join("\n- "));
    Ok(())
}

/// Runs tests, which make their databases on one server of this installation and their own servers from it.
fn on_throwaway_servers(installation: &Installation, tests: &mut Command) -> Result<String> {
    let server = Cluster::start_from(installation, &[])?;
    let bouncer = match Bouncer::version() {
        Some((major, minor)) if Bouncer::has_prepared_statements() => format!("{major}.{minor}"),
        Some((major, minor)) => format!("{major}.{minor}, which keeps no prepared statements"),
        None => "(none)".to_owned(),
    };
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

/// What `DATABASE_URL_POSTGRES` names, and its URL.
fn other_server() -> Result<Option<(String, String)>> {
    let Some(url) = env::var("DATABASE_URL_POSTGRES").ok().filter(|url| !url.is_empty()) else { return Ok(None) };
    let version = sql(&url, "SHOW server_version").context("the server of DATABASE_URL_POSTGRES does not answer")?;
    Ok(Some((format!("on PostgreSQL {version} of DATABASE_URL_POSTGRES"), url)))
}
