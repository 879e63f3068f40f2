//! What the derives make of structs and enums: rows of joins, converted columns, parameters, labels.

use montrs_orm::{Capability, Database, DbErrorKind, Field, FromRow, RuntimeSql, SqlType, ToParams};
use montrs_tests::{differs, on_postgres, open};
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, FromRow, ToParams)]
struct User {
    id: i64,
    name: String,
    #[orm(flatten, prefix = "home_")]
    home: Place,
}

#[derive(Debug, PartialEq, FromRow, ToParams)]
struct Place {
    street: String,
    #[orm(rename = "number")]
    house: Option<i32>,
    #[orm(flatten, prefix = "at_")]
    point: Point,
}

#[derive(Debug, PartialEq, FromRow, ToParams)]
struct Point {
    x: i32,
}

fn ada() -> User {
    let home = Place { street: "High Street".into(), house: Some(7), point: Point { x: 1 } };
    User { id: 1, name: "Ada".into(), home }
}

async fn users(db: &Database) {
    let columns = "id BIGINT, name TEXT, home_street TEXT, home_number INTEGER, home_at_x INTEGER";
    db.execute(RuntimeSql(format!("CREATE TABLE users ({columns})"))).await.unwrap();
}

#[tokio::test]
async fn prefixes_are_put_together_in_both_directions() {
    let (db, _place) = open().await;
    users(&db).await;
    let insert = "INSERT INTO users VALUES ($1, $2, $3, $4, $5)";
    db.execute(insert).bind_all(ada()).await.unwrap();
    db.execute_many(insert, [User { id: 2, ..ada() }]).await.unwrap();
    let read: Vec<User> = db.query("SELECT * FROM users ORDER BY id").fetch_all().await.unwrap();
    assert_eq!(read, [ada(), User { id: 2, ..ada() }]);
    let mut fields: Vec<Field> = Vec::new();
    User::fields(&mut fields);
    let names: Vec<_> = fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["id", "name", "home_street", "home_number", "home_at_x"]);
    let error = db.query("SELECT 1 AS id, 'x' AS name, 'y' AS home_street, 2 AS home_number, 3 AS x");
    let error = error.fetch_one::<User>().await.unwrap_err();
    assert!(error.kind() == DbErrorKind::ColumnNotFound && error.to_string().contains("\"home_at_x\""), "{error}");
}

#[tokio::test]
async fn the_outer_side_of_a_left_join_is_none_where_nothing_matches() {
    #[derive(Debug, PartialEq, FromRow)]
    struct Order {
        id: i64,
        #[orm(flatten, prefix = "c_")]
        customer: Option<Customer>,
        note: Option<String>,
    }
    #[derive(Debug, PartialEq, FromRow)]
    struct Customer {
        id: i64,
        name: Option<String>,
        #[orm(default)]
        visits: i32,
        #[orm(flatten, prefix = "referrer_")]
        referrer: Option<Referrer>,
    }
    #[derive(Debug, PartialEq, FromRow)]
    struct Referrer {
        id: i64,
    }
    let (db, _place) = open().await;
    for sql in [
        "CREATE TABLE orders (id BIGINT, customer BIGINT, note TEXT)",
        "CREATE TABLE customers (id BIGINT NOT NULL, name TEXT, referrer BIGINT)",
        "INSERT INTO orders VALUES (1, 10, 'a'), (2, NULL, 'b'), (3, 11, NULL)",
        "INSERT INTO customers VALUES (10, 'Ada', 11), (11, NULL, NULL)",
    ] {
        db.execute(sql).await.unwrap();
    }
    let sql = "SELECT o.id, c.id AS c_id, c.name AS c_name, c.referrer AS c_referrer_id, note \
               FROM orders o LEFT JOIN customers c ON c.id = o.customer ORDER BY o.id";
    let read: Vec<Order> = db.query(sql).fetch_all().await.unwrap();
    let ada = Customer { id: 10, name: Some("Ada".into()), visits: 0, referrer: Some(Referrer { id: 11 }) };
    let nameless = Customer { id: 11, name: None, visits: 0, referrer: None };
    let expected = [
        Order { id: 1, customer: Some(ada), note: Some("a".into()) },
        Order { id: 2, customer: None, note: Some("b".into()) },
        Order { id: 3, customer: Some(nameless), note: None },
    ];
    assert_eq!(read, expected);
    // With a plan for the row alone as well.
    let mut rows = 0;
    db.query(sql)
        .for_each(|row| {
            assert_eq!(row.read::<Order>()?, expected[rows]);
            rows += 1;
            Ok(())
        })
        .await
        .unwrap();
    // Half of a struct is not nothing.
    let half = "SELECT 1 AS id, NULL AS c_id, 'x' AS c_name, NULL AS c_referrer_id, NULL AS note";
    let error = db.query(half).fetch_one::<Order>().await.unwrap_err();
    assert!(error.kind() == DbErrorKind::Decode && error.to_string().contains("\"c_id\""), "{error}");
    let error = db.query("SELECT 1 AS id, NULL AS note").fetch_one::<Order>().await.unwrap_err();
    assert!(error.kind() == DbErrorKind::ColumnNotFound && error.to_string().contains("\"c_id\""), "{error}");
}

