//! A driver that was built outside of the workspace works with a host that does not know it.

mod external;

use external::{PLAIN, exercise, open, project, text};
use montrs_orm::{AiError, Database, DbErrorKind, drivers::SearchPath};
use montrs_tests::private_dir;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

#[tokio::test]
async fn it_is_built_loaded_and_used() {
    let plugins = PLAIN.build();
    let db = open(plugins.path()).await;
    let record = db.driver();
    assert_eq!((record.name.as_str(), record.version.to_string().as_str()), ("external", "3.2.1"));
    assert_eq!(record.license.as_deref(), Some("MIT"));
    assert_eq!(record.description.as_deref(), Some("A driver that is built outside of the workspace"));
    assert!(text(&db, "compiler").await.starts_with("rustc "));
    exercise(&db).await;
}

#[tokio::test]
async fn before_it_is_installed_its_urls_are_unknown() {
    let plugins = private_dir();
    let search_path = SearchPath::only([plugins.path()]);
    let error = Database::builder().url("external://x@here").search_path(search_path).connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::DriverNotFound, "{error}");
}

#[tokio::test]
async fn its_own_words_are_the_users_help() {
    let plugins = PLAIN.build();
    let search_path = SearchPath::only([plugins.path()]);
    let builder = Database::builder().url("external+tls://user:secret@there").search_path(search_path);
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert_eq!(error.to_string(), "cannot open external+tls://…@here: the only place is `here`");
    assert_eq!(error.suggested_fixes()[0], "Say external://here.");
}

#[test]
fn the_command_line_tool_uses_it_too() {
    let plugins = PLAIN.build();
    let executable = std::env::current_exe().expect("a test knows its executable");
    let debug = executable.ancestors().nth(2).expect("the tests lie in the target directory");
    let tool = debug.join(format!("montrs-db{}", std::env::consts::EXE_SUFFIX));
    assert!(tool.exists(), "{} was not built: run the tests of the whole workspace", tool.display());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&tool);
        command.env_remove("DATABASE_URL").env_remove("MONTRS_PLUGINS").env("NO_COLOR", "1");
        let output = command.arg("--plugins").arg(plugins.path()).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it prints text")
    };
    let drivers = run(&["drivers"]);
    assert!(drivers.contains("external") && drivers.contains("3.2.1"), "{drivers}");
    let numbers = run(&["--url", "external://x@here", "query", "--format", "csv", "count 250"]);
    let lines: Vec<&str> = numbers.lines().collect();
    assert_eq!((lines.len(), lines[1], lines[250]), (251, "1", "250"), "{numbers}");
}

/// Names and versions of all packages of a lock file that come from a registry.
fn locked(lock: &Path) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(lock).unwrap_or_else(|error| panic!("{}: {error}", lock.display()));
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    text.split("[[package]]\n")
        .filter(|block| value(block, "source").is_some())
        .map(|block| (value(block, "name").expect("a name"), value(block, "version").expect("a version")))
        .collect()
}

#[test]
fn its_lock_file_has_the_versions_of_the_workspace() {
    let own = locked(&project().join("Cargo.lock"));
    let workspace = locked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"));
    assert!(own.len() > 20 && workspace.len() > own.len());
    let other: Vec<_> = own.difference(&workspace).collect();
    assert!(
        other.is_empty(),
        "{other:?} are not what the workspace has. Then the driver cannot be built from the same downloads: copy the \
         workspace's Cargo.lock to tests/external and run `cargo metadata` there"
    );
}
