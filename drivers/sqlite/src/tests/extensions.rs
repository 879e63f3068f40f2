//! Extensions: loaded where the URL names them, and never otherwise.
#![cfg(unix)]

use super::{fails, memory, number, open, query};
use montrs_driver_sdk::ErrorKind;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// Two entry points: one that makes a function, as SQLite finds it by the file's name, and one that fails. The table of
/// SQLite's functions is used by position, so that no header is needed.
const SOURCE: &str = r#"
    typedef int (*create_function)(void *, const char *, int, int, void *, void (*)(void *, int, void **), void *, void *);
    typedef void (*result_int)(void *, int);
    typedef char *(*mprintf_)(const char *, ...);
    static void **api;
    static void answer(void *context, int count, void **values) {
        ((result_int)api[RESULT_INT])(context, 42);
    }
    int sqlite3_answer_init(void *db, char **message, void **table) {
        api = table;
        return ((create_function)table[CREATE_FUNCTION])(db, "answer", 0, 1, 0, answer, 0, 0);
    }
    int sqlite3_sulky_init(void *db, char **message, void **table) {
        *message = ((mprintf_)table[MPRINTF])("not today");
        return 1;
    }
"#;

fn position(name: &str) -> String {
    /// The order of `sqlite3ext.h`, which never changes.
    const API: &[(&str, usize)] = &[("CREATE_FUNCTION", 45), ("MPRINTF", 69), ("RESULT_INT", 82)];
    let index = API.iter().find(|(known, _)| *known == name).map(|(_, index)| index);
    format!("-D{name}={}", index.expect("it is one of these"))
}

fn compile(directory: &Path) -> std::path::PathBuf {
    let (source, library) = (directory.join("answer.c"), directory.join("answer.so"));
    fs::write(&source, SOURCE).unwrap();
    let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .args(["CREATE_FUNCTION", "MPRINTF", "RESULT_INT"].map(position))
        .status();
    assert!(status.expect("SQLite itself was compiled with it").success());
    fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).unwrap();
    library
}

#[test]
fn an_extension_is_loaded_where_the_url_names_it_and_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let library = compile(directory.path());
    let name = library.display();
    for parameters in [
        format!("extension={name}"),
        format!("extension.sqlite3_answer_init={name}"),
        format!("extension={name}&execution=coroutine&extension={name}"),
    ] {
        let mut session = open(&format!("sqlite::memory:?{parameters}")).unwrap();
        assert_eq!(number(&mut session, "SELECT answer()"), 42, "{parameters}");
        let load = format!("SELECT load_extension('{name}')");
        fails(query(&mut session, &load, &[]), ErrorKind::PERMISSION);
    }
    fails(query(&mut memory(), "SELECT answer()", &[]), ErrorKind::UNDEFINED_FUNCTION);
    fails(query(&mut memory(), &format!("SELECT load_extension('{name}')"), &[]), ErrorKind::PERMISSION);

    let refused = |parameter: &str, kind: ErrorKind, part: &str| {
        let error = fails(open(&format!("sqlite::memory:?{parameter}")), kind);
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(&format!("extension.sqlite3_sulky_init={name}"), ErrorKind::CONNECTION, "not today");
    refused(&format!("extension.sqlite3_missing_init={name}"), ErrorKind::CONNECTION, "sqlite3_missing_init");
    refused(&format!("extension.a b={name}"), ErrorKind::CONFIGURATION, "name of a function");
    refused("extension=answer.so", ErrorKind::CONFIGURATION, "absolute");
    refused("extension=", ErrorKind::CONFIGURATION, "absolute");
    refused("extension=/missing/answer.so", ErrorKind::NOT_FOUND, "/missing/answer.so");
    refused(&format!("extension={}", directory.path().display()), ErrorKind::PERMISSION, "not a file");
    fs::set_permissions(&library, fs::Permissions::from_mode(0o775)).unwrap();
    refused(&format!("extension={name}"), ErrorKind::PERMISSION, "other users can write");
    fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    refused(&format!("extension={name}"), ErrorKind::PERMISSION, "other users can write");
    fs::write(&library, "no library").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    refused(&format!("extension={name}"), ErrorKind::CONNECTION, "cannot be loaded");
}
