//! What errors say: kind, code, place, explanation and fixes.

use montrs_orm::{Access, AiError, Database, DbError, DbErrorKind, FromRow, RuntimeSql, TransactionOptions};
use montrs_tests::{Place, builder, differs, on_postgres, open, with};
use std::time::Duration;

async fn shop() -> (Database, Place) {
    let (db, place) = open().await;
    for sql in [
        "CREATE TABLE artists (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        "CREATE TABLE albums (artist_id INTEGER NOT NULL REFERENCES artists (id), title TEXT, year INTEGER, \
         UNIQUE (artist_id, title), CONSTRAINT recorded CHECK (year > 1877))",
        "INSERT INTO artists VALUES (1, 'Accept')",
        "INSERT INTO albums VALUES (1, 'Restless and Wild', 1982)",
    ] {
        db.execute(sql).await.unwrap();
    }
    (db, place)
}

async fn fail(db: &Database, sql: &str) -> DbError {
    db.execute(RuntimeSql(sql)).await.unwrap_err()
}

#[tokio::test]
async fn constraint_violations_have_a_kind_and_name_the_place() {
    let (db, _place) = shop().await;
    let error = fail(&db, "INSERT INTO artists VALUES (2, 'Accept')").await;
    assert_eq!(error.kind(), DbErrorKind::UniqueViolation);
    assert_eq!((error.table(), error.column()), (Some("artists"), Some("name")));
    assert_eq!(error.constraint(), differs(None, Some("artists_name_key")));
    assert_eq!((error.native_code(), error.sqlstate()), differs((Some(2067), None), (None, Some("23505"))));
    let error = fail(&db, "INSERT INTO artists VALUES (1, 'Other')").await;
    assert_eq!((error.kind(), error.column()), (DbErrorKind::UniqueViolation, Some("id")));
    let error = fail(&db, "INSERT INTO albums VALUES (1, 'Restless and Wild', 2000)").await;
    assert_eq!((error.table(), error.column()), (Some("albums"), Some("artist_id, title")));
    let error = fail(&db, "INSERT INTO artists VALUES (2, NULL)").await;
    assert_eq!(error.kind(), DbErrorKind::NotNullViolation);
    assert_eq!((error.table(), error.column()), (Some("artists"), Some("name")));
    let error = fail(&db, "INSERT INTO albums VALUES (99, 'x', 2000)").await;
    assert_eq!(error.kind(), DbErrorKind::ForeignKeyViolation);
    assert_eq!(
        (error.table(), error.constraint()),
        differs((None, None), (Some("albums"), Some("albums_artist_id_fkey")))
    );
    let error = fail(&db, "INSERT INTO albums VALUES (1, 'x', 1800)").await;
    assert_eq!((error.kind(), error.constraint()), (DbErrorKind::CheckViolation, Some("recorded")));
}

#[tokio::test]
async fn a_unique_violation_explains_itself_with_its_names() {
    let (db, _place) = shop().await;
    let error = fail(&db, "INSERT INTO artists VALUES (2, 'Accept')").await;
    assert_eq!(error.error_code(), "DB_UNIQUE_VIOLATION");
    assert_eq!(error.subsystem(), "orm");
    let explanation = error.explanation();
    assert!(explanation.contains("artists.name") && explanation.contains("INSERT INTO artists"), "{explanation}");
    let fixes = error.suggested_fixes();
    assert!(fixes.len() >= 2 && fixes[0].contains("artists.name"), "{fixes:?}");
    assert!(fixes.iter().any(|fix| fix.contains("ON CONFLICT (name)")), "{fixes:?}");
    if on_postgres() {
        assert!(
            explanation.contains("Key (name)=(Accept)") && explanation.contains("artists_name_key"),
            "{explanation}"
        );
        assert!(fixes[0].contains("Key (name)=(Accept)") && fixes[0].contains("artists_name_key"), "{fixes:?}");
    }
    assert!(!error.is_retryable() && !error.may_have_executed());
}

