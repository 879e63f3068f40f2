//! Statements that are checked against the types that they are used with, without being run.

use montrs_orm::{AiError, Checks, Database, DbError, DbErrorKind, FromRow, ToParams};
use montrs_tests::{on_postgres, open};

#[derive(Debug, FromRow)]
#[expect(dead_code, reason = "never read")]
struct User<'r> {
    id: i64,
    name: &'r str,
    email: Option<String>,
    #[orm(default)]
    logins: i32,
    #[orm(flatten)]
    address: Address,
    #[orm(skip)]
    selected: bool,
}

#[derive(Debug, FromRow)]
#[expect(dead_code, reason = "never read")]
struct Address {
    street: String,
    zip: Option<i64>,
}

async fn with_tables(db: &Database) {
    db.execute(
        "CREATE TABLE users (id BIGINT NOT NULL, name TEXT NOT NULL, email TEXT, street TEXT NOT NULL, zip BIGINT, \
         score DOUBLE PRECISION NOT NULL)",
    )
    .await
    .unwrap();
}

fn message(checked: Result<(), DbError>) -> String {
    let error = checked.expect_err("it does not fit");
    assert_eq!(error.kind(), DbErrorKind::Mismatch, "{error}");
    assert!(!error.is_retryable() && !error.may_have_executed());
    error.to_string()
}

#[tokio::test]
async fn a_statement_that_fits_passes_and_is_not_run() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    db.check::<User<'_>>("SELECT id, name, email, street, zip FROM users").await.unwrap();
    db.check::<User<'_>>("SELECT * FROM users").await.unwrap();
    db.check::<(i64, String, Option<String>)>("SELECT id, name, email FROM users").await.unwrap();
    db.check::<i64>("SELECT count(*) FROM users").await.unwrap();
    let insert = "INSERT INTO users VALUES (1, 'Ada', NULL, '', NULL, 0) RETURNING id";
    db.check::<(i64,)>(insert).await.unwrap();
    db.check::<()>(insert).await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM users").fetch_scalar::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn the_report_lists_all_that_does_not_fit() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Wrong {
        id: String,
        nme: String,
        score: i64,
        #[orm(flatten)]
        address: Address,
        #[orm(default)]
        email: Option<Vec<u8>>,
    }
    let error = db.check::<Wrong>("SELECT id, name, score, zip, zip AS email FROM users").await.unwrap_err();
    assert_eq!(error.sql(), Some("SELECT id, name, score, zip, zip AS email FROM users"));
    let message = message(Err(error));
    assert!(message.starts_with("cannot be used with Wrong: 5 things do not fit:\n- column \"id\""), "{message}");
    for part in [
        "cannot be read as String: its value is an integer, which fits i64\n",
        "the result has no column \"nme\"; it has \"id\", \"name\", \"score\", \"zip\", \"email\" - Did you mean the column \"name\"?",
        "cannot be read as i64: its value is a floating-point number, which fits f64\n",
        "- the result has no column \"street\"",
        "cannot be read as Option<Vec<u8>>: its value is an integer",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[tokio::test]
async fn a_column_that_can_be_null_needs_an_option() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let found = message(db.check::<(String,)>("SELECT email FROM users").await);
    assert!(found.contains("\"email\" (SQL type") && found.contains("it can be NULL: use Option<String>"), "{found}");
    db.check::<(Option<String>,)>("SELECT email FROM users").await.unwrap();
    db.check::<(String,)>("SELECT coalesce(email, '') FROM users").await.unwrap();
    db.check::<(montrs_orm::Value,)>("SELECT email FROM users").await.unwrap();
    db.execute("CREATE VIEW names AS SELECT name FROM users").await.unwrap();
    db.check::<(String,)>("SELECT name FROM names").await.expect("of a view it is not known");
}

