//! Drivers that other compilers made, or that were made with other settings, work with this host: nothing on the wire
//! depends on how a compiler lays out Rust's own types.

mod external;

use external::{Flavour, PLAIN, cargo, exercise, open, text};
use montrs_orm::Database;
use std::{fs, io::Write};
use tempfile::TempDir;

async fn load(flavour: &Flavour) -> (Database, TempDir) {
    let plugins = flavour.build();
    (open(plugins.path()).await, plugins)
}

/// Says something that is seen although the test passes.
fn say(message: &str) {
    writeln!(std::io::stderr(), "\n{message}").expect("the standard error can be written to");
}

#[tokio::test]
async fn a_driver_whose_structs_are_laid_out_at_random_works() {
    let (plain, _plain) = load(&PLAIN).await;
    for (name, flags) in
        [("random-1", "-Zrandomize-layout -Zlayout-seed=1"), ("random-2", "-Zrandomize-layout -Zlayout-seed=20260101")]
    {
        let environment: &'static [_] = vec![("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", flags)].leak();
        let (db, _plugins) = load(&Flavour { name, environment, ..PLAIN }).await;
        let layouts = (text(&plain, "layout").await, text(&db, "layout").await);
        assert_ne!(layouts.0, layouts.1, "the layout is not random");
        exercise(&db).await;
    }
    exercise(&plain).await;
}

#[tokio::test]
async fn a_driver_made_by_the_nightly_compiler_works() {
    let toolchain = Some("nightly");
    if !cargo(toolchain).arg("--version").output().is_ok_and(|output| output.status.success()) {
        say("not run: a_driver_made_by_the_nightly_compiler_works, because no nightly toolchain is installed");
        return;
    }
    let (db, _plugins) = load(&Flavour { name: "nightly", toolchain, ..PLAIN }).await;
    let compiler = text(&db, "compiler").await;
    assert!(compiler.contains("nightly"), "{compiler}");
    exercise(&db).await;
}

#[tokio::test]
async fn a_driver_that_is_optimised_as_a_whole_and_stripped_works() {
    let (db, plugins) = load(&Flavour { name: "release", release: true, ..PLAIN }).await;
    let library = fs::read_dir(plugins.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&library).unwrap();
    if cfg!(target_os = "linux") {
        let has_symbols = bytes.windows(8).any(|name| name == b".symtab\0");
        assert!(!has_symbols, "{} is not stripped", library.display());
    }
    exercise(&db).await;
}
