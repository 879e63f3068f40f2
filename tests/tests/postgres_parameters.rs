//! What may be bound to which of PostgreSQL's types.

mod postgres;
#[path = "postgres/values.rs"]
mod values;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use montrs_orm::{DbErrorKind, RuntimeSql, Value, ValueRef};
use montrs_tests::builder;
use postgres::{open, schema, with};
use rust_decimal::Decimal;
use uuid::Uuid;
use values::array;

#[tokio::test]
async fn what_a_user_expects_of_a_parameter_works() {
    let db = open("expected_parameters").await;
    db.execute(
        "CREATE TABLE t (i8 int8, n numeric, f float8, u uuid, j jsonb, a inet, d date, ts timestamptz, b bool)",
    )
    .await
    .unwrap();
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let now: DateTime<Utc> = "2024-02-29T12:00:00.123456Z".parse().unwrap();
    db.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(7i32)
        .bind(8)
        .bind(9)
        .bind(uuid)
        .bind("{\"a\": 1}")
        .bind("127.0.0.1")
        .bind("2024-02-29")
        .bind(now)
        .bind(true)
        .await
        .unwrap();
    let row: (i64, Decimal, f64, Uuid, serde_json::Value, String, NaiveDate, DateTime<Utc>, bool) =
        db.query("SELECT * FROM t").fetch_one().await.unwrap();
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let expected = (
        7,
        Decimal::from(8),
        9.0,
        uuid.parse().unwrap(),
        serde_json::json!({"a": 1}),
        "127.0.0.1".to_owned(),
        date,
        now,
        true,
    );
    assert_eq!(row, expected);
    let time = NaiveTime::from_hms_micro_opt(1, 2, 3, 4).unwrap();
    let (t, ts): (NaiveTime, NaiveDateTime) =
        db.query("SELECT $1::time, $2::timestamp").bind(time).bind(date.and_time(time)).fetch_one().await.unwrap();
    assert_eq!((t, ts), (time, date.and_time(time)));
    let local = db.query("SELECT $1::timestamptz").bind(date.and_time(time)).fetch_scalar::<DateTime<Utc>>().await;
    assert_eq!(local.unwrap_err().kind(), DbErrorKind::Encode);
    assert_eq!(db.query("SELECT 'n' || $1").bind(5).fetch_scalar::<String>().await.unwrap(), "n5");
    let ids = array(&[(2, 1)], &[Value::I64(1), Value::I64(3)]);
    let found: Vec<i32> = db
        .query("SELECT n FROM generate_series(1, 3) AS n WHERE n = ANY($1)")
        .bind(ValueRef::clone(&ids.as_ref().unwrap()))
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(found, [1, 3]);
}

