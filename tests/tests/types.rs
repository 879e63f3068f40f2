//! Each Rust type there and back, through the driver; and `docs/types.md`, which is made of the same table.

use montrs_orm::{AiError, Capability, Database, DbError, DbErrorKind, Decode, Encode, Interval, Json, RuntimeSql};
use montrs_tests::{Place, differs, on_postgres};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{
    borrow::Cow,
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::runtime::Runtime;

/// A line of the table: the Rust types, the feature they need, and columns for them on SQLite and PostgreSQL. There is none
/// for an array where a database has no arrays.
struct Line {
    rust: &'static str,
    feature: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// The table, and a test of each of its lines with values of this strategy.
macro_rules! types {
    ($($rust:literal, $feature:literal, $sqlite:literal, $postgres:literal, $strategy:expr;)*) => {
        const TABLE: &[Line] =
            &[$(Line { rust: $rust, feature: $feature, sqlite: $sqlite, postgres: $postgres }),*];

        #[test]
        fn every_type_reads_back() {
            let runtime = Runtime::new().unwrap();
            let (place, db) = runtime.block_on(async {
                let place = Place::new();
                let db = place.open().await;
                (place, db)
            });
            $(reads_back(&runtime, &db, $rust, differs($sqlite, $postgres), $strategy);)*
            drop((db, place));
        }
    };
}

types! {
    "`bool`", "", "BOOLEAN", "boolean", any::<bool>();
    "`i8`", "", "SMALLINT", "smallint", any::<i8>();
    "`i16`", "", "SMALLINT", "smallint", any::<i16>();
    "`i32`", "", "INTEGER", "integer", any::<i32>();
    "`i64`, `isize`", "", "BIGINT", "bigint", any::<i64>();
    "`u8`", "", "SMALLINT", "smallint", any::<u8>();
    "`u16`", "", "INTEGER", "integer", any::<u16>();
    "`u32`", "", "BIGINT", "bigint", any::<u32>();
    "`u64`, `usize`, up to `i64::MAX`", "", "BIGINT", "bigint", 0..=i64::MAX as u64;
    "`i128`", "", "DECIMAL TEXT", "numeric", prop_oneof![any::<i128>(), -9..9i128];
    "`u128`", "", "DECIMAL TEXT", "numeric", prop_oneof![any::<u128>(), 0..9u128];
    "`f32`", "", "REAL", "real", proptest::num::f32::ANY.prop_filter("NaN is not itself", |v| !v.is_nan());
    "`f64`", "", "DOUBLE PRECISION", "double precision",
        proptest::num::f64::ANY.prop_filter("NaN is not itself", |v| !v.is_nan());
    "`String`, `&str`, `Cow<str>`, `Box<str>`, `Arc<str>`", "", "TEXT", "text", text();
    "`Vec<u8>`, `&[u8]`, `Cow<[u8]>`, `[u8; N]`", "", "BLOB", "bytea", any::<Vec<u8>>();
    "`Option<T>`", "", "as `T`, may be NULL", "as `T`, may be NULL", proptest::option::of(any::<i64>());
    "`Vec<T>`, `[T; N]`, `&[T]`", "", "", "as `T`, with `[]`", any::<Vec<i64>>();
    "`Vec<Option<T>>`", "", "", "as `T`, with `[]`", proptest::collection::vec(proptest::option::of(text()), 0..4);
    "`IpAddr`, `Ipv4Addr`, `Ipv6Addr`", "", "TEXT", "inet", any::<IpAddr>();
    "`Interval`", "", "TEXT", "interval", interval();
    "`std::time::Duration`, to the microsecond", "", "TEXT", "interval", (0..=i64::MAX as u64).prop_map(Duration::from_micros);
    "`chrono::NaiveDate`", "`chrono`", "DATE", "date", days().prop_map(chrono_date);
    "`chrono::NaiveTime`", "`chrono`", "TIME", "time", time_of_day().prop_map(chrono_time);
    "`chrono::NaiveDateTime`", "`chrono`", "TIMESTAMP", "timestamp", instant().prop_map(|at| chrono_instant(at).naive_utc());
    "`chrono::DateTime<Utc>`, `<FixedOffset>`, `<Local>`", "`chrono`", "TIMESTAMPTZ", "timestamptz",
        instant().prop_map(chrono_instant);
    "`chrono::TimeDelta`, to the microsecond", "`chrono`", "TEXT", "interval",
        any::<i64>().prop_map(chrono::TimeDelta::microseconds);
    "`jiff::civil::Date`", "`jiff`", "DATE", "date", instant().prop_map(|at| jiff_civil(at).date());
    "`jiff::civil::Time`", "`jiff`", "TIME", "time", instant().prop_map(|at| jiff_civil(at).time());
    "`jiff::civil::DateTime`", "`jiff`", "TIMESTAMP", "timestamp", instant().prop_map(jiff_civil);
    "`jiff::Timestamp`", "`jiff`", "TIMESTAMPTZ", "timestamptz", instant().prop_map(jiff_instant);
    "`jiff::SignedDuration`, to the microsecond", "`jiff`", "TEXT", "interval",
        any::<i64>().prop_map(jiff::SignedDuration::from_micros);
    "`time::Date`", "`time`", "DATE", "date", instant().prop_map(|at| time_instant(at).date());
    "`time::Time`", "`time`", "TIME", "time", instant().prop_map(|at| time_instant(at).time());
    "`time::PrimitiveDateTime`", "`time`", "TIMESTAMP", "timestamp",
        instant().prop_map(|at| time::PrimitiveDateTime::new(time_instant(at).date(), time_instant(at).time()));
    "`time::OffsetDateTime`, `time::UtcDateTime`", "`time`", "TIMESTAMPTZ", "timestamptz", instant().prop_map(time_instant);
    "`time::Duration`, to the microsecond", "`time`", "TEXT", "interval", any::<i64>().prop_map(time::Duration::microseconds);
    "`rust_decimal::Decimal`", "`rust_decimal`", "DECIMAL TEXT", "numeric",
        (any::<i64>(), 0..=28u32).prop_map(|(digits, scale)| rust_decimal::Decimal::new(digits, scale));
    "`bigdecimal::BigDecimal`", "`bigdecimal`", "DECIMAL TEXT", "numeric",
        (any::<i128>(), -40..=60i64).prop_map(|(digits, scale)| bigdecimal::BigDecimal::new(digits.into(), scale));
    "`uuid::Uuid`", "`uuid`", "UUID", "uuid", any::<u128>().prop_map(uuid::Uuid::from_u128);
    "`serde_json::Value`", "`json`", "JSON", "jsonb, json", json();
    "`Json<T>`", "`json`", "JSON", "jsonb, json", any::<Vec<(i64, bool)>>().prop_map(Json);
}

/// Inserts any values into a column of the type, and reads them.
fn reads_back<T>(runtime: &Runtime, db: &Database, rust: &str, column: &str, strategy: impl Strategy<Value = T>)
where
    T: Encode + for<'r> Decode<'r> + Debug + PartialEq + Send + Sync,
{
    let column = match column {
        "" => return runtime.block_on(is_refused_without_arrays(db, rust)),
        "as `T`, may be NULL" => "BIGINT",
        "as `T`, with `[]`" if rust.contains("Option") => "text[]",
        "as `T`, with `[]`" => "bigint[]",
        several => several.split(", ").next().unwrap_or(several),
    };
    let table = format!("t{}", TABLE.iter().position(|line| line.rust == rust).unwrap());
    let create = format!("CREATE TABLE {table} (n BIGINT, x {column})");
    runtime.block_on(db.execute(RuntimeSql(create)).into_future()).unwrap();
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&proptest::collection::vec(strategy, 1..24), |values| {
        let read = runtime.block_on(through(db, &table, &values));
        prop_assert_eq!(read.map_err(|error| TestCaseError::fail(error.to_string()))?, values);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{rust} in a column of {column}: {error}"));
}

/// Inserts the values into an empty table, and reads them.
async fn through<T>(db: &Database, table: &str, values: &[T]) -> Result<Vec<T>, DbError>
where
    T: Encode + for<'r> Decode<'r> + Sync,
{
    db.execute(RuntimeSql(format!("DELETE FROM {table}"))).await?;
    db.execute_many(RuntimeSql(format!("INSERT INTO {table} VALUES ($1, $2)")), (0i64..).zip(values)).await?;
    let mut read = Vec::new();
    db.query(RuntimeSql(format!("SELECT x FROM {table} ORDER BY n")))
        .for_each(|row| {
            read.push(row.get(0)?);
            Ok(())
        })
        .await?;
    Ok(read)
}

async fn is_refused_without_arrays(db: &Database, rust: &str) {
    assert_eq!(db.capability(Capability::ARRAYS), 0, "{rust}");
    let error = db.query("SELECT $1").bind(vec![1i64]).fetch_scalar::<String>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.suggested_fixes().join(" ").contains("Json(values)"), "{error:?}");
}

/// PostgreSQL's text has no NUL.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| if on_postgres() { text.replace('\0', "") } else { text })
}

fn interval() -> impl Strategy<Value = Interval> {
    let any = (any::<i32>(), any::<i32>(), any::<i64>());
    any.prop_map(|(months, days, microseconds)| Interval { months, days, microseconds })
}

/// Days of the years 0 to 9999 since 1970-01-01, which both databases have.
fn days() -> impl Strategy<Value = i32> {
    -719_528..=2_932_896
}

/// Nanoseconds since midnight, in the steps of the database.
fn time_of_day() -> impl Strategy<Value = u64> {
    (0..86_400_000_000_000u64).prop_map(stepped)
}

/// Seconds and nanoseconds since 1970-01-01, of the years 0 to 9999; that jiff's instants end two days earlier is not looked
/// for here.
fn instant() -> impl Strategy<Value = (i64, u32)> {
    (-62_167_219_200..=253_402_200_000i64, (0..1_000_000_000u64).prop_map(|nanoseconds| stepped(nanoseconds) as u32))
}

fn stepped(nanoseconds: u64) -> u64 {
    nanoseconds - nanoseconds % differs(1, 1000)
}

fn chrono_date(days: i32) -> chrono::NaiveDate {
    chrono::NaiveDate::from_epoch_days(days).unwrap()
}

fn chrono_time(nanoseconds: u64) -> chrono::NaiveTime {
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, fraction as u32).unwrap()
}

