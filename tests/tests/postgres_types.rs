//! PostgreSQL's types, in both directions.

mod postgres;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use montrs_orm::{Array, Database, DbErrorKind, Dimension, RuntimeSql, Timestamp, Value, ValueRef};
use postgres::open;
use rust_decimal::Decimal;
use uuid::Uuid;

fn other(text: &str) -> Value {
    Value::OtherText(text.into())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.into())
}

fn array(dimensions: &[(u32, i32)], elements: &[Value]) -> Value {
    let dimensions: Vec<Dimension> =
        dimensions.iter().map(|(len, lower_bound)| Dimension { len: *len, lower_bound: *lower_bound }).collect();
    let elements = elements.iter().map(|element| element.as_ref().expect("a value"));
    Value::Array(Array::encode(&dimensions, elements).expect("an array"))
}

/// Reads a literal of the type, and sends the value back.
async fn check(db: &Database, type_name: &str, literal: &str, expected: Value) {
    let mut shown = None;
    let sql = format!("SELECT '{literal}'::{type_name}");
    db.query(RuntimeSql(sql))
        .for_each(|row| {
            shown = Some(row.get::<Value>(0)?);
            Ok(())
        })
        .await
        .unwrap_or_else(|error| panic!("{literal}::{type_name}: {error}"));
    assert_eq!(shown, Some(expected.clone()), "{literal}::{type_name}");
    let sql = format!("SELECT $1::{type_name}::text = '{literal}'::{type_name}::text, $1::{type_name}");
    let (is_same, value): (bool, Value) = db
        .query(RuntimeSql(sql))
        .bind(&expected)
        .fetch_one()
        .await
        .unwrap_or_else(|error| panic!("$1::{type_name} = {expected:?}: {error}"));
    assert!(is_same, "{literal}::{type_name} changed on its way");
    assert_eq!(value, expected, "{literal}::{type_name}");
}

