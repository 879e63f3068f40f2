//! The tool without any database: what it says of drivers, wrong settings and wrong usage.

use std::{
    path::Path,
    process::{Command, Output},
};

/// The tool, undisturbed by the environment of whoever runs the tests.
fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_montrs-db"));
    for variable in ["DATABASE_URL", "MONTRS_PLUGINS", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the tool runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code().expect("the tool ends by itself"), text(stdout), text(stderr))
}

/// An empty directory that nobody else can write to.
fn plugins() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

fn library_name(stem: &str) -> String {
    format!("{stem}{}", std::env::consts::DLL_SUFFIX)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn in_directory(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(tool().arg("--plugins").arg(directory).args(arguments))
}

#[test]
fn an_empty_directory_is_listed_with_a_hint() {
    let plugins = plugins();
    let (code, out, err) = in_directory(plugins.path(), &["drivers"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(&format!("{} (given by the application): 0 drivers", plugins.path().display())), "{out}");
    assert!(
        out.contains("No driver was found") && out.contains("--plugins") && out.contains("MONTRS_PLUGINS"),
        "{out}"
    );
}

#[test]
fn only_the_directories_on_the_command_line_are_searched() {
    let (first, second, third) = (plugins(), plugins(), plugins());
    let both = std::env::join_paths([first.path(), second.path()]).unwrap();
    let mut command = tool();
    command.env("MONTRS_PLUGINS", "/somewhere/else").arg("drivers").args(["--format", "json"]);
    let (code, out, _) = run(command.arg("--plugins").arg(both).arg("--plugins").arg(third.path()));
    assert_eq!(code, 0);
    let json = json(&out);
    let directories = json["directories"].as_array().unwrap();
    let paths: Vec<&str> = directories.iter().map(|directory| directory["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [&first, &second, &third].map(|directory| directory.path().to_str().unwrap()));
}

#[test]
fn the_directories_of_the_environment_are_listed_with_their_source() {
    let (code, out, _) = run(tool().env("MONTRS_PLUGINS", "/no/such/directory").arg("drivers"));
    assert_eq!(code, 0);
    assert!(out.contains("/no/such/directory (from MONTRS_PLUGINS): it does not exist"), "{out}");
}

#[test]
fn a_text_file_with_the_name_of_a_library_is_refused_with_its_reason() {
    let plugins = plugins();
    let name = library_name("x");
    std::fs::write(plugins.path().join(&name), "this is no library").unwrap();
    let (code, out, _) = in_directory(plugins.path(), &["drivers"]);
    assert_eq!(code, 0);
    assert!(out.contains(&format!("{name}: not used: ")), "{out}");

    let (code, out, _) = in_directory(plugins.path(), &["drivers", "--format", "json"]);
    assert_eq!(code, 0);
    let refused = &json(&out)["directories"][0]["refused"][0];
    assert!(refused["file"].as_str().unwrap().ends_with(&name), "{out}");
    assert_eq!(refused["kind"], "NotADriver");
    assert!(!refused["reason"].as_str().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_can_write_to_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let plugins = plugins();
    std::fs::set_permissions(plugins.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, out, _) = in_directory(plugins.path(), &["drivers"]);
    assert_eq!(code, 0);
    assert!(out.contains("not searched") && out.contains("chmod"), "{out}");
    let (_, out, _) = in_directory(plugins.path(), &["drivers", "--format", "json"]);
    let json = json(&out);
    assert_eq!(json["directories"][0]["state"], "refused");
    assert!(json["directories"][0]["mend"].as_str().unwrap().contains("chmod"), "{out}");
}

#[test]
fn no_driver_for_the_scheme_names_the_scheme_the_directories_and_fixes() {
    let plugins = plugins();
    let (code, out, err) = in_directory(plugins.path(), &["--url", "toydb://u:hunter2@host/db", "query", "SELECT 1"]);
    assert_eq!((code, out.as_str()), (1, ""));
    let directory = plugins.path().display().to_string();
    for part in ["error[DB_DRIVER_NOT_FOUND]: ", "`toydb:`", &directory, "help:", "  1. "] {
        assert!(err.contains(part), "{part:?} is not in:\n{err}");
    }
    assert!(!err.contains("hunter2"), "{err}");
}

#[test]
fn an_error_is_one_json_object_where_json_is_asked_for() {
    let plugins = plugins();
    let arguments = ["query", "SELECT 1", "--url", "toydb:x", "--format", "json"];
    let (code, out, err) = in_directory(plugins.path(), &arguments);
    assert_eq!((code, out.as_str()), (1, ""));
    let error = &json(&err)["error"];
    assert_eq!((&error["code"], &error["kind"]), (&"DB_DRIVER_NOT_FOUND".into(), &"DriverNotFound".into()));
    assert!(error["message"].as_str().unwrap().contains("`toydb:`"));
    assert!(!error["explanation"].as_str().unwrap().is_empty());
    assert!(!error["fixes"].as_array().unwrap().is_empty());
    assert!(error["sqlstate"].is_null() && error["position"].is_null());
}

#[test]
fn the_password_of_a_malformed_url_is_not_printed() {
    let plugins = plugins();
    for url in ["postgres//ada:hunter2@db", "//ada:hunter2@db", " a://ada:hunter2@db", "\"a://ada:hunter2@db\""] {
        let (code, out, err) = in_directory(plugins.path(), &["--url", url, "query", "SELECT 1"]);
        assert_eq!((code, out.as_str()), (1, ""), "{url}");
        assert!(err.contains("DB_CONFIGURATION") && !err.contains("hunter2"), "{err}");
        let (code, _, err) = run(tool().env("DATABASE_URL", url).args(["query", "SELECT 1", "--format", "json"]));
        assert_eq!(code, 1);
        assert!(!err.contains("hunter2"), "{err}");
    }
}

#[test]
fn the_password_of_a_url_in_the_wrong_place_is_not_printed() {
    let url = "toydb://ada:hunter2@db";
    let format = format!("--format={url}");
    for arguments in [vec![url, "query", "x"], vec!["query", "x", url], vec!["query", "x", &format]] {
        let (code, _, err) = run(tool().args(&arguments));
        assert_eq!(code, 2);
        assert!(err.contains("toydb://…") && !err.contains("hunter2"), "{err}");
    }
}

#[test]
fn the_password_in_a_configuration_file_is_not_printed() {
    let directory = plugins();
    let file = directory.path().join("montrs.toml");
    for text in ["[database]\nurl = \"a://u:hunter2@db", "[database]\nuri = \"a://u:hunter2@db\""] {
        std::fs::write(&file, text).unwrap();
        let (code, _, err) = run(tool().arg("--config").arg(&file).args(["query", "SELECT 1"]));
        assert_eq!(code, 1);
        assert!(err.contains("line 2") && !err.contains("hunter2"), "{err}");
    }
}

#[test]
fn the_drivers_of_a_configuration_file_are_listed_though_its_url_is_not_set() {
    let directory = plugins();
    let file = directory.path().join("montrs.toml");
    std::fs::write(&file, "[database]\nurl = \"env:NOT_SET_ANYWHERE\"\n[drivers]\npath = [\"/configured\"]").unwrap();
    let (code, out, _) = run(tool().arg("--config").arg(&file).arg("drivers"));
    assert_eq!(code, 0);
    assert!(out.starts_with("/configured (given by the application): it does not exist"), "{out}");
    let (code, _, err) = run(tool().arg("--config").arg(&file).args(["query", "SELECT 1"]));
    assert_eq!(code, 1);
    assert!(err.contains("NOT_SET_ANYWHERE"), "{err}");
    let arguments = ["query", "SELECT 1", "--url", "toydb:x"];
    let (_, _, err) = run(tool().arg("--config").arg(&file).args(arguments));
    assert!(err.contains("`toydb:`") && err.contains("/configured"), "{err}");
}

#[test]
fn a_script_that_cannot_be_read_is_named_with_the_reason() {
    let directory = plugins();
    let missing = directory.path().join("missing.sql");
    let (code, out, err) = run(tool().arg("script").arg(&missing));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error[CLI_INPUT]: ") && err.contains("missing.sql cannot be read: "), "{err}");
    let latin = directory.path().join("latin.sql");
    std::fs::write(&latin, b"SELECT 1;\n-- \xc3\xbc\nSELECT 'gr\xfc\xdfe';").unwrap();
    let (code, _, err) = run(tool().arg("script").arg(&latin));
    assert_eq!(code, 1);
    for part in ["it is not UTF-8: the byte 0xFC at ", "latin.sql:3:11 (offset 26)", "iconv"] {
        assert!(err.contains(part), "{err}");
    }
    let (code, _, err) = run(tool().arg("script").arg(directory.path()));
    assert!(code == 1 && err.contains("CLI_INPUT"), "{err}");
}

#[test]
fn a_missing_url_is_wrong_usage() {
    let (code, out, err) = run(tool().args(["query", "SELECT 1"]));
    assert_eq!((code, out.as_str()), (2, ""));
    for part in ["error[CLI_NO_URL]: ", "--url", "DATABASE_URL"] {
        assert!(err.contains(part), "{err}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["query"][..],
        &["quarry", "SELECT 1"],
        &["query", "SELECT 1", "--format", "xml"],
        &["query", "SELECT 1", "--named", "x"],
        &["drivers", "--format", "csv"],
        &["script"],
        &["script", "a.sql", "b.sql"],
        &[],
    ] {
        let (code, out, err) = run(tool().args(arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("--help"), "{err}");
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let (code, out, _) = run(tool().arg("--help"));
    assert_eq!(code, 0);
    for part in ["Examples:", "montrs-db drivers", "DATABASE_URL", "Exit codes:", "130"] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    let (code, out, _) = run(tool().args(["query", "--help"]));
    assert_eq!(code, 0);
    assert!(out.contains("--param") && out.contains("ISO 8601"), "{out}");
}

#[test]
fn help_does_not_show_the_url_of_the_environment() {
    let (_, out, _) = run(tool().env("DATABASE_URL", "a://u:hunter2@db").args(["query", "--help"]));
    assert!(!out.contains("hunter2"), "{out}");
}

#[test]
fn the_version_is_told() {
    let (code, out, _) = run(tool().arg("--version"));
    assert_eq!((code, out), (0, format!("montrs-db {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn colours_are_for_terminals_only() {
    let (_, _, err) = run(tool().args(["query", "SELECT 1"]));
    assert!(!err.contains('\u{1b}'), "{err:?}");
    let (_, _, err) = run(tool().env("CLICOLOR_FORCE", "1").args(["query", "SELECT 1"]));
    assert!(err.contains('\u{1b}'), "{err:?}");
    let (_, _, err) = run(tool().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").args(["query", "SELECT 1"]));
    assert!(!err.contains('\u{1b}'), "{err:?}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_tool_quietly() {
    let mut command = tool();
    command.args(["drivers", "--plugins", "/no/such/directory"]);
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let (code, _, err) = run(command.stdout(writer));
    assert_eq!((code, err.as_str()), (0, ""));
}
