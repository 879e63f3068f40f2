//! JSON as text and as SQLite's binary JSON, in both directions.

use montrs_orm::{AiError, Database, DbErrorKind, RuntimeSql, Value};
use montrs_tests::builder;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

/// Columns that are declared as JSON hold text in the first row and binary JSON in the second.
async fn table(value: &serde_json::Value) -> Database {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    db.execute("CREATE TABLE t (json JSON, exact JSON TEXT, jsonb JSONB, word TEXT, bytes BLOB)").await.unwrap();
    db.execute("INSERT INTO t VALUES ($1, $1, $1, $1, $1)").bind(value).await.unwrap();
    let binary = "INSERT INTO t SELECT b, b, b, json(b), b FROM (SELECT jsonb($1) AS b)";
    db.execute(binary).bind(value).await.unwrap();
    db
}

fn samples() -> Vec<serde_json::Value> {
    vec![
        json!(null),
        json!(true),
        json!(17),
        json!(-0.5),
        json!(1e300),
        json!(i64::MIN),
        json!(""),
        json!("a \"quoted\" \\ / \u{7f} \u{0} \n grüße 🦀"),
        json!([]),
        json!({}),
        json!({"a": [1, 2.5, null, {"b": "c"}], "": false, "ключ": "x".repeat(70_000)}),
    ]
}

#[tokio::test]
async fn json_comes_back_from_every_column_that_can_hold_it() {
    for value in samples() {
        let db = table(&value).await;
        let read = async |sql: &str| db.query(RuntimeSql(sql)).fetch_all::<serde_json::Value>().await;
        for column in ["json", "exact", "jsonb", "word"] {
            let sql = format!("SELECT {column} FROM t ORDER BY rowid");
            assert_eq!(read(&sql).await.unwrap(), [value.clone(), value.clone()], "{sql}");
        }
        for expression in
            ["json(exact)", "json(jsonb(exact))", "json(bytes)", "json_extract(json_array(json(exact)), '$')->0"]
        {
            let sql = format!("SELECT {expression} FROM t ORDER BY rowid");
            assert_eq!(read(&sql).await.unwrap(), [value.clone(), value.clone()], "{sql}");
        }
        let kinds = "SELECT json, jsonb FROM t WHERE typeof(jsonb) = 'blob'";
        let (json, jsonb): (Value, Value) = db.query(kinds).fetch_one().await.unwrap();
        assert!(matches!((&json, &jsonb), (Value::Json(a), Value::Json(b)) if a == b), "{json:?} {jsonb:?}");
        let found: i64 = db
            .query("SELECT count(*) FROM t WHERE jsonb(exact) = jsonb($1)")
            .bind(&value)
            .fetch_scalar()
            .await
            .unwrap();
        assert_eq!(found, 2, "{value}");
    }
}

#[tokio::test]
async fn binary_json_without_a_declared_type_is_bytes_and_the_error_says_what_to_do() {
    let db = table(&json!({"a": 1})).await;
    for sql in ["SELECT jsonb('[1]')", "SELECT bytes FROM t WHERE rowid = 2", "SELECT max(jsonb) FROM t"] {
        let error = db.query(sql).fetch_scalar::<serde_json::Value>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Decode, "{sql}");
        assert!(format!("{error} {:?}", error.suggested_fixes()).contains("json(column)"), "{error}");
        assert!(!db.query(sql).fetch_scalar::<Vec<u8>>().await.unwrap().is_empty());
    }
    // The blob itself, also where it is declared as JSON.
    let blob: Vec<u8> = db.query("SELECT CAST(jsonb AS BLOB) FROM t WHERE rowid = 2").fetch_scalar().await.unwrap();
    let copied = "SELECT json($1)";
    assert_eq!(db.query(copied).bind(blob).fetch_scalar::<String>().await.unwrap(), "{\"a\":1}");
}

#[tokio::test]
async fn what_is_no_json_in_a_column_of_json_stays_readable() {
    let db = table(&json!(1)).await;
    for blob in [&b""[..], b"\xff", b"\x0f", b"\x1c", b"\x7b\x01", b"{\"a\": 1}", b"\xcb\xff\x00\x00\x00\x00"] {
        db.execute("UPDATE t SET json = $1, jsonb = $1").bind(blob).await.unwrap();
        let row: (Vec<u8>, Vec<u8>) = db.query("SELECT json, jsonb FROM t").fetch_one().await.unwrap();
        assert_eq!(row, (blob.to_vec(), blob.to_vec()));
        let error = db.query("SELECT jsonb FROM t").fetch_one::<(serde_json::Value,)>().await.unwrap_err();
        assert!(error.to_string().contains("\"jsonb\""), "{error}");
    }
    db.execute("UPDATE t SET json = 'no', jsonb = 'no'").await.unwrap();
    assert_eq!(db.query("SELECT jsonb FROM t").fetch_all::<String>().await.unwrap(), ["no", "no"]);
    let error = db.query("SELECT json FROM t").fetch_one::<(serde_json::Value,)>().await.unwrap_err();
    assert!(error.to_string().contains("not JSON"), "{error}");
    // SQLite makes numbers of text that looks like one.
    db.execute("UPDATE t SET json = '0.10', jsonb = '12'").await.unwrap();
    assert_eq!(db.query("SELECT jsonb FROM t").fetch_all::<i64>().await.unwrap_err().kind(), DbErrorKind::Decode);
    let row: (serde_json::Value, String) = db.query("SELECT json, jsonb FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (json!(0.1), "12".into()));
}

/// A long result, of which a part waits in the connection while others use it.
#[tokio::test]
async fn many_rows_of_binary_json_are_streamed() {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    db.execute("CREATE TABLE t (doc JSONB)").await.unwrap();
    let fill = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
                SELECT jsonb_object('i', i) FROM n";
    db.execute(fill).await.unwrap();
    let docs: Vec<serde_json::Value> = db.query("SELECT doc FROM t ORDER BY rowid").fetch_all().await.unwrap();
    assert!(docs.len() == 10_000 && docs.iter().enumerate().all(|(i, doc)| *doc == json!({ "i": i })));
    let changed = "UPDATE t SET doc = jsonb_set(doc, '$.done', json('true')) WHERE rowid <= 3 RETURNING doc";
    let docs: Vec<serde_json::Value> = db.query(changed).fetch_all().await.unwrap();
    assert_eq!(docs, [0, 1, 2].map(|i| json!({ "i": i, "done": true })));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()).prop_map(|value| json!(value)),
        any::<String>().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| json!(values)),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|values| json!(values)),
        ]
    })
}

#[test]
fn any_json_comes_back_as_text_and_as_binary_json() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let checked = runner.run(&any_json(), |value| {
        runtime.block_on(async {
            let db = table(&value).await;
            // Of a floating-point number by itself SQLite makes a number of its own there.
            let sql = match value.is_f64() {
                true => "SELECT exact, exact, word, word FROM t ORDER BY rowid",
                false => "SELECT json, exact, jsonb, word FROM t ORDER BY rowid",
            };
            type Four<T> = (T, T, T, T);
            let rows: Vec<Four<serde_json::Value>> = db.query(sql).fetch_all().await.unwrap();
            let expected = (value.clone(), value.clone(), value.clone(), value.clone());
            prop_assert_eq!(rows, [expected.clone(), expected]);
            Ok(())
        })
    });
    checked.unwrap();
}