#[tokio::test]
async fn every_type_is_read_and_sent() {
    let db = open("every_type").await;
    let at = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
    for (type_name, literal, value) in [
        ("bool", "true", Value::Bool(true)),
        ("int2", "-32768", Value::I16(i16::MIN)),
        ("int4", "2147483647", Value::I32(i32::MAX)),
        ("int8", "-9223372036854775808", Value::I64(i64::MIN)),
        ("oid", "4294967295", Value::I64(4_294_967_295)),
        ("float4", "-0.5", Value::F32(-0.5)),
        ("float8", "-Infinity", Value::F64(f64::NEG_INFINITY)),
        ("numeric", "-12345678901234567890.0123456789", decimal("-12345678901234567890.0123456789")),
        ("numeric", "0.00", decimal("0.00")),
        ("numeric", "NaN", decimal("NaN")),
        ("numeric", "-Infinity", decimal("-Infinity")),
        ("text", "grüße", Value::Text("grüße".into())),
        ("varchar", "", Value::Text(String::new())),
        ("char(3)", "a", Value::Text("a  ".into())),
        ("name", "pg_class", Value::Text("pg_class".into())),
        ("bytea", "\\x00ff", Value::Bytes(vec![0, 255])),
        ("date", "2024-02-29", Value::Date(19_782)),
        ("date", "0044-03-15 BC", Value::Date(-735_160)),
        ("date", "infinity", Value::Date(i64::MAX)),
        ("time", "24:00", Value::Time(86_400_000_000_000)),
        ("timestamp", "1969-12-31 23:59:59.5", Value::Timestamp(at(-1, 500_000_000))),
        ("timestamp", "-infinity", Value::Timestamp(at(i64::MIN, 0))),
        ("timestamptz", "2000-01-01 00:00:00.000001+00", Value::TimestampTz(at(946_684_800, 1000))),
        ("timestamptz", "infinity", Value::TimestampTz(at(i64::MAX, 0))),
        ("interval", "1 year -2 days 3 seconds", Value::Interval { months: 12, days: -2, microseconds: 3_000_000 }),
        (
            "uuid",
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            Value::Uuid(*Uuid::from_u128(0x67e5504410b1426f9247bb680e5fe0c8).as_bytes()),
        ),
        ("json", "{\"a\": 1.00}", Value::Json("{\"a\": 1.00}".into())),
        ("jsonb", "{\"a\": 1.00}", Value::Json("{\"a\": 1.00}".into())),
        ("timetz", "12:00:00+02", other("12:00:00+02")),
        ("inet", "::1/64", other("::1/64")),
        ("cidr", "10.0.0.0/8", other("10.0.0.0/8")),
        ("macaddr", "08:00:2b:01:02:03", other("08:00:2b:01:02:03")),
        ("bit(3)", "101", other("101")),
        ("varbit", "10", other("10")),
        ("money", "$1.50", other("$1.50")),
        ("point", "(1,2)", other("(1,2)")),
        ("box", "(3,4),(1,2)", other("(3,4),(1,2)")),
        ("circle", "<(1,2),3>", other("<(1,2),3>")),
        ("tsvector", "''a'' ''b''", other("'a' 'b'")),
        ("int4range", "[1,5)", other("[1,5)")),
        ("nummultirange", "{[1,2),[5,6)}", other("{[1,2),[5,6)}")),
        ("xml", "<a/>", other("<a/>")),
        ("pg_lsn", "0/16B3748", other("0/16B3748")),
        ("macaddr8", "08:00:2b:01:02:03:04:05", other("08:00:2b:01:02:03:04:05")),
        ("line", "{1,2,3}", other("{1,2,3}")),
        ("lseg", "[(1,2),(3,4)]", other("[(1,2),(3,4)]")),
        ("path", "((1,2),(3,4))", other("((1,2),(3,4))")),
        ("polygon", "((1,2),(3,4),(5,6))", other("((1,2),(3,4),(5,6))")),
        ("tsquery", "''a'' & ''b''", other("'a' & 'b'")),
        ("int8range", "(,5)", other("(,5)")),
        ("numrange", "[1.5,2.5)", other("[1.5,2.5)")),
        ("daterange", "[2024-01-01,2024-02-01)", other("[2024-01-01,2024-02-01)")),
        ("tsrange", "[\"2024-01-01 00:00:00\",)", other("[\"2024-01-01 00:00:00\",)")),
        ("tstzrange", "empty", other("empty")),
        ("int4multirange", "{}", other("{}")),
        ("int8multirange", "{[1,5),[7,9)}", other("{[1,5),[7,9)}")),
        ("datemultirange", "{[2024-01-01,2024-02-01)}", other("{[2024-01-01,2024-02-01)}")),
        ("tsmultirange", "{(,)}", other("{(,)}")),
        ("tstzmultirange", "{(,)}", other("{(,)}")),
        ("xid8", "7", other("7")),
        ("jsonpath", "$.\"a\"", other("$.\"a\"")),
    ] {
        check(&db, type_name, literal, value).await;
    }
    let nan: f64 = db.query("SELECT 'NaN'::float8").fetch_scalar().await.unwrap();
    assert!(nan.is_nan());
    let null: Option<i32> = db.query("SELECT $1::int").bind(None::<i32>).fetch_scalar().await.unwrap();
    assert_eq!(null, None);
}