#[tokio::test]
async fn wrong_sql_is_told_apart_and_its_place_is_that_of_the_user_s_text() {
    let (db, _place) = shop().await;
    let error = fail(&db, "SELECT 1 FROM\n  artists WHER name = 1").await;
    assert_eq!(error.kind(), DbErrorKind::Syntax);
    let place = error.position().unwrap();
    assert!("SELECT 1 FROM\n  artists WHER name = 1"[place..].starts_with("name"), "{place}");
    let marked = "\nPlace: line 2, column 16\n    artists WHER name = 1\n                 ^";
    assert!(error.explanation().ends_with(marked), "{}", error.explanation());
    // However long the statement is.
    let error = fail(&db, &format!("SELECT {}\n  nam FROM artists", "1, ".repeat(1000))).await;
    assert_eq!(error.line_and_column(), Some((2, 3)));
    let marked = "\nPlace: line 2, column 3\n    nam FROM artists\n    ^";
    assert!(error.explanation().ends_with(marked), "{}", error.explanation());
    let error = fail(&db, &format!("SELECT {}nam FROM artists", "1, ".repeat(1000))).await;
    let marked = format!("\n  …{}nam FROM artists\n  {}^", "1, ".repeat(20), " ".repeat(61));
    assert!(error.explanation().ends_with(&marked), "{}", error.explanation());
    let error = fail(&db, "SELECT * FROM artist").await;
    assert_eq!((error.kind(), error.table()), (DbErrorKind::UndefinedTable, differs(Some("artist"), None)));
    let error = fail(&db, "SELECT nam FROM artists").await;
    assert_eq!((error.kind(), error.column()), (DbErrorKind::UndefinedColumn, differs(Some("nam"), None)));
    if on_postgres() {
        assert_eq!(error.position(), Some("SELECT ".len()));
        assert!(error.to_string().contains("nam"), "{error}");
    }
    let error = fail(&db, "SELECT nofunction(1)").await;
    assert_eq!(error.kind(), DbErrorKind::UndefinedFunction);
    let error = fail(&db, "SELECT id FROM artists a JOIN artists b ON a.id = b.id").await;
    assert_eq!(error.kind(), DbErrorKind::Ambiguous);
}

#[tokio::test]
async fn no_row_is_an_error_where_one_is_needed() {
    let (db, _place) = shop().await;
    let query = db.query("SELECT name FROM artists WHERE id = $1").bind(99);
    let error = query.fetch_one::<String>().await.unwrap_err();
    assert_eq!((error.kind(), error.error_code()), (DbErrorKind::RowNotFound, "DB_ROW_NOT_FOUND"));
    assert!(error.suggested_fixes().iter().any(|fix| fix.contains("fetch_optional")));
}

/// A struct that asks for a column by its name.
#[derive(Debug, FromRow)]
#[expect(dead_code, reason = "only its columns matter")]
struct Contact {
    email: String,
}

