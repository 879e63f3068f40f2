//! The tool on a real database, against the database's own tool.

use montrs_test_clusters::TestDatabase;
use montrs_tests::{TestFile, over_loopback, plugins};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A music shop, made by the database's own tool.
const SHOP: &str = "
    CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name NVARCHAR(120));
    CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name NVARCHAR(200) NOT NULL, ArtistId INTEGER REFERENCES Artist,
        Milliseconds INTEGER NOT NULL, UnitPrice NUMERIC(10,2) NOT NULL, Added DATETIME, Cover BLOB);
    INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Motörhead, \"live\"'), (3, NULL);
    INSERT INTO Track VALUES
        (1, 'For Those About To Rock', 1, 343719, 0.99, '2009-01-01 00:00:00', NULL),
        (2, 'Ace of Spades', 2, 168000, 1.99, '2024-02-29 23:59:59', x'00ff'),
        (3, 'line one
line two', 3, 1, 0, NULL, NULL);
";

fn shop() -> TestFile {
    let file = TestFile::new();
    let made = Command::new("sqlite3").arg(file.path()).arg(SHOP).status().expect("sqlite3 is here: cargo xtask setup");
    assert!(made.success());
    file
}

/// The tool, built beside the tests.
fn tool() -> Command {
    let deps = std::env::current_exe().expect("a test knows its executable");
    let debug = deps.parent().and_then(|deps| deps.parent()).expect("the tests lie in the target directory");
    let tool: PathBuf = debug.join(format!("montrs-db{}", std::env::consts::EXE_SUFFIX));
    assert!(tool.exists(), "{} was not built: run the tests of the whole workspace", tool.display());
    let mut command = Command::new(tool);
    command.env_remove("DATABASE_URL").env_remove("MONTRS_PLUGINS").env("NO_COLOR", "1");
    command
}

fn query(file: &TestFile, arguments: &[&str]) -> Output {
    let url = format!("{}?mode=ro", file.url());
    tool().arg("--plugins").arg(plugins()).args(["--url", &url, "query"]).args(arguments).output().expect("it runs")
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("the output is text")
}

/// The records of a CSV text: which fields are quoted without need is a matter of taste.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.deserialize().map(|record| record.expect("a record can be read")).collect()
}

