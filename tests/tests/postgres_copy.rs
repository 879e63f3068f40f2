//! Rows by COPY, in text and in binary: what goes in comes out.

mod postgres;

use montrs_orm::{AiError, Array, Database, DbError, DbErrorKind, Dimension, RuntimeSql, Timestamp, Value, ValueRef};
use montrs_tests::poll_then_drop;
use postgres::open_with;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

const TEXT: &str = "COPY t FROM STDIN";
const BINARY: &str = "COPY t FROM STDIN (FORMAT binary)";

async fn one_connection(name: &str) -> Database {
    open_with(name, |builder| builder.max_connections(1)).await
}

async fn copy<const N: usize>(db: &Database, sql: &'static str, rows: &[[Value; N]]) -> Result<u64, DbError> {
    let mut copy = db.command("copy_in").bind(sql).upload().await?;
    copy.write_rows(rows.iter().map(|row| row.to_vec())).await?;
    copy.finish().await
}

fn array(elements: &[Option<i32>]) -> Value {
    let dimensions = [Dimension { len: elements.len() as u32, lower_bound: 1 }];
    let dimensions = if elements.is_empty() { &[][..] } else { &dimensions };
    let elements = elements.iter().map(|element| element.map_or(ValueRef::Null, ValueRef::I32));
    Value::Array(Array::encode(dimensions, elements).expect("an array"))
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let finite = (-200_000_000_000..9_000_000_000_000_i64, 0..1_000_000_u32);
    let finite = finite.prop_map(|(seconds, micros)| Timestamp { seconds, nanoseconds: micros * 1000 });
    let infinite = |seconds| Just(Timestamp { seconds, nanoseconds: 0 });
    prop_oneof![8 => finite, 1 => infinite(i64::MAX), 1 => infinite(i64::MIN)]
}

/// A type, and the values that it has, as they are read.
fn types() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    let decimals = "0|NaN|-?Infinity|-?[1-9][0-9]{0,40}(\\.[0-9]{1,30})?|-?0\\.0{0,9}[1-9]|[1-9]0{1,12}(\\.0{1,5})?";
    vec![
        ("bool", any::<bool>().prop_map(Value::Bool).boxed()),
        ("int2", any::<i16>().prop_map(Value::I16).boxed()),
        ("int4", any::<i32>().prop_map(Value::I32).boxed()),
        ("int8", any::<i64>().prop_map(Value::I64).boxed()),
        ("oid", any::<u32>().prop_map(|oid| Value::I64(oid.into())).boxed()),
        ("float4", any::<f32>().prop_map(Value::F32).boxed()),
        ("float8", any::<f64>().prop_map(Value::F64).boxed()),
        ("numeric", decimals.prop_map(Value::Decimal).boxed()),
        ("text", "[^\\x00]{0,20}|[\\\\\t\r\nN.]{0,4}".prop_map(Value::Text).boxed()),
        ("name", "[a-z]{1,20}".prop_map(Value::Text).boxed()),
        ("bytea", prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed()),
        ("date", prop_oneof![-2_400_000..90_000_000_i64, Just(i64::MAX)].prop_map(Value::Date).boxed()),
        ("time", (0..=86_400_000_000_u64).prop_map(|micros| Value::Time(micros * 1000)).boxed()),
        ("timestamp", timestamp().prop_map(Value::Timestamp).boxed()),
        ("timestamptz", timestamp().prop_map(Value::TimestampTz).boxed()),
        (
            "interval",
            (-9999..9999_i32, any::<i16>(), any::<i32>())
                .prop_map(|(months, days, micros)| Value::Interval {
                    months,
                    days: days.into(),
                    microseconds: micros.into(),
                })
                .boxed(),
        ),
        ("uuid", any::<[u8; 16]>().prop_map(Value::Uuid).boxed()),
        ("json", "[0-9]".prop_map(|n| Value::Json(format!("{{\"a\" : [{n} ]}}"))).boxed()),
        ("jsonb", "[0-9]".prop_map(|n| Value::Json(format!("{{\"a\": [{n}]}}"))).boxed()),
        ("mood", prop_oneof![Just("sad"), Just("so happy")].prop_map(|mood| Value::Text(mood.into())).boxed()),
        ("positive", (1..i32::MAX).prop_map(Value::I32).boxed()),
        ("int4[]", prop::collection::vec(any::<Option<i32>>(), 0..4).prop_map(|list| array(&list)).boxed()),
    ]
}

