//! The structure that ARCHITECTURE.md promises.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// For each crate that is shipped, the crates of this workspace that it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("montrs-driver-abi", &[]),
    ("montrs-driver-sdk", &["montrs-driver-abi"]),
    ("montrs-driver-postgres", &["montrs-driver-sdk"]),
    ("montrs-driver-sqlite", &["montrs-driver-sdk"]),
    ("montrs-driver-loader", &["montrs-driver-abi"]),
    ("montrs-orm-macros", &[]),
    ("montrs-orm", &["montrs-driver-abi", "montrs-driver-loader", "montrs-orm-macros"]),
    ("montrs-db", &["montrs-orm"]),
];

/// Crates that speak to a database.
const DATABASE_CRATES: &[&str] = &[
    "diesel",
    "duckdb",
    "libsql",
    "libsqlite3-sys",
    "limbo",
    "mysql",
    "mysql_async",
    "odbc-api",
    "postgres",
    "postgres-protocol",
    "pq-sys",
    "rusqlite",
    "sea-orm",
    "sqlite",
    "sqlx",
    "sqlx-core",
    "tiberius",
    "tokio-postgres",
    "turso",
];

/// Names of databases that the host must not know.
const DATABASE_NAMES: &[&str] = &["sqlite", "postgres", "mysql", "mariadb", "duckdb", "oracle"];

fn metadata() -> Metadata {
    MetadataCommand::new().exec().expect("cargo tells the workspace's metadata")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

#[test]
fn crates_use_only_the_crates_that_they_may() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    for package in metadata.workspace_packages() {
        let manifest =
            package.manifest_path.strip_prefix(&metadata.workspace_root).expect("members lie in the workspace");
        if manifest.starts_with("tests") || manifest.starts_with("examples") {
            continue;
        }
        let (_, allowed) = EDGES
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap_or_else(|| panic!("the crate {} is new: say in EDGES what it may use", package.name));
        let used: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .filter(|name| members.contains(name))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(used.is_subset(&allowed), "{} uses {:?}, and may use {allowed:?}", package.name, used);
    }
}

/// All crates that the package is built with, without those of tests and build scripts.
fn dependency_tree(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let nodes: BTreeMap<&PackageId, _> =
        metadata.resolve.as_ref().expect("cargo resolves").nodes.iter().map(|node| (&node.id, node)).collect();
    let root = metadata.packages.iter().find(|package| package.name.as_str() == name).expect("the package is there");
    let (mut seen, mut open) = (HashSet::new(), vec![&root.id]);
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let normal =
                |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|dep| dep.kind == DependencyKind::Normal);
            open.extend(nodes[id].deps.iter().filter(|dep| normal(&dep.dep_kinds)).map(|dep| &dep.pkg));
        }
    }
    metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.to_string())
        .collect()
}

#[test]
fn the_host_is_built_without_any_database_crate() {
    let metadata = metadata();
    for name in ["montrs-orm", "montrs-db", "montrs-examples", "montrs-driver-sdk"] {
        let tree = dependency_tree(&metadata, name);
        assert!(tree.len() > 5, "{name}: {tree:?}");
        let found: Vec<&&str> = DATABASE_CRATES.iter().filter(|database| tree.contains(**database)).collect();
        assert!(found.is_empty(), "{name} is built with {found:?}");
        let drivers: Vec<&String> = tree
            .iter()
            .filter(|krate| krate.starts_with("montrs-driver-") && DATABASE_NAMES.iter().any(|db| krate.contains(db)))
            .collect();
        assert!(drivers.is_empty(), "{name} is built with {drivers:?}");
    }
}

/// The Rust files below a directory.
fn sources(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn the_host_names_no_database_in_its_code() {
    let mut files = Vec::new();
    for part in
        ["host/src", "host/loader/src", "host/macros/src", "host/cli/src", "driver-sdk/src", "driver-sdk/abi/src"]
    {
        sources(&root().join(part), &mut files);
    }
    assert!(files.len() > 40, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source can be read");
        // Tests may name what they like; they stand at the end of a file.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            // A comment may give an example, and so may the tool's texts for its users.
            let line = line.trim_start();
            if line.starts_with("//") || (file.starts_with(root().join("host/cli")) && line.contains("sqlite:")) {
                continue;
            }
            let lower = line.to_lowercase();
            for name in DATABASE_NAMES {
                assert!(!lower.contains(name), "{}:{number} names {name}: {line}", file.display());
            }
        }
    }
}
