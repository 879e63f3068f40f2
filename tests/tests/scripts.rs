//! Texts of many statements.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, RuntimeSql, Session};
use montrs_tests::{Place, builder, differs, poll_then_drop};

const SHOP: &str = "\
-- Artists; and their tracks.
CREATE TABLE artists (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE tracks (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artists (id), name TEXT);;
/* ; */
INSERT INTO artists VALUES (1, 'AC/DC; live'), (2, 'It''s; Motörhead');
INSERT INTO tracks VALUES (10, 1, 'a'), (11, 1, 'b'), (12, 2, 'c');
UPDATE tracks SET name = '--;' WHERE artist = 1
";

/// Of one connection.
async fn open() -> (Database, Place) {
    let place = Place::new();
    (builder(place.url()).max_connections(1).connect().await.unwrap(), place)
}

async fn count(db: &Database, table: &str) -> i64 {
    db.query(RuntimeSql(format!("SELECT count(*) FROM {table}"))).fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn a_script_does_all_its_statements_and_tells_how_many_rows() {
    let (db, _place) = open().await;
    let task = db.clone();
    let done = tokio::spawn(async move { task.script(SHOP).await }).await.unwrap().unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (2 + 3 + 2, differs(Some(12), None)));
    let names = "SELECT t.name || a.name FROM tracks t JOIN artists a ON a.id = t.artist ORDER BY t.id";
    let names: Vec<String> = db.query(names).fetch_all().await.unwrap();
    assert_eq!(names, ["--;AC/DC; live", "--;AC/DC; live", "cIt's; Motörhead"]);
}

#[tokio::test]
async fn a_text_without_statements_does_nothing() {
    let (db, _place) = open().await;
    for text in ["", " \r\n", ";;", "-- nothing", "/* no; thing */;", "\u{feff}"] {
        let done = db.script(text).await.unwrap();
        assert_eq!(done.rows_affected(), 0);
        assert!(db.script(text).next().await.unwrap().is_none());
    }
    let text = "\u{feff}CREATE TABLE t (x INTEGER);\r\nINSERT INTO t VALUES (1);\r\n-- end\r\n";
    assert_eq!(db.script(text).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn each_result_has_its_own_columns_rows_and_count() {
    let (db, _place) = open().await;
    db.script(SHOP).await.unwrap();
    let mut script = db.script(
        "SELECT id, name FROM artists ORDER BY id; DELETE FROM tracks WHERE artist = 1; SELECT 1 AS one WHERE 1 = 0;
         INSERT INTO tracks VALUES (20, 2, 'd') RETURNING id + 1 AS next",
    );
    let mut artists = script.next().await.unwrap().unwrap();
    assert_eq!(artists.sql(), "SELECT id, name FROM artists ORDER BY id;");
    assert_eq!(format!("{:?}", artists.columns()), r#"["id", "name"]"#);
    let mut rows: Vec<(i64, String)> = Vec::new();
    while let Some(row) = artists.next().await.unwrap() {
        rows.push(row.read().unwrap());
    }
    assert_eq!(rows, [(1, "AC/DC; live".into()), (2, "It's; Motörhead".into())]);
    let deleted = script.next().await.unwrap().unwrap();
    assert!(deleted.columns().is_empty());
    assert_eq!(deleted.done().rows_affected(), 2);
    let mut none = script.next().await.unwrap().unwrap();
    assert_eq!(format!("{:?}", none.columns()), r#"["one"]"#);
    assert!(none.next().await.unwrap().is_none());
    let mut inserted = script.next().await.unwrap().unwrap();
    assert_eq!(inserted.next().await.unwrap().unwrap().get::<i64>("next").unwrap(), 21);
    assert!(inserted.next().await.unwrap().is_none());
    assert_eq!(inserted.done().rows_affected(), 1);
    assert!(script.next().await.unwrap().is_none() && script.next().await.unwrap().is_none());
    drop(script);
    assert_eq!(count(&db, "tracks").await, 2);
}

#[tokio::test]
async fn a_result_that_is_not_read_is_done_all_the_same() {
    let (db, _place) = open().await;
    db.script("CREATE TABLE t (x INTEGER, filler TEXT)").await.unwrap();
    // Many batches each.
    const INSERT: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) \
                          SELECT i, 'some text that takes its place' FROM n RETURNING x, filler";
    let text = format!("{INSERT}; SELECT * FROM t; SELECT 7");
    let mut script = db.script(RuntimeSql(text));
    let mut inserted = script.next().await.unwrap().unwrap();
    assert!(inserted.next().await.unwrap().is_some());
    drop(script.next().await.unwrap().unwrap());
    let mut seven = script.next().await.unwrap().unwrap();
    assert_eq!(seven.next().await.unwrap().unwrap().get::<i64>(0).unwrap(), 7);
    drop(script);
    assert_eq!(count(&db, "t").await, 9000);
}

#[tokio::test]
async fn an_error_ends_the_script_and_names_its_statement_line_and_column() {
    let (db, _place) = open().await;
    let text = "CREATE TABLE t (x INTEGER PRIMARY KEY);\nINSERT INTO t VALUES (1);\n\n  -- ü\n  INSERT INTO t\r\n VALUES (1);\nINSERT INTO t VALUES (2);";
    let error = db.script(text).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UniqueViolation);
    // It has no place in the statement.
    assert_eq!(error.position(), text.rfind("INSERT INTO t\r"));
    assert_eq!(error.sql(), Some("INSERT INTO t\r\n VALUES (1);"));
    assert!(error.to_string().starts_with("statement 3, line 5, column 3: "), "{error}");
    assert!(error.explanation().ends_with("Place: line 5, column 3"), "{}", error.explanation());
    assert_eq!(count(&db, "t").await, 1);

    let text = "INSERT INTO t VALUES (3); /* ü */ SELECT 'ü',\n  missing FROM t; INSERT INTO t VALUES (4)";
    let error = db.script(text).await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::UndefinedColumn, text.find("missing")));
    assert!(error.to_string().starts_with("statement 2, line 2, column 3: "), "{error}");
    assert_eq!(count(&db, "t").await, 2);

    let mut script = db.script("SELECT 1; SELEC 2; SELECT 3");
    assert!(script.next().await.unwrap().is_some());
    let error = script.next().await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Syntax, Some(10)));
    assert!(script.next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_error_among_the_rows_has_its_place_too() {
    let (db, _place) = open().await;
    // It comes behind the first batch.
    let fails = differs("abs(-9223372036854775807 - 1)", "1 / (100000 - i)");
    let text = format!(
        "SELECT 1;\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
         SELECT CASE WHEN i = 100000 THEN {fails} ELSE i END FROM n;\nSELECT 2"
    );
    for reads in [true, false] {
        let mut script = db.script(RuntimeSql(text.clone()));
        assert!(script.next().await.unwrap().is_some());
        let mut rows = script.next().await.unwrap().unwrap();
        let error = if reads {
            loop {
                match rows.next().await {
                    Ok(row) => assert!(row.is_some()),
                    Err(error) => break error,
                }
            }
        } else {
            script.next().await.unwrap_err()
        };
        assert!(error.to_string().starts_with("statement 2, line 2, column 1: "), "{error}");
        assert_eq!(error.position(), Some(10));
    }
    assert!(db.script(RuntimeSql(text)).await.unwrap_err().to_string().starts_with("statement 2, line 2"));
}

#[tokio::test]
async fn a_script_has_no_parameters_and_no_nul() {
    let (db, _place) = open().await;
    let error = db.script("SELECT 1;\nSELECT $1").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
    assert!(error.to_string().starts_with("statement 2, line 2, column 1: "), "{error}");
    let error = db.script("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ($1)").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Parameters, Some(25)), "{error}");
    for text in ["SELECT 1;\nSELECT 'a\0b'; SELECT 2", "SELECT 1;\nINSERT INTO t VALUES ('a\0b'); SELECT 2"] {
        let error = db.script(text).await.unwrap_err();
        assert_eq!((error.kind(), error.position()), (DbErrorKind::Syntax, text.find('\0')));
    }
}