#[test]
fn values_of_every_type_come_back_from_text_and_from_binary() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let db = one_connection("copy_round_trip").await;
        db.execute("CREATE TYPE mood AS ENUM ('sad', 'so happy')").await.unwrap();
        db.execute("CREATE DOMAIN positive AS int4 CHECK (value > 0)").await.unwrap();
        db
    });
    for (type_name, values) in types() {
        runtime.block_on(async {
            db.execute("DROP TABLE IF EXISTS t").await.unwrap();
            let table = format!("CREATE TABLE t (id int8, value {type_name})");
            db.execute(RuntimeSql(table)).await.unwrap();
        });
        let values = prop_oneof![1 => Just(Value::Null), 9 => values];
        let rows = prop::collection::vec(values, 1..30);
        let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
        let result = runner.run(&rows, |values| {
            let rows: Vec<[Value; 2]> =
                values.iter().cloned().enumerate().map(|(id, value)| [Value::I64(id as i64), value]).collect();
            for sql in [TEXT, BINARY] {
                let read: Result<Vec<Value>, DbError> = runtime.block_on(async {
                    db.execute("TRUNCATE t").await?;
                    copy(&db, sql, &rows).await?;
                    db.query("SELECT value FROM t ORDER BY id").fetch_all().await
                });
                let read = read.map_err(|error| TestCaseError::fail(format!("{type_name}, {sql}: {error:?}")))?;
                prop_assert_eq!(&read, &values, "{}, {}", type_name, sql);
            }
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn binary_converts_as_parameters_do_and_refuses_the_rest() {
    let db = one_connection("copy_converts").await;
    db.execute("CREATE TABLE t (small int2, amount numeric, doc jsonb, data text, at timestamp)").await.unwrap();
    let [text, null] = [|text: &str| Value::Text(text.into()), |_: &str| Value::Null];
    let row = [Value::I64(7), Value::I32(-3), text("[1, 2]"), Value::I64(5), null("")];
    let decimal = [Value::Null, Value::F64(0.5), Value::Null, Value::Null, Value::Null];
    assert_eq!(copy(&db, BINARY, &[row, decimal]).await.unwrap(), 2);
    let sql = "SELECT concat_ws(' ', small, amount, doc, data) FROM t";
    assert_eq!(db.query(sql).fetch_all::<String>().await.unwrap(), ["7 -3 [1, 2] 5", "0.5"]);

    let zero = Timestamp { seconds: 0, nanoseconds: 0 };
    for (column, value) in [
        (0, Value::I64(40_000)),
        (0, text("1")),
        (1, text("many")),
        (1, Value::Bool(true)),
        (3, Value::Bytes(vec![1])),
        (4, Value::TimestampTz(zero)),
    ] {
        let mut row = [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
        row[column] = value.clone();
        let fine = [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
        let error = copy(&db, BINARY, &[fine, row]).await.unwrap_err();
        assert_eq!((error.kind(), error.row()), (DbErrorKind::Encode, Some(1)), "{value:?}: {error}");
        assert!(error.to_string().contains(&format!("the column {}, which is of", column + 1)), "{error}");
    }
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn binary_is_whole_with_no_rows_in_pieces_and_by_hand() {
    let db = one_connection("copy_whole").await;
    db.execute("CREATE TABLE t (\"from\" int4, b int4 GENERATED ALWAYS AS (\"from\" * 2) STORED)").await.unwrap();
    const NAMED: &str = "/* BINARY */ COPY t (\"from\") FROM STDIN WITH (FORMAT Binary);";
    let begin = async || db.command("copy_in").bind(NAMED).upload().await.unwrap();
    assert_eq!(begin().await.finish().await.unwrap(), 0);

    let mut copy = begin().await;
    copy.write_rows([(1,), (2,)]).await.unwrap();
    copy.write_rows((3..=100_000).map(|n| (n,))).await.unwrap();
    copy.write(&[0, 1, 0, 0, 0, 4, 255, 255, 255, 255]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 100_001);

    let mut copy = begin().await;
    copy.write(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0").await.unwrap();
    copy.write(&[0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 1);
    let sum: i64 = db.query("SELECT sum(\"from\") FROM t").fetch_scalar().await.unwrap();
    assert_eq!(sum, 100_000 * 100_001 / 2 - 1 + 7);

    // A table has more columns than a COPY that does not name them.
    let mut copy = db.command("copy_in").bind(BINARY).upload().await.unwrap();
    let error = copy.write_rows([(1,)]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    let fixes = error.suggested_fixes();
    assert!(fixes.iter().any(|fix| fix.contains("where it names its columns")), "{fixes:?}");
    drop(copy);
    // The word does not make it one.
    db.execute("CREATE TABLE \"binary\" (n int4)").await.unwrap();
    let mut copy = db.command("copy_in").bind("COPY \"binary\" FROM STDIN").upload().await.unwrap();
    copy.write_rows([("5",)]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 1);
}

#[tokio::test]
async fn a_binary_copy_that_fails_or_is_dropped_leaves_the_connection_in_order() {
    let db = one_connection("copy_binary_dropped").await;
    db.execute("CREATE TABLE t (n int4 CHECK (n > 0))").await.unwrap();
    let process = async || db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap();
    let pid = process().await;
    for polls in 0..8 {
        poll_then_drop(polls, db.command("copy_in").bind(BINARY).upload()).await;
        assert_eq!(process().await, pid, "{polls} polls");
    }
    let error = copy(&db, BINARY, &[[Value::I32(1)], [Value::I32(0)]]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::CheckViolation);
    let nowhere = "COPY nowhere FROM STDIN BINARY";
    let error = db.command("copy_in").bind(nowhere).upload().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
    let mut tx = db.begin().await.unwrap();
    let error = tx.command("copy_in").bind(nowhere).upload().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
    drop(tx);
    assert_eq!(process().await, pid);
}

/// What statements insert into the table, as the server sees them.
const SPY: &[&str] = &[
    "CREATE TABLE loaded (n int4, x text, at timestamp, m money)",
    "CREATE TABLE seen (statement text)",
    "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_query()); RETURN NULL; END $$",
    "CREATE TRIGGER spy AFTER INSERT ON loaded FOR EACH STATEMENT EXECUTE FUNCTION spy()",
];

#[tokio::test]
async fn many_rows_are_loaded_in_binary_up_to_a_value_that_has_no_such_form() {
    let db = one_connection("load_binary").await;
    for sql in SPY {
        db.execute(*sql).await.unwrap();
    }
    let load = async |columns: &[&str], rows: Vec<Vec<Value>>| {
        db.execute("TRUNCATE loaded, seen").await.unwrap();
        let loaded = db.loader_of::<Vec<Value>>("loaded", columns).rows(rows).await;
        let seen: Vec<String> = db.query("SELECT statement FROM seen").fetch_all().await.unwrap();
        let count: i64 = db.query("SELECT count(*) FROM loaded").fetch_scalar().await.unwrap();
        (
            loaded.map_err(|error| error.kind()),
            count,
            seen.iter().map(|sql| sql.ends_with("(FORMAT binary)")).collect::<Vec<_>>(),
        )
    };
    let number = |n| vec![Value::I64(n), Value::Text(format!("a\t\\{n}"))];
    // A few go in the format that needs no question.
    assert_eq!(load(&["n", "x"], (0..5).map(number).collect()).await, (Ok(5), 5, vec![false]));
    let (loaded, count, seen) = load(&["n", "x"], (0..20_000).map(number).collect()).await;
    assert_eq!((loaded, count, seen), (Ok(20_000), 20_000, vec![true]));
    let wrong: i64 = db.query("SELECT count(*) FROM loaded WHERE x <> E'a\\t\\\\' || n").fetch_scalar().await.unwrap();
    assert_eq!(wrong, 0);
    // A number as a text: literals are the server's to read.
    let mixed = |n| if n == 15_000 { vec![Value::Text("-1".into()), Value::Null] } else { number(n) };
    let (loaded, count, seen) = load(&["n", "x"], (0..20_000).map(mixed).collect()).await;
    assert_eq!((loaded, count, seen), (Ok(20_000), 20_000, vec![true, false]));
    let at = Value::TimestampTz(Timestamp { seconds: 1, nanoseconds: 0 });
    let (loaded, count, _) = load(&["at"], vec![vec![at]; 2000]).await;
    assert_eq!((loaded, count), (Ok(2000), 2000));
    let (loaded, count, _) = load(&["m"], vec![vec![Value::Text("$1.50".into())]; 2000]).await;
    assert_eq!((loaded, count), (Ok(2000), 2000));
    // What is no literal either leaves nothing.
    let broken = |n| if n == 15_000 { vec![Value::I64(i64::MAX), Value::Null] } else { number(n) };
    let (loaded, count, _) = load(&["n", "x"], (0..20_000).map(broken).collect()).await;
    assert_eq!((loaded, count), (Err(DbErrorKind::Data), 0));
    let (loaded, count, _) = load(&["nothing"], vec![vec![Value::I64(1)]; 2000]).await;
    assert_eq!((loaded, count), (Err(DbErrorKind::UndefinedColumn), 0));
}