fn chrono_instant((seconds, nanoseconds): (i64, u32)) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(seconds, nanoseconds).unwrap()
}

fn jiff_instant((seconds, nanoseconds): (i64, u32)) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap() + Duration::from_nanos(nanoseconds.into())
}

fn jiff_civil(at: (i64, u32)) -> jiff::civil::DateTime {
    jiff::tz::Offset::UTC.to_datetime(jiff_instant(at))
}

fn time_instant((seconds, nanoseconds): (i64, u32)) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().replace_nanosecond(nanoseconds).unwrap()
}

/// No floating-point numbers: PostgreSQL makes decimals of them.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^\\x00]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[^\\x00]{0,4}", inner), 0..4).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

/// Types that share a line of the table with the one that has random values.
#[tokio::test]
async fn the_others_of_a_line_read_back() {
    async fn read_back<T>(db: &Database, column: &str, values: Vec<T>)
    where
        T: Encode + for<'r> Decode<'r> + Debug + PartialEq + Sync,
    {
        let table = format!("of_{}", column.replace(['[', ']', ' '], "_"));
        db.execute(RuntimeSql(format!("CREATE TABLE IF NOT EXISTS {table} (n BIGINT, x {column})"))).await.unwrap();
        assert_eq!(through(db, &table, &values).await.unwrap(), values, "{column}");
    }
    let (db, _place) = montrs_tests::open().await;
    let instants = [(0, 0), (-1_000_000_000, 999_999_000), (1_700_000_000, 1000)].map(chrono_instant);
    let two_hours = chrono::FixedOffset::east_opt(7200).unwrap();
    read_back(&db, "BIGINT", vec![isize::MIN, -1, 0, isize::MAX]).await;
    read_back(&db, "BIGINT", vec![0, isize::MAX as usize]).await;
    read_back(&db, "TIMESTAMPTZ", instants.map(|at| at.with_timezone(&two_hours)).to_vec()).await;
    read_back(&db, "TIMESTAMPTZ", instants.map(|at| at.with_timezone(&chrono::Local)).to_vec()).await;
    let utc = [(0, 0), (-1, 1000)].map(|at| time::UtcDateTime::from(time_instant(at)));
    read_back(&db, "TIMESTAMPTZ", utc.to_vec()).await;
    if db.capability(Capability::ARRAYS) == 1 {
        read_back(&db, "uuid[]", vec![vec![], vec![uuid::Uuid::nil(), uuid::Uuid::max()]]).await;
        read_back(&db, "boolean[]", vec![vec![Some(true), None, Some(false)], vec![]]).await;
        read_back(&db, "double precision[]", vec![vec![f64::INFINITY, f64::MIN, -0.5, f64::MIN_POSITIVE]]).await;
        read_back(&db, "real[]", vec![vec![f32::NEG_INFINITY, f32::MAX, 0.5]]).await;
        read_back(&db, "date[]", vec![vec![chrono_date(-719_528), chrono_date(0), chrono_date(2_932_896)]]).await;
        read_back(&db, "timestamptz[]", vec![instants.to_vec()]).await;
        read_back(&db, "smallint[]", vec![[i16::MIN, 0, i16::MAX]]).await;
    }
}

