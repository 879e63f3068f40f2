//! Values there and back.

use super::{bound, fails, memory, query, rows, run_with, setup, single};
use crate::session::Session;
use montrs_driver_sdk::{Array, Dimension, ErrorKind, QueryOptions, Timestamp, ValueRef};
use proptest::prelude::*;

const TYPES: &[&str] = &[
    "INTEGER",
    "REAL",
    "TEXT",
    "BLOB",
    "BOOLEAN",
    "DATE",
    "TIME",
    "DATETIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "JSON",
    "JSONB",
    "UUID",
    "DECIMAL(10, 2)",
    "DECIMAL TEXT",
    "NUMERIC",
    "VARCHAR(80)",
    "",
];

/// A session with a table that has one column of this type.
fn table(declared: &str) -> Session {
    let mut session = memory();
    setup(&mut session, &[&format!("CREATE TABLE t (a {declared})")]);
    session
}

/// Stores a value in a column of this type and checks what is read.
fn stored<T>(session: &mut Session, value: ValueRef<'_>, check: impl FnOnce(ValueRef<'_>) -> T) -> T {
    setup(session, &["DELETE FROM t"]);
    query(session, "INSERT INTO t VALUES ($1)", &[value]).unwrap();
    single(session, "SELECT a FROM t", &[], check)
}

fn comes_back(session: &mut Session, value: ValueRef<'_>) {
    stored(session, value, |read| assert_eq!(read, value));
}

#[test]
fn storage_classes_come_back_from_columns_and_expressions() {
    let mut session = table("");
    for value in [
        ValueRef::Null,
        ValueRef::I64(i64::MIN),
        ValueRef::I64(i64::MAX),
        ValueRef::F64(-0.5),
        ValueRef::F64(f64::INFINITY),
        ValueRef::F64(f64::MIN_POSITIVE),
        ValueRef::Text(""),
        ValueRef::Text("grüße\0 🦀"),
        ValueRef::Bytes(b""),
        ValueRef::Bytes(&[0, 255, 1]),
    ] {
        comes_back(&mut session, value);
        single(&mut session, "SELECT $1", &[value], |read| assert_eq!(read, value));
    }
}

#[test]
fn narrow_values_are_stored_as_wide_ones() {
    let mut session = table("");
    stored(&mut session, ValueRef::Bool(true), |read| assert_eq!(read, ValueRef::I64(1)));
    stored(&mut session, ValueRef::I16(-1), |read| assert_eq!(read, ValueRef::I64(-1)));
    stored(&mut session, ValueRef::I32(i32::MIN), |read| assert_eq!(read, ValueRef::I64(i32::MIN.into())));
    stored(&mut session, ValueRef::F32(0.1), |read| assert_eq!(read, ValueRef::F64(0.1f32.into())));
    stored(&mut session, ValueRef::OtherText("(1)"), |read| assert_eq!(read, ValueRef::Text("(1)")));
    stored(&mut session, ValueRef::OtherBytes(b"x"), |read| assert_eq!(read, ValueRef::Bytes(b"x")));
    let tz = ValueRef::TimestampTz(Timestamp { seconds: 0, nanoseconds: 500_000_000 });
    stored(&mut session, tz, |read| assert_eq!(read, ValueRef::Text("1970-01-01 00:00:00.5+00:00")));
    let uuid = ValueRef::Uuid(*b"0123456789abcdef");
    stored(&mut session, uuid, |read| assert_eq!(read, ValueRef::Text("30313233-3435-3637-3839-616263646566")));
}

