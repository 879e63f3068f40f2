//! PostgreSQL's types, in both directions.

mod postgres;
#[path = "postgres/values.rs"]
mod values;

use montrs_orm::{DbErrorKind, RuntimeSql, Timestamp, Value};
use postgres::open;
use uuid::Uuid;
use values::{array, check, decimal, other};

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

/// PostgreSQL has them since version 17.
#[tokio::test]
async fn infinite_intervals_are_the_ends_of_all_three_numbers() {
    let db = open("infinite_intervals").await;
    let ends = [
        ("infinity", Value::Interval { months: i32::MAX, days: i32::MAX, microseconds: i64::MAX }),
        ("-infinity", Value::Interval { months: i32::MIN, days: i32::MIN, microseconds: i64::MIN }),
    ];
    let version: i32 = db.query("SELECT current_setting('server_version_num')::int").fetch_scalar().await.unwrap();
    if version < 170_000 {
        let unknown = db.execute("SELECT 'infinity'::interval").await.unwrap_err();
        assert_eq!(unknown.sqlstate(), Some("22007"));
        return;
    }
    db.execute("CREATE TABLE t (lasts interval)").await.unwrap();
    for (literal, value) in ends {
        check(&db, "interval", literal, value.clone()).await;
        check(&db, "interval[]", &format!("{{{literal}}}"), array(&[(1, 1)], std::slice::from_ref(&value))).await;
        // As text too: for a column of text, and in a COPY.
        let text: String = db.query("SELECT $1::text").bind(&value).fetch_scalar().await.unwrap();
        assert_eq!(text, literal);
        let mut copy = db.command("copy_in").bind("COPY t FROM STDIN").upload().await.unwrap();
        copy.write_rows([[&value]]).await.unwrap();
        copy.finish().await.unwrap();
        let found: Vec<Value> = db.query("DELETE FROM t RETURNING lasts").fetch_all().await.unwrap();
        assert_eq!(found, [value]);
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
