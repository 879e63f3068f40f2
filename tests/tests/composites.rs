//! Structs that are the value of one column: a composite of the database's, or its text where there are none.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use montrs_orm::{Capability, Database, DbErrorKind, Decode, FromRow, Interval, Json, RuntimeSql, SqlType, ToParams};
use montrs_tests::{Place, differs, on_postgres, open};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rust_decimal::Decimal;
use std::{net::IpAddr, time::Duration};
use tokio::runtime::Runtime;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, SqlType)]
#[orm(composite)]
struct Address {
    street: String,
    zip: Option<i32>,
}

fn address(street: &str, zip: Option<i32>) -> Address {
    Address { street: street.into(), zip }
}

#[derive(Clone, Copy, Debug, PartialEq, SqlType)]
#[orm(rename_all = "lowercase")]
enum Mood {
    Sad,
    Happy,
}

#[derive(Clone, Copy, Debug, PartialEq, SqlType)]
#[repr(i16)]
enum Level {
    Low = -1,
    High = 10,
}

#[derive(Clone, Debug, PartialEq, SqlType)]
struct Id<T>(T);

#[derive(Clone, Debug, PartialEq, SqlType)]
#[orm(composite)]
struct Everything {
    boolean: bool,
    small: i8,
    unsigned: u16,
    large: Option<i64>,
    huge: i128,
    single: f32,
    double: Option<f64>,
    text: String,
    nothing: Option<String>,
    bytes: Vec<u8>,
    date: NaiveDate,
    time: NaiveTime,
    instant: DateTime<Utc>,
    interval: Interval,
    duration: Duration,
    uuid: Uuid,
    decimal: Option<Decimal>,
    json: Json<Vec<String>>,
    ip: IpAddr,
    mood: Mood,
    level: Level,
    id: Id<i32>,
    texts: Vec<Option<String>>,
    flags: Vec<bool>,
    blobs: Vec<Vec<u8>>,
    home: Option<Address>,
    addresses: Vec<Address>,
}

const EVERYTHING: &str = "boolean boolean, small smallint, \"unsigned\" integer, large bigint, huge numeric, single real, \
     double double precision, text text, nothing text, bytes bytea, date date, time time, instant timestamptz, \
     interval interval, duration interval, uuid uuid, decimal numeric, json json, ip inet, mood mood, level smallint, \
     id integer, texts text[], flags boolean[], blobs bytea[], home address, addresses address[]";

/// PostgreSQL's text has no NUL.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00]{0,6}", "[\"\\\\(){},; \\t\\n'NULLa-c]{0,6}", Just(String::new()), Just("NULL".to_owned())]
}

fn addresses() -> impl Strategy<Value = Address> {
    (text(), any::<Option<i32>>()).prop_map(|(street, zip)| Address { street, zip })
}