#[tokio::test]
async fn transactions_are_those_of_the_script_or_of_its_caller() {
    let (db, _place) = open().await;
    db.script("CREATE TABLE t (x INTEGER PRIMARY KEY)").await.unwrap();
    // Without one, each statement is done by itself; a transaction of the script's own is undone by its error.
    db.script("INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2); INSERT INTO t VALUES (1); COMMIT")
        .await
        .unwrap_err();
    assert_eq!(count(&db, "t").await, 1);
    db.script("BEGIN; INSERT INTO t VALUES (2); COMMIT; BEGIN; INSERT INTO t VALUES (3); ROLLBACK").await.unwrap();
    assert_eq!(count(&db, "t").await, 2);
    // All or nothing.
    let outcome = db.transaction(async |tx| tx.script("DELETE FROM t; INSERT INTO u VALUES (1)").await).await;
    assert_eq!(outcome.unwrap_err().kind(), DbErrorKind::UndefinedTable);
    db.transaction(async |tx| tx.script("DELETE FROM t; INSERT INTO t VALUES (4), (5), (6);").await).await.unwrap();
    assert_eq!(count(&db, "t").await, 3);
    // One that is left open is rolled back, in the pool; whoever holds the connection has it.
    let error = db.script("BEGIN; DELETE FROM t;").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState);
    assert_eq!(count(&db, "t").await, 3);
    let mut connection = db.acquire().await.unwrap();
    connection.script("BEGIN; DELETE FROM t;").await.unwrap();
    connection.script("SELECT 1; ROLLBACK;").await.unwrap();
    drop(connection);
    assert_eq!(count(&db, "t").await, 3);
    // The caller's own is not the script's to end.
    let mut tx = db.begin().await.unwrap();
    let error = tx.script("DELETE FROM t; COMMIT; DELETE FROM t").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState);
    assert!(error.to_string().contains("a statement has ended the transaction"), "{error}");
}