#[tokio::test]
async fn the_ends_of_every_type_are_read_and_sent() {
    let db = open("extremes").await;
    let at = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
    let interval = |months, days, microseconds| Value::Interval { months, days, microseconds };
    let long = "x".repeat(300_000);
    // As many digits as there can be on each side of the point.
    let digits = format!("-{}.{}", "9".repeat(131_072), "9".repeat(16_383));
    let number = |n| Value::I32(n);
    let six = [(1, 1), (2, -5), (1, 0), (2, 1), (1, 1), (2, 7)];
    let of_six: Vec<Value> = (0..8).map(|n| if n == 3 { Value::Null } else { number(n) }).collect();
    for (type_name, literal, value) in [
        ("bool", "false", Value::Bool(false)),
        ("int2", "32767", Value::I16(i16::MAX)),
        ("int4", "-2147483648", Value::I32(i32::MIN)),
        ("int8", "9223372036854775807", Value::I64(i64::MAX)),
        ("oid", "0", Value::I64(0)),
        ("float4", "3.4028235e38", Value::F32(f32::MAX)),
        ("float4", "1e-45", Value::F32(f32::from_bits(1))),
        ("float4", "-Infinity", Value::F32(f32::NEG_INFINITY)),
        ("float8", "1.7976931348623157e308", Value::F64(f64::MAX)),
        ("float8", "5e-324", Value::F64(f64::from_bits(1))),
        ("float8", "-0", Value::F64(-0.0)),
        ("numeric", &digits, decimal(&digits)),
        ("numeric", "Infinity", decimal("Infinity")),
        ("numeric(5,5)", "-0.00001", decimal("-0.00001")),
        ("text", &long, Value::Text(long.clone())),
        ("text", "\u{10ffff}\u{1}", Value::Text("\u{10ffff}\u{1}".into())),
        ("bytea", "", Value::Bytes(Vec::new())),
        ("date", "4714-11-24 BC", Value::Date(-2_440_588)),
        ("date", "5874897-12-31", Value::Date(2_145_042_905)),
        ("date", "-infinity", Value::Date(i64::MIN)),
        ("time", "00:00", Value::Time(0)),
        ("time", "23:59:59.999999", Value::Time(86_399_999_999_000)),
        ("timestamp", "4714-11-24 00:00:00 BC", Value::Timestamp(at(-210_866_803_200, 0))),
        ("timestamp", "294276-12-31 23:59:59.999999", Value::Timestamp(at(9_224_318_015_999, 999_999_000))),
        ("timestamp", "infinity", Value::Timestamp(at(i64::MAX, 0))),
        ("timestamptz", "4714-11-24 00:00:00+00 BC", Value::TimestampTz(at(-210_866_803_200, 0))),
        ("timestamptz", "294276-12-31 23:59:59.999999+00", Value::TimestampTz(at(9_224_318_015_999, 999_999_000))),
        ("timestamptz", "-infinity", Value::TimestampTz(at(i64::MIN, 0))),
        ("interval", "178000000 years", interval(2_136_000_000, 0, 0)),
        ("interval", "-178000000 years -2147483648 days", interval(-2_136_000_000, i32::MIN, 0)),
        ("interval", "2562047788:00:54.775807", interval(0, 0, i64::MAX)),
        ("timetz", "24:00:00-15:59", other("24:00:00-15:59")),
        ("uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff", Value::Uuid([0xff; 16])),
        ("json", "null", Value::Json("null".into())),
        ("jsonb", "1e400", Value::Json(format!("1{}", "0".repeat(400)))),
        ("inet", "255.255.255.255", other("255.255.255.255")),
        ("cidr", "::/0", other("::/0")),
        ("varbit", "", other("")),
        ("money", "-$92,233,720,368,547,758.08", other("-$92,233,720,368,547,758.08")),
        ("point", "(1e-300,Infinity)", other("(1e-300,Infinity)")),
        (
            "int8range",
            "[-9223372036854775808,9223372036854775807)",
            other("[-9223372036854775808,9223372036854775807)"),
        ),
        ("tstzrange", "(,infinity]", other("(,infinity]")),
        ("tsvector", "", other("")),
        (
            "int4[]",
            "[1:1][-5:-4][0:0][1:2][1:1][7:8]={{{{{{0,1}},{{2,NULL}}}},{{{{4,5}},{{6,7}}}}}}",
            array(&six, &of_six),
        ),
        ("text[]", "{{NULL,NULL}}", array(&[(1, 1), (2, 1)], &[Value::Null, Value::Null])),
        ("numeric[]", "{-Infinity,0.000}", array(&[(2, 1)], &[decimal("-Infinity"), decimal("0.000")])),
        ("timestamp[]", "{-infinity}", array(&[(1, 1)], &[Value::Timestamp(at(i64::MIN, 0))])),
        ("tstzrange[]", "{\"(,infinity]\",NULL}", array(&[(2, 1)], &[other("(,infinity]"), Value::Null])),
    ] {
        check(&db, type_name, literal, value).await;
    }
    for (sql, value) in [
        ("SELECT $1::int2", Value::I32(32_768)),
        ("SELECT $1::int4", Value::I64(-2_147_483_649)),
        ("SELECT $1::oid", Value::I64(-1)),
        ("SELECT $1::date", Value::Date(2_145_042_906)),
        ("SELECT $1::timestamp", Value::Timestamp(at(9_224_318_016_000, 0))),
        ("SELECT $1::numeric", decimal(&"9".repeat(131_073))),
    ] {
        let refused = db.query(sql).bind(&value).fetch_scalar::<Value>().await.unwrap_err();
        assert!(matches!(refused.kind(), DbErrorKind::Encode | DbErrorKind::Data), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn every_type_can_be_null() {
    let db = open("every_null").await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad')",
        "CREATE TYPE pair AS (a int4, b text)",
        "CREATE DOMAIN age AS int4",
        "CREATE TYPE span AS RANGE (subtype = float8)",
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
        "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public",
        "CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public",
    ] {
        db.execute(sql).await.unwrap();
    }
    let own = ["mood", "pair", "age", "span", "citext", "hstore", "ltree"].map(str::to_owned);
    let sql = "SELECT format_type(oid, NULL) FROM pg_type WHERE typtype IN ('b', 'r', 'm') AND typcategory <> 'A' AND \
               typnamespace = 'pg_catalog'::regnamespace AND typarray <> 0 AND typname NOT IN ('unknown', 'gtsvector')";
    let built_in: Vec<String> = db.query(sql).fetch_all().await.unwrap();
    assert!(built_in.len() > 55, "{built_in:?}");
    for name in own.into_iter().chain(built_in) {
        let sql = format!("SELECT $1::{name} IS NULL, $1::{name}, $2::{name}[], ARRAY[$1::{name}]");
        let (is_null, value, all, one): (bool, Value, Value, Value) = db
            .query(RuntimeSql(sql))
            .bind(Value::Null)
            .bind(None::<i32>)
            .fetch_one()
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((is_null, value, all), (true, Value::Null, Value::Null), "{name}");
        assert_eq!(one, array(&[(1, 1)], &[Value::Null]), "{name}");
    }
}

#[tokio::test]
async fn arrays_of_every_type_are_read_and_sent() {
    let db = open("every_array").await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'so happy')",
        "CREATE TYPE pair AS (a int4, b text)",
        "CREATE DOMAIN age AS int4",
        "CREATE TYPE span AS RANGE (subtype = float8)",
    ] {
        db.execute(sql).await.unwrap();
    }
    let (second, infinity) =
        (Timestamp { seconds: 1, nanoseconds: 0 }, Timestamp { seconds: i64::MAX, nanoseconds: 0 });
    let some = |n: i32| Value::I32(n);
    let text = |text: &str| Value::Text(text.into());
    for (type_name, literal, value) in [
        ("int4[]", "{1,NULL,3}", array(&[(3, 1)], &[some(1), Value::Null, some(3)])),
        ("int4[]", "{}", array(&[], &[])),
        ("int4[]", "[0:1][-1:0]={{1,2},{3,4}}", array(&[(2, 0), (2, -1)], &[some(1), some(2), some(3), some(4)])),
        (
            "text[]",
            "{\"a b\",NULL,\"NULL\",\"\"}",
            array(&[(4, 1)], &[text("a b"), Value::Null, text("NULL"), text("")]),
        ),
        ("numeric[]", "{1.50,NaN,NULL}", array(&[(3, 1)], &[decimal("1.50"), decimal("NaN"), Value::Null])),
        ("bool[]", "{t,f}", array(&[(2, 1)], &[Value::Bool(true), Value::Bool(false)])),
        ("float8[]", "{-0.5}", array(&[(1, 1)], &[Value::F64(-0.5)])),
        ("bytea[]", "{\"\\\\x00ff\"}", array(&[(1, 1)], &[Value::Bytes(vec![0, 255])])),
        ("date[]", "{2024-02-29}", array(&[(1, 1)], &[Value::Date(19_782)])),
        (
            "uuid[]",
            "{00000000-0000-0000-0000-000000000001}",
            array(&[(1, 1)], &[Value::Uuid(*Uuid::from_u128(1).as_bytes())]),
        ),
        ("jsonb[]", "{\"[1, 2]\"}", array(&[(1, 1)], &[Value::Json("[1, 2]".into())])),
        ("inet[]", "{10.0.0.1,::1}", array(&[(2, 1)], &[other("10.0.0.1"), other("::1")])),
        ("mood[]", "{sad,\"so happy\"}", array(&[(2, 1)], &[text("sad"), text("so happy")])),
        ("box[]", "{(3,4),(1,2);(1,1),(0,0)}", array(&[(2, 1)], &[other("(3,4),(1,2)"), other("(1,1),(0,0)")])),
        ("int2[]", "{-1,2}", array(&[(2, 1)], &[Value::I16(-1), Value::I16(2)])),
        ("int8[]", "{9223372036854775807}", array(&[(1, 1)], &[Value::I64(i64::MAX)])),
        ("oid[]", "{4294967295}", array(&[(1, 1)], &[Value::I64(4_294_967_295)])),
        ("float4[]", "{0.5,NULL}", array(&[(2, 1)], &[Value::F32(0.5), Value::Null])),
        ("varchar[]", "{a,\"b,c\"}", array(&[(2, 1)], &[text("a"), text("b,c")])),
        ("char(2)[]", "{\"a \"}", array(&[(1, 1)], &[text("a ")])),
        ("name[]", "{pg_class}", array(&[(1, 1)], &[text("pg_class")])),
        ("json[]", "{\"{\\\"a\\\": 1.00}\"}", array(&[(1, 1)], &[Value::Json("{\"a\": 1.00}".into())])),
        ("time[]", "{01:00:00}", array(&[(1, 1)], &[Value::Time(3_600_000_000_000)])),
        ("timestamp[]", "{\"1970-01-01 00:00:01\"}", array(&[(1, 1)], &[Value::Timestamp(second)])),
        (
            "timestamptz[]",
            "{\"1970-01-01 00:00:01+00\",infinity}",
            array(&[(2, 1)], &[Value::TimestampTz(second), Value::TimestampTz(infinity)]),
        ),
        ("interval[]", "{\"1 day\"}", array(&[(1, 1)], &[Value::Interval { months: 0, days: 1, microseconds: 0 }])),
        ("timetz[]", "{12:00:00+02}", array(&[(1, 1)], &[other("12:00:00+02")])),
        ("cidr[]", "{10.0.0.0/8}", array(&[(1, 1)], &[other("10.0.0.0/8")])),
        ("macaddr[]", "{08:00:2b:01:02:03}", array(&[(1, 1)], &[other("08:00:2b:01:02:03")])),
        ("bit(3)[]", "{101,NULL}", array(&[(2, 1)], &[other("101"), Value::Null])),
        ("varbit[]", "{10,1}", array(&[(2, 1)], &[other("10"), other("1")])),
        ("money[]", "{$1.50}", array(&[(1, 1)], &[other("$1.50")])),
        ("xml[]", "{\"<a b=\\\"c\\\"/>\"}", array(&[(1, 1)], &[other("<a b=\"c\"/>")])),
        ("point[]", "{\"(1,2)\",\"(3,4)\"}", array(&[(2, 1)], &[other("(1,2)"), other("(3,4)")])),
        ("polygon[]", "{\"((1,2),(3,4))\"}", array(&[(1, 1)], &[other("((1,2),(3,4))")])),
        ("circle[]", "{\"<(1,2),3>\"}", array(&[(1, 1)], &[other("<(1,2),3>")])),
        ("tsvector[]", "{\"''a'' ''b''\"}", array(&[(1, 1)], &[other("'a' 'b'")])),
        ("int4range[]", "{\"[1,5)\",empty}", array(&[(2, 1)], &[other("[1,5)"), other("empty")])),
        ("nummultirange[]", "{\"{[1,2),[5,6)}\"}", array(&[(1, 1)], &[other("{[1,2),[5,6)}")])),
        ("pair[]", "{\"(1,\\\"x y\\\")\",NULL}", array(&[(2, 1)], &[other("(1,\"x y\")"), Value::Null])),
        ("age[]", "{7}", array(&[(1, 1)], &[Value::I32(7)])),
        ("span[]", "{\"[1,2)\"}", array(&[(1, 1)], &[other("[1,2)")])),
    ] {
        check(&db, type_name, literal, value).await;
    }
}