fn everything() -> impl Strategy<Value = Everything> {
    let numbers = (
        any::<bool>(),
        any::<i8>(),
        any::<u16>(),
        any::<Option<i64>>(),
        any::<i128>(),
        proptest::num::f32::ANY.prop_filter("NaN is not itself", |v| !v.is_nan()),
        option::of(proptest::num::f64::ANY.prop_filter("NaN is not itself", |v| !v.is_nan())),
        (any::<i64>(), 0..=28u32).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        any::<i32>(),
    );
    let texts =
        (text(), option::of(text()), vec(text(), 0..3), vec(option::of(text()), 0..4), any::<IpAddr>(), any::<u128>());
    let bytes = (any::<Vec<u8>>(), vec(any::<Vec<u8>>(), 0..3), vec(any::<bool>(), 0..3));
    // Of the years 1 to 9999.
    let times = (
        (-719_162..=2_932_896i32).prop_map(|days| NaiveDate::from_epoch_days(days).unwrap()),
        (0..86_400_000_000i64).prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap().time()),
        (-62_135_500_000_000_000..253_402_200_000_000_000i64)
            .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap()),
        (any::<i32>(), any::<i32>(), any::<i64>()).prop_map(|(months, days, microseconds)| Interval {
            months,
            days,
            microseconds,
        }),
        (0..=i64::MAX as u64).prop_map(Duration::from_micros),
    );
    let nested = (option::of(addresses()), vec(addresses(), 0..3), any::<bool>());
    (numbers, texts, bytes, times, nested).prop_map(|(numbers, texts, bytes, times, nested)| {
        let (boolean, small, unsigned, large, huge, single, double, decimal, id) = numbers;
        let (text, nothing, json, texts, ip, uuid) = texts;
        let (bytes, blobs, flags) = bytes;
        let (date, time, instant, interval, duration) = times;
        let (home, addresses, is_high) = nested;
        let (mood, level) = if is_high { (Mood::Happy, Level::High) } else { (Mood::Sad, Level::Low) };
        let (json, uuid, decimal, id) = (Json(json), Uuid::from_u128(uuid), Some(decimal), Id(id));
        Everything {
            boolean,
            small,
            unsigned,
            large,
            huge,
            single,
            double,
            text,
            nothing,
            bytes,
            date,
            time,
            instant,
            interval,
            duration,
            uuid,
            decimal,
            json,
            ip,
            mood,
            level,
            id,
            texts,
            flags,
            blobs,
            home,
            addresses,
        }
    })
}

/// A table with a composite, whose type is the database's own where there are such.
async fn tables(db: &Database) {
    if on_postgres() {
        db.execute("CREATE TYPE address AS (street text, zip integer)").await.unwrap();
        db.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')").await.unwrap();
        db.execute(RuntimeSql(format!("CREATE TYPE everything AS ({EVERYTHING})"))).await.unwrap();
    }
    let (address, everything) = (differs("TEXT", "address"), differs("TEXT", "everything"));
    db.execute(RuntimeSql(format!("CREATE TABLE people (n BIGINT NOT NULL, home {address}, x {everything})")))
        .await
        .unwrap();
}

