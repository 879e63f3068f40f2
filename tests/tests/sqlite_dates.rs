//! Dates and times in all forms that SQLite has, in both directions: text, seconds of Unix, Julian days.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use montrs_orm::{Database, DbErrorKind, RuntimeSql, Timestamp, Value};
use montrs_tests::builder;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// A table with a column for each type of dates, and for what else may hold one.
async fn table() -> Database {
    let db = builder("sqlite::memory:").connect().await.unwrap();
    let sql = "CREATE TABLE t (at DATETIME, stamp TIMESTAMP, z TIMESTAMPTZ, day DATE, time TIME, \
               n INTEGER, r REAL, word TEXT, any)";
    db.execute(sql).await.unwrap();
    db
}

const COLUMNS: [&str; 9] = ["at", "stamp", "z", "day", "time", "n", "r", "word", "any"];
/// Those that keep a number as a number.
const NUMBERS: [&str; 8] = ["at", "stamp", "z", "day", "time", "n", "r", "any"];

async fn store<T: montrs_orm::Encode + Copy>(db: &Database, value: T) {
    db.execute("DELETE FROM t").await.unwrap();
    let insert = db.query("INSERT INTO t VALUES ($1, $1, $1, $1, $1, $1, $1, $1, $1)");
    insert.bind(value).await.unwrap();
}

/// What an expression is that has no declared type.
fn alone(column: &str) -> RuntimeSql<String> {
    RuntimeSql(format!("SELECT max({column}) FROM t"))
}

fn column(column: &str) -> RuntimeSql<String> {
    RuntimeSql(format!("SELECT {column} FROM t"))
}