#[tokio::test]
async fn types_of_the_users_own_have_their_names() {
    let db = open("own_types").await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE DOMAIN age AS int4 CHECK (VALUE > 0)",
        "CREATE TYPE pair AS (a int4, b text)",
        "CREATE TYPE span AS RANGE (subtype = float8)",
        "CREATE TABLE t (mood mood, age age, pair pair, span span, ages age[], moods mood[])",
        "INSERT INTO t VALUES ('happy', 7, (1, 'x y'), '[1,2)', '{1,2}', '{sad}')",
    ] {
        db.execute(sql).await.unwrap();
    }
    let mut cursor = db.query("SELECT * FROM t").cursor().await.unwrap();
    let types: Vec<String> = cursor.columns().iter().map(|column| column.type_name().to_owned()).collect();
    assert_eq!(types, ["mood", "int4", "pair", "span", "age[]", "mood[]"]);
    let row = cursor.next().await.unwrap().unwrap();
    let values: Vec<Value> = (0..6).map(|column| row.get(column).unwrap()).collect();
    assert_eq!(
        values,
        [
            Value::Text("happy".into()),
            Value::I32(7),
            other("(1,\"x y\")"),
            other("[1,2)"),
            array(&[(2, 1)], &[Value::I32(1), Value::I32(2)]),
            array(&[(1, 1)], &[Value::Text("sad".into())]),
        ]
    );
    drop(cursor);
    let count: i64 = db
        .query("SELECT count(*) FROM t WHERE mood = $1 AND age = $2 AND pair = $3::pair AND span = $4")
        .bind("happy")
        .bind(7)
        .bind("(1,\"x y\")")
        .bind("[1,2)")
        .fetch_scalar()
        .await
        .unwrap();
    assert_eq!(count, 1);
    let refused = db.query("SELECT $1::mood").bind("angry").fetch_scalar::<String>().await.unwrap_err();
    assert_eq!((refused.kind(), refused.sqlstate()), (DbErrorKind::Data, Some("22P02")));
}