#[tokio::test]
async fn text_goes_to_whatever_the_server_reads_from_a_literal() {
    let db = open("text_parameters").await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'so happy')",
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE DOMAIN feeling AS mood",
        "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public",
    ] {
        db.execute(sql).await.unwrap();
    }
    for (number, (type_name, text)) in [
        ("json", r#"{"a":  [1, null]}"#),
        ("jsonb", r#"{"a": [1, null]}"#),
        ("uuid", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
        ("inet", "10.1.2.3/24"),
        ("cidr", "10.1.2.0/24"),
        ("macaddr", "08:00:2b:01:02:03"),
        ("mood", "so happy"),
        ("feeling", "sad"),
        ("mood[]", "{sad,\"so happy\"}"),
        ("pair", "(1,x)"),
        ("hstore", "\"a\"=>\"1\""),
        ("int4range", "[1,5)"),
        ("interval", "1 day"),
        ("int8", "-7"),
        ("numeric", "1.50"),
        ("float8", "0.5"),
        ("bool", "true"),
        ("date", "2024-02-29"),
        ("timestamptz", "2024-02-29 12:00:00+00"),
        ("int4[]", "{1,NULL}"),
        ("xml", "<a/>"),
        ("bit(3)", "101"),
        ("point", "(1,2)"),
    ]
    .into_iter()
    .enumerate()
    {
        db.execute(RuntimeSql(format!("CREATE TABLE t{number} (v {type_name})"))).await.unwrap();
        // In a statement, in many rows of one, and in rows of a COPY.
        let insert = format!("INSERT INTO t{number} VALUES ($1)");
        let inserted = db.execute(RuntimeSql(&insert)).bind(text).await;
        inserted.unwrap_or_else(|error| panic!("{type_name}: {error}"));
        db.execute(RuntimeSql(&insert)).bind(text.to_owned()).await.unwrap();
        db.execute_many(RuntimeSql(&insert), [[text], [text]]).await.unwrap();
        let copy = format!("COPY t{number} FROM STDIN");
        let mut copy = db.command("copy_in").bind(copy).upload().await.unwrap();
        copy.write_rows([[text]]).await.unwrap();
        copy.finish().await.unwrap();
        let read = format!("SELECT v::text FROM t{number}");
        let found: Vec<String> = db.query(RuntimeSql(read)).fetch_all().await.unwrap();
        assert_eq!(found, [text; 5], "{type_name}");
    }
    for (sql, text) in
        [("SELECT $1::uuid", "67e5"), ("SELECT $1::inet", "here"), ("SELECT $1::json", "{"), ("SELECT $1::int8", "x")]
    {
        let refused = db.query(sql).bind(text).fetch_scalar::<Value>().await.unwrap_err();
        assert_eq!(refused.kind(), DbErrorKind::Data, "{sql}");
    }
}

#[tokio::test]
async fn numbers_go_to_every_type_that_has_them() {
    let db = open("number_parameters").await;
    let numbers = [Value::I16(7), Value::I32(7), Value::I64(7)];
    for number in &numbers {
        for type_name in ["int2", "int4", "int8", "oid", "float4", "float8", "numeric", "text", "money"] {
            let sql = format!("SELECT $1::{type_name}::text");
            let found: String = db.query(RuntimeSql(sql)).bind(number).fetch_scalar().await.unwrap();
            let expected = if type_name == "money" { "$7.00" } else { "7" };
            assert_eq!(found, expected, "{number:?} to {type_name}");
        }
        let sql = "SELECT $1::int8[]::text || $2::numeric[]::text || $3::float8[]::text";
        let one = array(&[(1, 1)], std::slice::from_ref(number));
        let found: String = db.query(sql).bind(&one).bind(&one).bind(&one).fetch_scalar().await.unwrap();
        assert_eq!(found, "{7}{7}{7}", "{number:?}");
    }
    let sql = "SELECT n FROM generate_series(1::int8, 3) AS n WHERE n = $1 OR n IN ($2)";
    let found: Vec<i64> = db.query(sql).bind(1i32).bind([2i16, 3].as_slice()).fetch_all().await.unwrap();
    assert_eq!(found, [1, 2, 3]);
    for (sql, value) in [
        ("SELECT $1::int4", Value::I64(1 << 31)),
        ("SELECT $1::int2", Value::I32(1 << 15)),
        // 2^53 + 1 is no float of 64 bits.
        ("SELECT $1::float8", Value::I64((1 << 53) + 1)),
    ] {
        let refused = db.query(sql).bind(&value).fetch_scalar::<Value>().await.unwrap_err();
        assert_eq!(refused.kind(), DbErrorKind::Encode, "{sql}: {value:?}");
    }
    // What is no integer is none.
    let refused = db.query("SELECT $1::int8").bind(1.5).fetch_scalar::<Value>().await.unwrap_err();
    assert_eq!(refused.kind(), DbErrorKind::Data);
}

/// The server reads a parameter before it looks at whether the statement is still right.
#[tokio::test]
async fn what_fits_a_column_is_taken_also_after_the_column_has_become_another() {
    for parameter in ["prepared_statements=named", "prepared_statements=unnamed"] {
        let url = with(&schema("column_becomes_another").await, parameter);
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        let insert = "INSERT INTO t VALUES ($1)";
        for (type_name, text) in [
            ("json", "{}"),
            ("uuid", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
            ("date", "2024-02-29"),
            ("int2", "7"),
            ("text", "x"),
        ] {
            db.execute("DROP TABLE IF EXISTS t").await.unwrap();
            db.execute(RuntimeSql(format!("CREATE TABLE t (v {type_name})"))).await.unwrap();
            let inserted = db.execute(insert).bind(text).await;
            inserted.unwrap_or_else(|error| panic!("{type_name}, {parameter}: {error}"));
            // What fits no column is told as before, and spoils nothing.
            if type_name != "text" {
                assert_eq!(db.execute(insert).bind("no such thing").await.unwrap_err().kind(), DbErrorKind::Data);
            }
        }
        // In a transaction that cannot be put right at once, but the next time.
        db.execute("ALTER TABLE t ALTER v TYPE json USING NULL").await.unwrap();
        db.execute(insert).bind("{}").await.unwrap();
        db.execute("ALTER TABLE t ALTER v TYPE inet USING NULL").await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert!(tx.execute(insert).bind("::1").await.is_err(), "{parameter}");
        tx.rollback().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.execute(insert).bind("::1").await.unwrap_or_else(|error| panic!("{parameter}: {error}"));
        tx.commit().await.unwrap();
    }
}
