//! Wrong files, wrong URLs, wrong SQL: each a clear error, and the process and everything else go on.

use montrs_orm::{
    AiError, Database, DbError, DbErrorKind, RuntimeSql,
    drivers::{Loader, SearchPath},
};
use montrs_tests::{TestFile, builder, built_library, install, plugins, private_dir};
use std::{fs, path::Path};

async fn connect_with(plugins: &Path, url: &str) -> DbError {
    Database::builder().url(url).search_path(SearchPath::only([plugins])).connect().await.unwrap_err()
}

#[tokio::test]
async fn without_a_driver_the_error_says_what_was_searched_and_what_to_do() {
    let empty = private_dir();
    let error = connect_with(empty.path(), "sqlite:app.db").await;
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::DriverNotFound, "DB_DRIVER_NOT_FOUND"));
    let text = error.to_string();
    assert!(text.contains("sqlite") && text.contains(&empty.path().display().to_string()), "{text}");
    let fixes = error.suggested_fixes().join("\n");
    assert!(fixes.contains("montrs_driver_sqlite") && fixes.contains("montrs-db drivers"), "{fixes}");
}

#[tokio::test]
async fn a_misspelt_scheme_is_told_the_nearest_one() {
    let error = connect_with(plugins(), "sqlit:app.db").await;
    assert_eq!(error.kind(), DbErrorKind::DriverNotFound);
    assert!(error.suggested_fixes().join("\n").contains("sqlite:"), "{:?}", error.suggested_fixes());
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_showing_its_secrets() {
    for url in ["", "no scheme", "://user:hunter2@host/db", "1sqlite:x", "user:hunter2@host"] {
        let error = connect_with(plugins(), url).await;
        assert!(matches!(error.kind(), DbErrorKind::Configuration | DbErrorKind::DriverNotFound), "{url}: {error:?}");
        assert!(!format!("{error} {error:?} {}", error.explanation()).contains("hunter2"), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn unknown_options_are_refused_with_the_known_and_the_nearest() {
    let error = connect_with(plugins(), "sqlite::memory:?bussy_timeout=1").await;
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    let text = format!("{error} {}", error.suggested_fixes().join(" "));
    assert!(text.contains("bussy_timeout") && text.contains("busy_timeout") && text.contains("mode"), "{text}");
    let error = connect_with(plugins(), "sqlite::memory:?mode=sideways").await;
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert!(format!("{error} {}", error.suggested_fixes().join(" ")).contains("rwc"), "{error}");
}

/// A driver cut off anywhere must be refused: opening it would kill the process.
#[test]
fn a_driver_truncated_anywhere_is_refused() {
    let library = built_library("montrs_driver_sqlite");
    let whole = fs::read(&library).unwrap();
    let dir = private_dir();
    let cut = dir.path().join("libmontrs_driver_sqlite.so");
    let step = whole.len() / 300;
    let ends = (0..64).chain((64..whole.len()).step_by(step)).chain(whole.len() - 8..whole.len());
    for end in ends {
        fs::write(&cut, &whole[..end]).unwrap();
        install(&cut.clone(), &dir.path().join("copy.so"));
        let refused = Loader::load_file(dir.path().join("copy.so"));
        assert!(refused.is_err(), "a driver cut at {end} of {} bytes was opened", whole.len());
    }
}

/// Bytes flipped in the headers may make a library unusable, but never more than that.
#[test]
fn a_driver_with_flipped_header_bytes_is_refused_or_described() {
    let whole = fs::read(built_library("montrs_driver_sqlite")).unwrap();
    let dir = private_dir();
    let path = dir.path().join("libmontrs_driver_sqlite.so");
    for at in 0..256 {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(dir.path().join("damaged"), &damaged).unwrap();
        install(&dir.path().join("damaged"), &path);
        // Only read: a header that still looks right might be opened by the system's loader.
        let _ = Loader::read_record(&path);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn refused_files_are_named_with_the_reason_and_the_mending_command() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = private_dir();
    let path = |name: &str| dir.path().join(name);
    install(&built_library("montrs_driver_sqlite"), &path("libmontrs_driver_sqlite.so"));
    fs::set_permissions(path("libmontrs_driver_sqlite.so"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(path("libmontrs_driver_text.so"), "hello").unwrap();
    fs::write(path("libmontrs_driver_empty.so"), "").unwrap();
    symlink("nowhere", path("libmontrs_driver_dangling.so")).unwrap();
    symlink("libmontrs_driver_loop.so", path("libmontrs_driver_loop.so")).unwrap();
    make_fifo(&path("libmontrs_driver_fifo.so"));
    let error = connect_with(dir.path(), "sqlite:app.db").await;
    assert_eq!(error.kind(), DbErrorKind::DriverRefused);
    let fixes = error.suggested_fixes().join("\n");
    assert!(fixes.contains("chmod go-w") && fixes.contains("libmontrs_driver_sqlite.so"), "{fixes}");
    let text = format!("{error}\n{fixes}");
    for part in ["chmod", "libmontrs_driver_text.so", "_empty.so", "_dangling.so", "_loop.so", "_fifo.so"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

/// Makes a FIFO with the system's own command: opening one for reading would block.
#[cfg(unix)]
fn make_fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_when_connecting() {
    let file = TestFile::new();
    fs::write(file.path(), "This is a text, and by no means a database of any kind. ".repeat(100)).unwrap();
    let error = builder(file.url()).connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Corrupt);
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    assert!(fs::read_to_string(file.path()).unwrap().starts_with("This is a text"), "nothing was written to it");
}

#[tokio::test]
async fn a_directory_in_the_place_of_a_file_is_told_and_advised_to_be_named_with_a_file() {
    let dir = private_dir();
    let error = builder(&format!("sqlite:{}", dir.path().display())).connect().await.unwrap_err();
    assert!(error.to_string().contains("is a directory"), "{error}");
    let fixes = error.suggested_fixes();
    assert!(matches!(&fixes[..], [fix] if fix.contains(dir.path().join("app.db").to_str().unwrap())), "{fixes:?}");
}

#[tokio::test]
async fn a_missing_file_is_made_only_where_that_is_allowed() {
    for mode in ["ro", "rw"] {
        let file = TestFile::new();
        let error = builder(&format!("{}?mode={mode}", file.url())).connect().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::DatabaseNotFound, "{mode}: {error}");
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        assert!(!file.path().exists());
    }
    let file = TestFile::new();
    file.open().await;
    assert!(file.path().exists());
    let error = builder("sqlite:///nowhere/at/all/x.db").connect().await.unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_read_only_refuses_writes_and_can_be_read() {
    let file = TestFile::new();
    let db = file.open().await;
    db.execute("CREATE TABLE t (x)").await.unwrap();
    db.close().await.unwrap();
    let db = builder(&format!("{}?mode=ro", file.url())).connect().await.unwrap();
    let error = db.execute("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ReadOnly);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn a_locked_database_is_waited_for_and_then_reported() {
    let file = TestFile::new();
    let one = file.open().await;
    one.execute("CREATE TABLE t (x)").await.unwrap();
    let mut writing = one.begin().await.unwrap();
    writing.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let other = builder(&format!("{}?busy_timeout=100", file.url())).connect().await.unwrap();
    let error = other.execute("INSERT INTO t VALUES (2)").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Busy, true));
    // Readers go on, and so does the writer.
    assert_eq!(other.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
    writing.commit().await.unwrap();
    other.execute("INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!(one.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn sql_that_is_no_single_statement_is_refused() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    let kind = async |sql: &str| db.execute(RuntimeSql(sql)).await.unwrap_err().kind();
    for empty in ["", "   ", ";", "-- only a comment", "/* and another */ ;"] {
        assert_eq!(kind(empty).await, DbErrorKind::EmptyStatement, "{empty:?}");
    }
    let two = db.execute("SELECT 1; SELECT 2").await.unwrap_err();
    assert_eq!((two.kind(), two.position()), (DbErrorKind::MultipleStatements, Some(10)));
    assert_eq!(kind("CREATE TABLE t (x); DROP TABLE t").await, DbErrorKind::MultipleStatements);
    assert_eq!(kind("SELECT * FROM t").await, DbErrorKind::UndefinedTable, "nothing of it was run");
    // What follows may be a comment.
    assert_eq!(db.query("SELECT 1; -- that was all").fetch_scalar::<i64>().await.unwrap(), 1);
    let nul = db.execute("SELECT 1 \0 + 1").await.unwrap_err();
    assert_eq!((nul.kind(), nul.position()), (DbErrorKind::Syntax, Some(9)));
}

#[tokio::test]
async fn ten_megabytes_of_sql_work_or_fail_clearly() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    let text = "x".repeat(10 << 20);
    let len: i64 = db.query(RuntimeSql(format!("SELECT length('{text}')"))).fetch_scalar().await.unwrap();
    assert_eq!(len, 10 << 20);
    let error = db.execute(RuntimeSql(format!("SELECT {}", "(".repeat(10 << 20)))).await.unwrap_err();
    assert!(error.to_string().len() < 2000 && format!("{error:?}").len() < 4000, "{}", error.to_string().len());
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_and_nothing_is_lost() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER) STRICT").await.unwrap();
    let error = db.execute("INSERT INTO t VALUES ($1)").bind("not a number").await.unwrap_err();
    assert!(!error.to_string().is_empty());
    let error = db.execute("INSERT INTO t VALUES ($1)").bind(f64::NAN).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    db.execute("INSERT INTO t VALUES ($1)").bind(1).await.unwrap();
    assert_eq!(db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [1]);
}

#[tokio::test]
async fn a_settings_file_is_read_or_refused_with_the_place() {
    let dir = private_dir();
    let path = dir.path().join("montrs.toml");
    let settings = |text: &str| {
        fs::write(&path, text).unwrap();
        Database::builder().config_file(&path)
    };
    let file = TestFile::new();
    let text =
        format!("[database]\nurl = {:?}\nmax_connections = 2\n\n[drivers]\npath = [{:?}]\n", file.url(), plugins());
    let db = settings(&text).unwrap().connect().await.unwrap();
    assert_eq!(db.pool_status().max, 2);
    let error = settings("[database]\nmax_conections = 2\n").unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert!(error.to_string().contains("max_conections") && error.to_string().contains("montrs.toml"), "{error}");
    let misplaced = [
        ("\n[driver]\npath = ['/nope']", "\"driver\"", "[drivers]"),
        ("\n[Database]\nurl = 'sqlite::memory:'", "\"Database\"", "[database]"),
        ("\nmax_connections = 3\n[database]", "\"max_connections\"", "[database]"),
    ];
    for (text, name, table) in misplaced {
        let error = settings(text).unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Configuration);
        assert!(error.to_string().contains("line 2: ") && error.to_string().contains(name), "{error}");
        assert!(error.suggested_fixes()[0].contains(table), "{:?}", error.suggested_fixes());
    }
    drop(settings("name = 'shop'\n[server]\nport = 80\nurl = '/'\n").expect("the rest is other parts'"));
    let unset = settings("[database]\nurl = 'env:NO_SUCH_VARIABLE_HERE'\n").unwrap();
    let error = unset.connect().await.unwrap_err();
    assert!(error.to_string().contains("NO_SUCH_VARIABLE_HERE"), "{error}");
    let error = Database::builder().config_file(dir.path().join("missing.toml")).unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
}

#[tokio::test]
async fn a_user_in_a_url_of_files_is_refused_and_not_shown() {
    for url in ["sqlite://user:hunter2@host/x.db", "sqlite://user:hunter2@host"] {
        let error = connect_with(plugins(), url).await;
        assert_eq!(error.kind(), DbErrorKind::Configuration);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(!Path::new("user:hunter2@host").exists());
}

#[tokio::test]
async fn a_scheme_is_taken_in_any_case() {
    builder("SQLite::memory:").connect().await.unwrap();
}
