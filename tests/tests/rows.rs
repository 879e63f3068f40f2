//! Rows as structs, tuples and scalars, and what is said when they do not fit.

use montrs_orm::{Columns, DbError, DbErrorKind, Field, FromRow, Plan, RowReader, RuntimeSql, Value};
use montrs_tests::{differs, open};
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, PartialEq, FromRow)]
#[orm(rename_all = "PascalCase")]
struct Track {
    track_id: i64,
    name: String,
    #[orm(rename = "ms")]
    milliseconds: i32,
    composer: Option<String>,
    #[orm(default)]
    rating: i32,
    #[orm(default = five)]
    stars: u8,
    #[orm(flatten)]
    price: Price,
    #[orm(skip)]
    selected: bool,
}

#[derive(Debug, PartialEq, FromRow)]
struct Price {
    unit_price: f64,
}

fn five() -> u8 {
    5
}

#[tokio::test]
async fn a_struct_reads_its_columns_by_name_in_any_order() {
    let (db, _place) = open().await;
    let sql = "SELECT CAST(0.99 AS DOUBLE PRECISION) AS unit_price, NULL AS \"Composer\", \
               'Fast As a Shark' AS \"Name\", 230619 AS ms, 3 AS \"TrackId\"";
    let track: Track = db.query(sql).fetch_one().await.unwrap();
    let expected = Track {
        track_id: 3,
        name: "Fast As a Shark".into(),
        milliseconds: 230_619,
        composer: None,
        rating: 0,
        stars: 5,
        price: Price { unit_price: 0.99 },
        selected: false,
    };
    assert_eq!(track, expected);
}

#[test]
fn a_struct_tells_which_columns_it_reads() {
    let mut fields: Vec<Field> = Vec::new();
    Track::fields(&mut fields);
    let names: Vec<(&str, bool)> = fields.iter().map(|field| (&*field.name, field.required)).collect();
    let expected = [
        ("TrackId", true),
        ("Name", true),
        ("ms", true),
        ("Composer", true),
        ("Rating", false),
        ("Stars", false),
        ("unit_price", true),
    ];
    assert_eq!(names, expected);
    assert_eq!(fields[3].rust_type, "Option<String>");
}

#[tokio::test]
async fn a_missing_column_is_named_with_what_there_is_and_the_nearest() {
    let (db, _place) = open().await;
    let error = db.query("SELECT 1 AS unit_prise").fetch_all::<Price>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
    assert!(error.to_string().contains("\"unit_price\"") && error.to_string().contains("\"unit_prise\""), "{error}");
    assert!(montrs_orm::AiError::suggested_fixes(&error)[0].contains("unit_prise"));
    let error = db.query("SELECT 1 AS unit_price, 2 AS unit_price").fetch_all::<Price>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
    assert!(error.to_string().contains("more than one"), "{error}");
    // It shows although there is no row.
    let error = db.query("SELECT 1 AS x WHERE 1 = 0").fetch_all::<Price>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named_with_column_types_and_row() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (n SMALLINT)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1), (7000)").await.unwrap();
    let error = db.query("SELECT n FROM t").fetch_all::<i8>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    let text = error.to_string();
    for part in ["\"n\"", differs("SMALLINT", "int2"), "row 2", "i8", "7000"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!(error.sql(), Some("SELECT n FROM t"));
    let error = db.query("SELECT NULL AS x").fetch_one::<(String,)>().await.unwrap_err();
    assert!(error.to_string().contains("NULL") && error.to_string().contains("Option"), "{error}");
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn tuples_and_scalars_read_by_position() {
    let (db, _place) = open().await;
    let row: (i64, Option<String>, f64) =
        db.query("SELECT 1, NULL, CAST(2.5 AS DOUBLE PRECISION)").fetch_one().await.unwrap();
    assert_eq!(row, (1, None, 2.5));
    let values: Vec<Option<i64>> = db.query("SELECT 1 UNION ALL SELECT NULL").fetch_all().await.unwrap();
    assert_eq!(values, [Some(1), None]);
    let error = db.query("SELECT 1, 2").fetch_one::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
    let error = db.query("SELECT 1, 2").fetch_one::<(i64, i64, i64)>().await.unwrap_err();
    assert!(error.to_string().contains("2 columns") && error.to_string().contains('3'), "{error}");
}

#[tokio::test]
async fn borrowed_fields_read_straight_from_the_batch() {
    #[derive(FromRow)]
    struct Borrowed<'a> {
        word: &'a str,
        bytes: &'a [u8],
    }
    let (db, _place) = open().await;
    let mut seen = 0;
    let bytes = differs("x'00ff'", "'\\x00ff'::bytea");
    db.query(RuntimeSql(format!("SELECT 'grüße' AS word, {bytes} AS bytes")))
        .for_each(|row| {
            let read: Borrowed<'_> = row.read()?;
            assert_eq!((read.word, read.bytes), ("grüße", &[0, 255][..]));
            seen += 1;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn declared_types_become_rich_values() {
    use chrono::{NaiveDate, NaiveDateTime};
    let (db, _place) = open().await;
    let bytes = differs("BLOB", "BYTEA");
    let table = "flag BOOLEAN, day DATE, at TIMESTAMP, doc JSON, id UUID, price DECIMAL(20, 5), bytes";
    db.execute(RuntimeSql(format!("CREATE TABLE t ({table} {bytes})"))).await.unwrap();
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let at = day.and_hms_nano_opt(23, 59, 59, 123_456_000).unwrap();
    let doc = serde_json::json!({"a": [1, null, "ü"]});
    let id = uuid::Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    let price = rust_decimal::Decimal::new(-123_456_789_012_345, 5);
    db.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(true)
        .bind(day)
        .bind(at)
        .bind(doc.clone())
        .bind(id)
        .bind(price)
        .bind([1u8, 2, 3])
        .await
        .unwrap();
    type Row = (bool, NaiveDate, NaiveDateTime, serde_json::Value, uuid::Uuid, rust_decimal::Decimal, Vec<u8>);
    let row: Row = db.query("SELECT * FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (true, day, at, doc, id, price, vec![1, 2, 3]));
    let values: (Value, Value) = db.query("SELECT flag, day FROM t").fetch_one().await.unwrap();
    assert_eq!(values, (Value::Bool(true), Value::Date(19_782)));
}

#[tokio::test]
async fn an_error_in_a_row_says_that_the_statement_was_run() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (word TEXT)").await.unwrap();
    let insert = "INSERT INTO t VALUES ('x') RETURNING word";
    let error = db.query(insert).fetch_one::<i64>().await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_executed()), (DbErrorKind::Decode, true));
    let error = db.query(insert).fetch_all::<Price>().await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_executed()), (DbErrorKind::ColumnNotFound, true));
    assert!(error.to_string().contains("Price"), "{error}");
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
    assert!(!db.query("INSERT INTO nowhere VALUES (1)").await.unwrap_err().may_have_executed());
}