#[tokio::test]
async fn extensions_types_are_text() {
    let db = open("extension_types").await;
    for extension in ["citext", "hstore", "ltree"] {
        let create = format!("CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public");
        db.execute(RuntimeSql(create)).await.unwrap();
    }
    check(&db, "citext", "Ada", Value::Text("Ada".into())).await;
    check(&db, "hstore", "\"a\"=>\"1\"", other("\"a\"=>\"1\"")).await;
    check(&db, "ltree", "a.b", other("a.b")).await;
    let one = |value| array(&[(1, 1)], &[value]);
    check(&db, "citext[]", "{Ada}", one(Value::Text("Ada".into()))).await;
    check(&db, "hstore[]", "{\"\\\"a\\\"=>\\\"1\\\"\"}", one(other("\"a\"=>\"1\""))).await;
    check(&db, "ltree[]", "{a.b}", one(other("a.b"))).await;
    // It is an error only where it is read as something else.
    let number = db.query("SELECT 'a.b'::ltree").fetch_scalar::<i32>().await.unwrap_err();
    assert_eq!(number.kind(), DbErrorKind::Decode);
    assert_eq!(db.query("SELECT 7, 'a.b'::ltree").fetch_scalar::<i32>().await.unwrap(), 7);
}

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
async fn the_drivers_types_are_those_of_the_server() {
    let db = open("same_types").await;
    let sql = "SELECT t.oid, t.typname FROM pg_type t WHERE t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A' AND \
               t.typnamespace = 'pg_catalog'::regnamespace AND t.typname NOT IN ('unknown', 'gtsvector') AND t.typarray <> 0";
    for (oid, name) in db.query(sql).fetch_all::<(i64, String)>().await.unwrap() {
        let sql = format!("SELECT NULL::pg_catalog.\"{name}\", NULL::pg_catalog.\"{name}\"[]");
        let cursor = db.query(RuntimeSql(sql)).cursor().await.unwrap();
        let types: Vec<String> = cursor.columns().iter().map(|column| column.type_name().to_owned()).collect();
        assert_eq!(types, [name.clone(), format!("{name}[]")], "{oid}");
    }
}