#[test]
fn sqlites_own_dates_are_read() {
    let mut session = memory();
    setup(
        &mut session,
        &[
            "CREATE TABLE t (d DATE DEFAULT (date('2024-02-29')), t TIME DEFAULT (time('12:34:56')), \
             dt DATETIME DEFAULT (datetime('2024-02-29 12:00')), tz TIMESTAMPTZ DEFAULT (datetime('2024-02-29 12:00')), \
             n DATETIME DEFAULT 1700000000, b BOOL DEFAULT FALSE, w DATE DEFAULT 'soon')",
            "INSERT INTO t DEFAULT VALUES",
        ],
    );
    let rows = rows(&mut session, "SELECT * FROM t", &[]);
    let noon = Timestamp { seconds: 1_709_208_000, nanoseconds: 0 };
    for (column, value) in [
        ValueRef::Date(19_782),
        ValueRef::Time(45_296_000_000_000),
        ValueRef::Timestamp(noon),
        ValueRef::TimestampTz(noon),
        ValueRef::I64(1_700_000_000),
        ValueRef::Bool(false),
        ValueRef::Text("soon"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(rows.value(0, column), Ok(value));
    }
}

#[test]
fn sqlite_understands_the_dates_that_are_written() {
    let mut session = memory();
    let seconds = 1_709_208_000;
    for value in [
        ValueRef::Timestamp(Timestamp { seconds, nanoseconds: 250_000_000 }),
        ValueRef::TimestampTz(Timestamp { seconds, nanoseconds: 0 }),
    ] {
        single(&mut session, "SELECT unixepoch($1)", &[value], |read| assert_eq!(read, ValueRef::I64(seconds)));
    }
    single(&mut session, "SELECT date($1, '+1 day')", &[ValueRef::Date(0)], |read| {
        assert_eq!(read, ValueRef::Text("1970-01-02"));
    });
    single(&mut session, "SELECT time($1)", &[ValueRef::Time(1_000_000_000)], |read| {
        assert_eq!(read, ValueRef::Text("00:00:01"));
    });
}

#[test]
fn intervals_are_text_of_iso_8601() {
    let mut session = memory();
    for (months, days, microseconds, text) in [
        (0, 0, 0, "PT0S"),
        (14, 3, -4_500_000, "P14M3DT-4.5S"),
        (0, -1, 1, "P-1DT0.000001S"),
        (i32::MIN, 0, i64::MIN, "P-2147483648MT-9223372036854.775808S"),
    ] {
        let bound = [ValueRef::Interval { months, days, microseconds }];
        assert_eq!(rows(&mut session, "SELECT $1", &bound).value(0, 0), Ok(ValueRef::Text(text)));
    }
}

#[test]
fn what_sqlite_cannot_store_is_refused_by_the_parameters_name() {
    let mut session = memory();
    let dimension = [Dimension { len: 1, lower_bound: 1 }];
    let array = Array::encode(&dimension, [ValueRef::I32(1)].into_iter()).unwrap();
    for value in [
        ValueRef::F64(f64::NAN),
        ValueRef::F32(f32::NAN),
        ValueRef::Date(i64::MAX),
        ValueRef::Date(10_000_000),
        ValueRef::Time(u64::MAX),
        ValueRef::Timestamp(Timestamp { seconds: i64::MIN, nanoseconds: 0 }),
        ValueRef::TimestampTz(Timestamp { seconds: 1 << 60, nanoseconds: 0 }),
        ValueRef::Array(Array::parse(&array).unwrap()),
    ] {
        let error = fails(query(&mut session, "SELECT $2, $1", &[ValueRef::Null, value]), ErrorKind::ENCODE);
        assert!(error.to_string().ends_with("parameter $2"), "{error}");
        assert!(!error.record().hint.is_empty());
    }
}

#[test]
fn text_that_is_not_utf8_arrives_as_bytes_and_spoils_nothing() {
    let mut session = memory();
    let sql = "SELECT 'before', CAST(x'66ff' AS TEXT), 'after'";
    let rows = rows(&mut session, sql, &[]);
    assert_eq!(rows.value(0, 0), Ok(ValueRef::Text("before")));
    assert_eq!(rows.value(0, 1), Ok(ValueRef::OtherBytes(b"f\xff")));
    assert_eq!(rows.value(0, 2), Ok(ValueRef::Text("after")));
    // Also in a batch that is not the last.
    let token = session.prepare("VALUES (CAST(x'ff' AS TEXT)), (1)").unwrap();
    let small = QueryOptions { max_rows: 0, batch_bytes: 0 };
    let answer = run_with(&mut session, &token, &bound(&[]), small).unwrap();
    assert!(!answer.is_finished);
    assert_eq!(answer.batch.check().unwrap().value(0, 0), Ok(ValueRef::OtherBytes(b"\xff")));
    for declared in TYPES {
        let mut session = table(declared);
        setup(&mut session, &["INSERT INTO t VALUES (CAST(x'66ff' AS TEXT))"]);
        single(&mut session, "SELECT a FROM t", &[], |read| assert_eq!(read, ValueRef::OtherBytes(b"f\xff")));
    }
}

#[test]
fn numbers_in_json_and_decimal_columns_are_json_and_decimals() {
    let mut json = table("JSON");
    stored(&mut json, ValueRef::Json("123"), |read| assert_eq!(read, ValueRef::Json("123")));
    stored(&mut json, ValueRef::Json("0.5"), |read| assert_eq!(read, ValueRef::Json("0.5")));
    comes_back(&mut json, ValueRef::Json("{\"a\": [1, null]}"));
    let mut decimal = table("NUMERIC");
    stored(&mut decimal, ValueRef::Decimal("12.30"), |read| assert_eq!(read, ValueRef::Decimal("12.3")));
    stored(&mut decimal, ValueRef::I64(7), |read| assert_eq!(read, ValueRef::Decimal("7")));
    comes_back(&mut decimal, ValueRef::Decimal("NaN"));
    comes_back(&mut decimal, ValueRef::Text("n/a"));
}

#[test]
fn binary_json_is_json_where_it_is_declared_and_bytes_elsewhere() {
    for declared in ["JSON", "JSONB"] {
        let mut session = table(declared);
        let value = [ValueRef::Json("{\"a\": [1, null]}")];
        super::query(&mut session, "INSERT INTO t VALUES (jsonb($1))", &value).unwrap();
        single(&mut session, "SELECT typeof(a) FROM t", &[], |read| assert_eq!(read, ValueRef::Text("blob")));
        single(&mut session, "SELECT a FROM t", &[], |read| assert_eq!(read, ValueRef::Json("{\"a\":[1,null]}")));
        for sql in ["SELECT CAST(a AS BLOB) FROM t", "SELECT max(a) FROM t", "SELECT jsonb(a) FROM t"] {
            single(&mut session, sql, &[], |read| assert!(matches!(read, ValueRef::Bytes(_)), "{read:?}"));
        }
        single(&mut session, "SELECT json(a) FROM t", &[], |read| {
            assert_eq!(read, ValueRef::Text("{\"a\":[1,null]}"));
        });
    }
}

#[test]
fn a_utf16_database_gives_the_same_text() {
    let mut session = memory();
    setup(&mut session, &["PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t (a)"]);
    comes_back(&mut session, ValueRef::Text("grüße 🦀"));
}

fn any_value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        any::<i64>().prop_map(OwnedValue::Integer),
        any::<f64>().prop_map(OwnedValue::Real),
        "\\PC{0,20}".prop_map(OwnedValue::Text),
        "[0-9.:eE +-]{0,12}".prop_map(OwnedValue::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(OwnedValue::Bytes),
    ]
}