#[test]
fn the_settings_file_of_the_readme_is_one() {
    let readme = include_str!("../../README.md");
    let block = |text: &'static str| Some(text.split_once("```toml\n")?.1.split_once("```")?.0);
    let settings = readme.match_indices("```toml").filter_map(|(at, _)| block(&readme[at..]));
    let settings = settings.into_iter().find(|text| text.starts_with("[database]")).expect("the README shows one");
    let directory = montrs_tests::private_dir();
    std::fs::write(directory.path().join("montrs.toml"), settings).unwrap();
    std::os::unix::fs::symlink(plugins(), directory.path().join("plugins")).unwrap();
    let mut query = tool();
    query.current_dir(directory.path()).env("DATABASE_URL", "sqlite:app.db");
    let output = query.args(["--config", "montrs.toml", "query", "--format", "csv", "SELECT 1 AS n"]).output().unwrap();
    assert_eq!(records(text(&output)), [["n"], ["1"]], "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn csv_is_what_the_database_s_own_tool_prints() {
    let file = shop();
    for sql in [
        "SELECT * FROM Artist ORDER BY ArtistId",
        "SELECT TrackId, Name, Milliseconds, UnitPrice, Added FROM Track ORDER BY TrackId",
        "SELECT count(*) AS n, sum(Milliseconds) AS total, max(Milliseconds) * 0.5 AS half, max(Name) AS last FROM Track",
        "SELECT a.Name, t.Name AS Track FROM Artist a LEFT JOIN Track t USING (ArtistId) ORDER BY 1, 2",
        "SELECT Name FROM Track WHERE TrackId < 0",
    ] {
        let ours = query(&file, &["--format", "csv", sql]);
        assert!(ours.status.success(), "{sql}: {}", String::from_utf8_lossy(&ours.stderr));
        let theirs = Command::new("sqlite3").args(["-csv", "-header"]).arg(file.path()).arg(sql).output().unwrap();
        let (ours, theirs) = (records(text(&ours)), records(text(&theirs)));
        // Without a row, the database's own tool prints no header.
        let expected = if theirs.is_empty() { vec![vec!["Name".to_owned()]] } else { theirs };
        assert_eq!(ours, expected, "{sql}");
    }
}

#[test]
fn parameters_take_the_type_that_fits() {
    let file = shop();
    let by_id = query(&file, &["--format", "csv", "SELECT Name FROM Track WHERE TrackId = $1", "--param", "2"]);
    assert_eq!(records(text(&by_id)), [["Name"], ["Ace of Spades"]]);
    let by_name =
        query(&file, &["--format", "csv", "SELECT TrackId FROM Track WHERE Name = $1", "--param", "Ace of Spades"]);
    assert_eq!(records(text(&by_name)), [["TrackId"], ["2"]]);
    let null = query(&file, &["--format", "json", "SELECT $1 IS NULL AS n", "--param", "null"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(text(&null)).unwrap(), serde_json::json!([{"n": 1}]));
}

#[test]
fn json_is_an_array_of_objects_and_so_are_its_errors() {
    let file = shop();
    let rows =
        query(&file, &["--format", "json", "SELECT TrackId, Name, UnitPrice, Cover FROM Track WHERE TrackId = 2"]);
    let rows: serde_json::Value = serde_json::from_str(text(&rows)).unwrap();
    assert_eq!(rows[0]["TrackId"], 2);
    assert_eq!(rows[0]["Name"], "Ace of Spades");
    let none = query(&file, &["--format", "json", "SELECT 1 AS x WHERE 0"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(text(&none)).unwrap(), serde_json::json!([]));

    let failed = query(&file, &["--format", "json", "SELECT * FROM Trak"]);
    assert_eq!((failed.status.code(), text(&failed)), (Some(1), ""));
    let error: serde_json::Value = serde_json::from_slice(&failed.stderr).unwrap();
    assert_eq!(error["error"]["code"], "DB_UNDEFINED_TABLE");
    assert_eq!(error["error"]["table"], "Trak");
}

#[test]
fn tables_and_errors_are_for_people() {
    let file = shop();
    let table = query(&file, &["SELECT ArtistId, Name FROM Artist ORDER BY 1"]);
    let table = text(&table);
    assert!(table.contains("Motörhead, \"live\"") && table.contains("NULL") && table.contains("3 rows"), "{table}");
    let failed = query(&file, &["SELECT Name FRM Artist"]);
    let error = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1));
    assert!(error.contains("DB_SYNTAX") && error.contains("SELECT Name FRM Artist") && error.contains('^'), "{error}");
    let refused = query(&file, &["DELETE FROM Artist"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("DB_READ_ONLY"));
}

#[test]
fn the_environment_names_database_and_plugins() {
    let file = shop();
    let output = tool()
        .env("DATABASE_URL", file.url())
        .env("MONTRS_PLUGINS", plugins())
        .args(["query", "--format", "json", "SELECT count(*) AS n FROM Track"])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), serde_json::json!([{"n": 3}]));
}

#[test]
fn drivers_are_listed_with_the_reason_for_those_that_are_not_taken() {
    let dir = montrs_tests::private_dir();
    let library = montrs_tests::built_library("montrs_driver_sqlite");
    montrs_tests::install(&library, &dir.path().join("libmontrs_driver_sqlite.so"));
    std::fs::write(dir.path().join("libmontrs_driver_none.so"), "no library").unwrap();
    let output = tool().arg("--plugins").arg(dir.path()).args(["drivers", "--format", "json"]).output().unwrap();
    let listed = text(&output);
    assert!(
        output.status.success() && listed.contains("\"sqlite\"") && listed.contains("libmontrs_driver_none.so"),
        "{listed}"
    );
}