#[tokio::test]
async fn columns_of_what_may_be_missing_may_all_be_null() {
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Entry {
        id: i64,
        #[orm(flatten, prefix = "home_")]
        home: Option<Home>,
        score: f64,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Home {
        zip: i64,
    }
    let (db, _place) = open().await;
    with_tables(&db).await;
    db.check::<Entry>("SELECT id, zip AS home_zip, score FROM users").await.unwrap();
    db.execute("CREATE TABLE t (score DOUBLE PRECISION)").await.unwrap();
    let found = message(db.check::<Entry>("SELECT id, zip AS home_zip, t.score FROM users, t").await);
    assert!(found.contains("column \"score\"") && !found.contains("things"), "after it they may not: {found}");
}

#[tokio::test]
async fn columns_that_are_read_by_position_are_counted_and_compared() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let found = message(db.check::<(i64,)>("SELECT id, name FROM users").await);
    assert_eq!(found, "cannot be used with (i64,): the result has 2 columns, and 1 is read by position");
    let found = message(db.check::<(i64, i64)>("SELECT id, name FROM users").await);
    assert!(found.contains("column \"name\"") && found.ends_with("its value is text, which fits String"), "{found}");
    let found = message(db.check::<(i64, String)>("DELETE FROM users").await);
    assert_eq!(found, "cannot be used with (i64, String): the result has 0 columns, and 2 are read by position");
    let found = message(db.check::<(String, i64)>("SELECT id FROM users").await);
    let begin = "cannot be used with (String, i64): 2 things do not fit:\n- the result has 1 column, and 2 are read by position\n- column \"id\"";
    assert!(found.starts_with(begin), "{found}");
    message(db.check::<bool>("SELECT name FROM users").await);
}

/// The types of docs/types.md fit, and others where no number of the column is too large.
#[tokio::test]
async fn integers_must_hold_what_their_column_can() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (s SMALLINT NOT NULL, i INTEGER NOT NULL, b BIGINT NOT NULL, f BOOLEAN NOT NULL)")
        .await
        .unwrap();
    db.check::<(i8, i32, i64, bool)>("SELECT * FROM t").await.unwrap();
    db.check::<(u8, u16, u32, bool)>("SELECT * FROM t").await.unwrap();
    db.check::<(i16, i64, u64, Option<bool>)>("SELECT * FROM t").await.unwrap();
    db.check::<(f64, i128, f64, i64)>("SELECT * FROM t").await.unwrap();
    let found = message(db.check::<(bool, i16, i32, bool)>("SELECT * FROM t").await);
    for part in [
        "3 things do not fit",
        "cannot be read as bool: it can hold integers that do not fit, as its value is an integer other than 0 and 1",
        "cannot be read as i16: it can hold integers that do not fit, as 32768 is outside -32768 to 32767",
        "cannot be read as i32: it can hold integers that do not fit, as 2147483648 is outside",
    ] {
        assert!(found.contains(part), "{part} is not in: {found}");
    }
    message(db.check::<Option<bool>>("SELECT b FROM t").await);
}

#[tokio::test]
async fn json_that_can_be_null_is_told_where_the_option_goes() {
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Tagged<T> {
        #[orm(json)]
        tags: T,
    }
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (tags JSON)").await.unwrap();
    db.check::<Tagged<Option<Vec<String>>>>("SELECT tags FROM t").await.unwrap();
    let found = message(db.check::<Tagged<Vec<String>>>("SELECT tags FROM t").await);
    assert!(
        found.ends_with("it can be NULL: use Option<Vec<String>> for what is in the JSON, so that NULL is None"),
        "{found}"
    );
    db.execute("INSERT INTO t VALUES (NULL)").await.unwrap();
    let error = db.query("SELECT tags FROM t").fetch_one::<Tagged<Vec<String>>>().await.err().unwrap();
    assert!(error.to_string().contains("it is NULL: use Option<Vec<String>>"), "{error}");
}

