//! Random values of a type, and their way through a database.

mod variants;

use montrs_orm::{Database, DbError, Decode, Encode, Interval, RuntimeSql};
use montrs_tests::{Place, differs, on_postgres};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{fmt::Debug, time::Duration};
use tokio::runtime::Runtime;

/// A database, and what runs it.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    pub(crate) db: Database,
    _place: Place,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (db, place) = runtime.block_on(montrs_tests::open());
        Self { runtime, db, _place: place }
    }

    /// Inserts any values into a column of this type, and reads them.
    pub(crate) fn reads_back<T>(&self, rust: &str, column: &str, strategy: impl Strategy<Value = T>)
    where
        T: Encode + for<'r> Decode<'r> + Clone + Debug + PartialEq + Send + Sync,
    {
        self.reads(rust, column, strategy.prop_map(|value| (value.clone(), value)));
    }

    /// Inserts the first of any pairs into a column of this type, and reads the second.
    pub(crate) fn reads<T, U>(&self, rust: &str, column: &str, strategy: impl Strategy<Value = (T, U)>)
    where
        T: Encode + Debug + Send + Sync,
        U: for<'r> Decode<'r> + Debug + PartialEq,
    {
        let table = format!("\"{}\"", rust.replace('"', ""));
        let create = format!("CREATE TABLE {table} (n BIGINT, x {column})");
        self.runtime.block_on(self.db.execute(RuntimeSql(create)).into_future()).unwrap();
        let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
        let checked = TestRunner::new(config).run(&proptest::collection::vec(strategy, 1..24), |pairs| {
            let (bound, expected): (Vec<T>, Vec<U>) = pairs.into_iter().unzip();
            let read: Result<Vec<U>, _> = self.runtime.block_on(through(&self.db, &table, &bound));
            prop_assert_eq!(read.map_err(|error| TestCaseError::fail(error.to_string()))?, expected);
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{rust} in a column of {column}: {error}"));
    }
}

/// Inserts the values into an empty table, and reads them.
async fn through<T, U>(db: &Database, table: &str, values: &[T]) -> Result<Vec<U>, DbError>
where
    T: Encode + Sync,
    U: for<'r> Decode<'r>,
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

/// PostgreSQL's text has no NUL.
pub(crate) fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| if on_postgres() { text.replace('\0', "") } else { text })
}

pub(crate) fn interval() -> impl Strategy<Value = Interval> {
    let any = (any::<i32>(), any::<i32>(), any::<i64>());
    any.prop_map(|(months, days, microseconds)| Interval { months, days, microseconds })
}

/// Days of the years 0 to 9999 since 1970-01-01, which both databases have.
pub(crate) fn days() -> impl Strategy<Value = i32> {
    -719_528..=2_932_896
}

/// Nanoseconds since midnight, in the steps of the database.
pub(crate) fn time_of_day() -> impl Strategy<Value = u64> {
    (0..86_400_000_000_000u64).prop_map(stepped)
}

/// Seconds and nanoseconds since 1970-01-01, of the years 0 to 9999; that jiff's instants end two days earlier is not looked
/// for here.
pub(crate) fn instant() -> impl Strategy<Value = (i64, u32)> {
    (-62_167_219_200..=253_402_200_000i64, (0..1_000_000_000u64).prop_map(|nanoseconds| stepped(nanoseconds) as u32))
}

pub(crate) fn stepped(nanoseconds: u64) -> u64 {
    nanoseconds - nanoseconds % differs(1, 1000)
}

pub(crate) fn chrono_date(days: i32) -> chrono::NaiveDate {
    chrono::NaiveDate::from_epoch_days(days).unwrap()
}

pub(crate) fn chrono_time(nanoseconds: u64) -> chrono::NaiveTime {
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, fraction as u32).unwrap()
}

pub(crate) fn chrono_instant((seconds, nanoseconds): (i64, u32)) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(seconds, nanoseconds).unwrap()
}

pub(crate) fn jiff_instant((seconds, nanoseconds): (i64, u32)) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap() + Duration::from_nanos(nanoseconds.into())
}

pub(crate) fn jiff_civil(at: (i64, u32)) -> jiff::civil::DateTime {
    jiff::tz::Offset::UTC.to_datetime(jiff_instant(at))
}

pub(crate) fn time_instant((seconds, nanoseconds): (i64, u32)) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().replace_nanosecond(nanoseconds).unwrap()
}

/// No floating-point numbers: PostgreSQL makes decimals of them.
pub(crate) fn json() -> impl Strategy<Value = serde_json::Value> {
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
