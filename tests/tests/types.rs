//! Each Rust type there and back, through the driver; and `docs/types.md`, which is made of the same table.

mod typed;

use montrs_orm::{AiError, Capability, Database, DbErrorKind, Decode, Encode, Json, RuntimeSql};
use montrs_tests::differs;
use proptest::prelude::*;
use std::{
    borrow::Cow,
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use typed::*;

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
            let scene = Scene::new();
            $(reads_back(&scene, $rust, differs($sqlite, $postgres), $strategy);)*
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

/// Inserts any values into a column of the line's type, and reads them.
fn reads_back<T>(scene: &Scene, rust: &str, column: &str, strategy: impl Strategy<Value = T>)
where
    T: Encode + for<'r> Decode<'r> + Clone + Debug + PartialEq + Send + Sync,
{
    let column = match column {
        "" => return scene.runtime.block_on(is_refused_without_arrays(&scene.db, rust)),
        "as `T`, may be NULL" => "BIGINT",
        "as `T`, with `[]`" if rust.contains("Option") => "text[]",
        "as `T`, with `[]`" => "bigint[]",
        several => several.split(", ").next().unwrap_or(several),
    };
    scene.reads_back(rust, column, strategy);
}

async fn is_refused_without_arrays(db: &Database, rust: &str) {
    assert_eq!(db.capability(Capability::ARRAYS), 0, "{rust}");
    let error = db.query("SELECT $1").bind(vec![1i64]).fetch_scalar::<String>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.suggested_fixes().join(" ").contains("Json(values)"), "{error:?}");
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
         What a Rust type is bound as and read from. Random values of each type that owns what it holds are written to the column of its line\n\
         and read back through each driver, and so are arrays of each of its types. This page is written by the test that does so, `tests/tests/types.rs`;\n\
         `tests/tests/typed/variants.rs` has the others of a line. Other columns are read too where nothing is lost: an `i32` from a `bigint`, if the\n\
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
