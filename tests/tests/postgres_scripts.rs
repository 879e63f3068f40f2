//! Scripts with what only PostgreSQL has.

mod postgres;

use montrs_orm::{DbErrorKind, RuntimeSql, ValueRef};
use montrs_tests::{builder, poll_then_drop, with};
use postgres::{open, open_with, schema};

/// As `pg_dump` writes it.
const DUMP: &str = r"--
-- PostgreSQL database dump
--
\restrict 4aGbF1

SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', current_setting('search_path'), false);

CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC
  SELECT 2 * n;
END;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $_$
BEGIN
  NEW.name := NEW.name || ';'; RETURN NEW;
END $_$;
CREATE TABLE artists (id integer NOT NULL, name text);

COPY artists (id, name) FROM stdin;
1	AC/DC; live
2	tab\there
3	\N
4	back\\slash
\.

ALTER TABLE ONLY artists ADD CONSTRAINT artists_pkey PRIMARY KEY (id);
CREATE TRIGGER touched BEFORE INSERT ON artists FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO artists VALUES (5, E'it\'s');
COPY artists FROM stdin (FORMAT csv);
6,six
\.
\unrestrict 4aGbF1
";

#[tokio::test]
async fn a_dump_with_data_functions_and_triggers_is_loaded() {
    let db = open_with("script_dump", |builder| builder.max_connections(1)).await;
    let done = db.script(DUMP).await.unwrap();
    assert_eq!(done.rows_affected(), 4 + 1 + 1);
    let names: Vec<Option<String>> = db.query("SELECT name FROM artists ORDER BY id").fetch_all().await.unwrap();
    let names: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("NULL")).collect();
    assert_eq!(names, ["AC/DC; live", "tab\there", "NULL", "back\\slash", "it's;", "six;"]);
    assert_eq!(db.query("SELECT twice(21)").fetch_scalar::<i32>().await.unwrap(), 42);
}

#[tokio::test]
async fn an_error_in_the_data_of_a_copy_keeps_nothing_of_it() {
    let db = open_with("script_copy_error", |builder| builder.max_connections(1)).await;
    let text = "CREATE TABLE t (n int);\nCOPY t FROM STDIN;\n1\n2\nx\n\\.\nINSERT INTO t VALUES (3);";
    let error = db.script(text).await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Data, text.find("x\n")), "{error:?}");
    assert!(error.to_string().starts_with("statement 2, line 5, column 1: "), "{error}");
    assert!(error.detail().unwrap_or_default().contains("line 3, column n: \"x\""), "{error:?}");
    let count: i64 = db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap();
    assert_eq!(count, 0);
    for (text, place) in [
        ("COPY nowhere FROM STDIN;\n1\n\\.\n", "statement 1, line 1, column 1: "),
        ("SELECT 1;\nCOPY t FROM STDIN;\n1\n", "statement 2, line 2, column 1: the data of COPY FROM STDIN has no end"),
        ("SELECT 1;\n\\connect other\n", "statement 2, line 2, column 1: `\\connect` is a command of psql"),
        ("SELECT 1;\nCOPY t TO STDOUT;", "statement 2, line 2, column 1: COPY FROM STDIN and COPY TO STDOUT cannot"),
    ] {
        let error = db.script(RuntimeSql(text)).await.unwrap_err();
        assert!(error.to_string().starts_with(place), "{error}");
    }
    // What is run as a statement is one statement.
    let error = db.execute("COPY t FROM STDIN;\nDELETE FROM t").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::MultipleStatements);
}

#[tokio::test]
async fn a_copy_with_data_can_be_dropped_at_every_poll() {
    let db = open_with("script_copy_dropped", |builder| builder.max_connections(1)).await;
    db.execute("CREATE TABLE t (line text)").await.unwrap();
    let lines = "a line of data that takes its place\n".repeat(100_000);
    let text = format!("COPY t FROM STDIN;\n{lines}\\.\n");
    let count = async || db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap();
    for polls in 0..1000 {
        let done = poll_then_drop(polls, db.script(RuntimeSql(text.clone())).into_future()).await;
        let there = count().await;
        assert!(there == 100_000 || there == 0 && done.is_none(), "{there} rows after {polls} polls");
        if done.is_some() {
            assert!(polls > 2);
            return;
        }
        db.execute("TRUNCATE t").await.unwrap();
    }
    panic!("it does not end");
}

#[tokio::test]
async fn statements_run_by_themselves_and_not_in_one_transaction() {
    let db = open("script_autocommit").await;
    // Neither can run in a transaction, not even in that of a query with several statements.
    db.script("CREATE TABLE t (n int); VACUUM t; CREATE INDEX CONCURRENTLY i ON t (n); VACUUM").await.unwrap();
    let mut script = db.script("SELECT pg_current_xact_id()::text; SELECT pg_current_xact_id()::text");
    let mut numbers = Vec::new();
    while let Some(mut result) = script.next().await.unwrap() {
        numbers.push(result.next().await.unwrap().unwrap().get::<String>(0).unwrap());
    }
    assert!(numbers.len() == 2 && numbers[0] != numbers[1], "{numbers:?}");
}

#[tokio::test]
async fn values_are_those_of_a_query_whatever_the_script_has_set() {
    let url = schema("script_values").await;
    for url in [url.clone(), with(&url, "prepared_statements=unnamed")] {
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        let mut script = db.script(
            "SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'; SET timezone = 'Asia/Tokyo';
             PREPARE p AS SELECT 1; DEALLOCATE ALL; DISCARD ALL;
             SELECT true, 1::int2, 1.5::float8, 'ä', '\\x00ff'::bytea, ARRAY[1, NULL, 3], DATE '2024-02-29'",
        );
        for _ in 0..7 {
            assert!(script.next().await.unwrap().unwrap().columns().is_empty());
        }
        let mut result = script.next().await.unwrap().unwrap();
        let row = result.next().await.unwrap().unwrap();
        assert!(row.get::<bool>(0).unwrap());
        assert_eq!((row.get::<i16>(1).unwrap(), row.get::<f64>(2).unwrap()), (1, 1.5));
        assert_eq!((row.get::<&str>(3).unwrap(), row.get::<&[u8]>(4).unwrap()), ("ä", &[0, 255][..]));
        assert!(matches!(row.get(5).unwrap(), ValueRef::Array(array) if array.get(2) == Ok(ValueRef::I32(3))));
        assert_eq!(row.get::<String>(6).unwrap(), "2024-02-29");
    }
}

#[tokio::test]
async fn backslashes_escape_where_the_session_says_so() {
    let db = open_with("script_escapes", |builder| builder.max_connections(1)).await;
    let text = "SET standard_conforming_strings = off; SET escape_string_warning = off; SELECT 'it\\'s; one'; SELECT 2";
    let (mut script, mut results) = (db.script(text), 0);
    while let Some(mut result) = script.next().await.unwrap() {
        results += 1;
        if results == 3 {
            assert_eq!(result.next().await.unwrap().unwrap().get::<&str>(0).unwrap(), "it's; one");
        }
    }
    assert_eq!(results, 4);
}
