//! What errors say: kind, code, place, explanation and fixes.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql};
use montrs_tests::{Place, differs, on_postgres, open};

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
    assert!(error.explanation().contains("line 2, column 16"), "{}", error.explanation());
    // However long the statement is.
    let error = fail(&db, &format!("SELECT {}\n  nam FROM artists", "1, ".repeat(1000))).await;
    assert_eq!(error.line_and_column(), Some((2, 3)));
    assert!(error.explanation().contains("line 2, column 3"), "{}", error.explanation());
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