#[test]
fn the_same_tool_prints_the_same_on_both_databases() {
    let (file, database) = (TestFile::new(), TestDatabase::new());
    let (sqlite, postgres) = (file.url().to_owned(), over_loopback(database.url()));
    let run = |url: &str, format: &str, arguments: &[&str]| {
        let mut tool = tool();
        tool.arg("--plugins").arg(plugins()).args(["--url", url, "query", "--format", format]);
        tool.args(arguments).output().expect("it runs")
    };
    for url in [&sqlite, &postgres] {
        for arguments in [
            &["CREATE TABLE artists (id INTEGER PRIMARY KEY, name VARCHAR(120), price DECIMAL(10, 2))"][..],
            &[
                "INSERT INTO artists VALUES ($1, $2, $3)",
                "--param",
                "1",
                "--param",
                "Motörhead, \"live\"",
                "--param",
                "0.25",
            ],
            &["INSERT INTO artists VALUES ($1, NULL, $2)", "--param", "2", "--param", "null"],
        ] {
            let output = run(url, "table", arguments);
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let select = ["SELECT id, name, price FROM artists WHERE id <= $1 ORDER BY id", "--param", "2"];
    for format in ["table", "csv", "json"] {
        let [on_sqlite, on_postgres] = [&sqlite, &postgres].map(|url| run(url, format, &select));
        assert!(text(&on_sqlite).contains("Motörhead"), "{}", String::from_utf8_lossy(&on_sqlite.stderr));
        assert_eq!(text(&on_sqlite), text(&on_postgres), "{format}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM artists"), "2");
    // The type of a parameter is not known on SQLite; where it is text, `null` is a text.
    let null = ["SELECT count(*) AS n FROM artists WHERE name || $1 IS NULL", "--param", "null"];
    assert_eq!(records(text(&run(&sqlite, "csv", &null))), [["n"], ["2"]]);
    assert_eq!(records(text(&run(&postgres, "csv", &null))), [["n"], ["1"]]);
    for url in [&sqlite, &postgres] {
        let failed = run(url, "json", &["SELECT name FRM artists"]);
        let error: serde_json::Value = serde_json::from_slice(&failed.stderr).unwrap();
        assert_eq!((failed.status.code(), &error["error"]["code"]), (Some(1), &"DB_SYNTAX".into()));
    }
}

#[test]
fn explain_tells_what_a_code_means() {
    let explain = |arguments: &[&str]| tool().arg("explain").args(arguments).output().expect("it runs");
    let output = explain(&["DB_UNIQUE_VIOLATION"]);
    assert!(output.status.success());
    let page = text(&output);
    assert!(page.starts_with("DB_UNIQUE_VIOLATION: A row with the same value exists already"), "{page}");
    assert!(
        page.contains("\nExample: INSERT INTO users") && page.contains("\n  2. Use INSERT ... ON CONFLICT"),
        "{page}"
    );

    assert!(page.contains("\nCause: The same thing was sent twice"), "{page}");

    let list = explain(&[]);
    assert!(text(&list).lines().any(|line| line.starts_with("DB_BUSY ")), "{}", text(&list));
    let all: serde_json::Value = serde_json::from_slice(&explain(&["--format", "json"]).stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), text(&list).lines().count());
    let one: serde_json::Value = serde_json::from_slice(&explain(&["db_busy", "--format", "json"]).stdout).unwrap();
    assert_eq!((&one["code"], &one["kind"]), (&"DB_BUSY".into(), &"Busy".into()));

    let unknown = explain(&["DB_UNIQE_VIOLATION"]);
    assert_eq!(unknown.status.code(), Some(2));
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("CLI_UNKNOWN_CODE") && message.contains("Did you mean DB_UNIQUE_VIOLATION?"), "{message}");
}