#[tokio::test]
async fn borrowed_and_shared_text_and_bytes_are_bound_and_read() {
    let (db, _place) = montrs_tests::open().await;
    let bytes = differs("BLOB", "BYTEA");
    db.execute(RuntimeSql(format!("CREATE TABLE t (a TEXT, b {bytes})"))).await.unwrap();
    let insert = "INSERT INTO t VALUES ($1, $2)";
    db.execute(insert).bind(Cow::Borrowed("ä")).bind(Cow::Borrowed(&[1u8, 2][..])).await.unwrap();
    db.execute(insert).bind(Box::<str>::from("ä")).bind([1u8, 2]).await.unwrap();
    db.execute(insert).bind(Arc::<str>::from("ä")).bind(&[1u8, 2][..]).await.unwrap();
    let mut rows = 0;
    db.query("SELECT a, b FROM t")
        .for_each(|row| {
            assert!(matches!(row.get::<Cow<'_, str>>(0)?, Cow::Borrowed("ä")));
            assert!(matches!(row.get::<Cow<'_, [u8]>>(1)?, Cow::Borrowed([1, 2])));
            assert_eq!((row.get::<Box<str>>(0)?, row.get::<[u8; 2]>(1)?), ("ä".into(), [1, 2]));
            assert_eq!(row.get::<Arc<str>>(0)?, "ä".into());
            let error = row.get::<[u8; 3]>(1).unwrap_err().to_string();
            assert!(error.contains("\"b\"") && error.contains("2 elements, and 3"), "{error}");
            rows += 1;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn each_family_of_addresses_is_told_from_the_other() {
    let (db, _place) = montrs_tests::open().await;
    db.execute(RuntimeSql(format!("CREATE TABLE t (a {})", differs("TEXT", "inet")))).await.unwrap();
    db.execute("INSERT INTO t VALUES ($1)").bind(Ipv6Addr::LOCALHOST).await.unwrap();
    assert_eq!(db.query("SELECT a FROM t").fetch_one::<Ipv6Addr>().await.unwrap(), Ipv6Addr::LOCALHOST);
    let error = db.query("SELECT a FROM t").fetch_one::<Ipv4Addr>().await.unwrap_err();
    assert!(error.to_string().contains("IPv4") && error.to_string().contains("::1"), "{error}");
}

/// The page as the documentation has it.
fn page() -> String {
    let mut out = String::from(
        "# Types\n\n\
         What a Rust type is bound as and read from. Random values of the first type of each line, and some of the others, were written to\n\
         its first column and read back through each driver; where it says `T`, that was an integer or text. This page is written by the\n\
         test that does so, `tests/tests/types.rs`. Other columns are read too where nothing is lost: an `i32` from a `bigint`, if the\n\
         number fits; a `String` from a date, a UUID, a decimal or an interval.\n\n\
         | Rust | feature | SQLite | PostgreSQL |\n|---|---|---|---|\n",
    );
    let column = |types: &str| match types {
        "" => "none: `Json<Vec<T>>`".to_owned(),
        prose if prose.starts_with("as ") => prose.to_owned(),
        types => types.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    for Line { rust, feature, sqlite, postgres } in TABLE {
        out.push_str(&format!("| {rust} | {feature} | {} | {} |\n", column(sqlite), column(postgres)));
    }
    out + NOTES
}

const NOTES: &str = r#"| `Value`, `ValueRef` | | any | any |
| a struct of one field that derives `SqlType` | | as the field | as the field |
| an enum that derives `SqlType` | | `TEXT` | an enum of the database, `text` |
| an enum with `repr` that derives `SqlType` | | as the integer | as the integer |
| a struct with `#[orm(composite)]` that derives `SqlType` | | `TEXT` | a composite of the database, `text` |

`chrono`, `json`, `rust_decimal` and `uuid` are on unless switched off; `bigdecimal`, `jiff` and `time` are to be switched on.

- **Integers** are checked, and never wrapped: a number that does not fit is an error that names it. No database here has
  integers beyond `i64`: a larger `u64` is refused, and a larger `i128` or `u128` is a decimal.
- **Decimals** on SQLite want a column whose declared type has `TEXT` in it, since SQLite makes floating-point numbers of long
  decimals in others. NaN and infinities of `numeric` are read into `String` or `f64`.
- **NaN** is stored by PostgreSQL, and refused on SQLite, which would store NULL.
- **Dates and times** on SQLite are text, to the nanosecond, of the years 0 to 9999. PostgreSQL has microseconds: what is finer
  is cut off. Infinite dates, 24:00 and dates that a crate has not are read into `String` or `Value`. An instant is kept without
  its zone, and read in UTC.
- **Intervals** on SQLite are text of ISO 8601, `P14M3DT4.5S`. A duration is an interval of microseconds; finer ones are refused. An
  interval with days is read into a duration, a day taken as 24 hours; one with months only into `Interval`.
- **Arrays** have one dimension, and elements of one type. Those of more dimensions are `Value::Array`. `Vec<u8>` is bytes.
- **JSON**: `Json<T>` reads text as well, and borrows from it where `T` does. PostgreSQL has no NUL in text or `jsonb`.
- **Addresses** of a network, such as `10.0.0.0/8`, are read into `String`.
- **Composites** cross as text, `(1,"a b",)`, which is what a database without such types stores. Fields go by their order, and are
  of any type above that owns what it holds; so are the composites of an array. Dates are of the years 1 to 9999, PostgreSQL rounds
  times to microseconds there, and its settings `DateStyle` and `IntervalStyle` have to be the default ones. In a comparison it wants
  to be told the type: `home = $1::address`. Without a struct, a composite is read into `String`.
- **What is not known here**, such as a range, is the database's text, and read into `String`, or `Value`. A column that cannot be
  read, or is not of the expected type, is an error of who reads it: the rest of the row can be read.
"#;

#[test]
fn the_table_in_the_documentation_is_the_one_that_is_tested() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/types.md");
    if std::env::var_os("MONTRS_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, page(), "run the test with MONTRS_WRITE_DOCS=1 to write it anew");
}