#[derive(Clone, Debug)]
enum OwnedValue {
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl OwnedValue {
    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Integer(value) => ValueRef::I64(*value),
            Self::Real(value) if value.is_nan() => ValueRef::Null,
            Self::Real(value) => ValueRef::F64(*value),
            Self::Text(value) => ValueRef::Text(value),
            Self::Bytes(value) => ValueRef::Bytes(value),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn dates_and_times_come_back_exactly(
        days in -719_528..=2_932_896i64,
        time in 0..=86_400_000_000_000u64,
        seconds in -62_167_219_200..=253_402_300_799i64,
        nanoseconds in 0..1_000_000_000u32,
    ) {
        let timestamp = Timestamp { seconds, nanoseconds };
        comes_back(&mut table("DATE"), ValueRef::Date(days));
        comes_back(&mut table("TIME"), ValueRef::Time(time));
        comes_back(&mut table("DATETIME"), ValueRef::Timestamp(timestamp));
        comes_back(&mut table("TIMESTAMP"), ValueRef::Timestamp(timestamp));
        comes_back(&mut table("TIMESTAMP"), ValueRef::TimestampTz(timestamp));
        comes_back(&mut table("TIMESTAMP WITH TIME ZONE"), ValueRef::TimestampTz(timestamp));
    }

    #[test]
    fn identifiers_booleans_and_json_come_back_exactly(uuid in any::<[u8; 16]>(), bool in any::<bool>(), text in "\\PC{0,20}") {
        comes_back(&mut table("uuid"), ValueRef::Uuid(uuid));
        stored(&mut table("uuid"), ValueRef::Bytes(&uuid), |read| assert_eq!(read, ValueRef::Uuid(uuid)));
        comes_back(&mut table("Boolean"), ValueRef::Bool(bool));
        let json = format!("{{\"a\": {text:?}}}");
        comes_back(&mut table("JSON"), ValueRef::Json(&json));
    }

    #[test]
    fn decimals_come_back_exactly_as_far_as_their_column_allows(
        integer in any::<i64>(),
        digits in -999_999_999_999_999..=999_999_999_999_999i64,
        scale in 0..=15u32,
        long in "-?[1-9][0-9]{0,40}\\.[0-9]{1,40}",
    ) {
        comes_back(&mut table("DECIMAL TEXT"), ValueRef::Decimal(&long));
        let mut session = table("DECIMAL(30, 10)");
        comes_back(&mut session, ValueRef::Decimal(&integer.to_string()));
        let sign = if digits < 0 { "-" } else { "" };
        let padded = format!("{:0>width$}", digits.unsigned_abs(), width = scale as usize + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale as usize);
        let decimal = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        stored(&mut session, ValueRef::Decimal(&decimal), |read| {
            let ValueRef::Decimal(read) = read else { panic!("{read:?}") };
            // Both are the same number with at most fifteen digits, which an f64 tells apart.
            assert_eq!(read.parse::<f64>().unwrap(), decimal.parse::<f64>().unwrap());
            assert!(!read.contains('.') || !read.ends_with('0'), "{read}");
        });
    }

    #[test]
    fn a_declared_type_never_makes_a_value_unreadable(owned in any_value(), index in 0..TYPES.len()) {
        let mut session = table(TYPES[index]);
        stored(&mut session, owned.value(), |_| ());
    }
}