/// The URL, with another database.
fn elsewhere(url: &str) -> String {
    let (database, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = database.rsplit_once('/').unwrap();
    format!("{server}/no_such_database?{}{parameters}", differs("mode=rw&", ""))
}

/// What the explanation says of the case, without the statement: the names there are not of the error's own knowledge.
fn says(error: &DbError) -> String {
    error.explanation().split("\nStatement:").next().unwrap().to_owned()
}

#[tokio::test]
async fn explanations_have_the_names_of_the_case() {
    use DbErrorKind as K;
    let (db, place) = shop().await;
    let wide: Vec<String> = (0..3000).map(|n| format!("c{n} INTEGER")).collect();
    let statements: [(K, &str, &[&str]); 13] = [
        (K::UniqueViolation, "INSERT INTO artists VALUES (2, 'Accept')", &["artists.name"]),
        (
            K::ForeignKeyViolation,
            "INSERT INTO albums VALUES (9, 'x', 2000)",
            &[differs("FOREIGN KEY", "albums_artist_id_fkey")],
        ),
        (K::NotNullViolation, "INSERT INTO artists VALUES (2, NULL)", &["artists.name"]),
        (K::CheckViolation, "UPDATE albums SET year = 1800", &["recorded"]),
        (K::Query, "CREATE TABLE artists (id INTEGER)", &["artists"]),
        (K::Syntax, "SELEC * FROM artists", &["SELEC"]),
        (K::UndefinedTable, "SELECT * FROM usrs", &["usrs"]),
        (K::UndefinedColumn, "SELECT nmae FROM artists", &["nmae"]),
        (K::UndefinedFunction, "SELECT no_such_function(1)", &["no_such_function"]),
        (K::Ambiguous, "SELECT title FROM albums a JOIN albums b ON a.year = b.year", &["title"]),
        (K::Parameters, "SELECT $1", &["$1"]),
        (K::Data, differs("SELECT json_extract('{', '$')", "SELECT CAST('abc' AS INTEGER)"), &[differs("JSON", "abc")]),
        (K::TooLarge, &format!("CREATE TABLE wide ({})", wide.join(", ")), &[differs("wide", "1600 columns")]),
    ];
    for (kind, sql, names) in statements {
        let error = fail(&db, sql).await;
        assert_eq!(error.kind(), kind, "{sql}: {error:?}");
        let says = says(&error);
        assert!(names.iter().all(|name| says.contains(name)), "{sql}: {says}");
    }

    let named = db.query("SELECT name FROM artists WHERE id = :id").bind_named("di", 1).fetch_one::<String>().await;
    let unsendable = db.query("SELECT $1").bind(u64::MAX).fetch_scalar::<i64>().await;
    let unreadable = db.query("SELECT name FROM artists").fetch_scalar::<i64>().await;
    let missing = db.query("SELECT id, name FROM artists").fetch_one::<Contact>().await;
    let no_row = db.query("SELECT name FROM artists WHERE id = 0").fetch_one::<String>().await;
    let unfit = db.check::<(i64,)>("SELECT name FROM artists").await;
    let mut reading =
        db.begin_with(TransactionOptions { access: Access::READ_ONLY, ..TransactionOptions::default() }).await.unwrap();
    let written = reading.execute("DELETE FROM albums").await;
    drop(reading);
    let command = db.command("no_such_command").await;
    let setting = builder(&with(place.url(), "jurnal_mode=wal")).connect().await;
    let database = builder(&elsewhere(place.url())).connect().await;
    let driver = builder("nosuch:app").connect().await;
    let pool = builder(place.url()).max_connections(1).acquire_timeout(Duration::from_secs(1)).connect().await.unwrap();
    let held = pool.acquire().await.unwrap();
    let held_at = format!("errors.rs:{}:", line!() - 1);
    let waited = pool.ping().await;
    drop(held);
    let text_type = differs("TEXT", "text");
    let others: [(K, Option<DbError>, &[&str]); 13] = [
        (K::Parameters, named.err(), &["di"]),
        (K::Encode, unsendable.err(), &["parameter $1", "18446744073709551615"]),
        (K::Decode, unreadable.err(), &["\"name\"", text_type, "row 1", "i64"]),
        (K::ColumnNotFound, missing.err(), &["\"email\"", "\"id\", \"name\""]),
        (K::RowNotFound, no_row.err(), &["no row"]),
        (K::Mismatch, unfit.err(), &["\"name\"", "i64"]),
        (K::ReadOnly, written.err(), &["read-only"]),
        (K::Unsupported, command.err(), &["no_such_command"]),
        (K::Configuration, setting.err(), &["jurnal_mode"]),
        (K::DatabaseNotFound, database.err(), &["no_such_database"]),
        (K::DriverNotFound, driver.err(), &["nosuch"]),
        (K::PoolTimeout, waited.err(), &["1s (acquire_timeout)", &held_at]),
        (K::EmptyStatement, db.execute("-- nothing").await.err(), &["no statement"]),
    ];
    for (kind, error, names) in others {
        let error = error.unwrap_or_else(|| panic!("{kind:?} does not fail"));
        assert_eq!(error.kind(), kind, "{error:?}");
        let says = says(&error);
        assert!(names.iter().all(|name| says.contains(name)), "{kind:?}: {says}");
    }
}

/// What is advised in the very case, and not of its kind in general.
#[tokio::test]
async fn advice_fits_the_case() {
    let (db, _place) = shop().await;
    db.execute("CREATE TABLE notes (id INTEGER, text TEXT)").await.unwrap();
    db.execute("INSERT INTO notes VALUES (NULL, 'no JSON')").await.unwrap();
    let null = db.query("SELECT id FROM notes").fetch_one::<i64>().await;
    let json = db.query("SELECT text FROM notes").fetch_one::<serde_json::Value>().await;
    let kind = db.query("SELECT text FROM notes").fetch_one::<i64>().await;
    let tuple = db.query("SELECT id FROM notes").fetch_one::<(i64, String)>().await;
    let scalar = db.query("SELECT id, text FROM notes").fetch_one::<i64>().await;
    let number = db.query("SELECT id FROM notes").for_each(|row| row.get::<i64>(1).map(drop)).await;
    let mut reading =
        db.begin_with(TransactionOptions { access: Access::READ_ONLY, ..TransactionOptions::default() }).await.unwrap();
    let written = reading.execute("DELETE FROM notes").await;
    drop(reading);
    let two = db.query("SELECT 1;\n SELECT 2").fetch_one::<i64>().await;
    // For each, what is advised and what is not.
    let cases: [(Option<DbError>, &str, &str); 8] = [
        (null.err(), "Option", "CAST"),
        (json.err(), "where it is stored", "CAST"),
        (kind.err(), "CAST", "where it is stored"),
        (tuple.err(), "as many", "orm(rename"),
        (scalar.err(), "as many", "orm(rename"),
        (number.err(), "from 0", "orm(rename"),
        (written.err(), "READ_ONLY", "permissions of the file"),
        (two.err(), "db.script", "nothing"),
    ];
    for (error, advised, not) in cases {
        let error = error.unwrap();
        let fixes = error.suggested_fixes().join("\n");
        assert!(fixes.contains(advised) && !fixes.contains(not), "{error}: {fixes}");
        if error.kind() == DbErrorKind::MultipleStatements {
            assert_eq!(error.line_and_column(), Some((2, 2)), "{error:?}");
        }
    }
}