#[tokio::test]
async fn columns_are_converted_and_json_is_read_where_told() {
    #[derive(Debug, PartialEq)]
    struct Even(i64);
    impl TryFrom<i64> for Even {
        type Error = String;
        fn try_from(number: i64) -> Result<Self, String> {
            if number % 2 == 0 { Ok(Self(number)) } else { Err(format!("{number} is odd")) }
        }
    }
    #[derive(Debug, PartialEq, FromRow)]
    struct Row {
        #[orm(try_from = "i64")]
        even: Even,
        #[orm(json)]
        tags: Vec<String>,
        #[orm(json)]
        counts: Option<BTreeMap<String, i64>>,
        #[orm(json, default)]
        more: Vec<i64>,
    }
    #[derive(ToParams)]
    struct Sent {
        even: i64,
        #[orm(json)]
        tags: Vec<&'static str>,
        #[orm(json)]
        counts: serde_json::Value,
    }
    let (db, _place) = open().await;
    let json = differs("JSON", "JSONB");
    db.execute(RuntimeSql(format!("CREATE TABLE t (even BIGINT, tags {json}, counts {json})"))).await.unwrap();
    let sent = Sent { even: 8, tags: vec!["a", "ä"], counts: json!({"x": 1}) };
    db.execute("INSERT INTO t VALUES ($1, $2, $3)").bind_all(&sent).await.unwrap();
    let read: Row = db.query("SELECT * FROM t").fetch_one().await.unwrap();
    let counts = Some([("x".to_owned(), 1)].into());
    assert_eq!(read, Row { even: Even(8), tags: vec!["a".into(), "ä".into()], counts, more: Vec::new() });
    db.execute("UPDATE t SET counts = NULL").await.unwrap();
    assert_eq!(db.query("SELECT * FROM t").fetch_one::<Row>().await.unwrap().counts, None);
    db.execute("UPDATE t SET tags = NULL").await.unwrap();
    let error = db.query("SELECT * FROM t").fetch_one::<Row>().await.unwrap_err().to_string();
    assert!(error.contains("\"tags\"") && error.contains("NULL"), "{error}");
    db.execute("UPDATE t SET even = 7").await.unwrap();
    let error = db.query("SELECT * FROM t").fetch_one::<Row>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    for part in ["\"even\"", "row 1", "Even", "7 is odd"] {
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
    let error = db.query("SELECT 2 AS even, '[1]' AS tags, NULL AS counts").fetch_one::<Row>().await.unwrap_err();
    assert!(error.to_string().contains("JSON does not fit"), "{error}");
}

#[tokio::test]
async fn fields_are_bound_by_name() {
    let (db, _place) = open().await;
    users(&db).await;
    let insert = "INSERT INTO users VALUES (:id, :name, :home_street, :home_number, :home_at_x)";
    db.execute(insert).bind_all_named(ada()).await.unwrap();
    assert_eq!(db.query("SELECT * FROM users").fetch_one::<User>().await.unwrap(), ada());
    // What comes after a flattened field has no prefix of it.
    #[derive(ToParams)]
    struct Moved {
        #[orm(flatten, prefix = "to_")]
        to: Point,
        by: i32,
    }
    let moved = db.query("SELECT count(*) FROM users WHERE home_at_x = :to_x AND home_at_x = :by");
    let moved = moved.bind_all_named(Moved { to: Point { x: 1 }, by: 1 });
    assert_eq!(moved.fetch_scalar::<i64>().await.unwrap(), 1);
    // Also beside others, and in any order.
    let sql = "SELECT count(*) FROM users WHERE id = :other - 1 AND home_at_x = :x";
    let count = db.query(sql).bind_all_named(Point { x: 1 }).bind_named("other", 2);
    assert_eq!(count.fetch_scalar::<i64>().await.unwrap(), 1);
    let error = db.execute("SELECT :a").bind_all_named((1,)).await.unwrap_err();
    assert!(error.kind() == DbErrorKind::Encode && error.to_string().contains("ToParams"), "{error}");
    let error = db.execute(insert).bind_all_named(Point { x: 1 }).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
}

#[tokio::test]
async fn what_cannot_be_sent_is_named_by_its_place_or_name() {
    #[derive(ToParams)]
    struct Counts {
        small: i64,
        large: u64,
    }
    let (db, _place) = open().await;
    let counts = Counts { small: 1, large: u64::MAX };
    let error = db.query("SELECT $1, $2, $3").bind(1).bind_all(&counts).fetch_one::<(i64, i64, i64)>().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("parameter $3 "), "{error}");
    let error = db.execute("SELECT :small, :large").bind_all_named(&counts).await.unwrap_err();
    assert!(error.to_string().contains("parameter :large "), "{error}");
}