/// Runs a script on a database.
fn script(url: &str, file: &Path, options: &[&str]) -> Output {
    let mut tool = tool();
    tool.arg("--plugins").arg(plugins()).args(["--url", url, "script"]).arg(file).args(options);
    tool.output().expect("it runs")
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

#[test]
fn the_same_script_is_loaded_by_both_databases_and_its_questions_are_answered_alike() {
    let (file, database) = (TestFile::new(), TestDatabase::new());
    let urls = [file.url().to_owned(), over_loopback(database.url())];
    let [on_sqlite, on_postgres] = urls.each_ref().map(|url| {
        let loaded = script(url, &data("chinook.sql"), &["--single-transaction"]);
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        assert!(text(&loaded).ends_with(" statements, 1686 rows affected\n"), "{}", text(&loaded));
        let answers = script(url, &data("chinook_questions.sql"), &[]);
        assert!(answers.status.success(), "{}", String::from_utf8_lossy(&answers.stderr));
        text(&answers).to_owned()
    });
    assert_eq!(on_sqlite, on_postgres);
    for part in ["│      18 ┆     57 ┆    635 ┆  447 │", "AC/DC", "\n13 statements, 0 rows affected\n"] {
        assert!(on_sqlite.contains(part), "{on_sqlite}");
    }
    // The database's own tool sees the same.
    assert_eq!(database.sql("SELECT count(*) FROM track"), "635");
}

#[test]
fn a_script_that_fails_is_shown_with_file_line_and_column() {
    let (file, database) = (TestFile::new(), TestDatabase::new());
    let directory = montrs_tests::private_dir();
    let path = directory.path().join("shop.sql");
    let sql =
        "CREATE TABLE t (x INTEGER PRIMARY KEY);\n\nINSERT INTO t VALUES (1), (2);\nSELECT x\n  FRM t;\nSELECT 2;";
    std::fs::write(&path, sql).unwrap();
    for url in [file.url().to_owned(), over_loopback(database.url())] {
        for (options, stays, rows) in [
            (&["--single-transaction"][..], "undone again: the script ran in one transaction.", "0"),
            (&[], "The 2 statements before it were done, and stay so", "2"),
        ] {
            let failed = script(&url, &path, options);
            let err = String::from_utf8_lossy(&failed.stderr);
            assert_eq!((failed.status.code(), text(&failed)), (Some(1), ""), "{err}");
            assert!(err.starts_with("error[DB_SYNTAX]: statement 3, line 5, column "), "{err}");
            let place = format!("  --> {}:5:", path.display());
            for part in [&*place, "\n\n  5 |   FRM t;\n    |   ", stays] {
                assert!(err.contains(part), "{part:?} is not in:\n{err}");
            }
            let count = ["SELECT count(*) AS n FROM t"];
            let mut query = tool();
            query.arg("--plugins").arg(plugins()).args(["--url", &url, "query", "--format", "csv"]).args(count);
            let counted = query.output().unwrap();
            // What was undone with its table is not there.
            assert_eq!(records(text(&counted)).get(1).map_or("0", |row| &row[0]), rows, "{url}");
        }
    }
}

#[test]
fn fixes_for_a_script_are_those_of_the_command_line() {
    let (file, database) = (TestFile::new(), TestDatabase::new());
    let directory = montrs_tests::private_dir();
    let path = directory.path().join("wrong.sql");
    for (sql, part) in [
        ("SELECT $1", "Write the values into the script: it has no parameters."),
        ("SELECT :name", "Write the values into the script: it has no parameters."),
        ("BEGIN; SELECT 1", "a script with --single-transaction."),
    ] {
        std::fs::write(&path, sql).unwrap();
        for url in [file.url().to_owned(), over_loopback(database.url())] {
            let failed = script(&url, &path, &[]);
            let err = String::from_utf8_lossy(&failed.stderr);
            assert_eq!(failed.status.code(), Some(1), "{sql} on {url}: {err}");
            assert!(err.contains(part) && !err.contains("bind") && !err.contains("()"), "{sql} on {url}: {err}");
        }
    }
}

#[test]
fn a_script_comes_from_standard_input_and_is_shown_as_it_runs() {
    let file = TestFile::new();
    let mut tool = tool();
    tool.arg("--plugins").arg(plugins()).args(["--url", file.url(), "script", "--verbose", "-"]);
    let mut child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sql =
        "\u{feff}-- one\r\nCREATE TABLE t (\r\n  x INTEGER);\r\nINSERT INTO t VALUES (7);\r\nSELECT x FROM t;\r\n";
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let expected = "1: CREATE TABLE t ( …\n0 rows affected\n2: INSERT INTO t VALUES (7);\n1 row affected\n3: SELECT x FROM t;\n\
                    ┌───┐\n│ x │\n╞═══╡\n│ 7 │\n└───┘\n1 row\n3 statements, 1 row affected\n";
    assert_eq!(text(&output), expected, "{}", String::from_utf8_lossy(&output.stderr));
}