#[tokio::test]
async fn a_script_keeps_no_statement_and_sees_what_it_has_made() {
    let (db, _place) = open().await;
    let text = "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1); SELECT * FROM t; DROP TABLE t;
                CREATE TABLE t (y TEXT, z TEXT); INSERT INTO t VALUES ('a', 'b'); SELECT * FROM t; DROP TABLE t;";
    for _ in 0..3 {
        let (mut script, mut columns) = (db.script(text), Vec::new());
        while let Some(result) = script.next().await.unwrap() {
            columns.push(result.columns().len());
        }
        assert_eq!(columns, [0, 0, 1, 0, 0, 0, 2, 0]);
    }
}

async fn sum_of(script: &str, on: &mut Session) -> Result<i64, DbError> {
    let (mut script, mut sum) = (on.script(RuntimeSql(script)), 0);
    while let Some(mut result) = script.next().await? {
        while let Some(row) = result.next().await? {
            sum += row.get::<i64>(0)?;
        }
    }
    Ok(sum)
}

#[tokio::test]
async fn a_script_can_be_dropped_at_every_poll() {
    const MANY: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n";
    let (db, _place) = open().await;
    db.script("CREATE TABLE t (x INTEGER)").await.unwrap();
    let mut all_polls = 0;
    for text in [
        format!("INSERT INTO t VALUES (1); {MANY}; BEGIN; DELETE FROM t; INSERT INTO t {MANY}; COMMIT; DELETE FROM t"),
        format!("BEGIN; INSERT INTO t {MANY} RETURNING x; DELETE FROM t; COMMIT"),
    ] {
        for is_kept in [false, true] {
            for polls in 0.. {
                assert!(polls < 1000, "it does not end");
                let ended = if is_kept {
                    let mut connection = db.acquire().await.unwrap();
                    let ended = poll_then_drop(polls, sum_of(&text, &mut connection)).await;
                    // The script's own transaction is rolled back, and says so once.
                    if let Err(error) = connection.query("SELECT 1").fetch_scalar::<i64>().await {
                        assert_eq!(error.kind(), DbErrorKind::TransactionState, "{error}");
                    }
                    ended.map(Result::unwrap)
                } else {
                    poll_then_drop(polls, db.script(RuntimeSql(text.clone())).into_future()).await.map(|done| {
                        done.unwrap();
                        5000 * 5001 / 2
                    })
                };
                assert!(ended.is_none_or(|sum| sum == 5000 * 5001 / 2), "{ended:?}");
                let there = count(&db, "t").await;
                assert!(there <= 1 || there == 5000 && ended.is_none(), "{there} rows after {polls} polls");
                db.execute("DELETE FROM t").await.unwrap();
                if ended.is_some() {
                    break;
                }
                all_polls += 1;
            }
        }
    }
    assert!(all_polls > 4, "nothing was dropped half-way");
}

#[tokio::test]
async fn a_script_whose_statement_was_dropped_goes_no_further() {
    let (db, _place) = open().await;
    db.script("CREATE TABLE t (x INTEGER)").await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    let slow = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                SELECT i FROM n; INSERT INTO t VALUES (0)";
    let mut script = connection.script(slow);
    assert!(poll_then_drop(1, script.next()).await.is_none());
    let error = script.next().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Cancelled);
    assert!(error.to_string().contains("statement 1 of the script"), "{error}");
    drop(connection);
    assert_eq!(count(&db, "t").await, 0);
}