#[tokio::test]
async fn bound_parameters_are_compared() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let sql = "SELECT id FROM users WHERE id = $1 AND name = $2";
    db.query(sql).bind(1).bind("Ada").check::<i64>().await.unwrap();
    db.query(sql).bind(None::<i64>).bind("Ada").check::<i64>().await.unwrap();
    let found = message(db.query(sql).bind(1).check::<i64>().await);
    assert_eq!(found, "cannot be used with i64: the statement has 2 parameters, and 1 is bound");
    let named = || db.query("SELECT id FROM users WHERE id = :id AND name = :name");
    named().bind_named("id", 1).bind_named("name", "Ada").check::<i64>().await.unwrap();
    let found = message(named().bind_named("id", 1).bind_named("nme", "Ada").check::<i64>().await);
    let expected = "2 things do not fit:\n- the statement has no parameter :nme\n- nothing is bound to :name";
    assert!(found.ends_with(expected), "{found}");
    #[derive(ToParams)]
    struct Key {
        id: i64,
        name: &'static str,
    }
    let key = || Key { id: 1, name: "Ada" };
    db.query(sql).bind_all(key()).check::<i64>().await.unwrap();
    named().bind_all_named(key()).check::<i64>().await.unwrap();
    let found = message(db.query("SELECT id FROM users WHERE id = :id").bind_all_named(key()).check::<i64>().await);
    assert!(found.ends_with("the statement has no parameter :name"), "{found}");
    let swapped = named().bind_named("name", 1).bind_named("id", true).check::<i64>().await;
    if on_postgres() {
        let found = message(swapped);
        assert!(found.contains(":id") && found.contains("BOOL") && found.contains("int8"), "{found}");
    }
    let wrong = db.query(sql).bind(true).bind(vec![1u8]).check::<i64>().await;
    if !on_postgres() {
        return wrong.expect("SQLite has no types of parameters");
    }
    let found = message(wrong);
    assert!(found.contains("a value of kind BOOL is bound to $1, which is of type int8"), "{found}");
    assert!(found.contains("a value of kind BYTES is bound to $2, which is of type text"), "{found}");
    let found = message(db.query("SELECT 1 WHERE $1 = '\\x00'::bytea").bind("\\x00").check::<i32>().await);
    assert!(found.contains("a value of kind TEXT is bound to $1, which is of type bytea"), "{found}");
}

#[tokio::test]
async fn what_the_database_refuses_is_its_own_error() {
    let (db, _place) = open().await;
    let error = db.check::<i64>("SELECT id FROM nowhere").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
    let error = db.check::<i64>("SELEC 1").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Syntax, Some(0)));
}

#[tokio::test]
async fn many_statements_make_one_report() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let mut checks = Checks::new();
    checks.add(db.check::<User<'_>>("SELECT * FROM users").await);
    checks.finish().unwrap();

    let mut checks = Checks::new();
    checks.add(db.check::<User<'_>>("SELECT * FROM users").await);
    checks.add(db.check::<i64>("SELECT name FROM users").await);
    checks.add(db.check::<i64>("SELECT nme FROM users").await);
    let found = message(checks.finish());
    assert!(found.starts_with("2 of 3 statements do not fit:\n\nSELECT name FROM users\nDB_MISMATCH: "), "{found}");
    assert!(found.contains("\n\nSELECT nme FROM users\nDB_UNDEFINED_COLUMN: "), "{found}");

    let mut checks = Checks::new();
    checks.add(db.check::<i64>("SELECT nme FROM users").await);
    assert_eq!(checks.finish().unwrap_err().kind(), DbErrorKind::UndefinedColumn, "the only error stays what it is");
}

#[tokio::test]
async fn a_list_may_be_bound_in_place_of_one_value() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let sql = "SELECT id FROM users WHERE id IN ($1)";
    db.query(sql).bind(vec![1_i64, 2]).check::<i64>().await.unwrap();
    db.query(sql).bind(Vec::<i64>::new()).check::<i64>().await.unwrap();
    if on_postgres() {
        let found = message(db.query(sql).bind(vec![true]).check::<i64>().await);
        assert!(found.contains("a list of kind BOOL is bound to $1, which is of type int"), "{found}");
    }
}

#[tokio::test]
async fn what_returns_no_rows_cannot_be_fetched_from() {
    let (db, _place) = open().await;
    with_tables(&db).await;
    let error = db.query("DELETE FROM users").fetch_all::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound, "{error:?}");
    assert!(error.to_string().contains("the statement returns no rows"), "{error}");
    assert!(error.suggested_fixes()[0].contains("RETURNING"), "{error:?}");
}
