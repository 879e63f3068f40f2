//! Types that share a line of `docs/types.md` with another one, arrays of each type, and what becomes of more than a database keeps.

use super::*;
use chrono::{DateTime, FixedOffset, Local};
use montrs_orm::{AiError, Capability, DbErrorKind, Interval, Json, RuntimeSql, Value};
use montrs_tests::differs;
use proptest::{collection::vec, option, prelude::*};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

#[test]
fn the_others_of_a_line_read_back() {
    let scene = Scene::new();
    let (bytes, address, json_type) = (differs("BLOB", "bytea"), differs("TEXT", "inet"), differs("JSON", "json"));
    scene.reads_back("isize", "BIGINT", any::<isize>());
    scene.reads_back("usize", "BIGINT", 0..=isize::MAX as usize);
    scene.reads_back("Box<str>", "TEXT", text().prop_map(Box::<str>::from));
    scene.reads_back("Arc<str>", "TEXT", text().prop_map(Arc::<str>::from));
    scene.reads_back("[u8; 16]", bytes, any::<[u8; 16]>());
    scene.reads_back("Ipv4Addr", address, any::<Ipv4Addr>());
    scene.reads_back("Ipv6Addr", address, any::<Ipv6Addr>());
    let two_hours = FixedOffset::east_opt(7200).unwrap();
    let fixed = instant().prop_map(move |at| chrono_instant(at).with_timezone(&two_hours));
    scene.reads_back::<DateTime<FixedOffset>>("DateTime<FixedOffset>", "TIMESTAMPTZ", fixed);
    let local = instant().prop_map(|at| chrono_instant(at).with_timezone(&Local));
    scene.reads_back::<DateTime<Local>>("DateTime<Local>", "TIMESTAMPTZ", local);
    scene.reads_back("UtcDateTime", "TIMESTAMPTZ", instant().prop_map(|at| time::UtcDateTime::from(time_instant(at))));
    scene.reads_back("json", json_type, json());
    scene.reads_back("Json of json", json_type, any::<Vec<(i64, bool)>>().prop_map(Json));
    scene.reads_back("Option<String>", "TEXT", option::of(text()));
    scene.reads_back("Option<Vec<u8>>", bytes, option::of(any::<Vec<u8>>()));
    scene.reads_back("Option<Date>", "DATE", option::of(days().prop_map(chrono_date)));
}

#[test]
fn values_of_no_known_type_read_back() {
    let scene = Scene::new();
    let finite = any::<f64>().prop_filter("NaN is not itself", |v| !v.is_nan());
    scene.reads_back("integers", "BIGINT", option::of(any::<i64>()).prop_map(|v| v.map_or(Value::Null, Value::I64)));
    scene.reads_back("floats", "DOUBLE PRECISION", finite.prop_map(Value::F64));
    scene.reads_back("booleans", "BOOLEAN", any::<bool>().prop_map(Value::Bool));
    scene.reads_back("texts", "TEXT", text().prop_map(Value::Text));
    scene.reads_back("bytes", differs("BLOB", "bytea"), any::<Vec<u8>>().prop_map(Value::Bytes));
    scene.reads_back("dates", "DATE", days().prop_map(|days| Value::Date(days.into())));
    scene.reads_back("times", "TIME", time_of_day().prop_map(Value::Time));
    scene.reads_back("uuids", "UUID", any::<[u8; 16]>().prop_map(Value::Uuid));
}

/// Where there are arrays; and everywhere as JSON, for the elements that have a form there.
#[test]
fn arrays_of_each_type_read_back() {
    let scene = Scene::new();
    let small = 0..6usize;
    scene.reads_back("Json of integers", differs("JSON", "jsonb"), vec(any::<i64>(), small.clone()).prop_map(Json));
    scene.reads_back("Json of texts", differs("JSON", "json"), vec(text(), small.clone()).prop_map(Json));
    if scene.db.capability(Capability::ARRAYS) == 0 {
        return;
    }
    macro_rules! arrays {
        ($($column:literal, $element:expr;)*) => {
            $(scene.reads_back($column, $column, vec($element, small.clone()));
            let with_null = vec(option::of($element), small.clone());
            scene.reads_back(concat!($column, " with NULL"), $column, with_null);)*
        };
    }
    arrays! {
        "boolean[]", any::<bool>();
        "smallint[]", any::<i16>();
        "integer[]", any::<i32>();
        "bigint[]", any::<i64>();
        "real[]", any::<f32>().prop_filter("NaN is not itself", |v| !v.is_nan());
        "double precision[]", any::<f64>().prop_filter("NaN is not itself", |v| !v.is_nan());
        "numeric[]", (any::<i64>(), 0..=28u32).prop_map(|(digits, scale)| rust_decimal::Decimal::new(digits, scale));
        "text[]", text();
        "bytea[]", any::<Vec<u8>>();
        "inet[]", any::<IpAddr>();
        "interval[]", interval();
        "date[]", days().prop_map(chrono_date);
        "time[]", time_of_day().prop_map(chrono_time);
        "timestamp[]", instant().prop_map(|at| chrono_instant(at).naive_utc());
        "timestamptz[]", instant().prop_map(chrono_instant);
        "uuid[]", any::<u128>().prop_map(uuid::Uuid::from_u128);
        "jsonb[]", json();
    }
    scene.reads_back("[i16; 3]", "smallint[]", any::<[i16; 3]>());
}

/// Nanoseconds are kept, or cut off to microseconds; never rounded up, also before 1970.
#[test]
fn what_is_finer_than_the_database_keeps_is_cut_off() {
    let scene = Scene::new();
    let fine = || (-62_167_219_200..=253_402_200_000i64, 0..1_000_000_000u32);
    let kept = |(seconds, nanoseconds): (i64, u32)| (seconds, stepped(nanoseconds.into()) as u32);
    scene.reads("chrono", "TIMESTAMPTZ", fine().prop_map(move |at| (chrono_instant(at), chrono_instant(kept(at)))));
    scene.reads("jiff", "TIMESTAMP", fine().prop_map(move |at| (jiff_civil(at), jiff_civil(kept(at)))));
    scene.reads("time", "TIMESTAMPTZ", fine().prop_map(move |at| (time_instant(at), time_instant(kept(at)))));
    let times = (0..86_400_000_000_000u64).prop_map(|at| (chrono_time(at), chrono_time(stepped(at))));
    scene.reads("NaiveTime", "TIME", times);
}

/// An interval has microseconds, and a duration no months.
#[tokio::test]
async fn durations_that_are_no_intervals_and_intervals_that_are_no_durations_are_told() {
    let (db, _place) = montrs_tests::open().await;
    let interval = differs("TEXT", "interval");
    db.execute(RuntimeSql(format!("CREATE TABLE t (x {interval})"))).await.unwrap();
    let insert = "INSERT INTO t VALUES ($1)";
    let error = db.execute(insert).bind(Duration::from_nanos(1001)).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("microsecond"), "{error}");
    let days = Interval { months: 0, days: 2, microseconds: 5 };
    db.execute(insert).bind(days).await.unwrap();
    let read: Duration = db.query("SELECT x FROM t").fetch_scalar().await.unwrap();
    assert_eq!(read, Duration::from_secs(2 * 86_400) + Duration::from_micros(5));
    db.execute("DELETE FROM t").await.unwrap();
    db.execute(insert).bind(Interval { months: 1, ..days }).await.unwrap();
    let error = db.query("SELECT x FROM t").fetch_scalar::<Duration>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    assert!(format!("{error} {:?}", error.suggested_fixes()).contains("Interval"), "{error:?}");
}