fn noon() -> NaiveDateTime {
    "2024-02-29T12:00:00".parse().unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[tokio::test]
async fn text_in_each_documented_form_is_read_with_its_type_and_without_one() {
    let db = table().await;
    let half = noon() + chrono::TimeDelta::milliseconds(500);
    for (stored, naive, instant) in [
        ("2024-02-29 12:00", Some(noon()), None),
        ("2024-02-29 12:00:00", Some(noon()), None),
        ("2024-02-29 12:00:00.500", Some(half), None),
        ("2024-02-29T12:00", Some(noon()), None),
        ("2024-02-29T12:00:00", Some(noon()), None),
        ("2024-02-29T12:00:00.5", Some(half), None),
        ("2024-02-29 12:00Z", None, Some(noon())),
        ("2024-02-29 12:00:00 Z", None, Some(noon())),
        ("2024-02-29T12:00:00.5Z", None, Some(half)),
        ("2024-02-29T14:00+02:00", None, Some(noon())),
        ("2024-02-29 14:00:00+02:00", None, Some(noon())),
        ("2024-02-29 06:30:00.500 -05:30", None, Some(half)),
        ("2024-02-29", Some(noon().date().into()), None),
    ] {
        store(&db, stored).await;
        // SQLite means the same.
        let understood: String = db.query("SELECT strftime('%FT%T.%f', any) FROM t").fetch_scalar().await.unwrap();
        let meant = naive.or(instant).unwrap();
        assert!(understood.starts_with(&meant.format("%FT%T").to_string()), "{stored}: {understood}");
        let sources = COLUMNS.into_iter().filter(|name| !matches!(*name, "z" | "day" | "time"));
        for sql in sources.flat_map(|name| [column(name), alone(name)]) {
            let as_naive = db.query(sql.clone()).fetch_scalar::<NaiveDateTime>().await;
            let as_utc = db.query(sql.clone()).fetch_scalar::<DateTime<Utc>>().await;
            let as_local = db.query(sql.clone()).fetch_scalar::<DateTime<FixedOffset>>().await;
            match (naive, instant) {
                (Some(naive), _) => {
                    assert_eq!(as_naive.unwrap(), naive, "{stored}: {sql:?}");
                    let error = as_utc.unwrap_err();
                    assert!(error.to_string().contains("NaiveDateTime"), "{stored}: {sql:?}: {error}");
                }
                (None, instant) => {
                    assert_eq!(as_utc.unwrap().naive_utc(), instant.unwrap(), "{stored}: {sql:?}");
                    assert_eq!(as_local.unwrap().naive_utc(), instant.unwrap(), "{stored}: {sql:?}");
                    let error = as_naive.unwrap_err();
                    assert!(error.to_string().contains("DateTime<Utc>"), "{stored}: {sql:?}: {error}");
                }
            }
        }
        // There, text without an offset is UTC.
        let utc: DateTime<Utc> = db.query("SELECT z FROM t").fetch_scalar().await.unwrap();
        assert_eq!(utc.naive_utc(), meant, "{stored}");
    }
    for stored in ["12:34", "12:34:00", "12:34:00.000"] {
        store(&db, stored).await;
        for sql in COLUMNS.into_iter().flat_map(|name| [column(name), alone(name)]) {
            let time: NaiveTime = db.query(sql).fetch_scalar().await.unwrap();
            assert_eq!(time, NaiveTime::from_hms_opt(12, 34, 0).unwrap());
        }
    }
    store(&db, "2024-02-29").await;
    for name in ["day", "time", "n", "r", "word", "any"] {
        let day: NaiveDate = db.query(column(name)).fetch_scalar().await.unwrap();
        assert_eq!(day, noon().date());
    }
}

#[tokio::test]
async fn values_show_what_was_found() {
    let db = table().await;
    let noon = Timestamp { seconds: 1_709_208_000, nanoseconds: 0 };
    for (stored, at, z) in [
        ("2024-02-29 12:00:00", Value::Timestamp(noon), Value::TimestampTz(noon)),
        ("2024-02-29 12:00:00Z", Value::TimestampTz(noon), Value::TimestampTz(noon)),
        ("2024-02-29T14:00:00+02:00", Value::TimestampTz(noon), Value::TimestampTz(noon)),
        ("last year", text("last year"), text("last year")),
        ("12:00", text("12:00"), text("12:00")),
    ] {
        store(&db, stored).await;
        let row: (Value, Value) = db.query("SELECT at, z FROM t").fetch_one().await.unwrap();
        assert_eq!(row, (at, z), "{stored}");
    }
}

#[tokio::test]
async fn numbers_are_dates_for_who_asks_for_dates_and_numbers_for_everybody_else() {
    let db = table().await;
    let seconds = noon().and_utc().timestamp();
    let half = noon() + chrono::TimeDelta::milliseconds(250);
    store(&db, seconds).await;
    for sql in NUMBERS.into_iter().flat_map(|name| [column(name), alone(name)]) {
        assert_eq!(db.query(sql.clone()).fetch_scalar::<NaiveDateTime>().await.unwrap(), noon(), "{sql:?}");
        assert_eq!(
            db.query(sql.clone()).fetch_scalar::<Option<DateTime<Utc>>>().await.unwrap(),
            Some(noon().and_utc())
        );
        assert_eq!(db.query(sql.clone()).fetch_scalar::<f64>().await.unwrap(), seconds as f64);
        let error = db.query(sql).fetch_scalar::<NaiveDate>().await.unwrap_err();
        assert!(error.to_string().contains("more than a date"), "{error}");
    }
    for name in ["at", "stamp", "z", "day", "time", "n", "any"] {
        assert_eq!(db.query(column(name)).fetch_scalar::<i64>().await.unwrap(), seconds);
        assert_eq!(db.query(column(name)).fetch_scalar::<Value>().await.unwrap(), Value::I64(seconds));
    }
    store(&db, seconds as f64 + 0.25).await;
    for sql in NUMBERS.into_iter().flat_map(|name| [column(name), alone(name)]) {
        assert_eq!(db.query(sql.clone()).fetch_scalar::<NaiveDateTime>().await.unwrap(), half, "{sql:?}");
        assert_eq!(db.query(sql).fetch_scalar::<f64>().await.unwrap(), seconds as f64 + 0.25);
    }
    let julian: f64 = db.query("SELECT julianday('2024-02-29 18:00:00.123')").fetch_scalar().await.unwrap();
    store(&db, julian).await;
    for sql in NUMBERS.into_iter().flat_map(|name| [column(name), alone(name)]) {
        let at: DateTime<Utc> = db.query(sql.clone()).fetch_scalar().await.unwrap();
        assert_eq!(at.to_string(), "2024-02-29 18:00:00.123 UTC", "{sql:?}");
        assert_eq!(db.query(sql.clone()).fetch_scalar::<Value>().await.unwrap(), Value::F64(julian), "{sql:?}");
    }
    // Midnight is half a Julian day.
    store(&db, 2_460_369.5).await;
    assert_eq!(db.query("SELECT day FROM t").fetch_scalar::<NaiveDate>().await.unwrap(), noon().date());
}

/// A whole Julian day becomes an integer in a column of dates, by its affinity; as seconds it would be in 1970.
#[tokio::test]
async fn an_integer_that_may_be_either_is_refused_as_a_date_and_read_as_a_number() {
    let db = table().await;
    for number in [0, 2_460_370, 5_373_484] {
        store(&db, number as f64).await;
        let error = db.query("SELECT at FROM t").fetch_scalar::<DateTime<Utc>>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Decode);
        let message = error.to_string();
        assert!(message.contains("\"at\"") && message.contains("Julian") && message.contains("1970"), "{error}");
        assert_eq!(db.query("SELECT at FROM t").fetch_scalar::<i64>().await.unwrap(), number);
    }
    let sql = "SELECT datetime(at, 'unixepoch') FROM t";
    assert_eq!(db.query(sql).fetch_scalar::<NaiveDateTime>().await.unwrap().to_string(), "1970-03-04 04:38:04");
    for number in [i64::MAX, i64::MIN, 253_402_300_800, -210_866_760_001, 1_709_208_000_000] {
        store(&db, number).await;
        let error = db.query("SELECT at FROM t").fetch_scalar::<NaiveDateTime>().await.unwrap_err();
        assert!(error.to_string().contains("neither"), "{error}");
        assert_eq!(db.query("SELECT at FROM t").fetch_scalar::<i64>().await.unwrap(), number);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn runner() -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::default() })
}

