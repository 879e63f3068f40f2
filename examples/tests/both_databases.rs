//! The quickstart, compiled once, on both databases: only the plugins directory and `DATABASE_URL` differ.

use montrs_test_clusters::TestDatabase;
use montrs_tests::{TestFile, built_library, install, over_loopback, private_dir};
use std::process::{Command, Output};

/// Runs it with one driver in its plugins directory.
fn quickstart(driver: &str, url: &str) -> Output {
    let (plugins, library) = (private_dir(), built_library(driver));
    install(&library, &plugins.path().join(library.file_name().expect("a library has a name")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    command.env("DATABASE_URL", url).env("MONTRS_PLUGINS", plugins.path()).output().expect("it was built")
}

/// What it tells when all is well: the first line, those that are the same everywhere, and the error that it explains.
fn told(output: &Output) -> (String, Vec<String>, String) {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{errors}");
    let (done, error) = out.split_once("\nerror[").unwrap_or_else(|| panic!("no error was explained: {out}"));
    let mut lines = done.lines().map(str::to_owned);
    (lines.next().unwrap_or_default(), lines.collect(), error.to_owned())
}

#[test]
fn the_same_program_does_the_same_on_sqlite_and_on_postgresql() {
    let (file, database) = (TestFile::new(), TestDatabase::new());
    let on_sqlite = told(&quickstart("montrs_driver_sqlite", file.url()));
    let on_postgres = told(&quickstart("montrs_driver_postgres", &over_loopback(database.url())));
    assert!(on_sqlite.0.contains("with the driver sqlite "), "{on_sqlite:?}");
    assert!(on_postgres.0.contains("with the driver postgres "), "{on_postgres:?}");
    let expected = [
        "inserted 1 row",
        "inserted 1 row",
        "user 1: ada@example.org (Ada)",
        "user 2: grace@example.org (no name)",
        "inside the transaction: 0 users",
        "after the rollback: 2 users",
    ];
    for (_, lines, error) in [on_sqlite, on_postgres] {
        assert_eq!(lines, expected);
        assert!(error.starts_with("DB_UNIQUE_VIOLATION]: ") && error.contains("fix 1: "), "{error}");
    }
    // The server's own tool sees the rows, too.
    let rows = database.sql("SELECT id, email, name FROM users ORDER BY id");
    assert_eq!(rows, "1|ada@example.org|Ada\n2|grace@example.org|");
}

#[test]
fn the_driver_of_one_database_is_none_for_the_other() {
    let file = TestFile::new();
    let output = quickstart("montrs_driver_postgres", file.url());
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && out.contains("error[DB_DRIVER") && out.contains("sqlite"), "{out}");
    assert!(!file.path().exists());
}