#[derive(Clone, Copy, Debug, PartialEq, SqlType)]
#[orm(rename_all = "snake_case")]
enum Mood {
    VerySad,
    #[orm(rename = "so happy")]
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

#[derive(Debug, PartialEq, FromRow, ToParams)]
struct Feeling {
    id: Id<i64>,
    mood: Option<Mood>,
    level: Level,
}

/// A table of feelings, whose moods are an enum of the database's where it has such.
async fn feelings(db: &Database) {
    if on_postgres() {
        db.execute("CREATE TYPE mood AS ENUM ('very_sad', 'so happy', 'angry')").await.unwrap();
    }
    let mood = differs("TEXT", "mood");
    db.execute(RuntimeSql(format!("CREATE TABLE t (id BIGINT, mood {mood}, level SMALLINT)"))).await.unwrap();
}

#[tokio::test]
async fn new_types_and_enums_are_values_of_columns() {
    let (db, _place) = open().await;
    feelings(&db).await;
    let rows = || {
        [
            Feeling { id: Id(1), mood: Some(Mood::VerySad), level: Level::Low },
            Feeling { id: Id(2), mood: Some(Mood::Happy), level: Level::High },
            Feeling { id: Id(3), mood: None, level: Level::High },
        ]
    };
    db.execute_many("INSERT INTO t VALUES ($1, $2, $3)", rows()).await.unwrap();
    assert_eq!(db.query("SELECT * FROM t ORDER BY id").fetch_all::<Feeling>().await.unwrap(), rows());
    let found = db.query("SELECT id FROM t WHERE mood = $1 AND level = $2").bind(Mood::Happy).bind(Level::High);
    assert_eq!(found.fetch_all::<Id<i64>>().await.unwrap(), [Id(2)]);
    let stored: (String, i64) =
        db.query("SELECT CAST(mood AS TEXT), level FROM t WHERE id = $1").bind(Id(2)).fetch_one().await.unwrap();
    assert_eq!(stored, ("so happy".into(), 10));
    if db.capability(Capability::ARRAYS) == 1 {
        let sql = "SELECT $1::mood[], array_agg(level ORDER BY id) FROM t WHERE mood = ANY($1)";
        let found: (Vec<Mood>, Vec<Level>) =
            db.query(sql).bind(vec![Mood::Happy, Mood::VerySad]).fetch_one().await.unwrap();
        assert_eq!(found, (vec![Mood::Happy, Mood::VerySad], vec![Level::Low, Level::High]));
    }
}

#[tokio::test]
async fn labels_and_numbers_that_do_not_exist_are_named_with_those_that_do() {
    let (db, _place) = open().await;
    feelings(&db).await;
    db.execute("INSERT INTO t VALUES (1, 'angry', 11)").await.unwrap();
    let error = db.query("SELECT mood FROM t").fetch_one::<Mood>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    for part in ["\"mood\"", "Mood", "\"angry\"", "\"very_sad\", \"so happy\""] {
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
    let error = db.query("SELECT level FROM t").fetch_one::<Level>().await.unwrap_err();
    for part in ["\"level\"", "Level", "11", "-1 (Low), 10 (High)"] {
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
    // The database's own enum takes no other label either.
    #[derive(SqlType)]
    enum Other {
        Bored,
    }
    let bound = db.execute("UPDATE t SET mood = $1").bind(Other::Bored).await;
    assert_eq!(bound.err().map(|error| error.kind()), differs(None, Some(DbErrorKind::Data)));
}