/// What SQLite itself takes a number for, in seconds since 1970.
const BY_SQLITE: &str = "SELECT $1, unixepoch($1, 'auto', 'subsec')";

#[test]
fn numbers_are_the_dates_that_sqlite_takes_them_for() {
    let runtime = runtime();
    let db = runtime.block_on(table());
    let numbers = prop_oneof![
        (-210_866_760_000..=253_402_300_799_i64).prop_map(Value::I64),
        any::<i64>().prop_map(Value::I64),
        (0.0..5_373_484.5).prop_map(Value::F64),
        (-210_866_760_000.0..=253_402_300_799.0).prop_map(Value::F64),
        any::<f64>().prop_filter("NULL for SQLite", |number| !number.is_nan()).prop_map(Value::F64),
    ];
    let checked = runner().run(&numbers, |number| {
        runtime.block_on(async {
            let query = match number {
                Value::I64(number) => db.query(BY_SQLITE).bind(number),
                Value::F64(number) => db.query(BY_SQLITE).bind(number),
                _ => unreachable!("only numbers are made"),
            };
            let is_ambiguous = matches!(number, Value::I64(0..=5_373_484));
            match query.fetch_one::<(DateTime<Utc>, f64)>().await {
                Ok((read, seconds)) => {
                    prop_assert!(!is_ambiguous);
                    prop_assert_eq!(read.timestamp_millis(), (seconds * 1000.0).round() as i64);
                }
                Err(error) if is_ambiguous => prop_assert!(error.to_string().contains("Julian"), "{}", error),
                // SQLite gives NULL.
                Err(error) => prop_assert!(error.to_string().contains("neither"), "{}", error),
            }
            Ok(())
        })
    });
    checked.unwrap();
}

#[test]
fn dates_come_back_from_every_column_and_sqlite_understands_them() {
    let runtime = runtime();
    let db = runtime.block_on(table());
    let times = (-62_167_219_200..=253_402_300_799_i64, 0..1_000_000_000_u32);
    let checked = runner().run(&times, |(seconds, nanoseconds)| {
        runtime.block_on(async {
            let instant = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
            let naive = instant.naive_utc();
            let sources =
                || ["at", "stamp", "n", "r", "word", "any"].into_iter().flat_map(|name| [column(name), alone(name)]);
            store(&db, instant).await;
            for sql in sources().chain([column("z")]) {
                prop_assert_eq!(db.query(sql).fetch_scalar::<DateTime<Utc>>().await.unwrap(), instant);
            }
            let understood: i64 = db.query("SELECT unixepoch(any) FROM t").fetch_scalar().await.unwrap();
            prop_assert_eq!(understood, seconds);
            store(&db, naive).await;
            for sql in sources() {
                prop_assert_eq!(db.query(sql).fetch_scalar::<NaiveDateTime>().await.unwrap(), naive);
            }
            store(&db, naive.date()).await;
            for name in ["day", "n", "r", "word", "any"] {
                prop_assert_eq!(db.query(column(name)).fetch_scalar::<NaiveDate>().await.unwrap(), naive.date());
            }
            store(&db, naive.time()).await;
            for name in ["time", "n", "r", "word", "any"] {
                prop_assert_eq!(db.query(column(name)).fetch_scalar::<NaiveTime>().await.unwrap(), naive.time());
            }
            // As numbers, for who wants to store them so.
            store(&db, seconds).await;
            let read = db.query("SELECT at FROM t").fetch_scalar::<DateTime<Utc>>().await;
            match seconds {
                0..=5_373_484 => prop_assert!(read.is_err()),
                _ => prop_assert_eq!(read.unwrap().timestamp(), seconds),
            }
            Ok(())
        })
    });
    checked.unwrap();
}