#[derive(Debug, PartialEq, FromRow)]
struct Forth {
    a: i64,
    b: i64,
}

#[derive(Debug, PartialEq, FromRow)]
struct Back {
    b: i64,
    a: i64,
}

#[tokio::test]
async fn one_statement_is_read_into_different_types_in_turn() {
    let (db, _place) = open().await;
    let mut connection = db.acquire().await.unwrap();
    for _ in 0..3 {
        let sql = "SELECT 1 AS a, 2 AS b";
        assert_eq!(connection.query(sql).fetch_one::<Forth>().await.unwrap(), Forth { a: 1, b: 2 });
        assert_eq!(connection.query(sql).fetch_all::<Back>().await.unwrap(), [Back { a: 1, b: 2 }]);
        assert_eq!(connection.query(sql).fetch_optional::<(i64, i64)>().await.unwrap(), Some((1, 2)));
        let error = connection.query(sql).fetch_one::<(i64,)>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
    }
}

#[tokio::test]
async fn columns_are_found_anew_when_the_schema_has_changed() {
    let (db, _place) = open().await;
    let mut connection = db.acquire().await.unwrap();
    let sql = "SELECT * FROM pair";
    connection.execute("CREATE TABLE pair (a INTEGER, b INTEGER)").await.unwrap();
    connection.execute("INSERT INTO pair (a, b) VALUES (1, 2)").await.unwrap();
    assert_eq!(connection.query(sql).fetch_one::<Forth>().await.unwrap(), Forth { a: 1, b: 2 });
    connection.execute("ALTER TABLE pair RENAME COLUMN a TO c").await.unwrap();
    let error = connection.query(sql).fetch_one::<Forth>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
    connection.execute("ALTER TABLE pair RENAME COLUMN b TO a").await.unwrap();
    connection.execute("ALTER TABLE pair RENAME COLUMN c TO b").await.unwrap();
    assert_eq!(connection.query(sql).fetch_one::<Forth>().await.unwrap(), Forth { a: 2, b: 1 });
    connection.execute("ALTER TABLE pair ADD COLUMN d INTEGER DEFAULT 3").await.unwrap();
    assert_eq!(connection.query(sql).fetch_one::<(i64, i64, i64)>().await.unwrap(), (1, 2, 3));
    assert_eq!(connection.query(sql).fetch_one::<Forth>().await.unwrap(), Forth { a: 2, b: 1 });
}

/// How often the columns of [`Counted`] were looked for.
static RESOLVED: AtomicUsize = AtomicUsize::new(0);

struct Counted(i64);

impl<'r> FromRow<'r> for Counted {
    fn fields(fields: &mut Vec<Field>) {
        fields.push(Field { name: "i".into(), rust_field: "0", rust_type: "i64", required: true });
    }

    fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
        RESOLVED.fetch_add(1, Ordering::Relaxed);
        plan.column::<i64>(columns, "i")
    }

    fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
        row.take().map(Self)
    }
}

#[tokio::test]
async fn columns_are_looked_for_once_a_result_of_many_batches() {
    let (db, _place) = open().await;
    let resolved = || RESOLVED.swap(0, Ordering::Relaxed);
    // Ten megabytes: no batch has so many. Each statement is a new one, so that nothing is known of it.
    let sql = |columns: &str| {
        RuntimeSql(format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT {columns} FROM n"
        ))
    };
    let text = "x".repeat(1000);
    let all = db.query(sql("CAST($1 AS TEXT), i")).bind(&text).fetch_all::<Counted>().await.unwrap();
    assert_eq!((all.len(), all[9999].0, resolved()), (10_000, 10_000, 1));
    let mut tx = db.begin().await.unwrap();
    let mut rows = tx.query(sql("i, CAST($1 AS TEXT)")).bind(&text).fetch::<Counted>();
    let mut sum = 0;
    while let Some(row) = rows.next().await {
        sum += row.unwrap().0;
    }
    drop(rows);
    tx.commit().await.unwrap();
    assert_eq!((sum, resolved()), (50_005_000, 1));
}