#[test]
fn composites_of_all_types_read_back() {
    let runtime = Runtime::new().unwrap();
    let (place, db) = runtime.block_on(async {
        let place = Place::new();
        let db = place.open().await;
        tables(&db).await;
        (place, db)
    });
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&vec(everything(), 1..12), |values| {
        let read = runtime.block_on(async {
            db.execute("DELETE FROM people").await?;
            db.execute_many("INSERT INTO people (n, x) VALUES ($1, $2)", (0i64..).zip(&values)).await?;
            db.query("SELECT x FROM people ORDER BY n").fetch_all::<Everything>().await
        });
        prop_assert_eq!(read.map_err(|error| TestCaseError::fail(error.to_string()))?, values);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    drop((db, place));
}

#[tokio::test]
async fn composites_are_fields_of_rows_and_parameters() {
    #[derive(Debug, PartialEq, FromRow, ToParams)]
    struct Person {
        n: i64,
        home: Option<Address>,
    }
    let (db, _place) = open().await;
    tables(&db).await;
    let people = || {
        [
            Person { n: 1, home: Some(address("High \"Street\", (\\)", Some(7))) },
            Person { n: 2, home: Some(address("", None)) },
            Person { n: 3, home: None },
        ]
    };
    db.execute_many("INSERT INTO people (n, home) VALUES ($1, $2)", people()).await.unwrap();
    assert_eq!(db.query("SELECT n, home FROM people ORDER BY n").fetch_all::<Person>().await.unwrap(), people());
    // PostgreSQL has no other way to tell the type of what a row is compared with.
    let find = differs("SELECT n FROM people WHERE home = $1", "SELECT n FROM people WHERE home = $1::address");
    let found = db.query(find).bind(address("", None));
    assert_eq!(found.fetch_all::<i64>().await.unwrap(), [2]);
    // The text is the same on both.
    let text: String = db.query("SELECT CAST(home AS TEXT) FROM people WHERE n = 1").fetch_scalar().await.unwrap();
    assert_eq!(text, r#"("High ""Street"", (\\)",7)"#);
    db.check::<Person>("SELECT n, home FROM people").await.unwrap();
    let error = db.check::<(Address,)>("SELECT n FROM people").await.unwrap_err();
    assert!(error.to_string().contains("cannot be read as Address"), "{error}");
}

#[tokio::test]
async fn arrays_of_composites_and_rows_without_a_type_are_read() {
    let (db, _place) = open().await;
    if db.capability(Capability::ARRAYS) == 0 {
        return;
    }
    tables(&db).await;
    let homes = vec![Some(address("a b", Some(1))), None, Some(address("\"{}\\", None))];
    let (read, second): (Vec<Option<Address>>, Address) =
        db.query("SELECT $1::address[], ($1::address[])[1]").bind(homes.clone()).fetch_one().await.unwrap();
    assert_eq!((read, second), (homes, address("a b", Some(1))));
    let home: (Address, i32) =
        db.query("SELECT ROW('x y', 7), (ROW('x', $1)::address).zip").bind(3).fetch_one().await.unwrap();
    assert_eq!(home, (address("x y", Some(7)), 3));
    #[derive(Debug, PartialEq, SqlType)]
    #[orm(composite)]
    struct Pair<T>(T, Vec<T>);
    let pair: Pair<f64> = db.query("SELECT ROW(1.5::float8, '{-Infinity,0.1}'::float8[])").fetch_one().await.unwrap();
    assert_eq!(pair, Pair(1.5, vec![f64::NEG_INFINITY, 0.1]));
}

#[tokio::test]
async fn what_does_not_fit_is_told_with_the_field() {
    let (db, _place) = open().await;
    let read = async |text: &str| {
        let error = db.query("SELECT CAST($1 AS TEXT) AS home").bind(text).fetch_one::<Address>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Decode);
        assert!(error.to_string().contains("\"home\"") && error.to_string().contains("Address"), "{error}");
        error.to_string()
    };
    for (text, part) in [
        ("(a)", "its fields are 1, and read are street, zip: (a)"),
        ("(a,1,2)", "its fields are 3"),
        ("(a,b)", "its field zip: \"b\" is not the text of a number of 64 bits"),
        ("(a,2147483648)", "its field zip: 2147483648 is outside"),
        ("(,1)", "its field street: it is NULL"),
        ("a,1", "\"a,1\" is not a row of values"),
    ] {
        let message = read(text).await;
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    let error = db.query("SELECT 1").fetch_one::<Address>().await.unwrap_err();
    assert!(error.to_string().contains("an integer"), "{error}");
    #[derive(SqlType)]
    #[orm(composite)]
    struct Old {
        born: NaiveDate,
    }
    let error = db.query("SELECT $1").bind(Old { born: NaiveDate::MIN }).fetch_one::<String>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("its field born: ") && error.to_string().contains("years 1 to 9999"), "{error}");
}

/// A type that is read as the number in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Celsius(f64);

impl<'r> Decode<'r> for Celsius {
    fn decode(value: montrs_orm::ValueRef<'r>) -> Result<Self, montrs_orm::DecodeError> {
        f64::decode(value).map(Celsius)
    }
    fn value_of_text(text: &str) -> Result<montrs_orm::Value, montrs_orm::DecodeError> {
        f64::value_of_text(text)
    }
}

impl montrs_orm::Encode for Celsius {
    fn encode(&self) -> Result<montrs_orm::Encoded<'_>, montrs_orm::EncodeError> {
        self.0.encode()
    }
}

#[tokio::test]
async fn types_written_by_hand_are_fields_too() {
    #[derive(Clone, Debug, PartialEq, SqlType)]
    #[orm(composite)]
    struct Weather {
        now: Celsius,
        before: Vec<Celsius>,
    }
    let (db, _place) = open().await;
    let weather = Weather { now: Celsius(-3.5), before: vec![Celsius(0.1), Celsius(f64::INFINITY)] };
    let read: Weather = db.query("SELECT CAST($1 AS TEXT)").bind(weather.clone()).fetch_one().await.unwrap();
    assert_eq!(read, weather);
}
