//! Parameters: by number, by name, many at once, lists.

use chrono::{DateTime, NaiveDate};
use montrs_orm::{Database, DbErrorKind, Encode, EncodeError, ParamRow, RuntimeSql, ToParams};
use montrs_tests::{differs, on_postgres, open};
use rust_decimal::Decimal;
use uuid::Uuid;

#[tokio::test]
async fn names_are_parameters_on_every_database() {
    let (db, _place) = open().await;
    let sql = "SELECT :y || :x || :y || ':x' -- :z";
    for _ in 0..2 {
        let text: String = db.query(sql).bind_named("x", "a").bind_named(":y", "b").fetch_scalar().await.unwrap();
        assert_eq!(text, "bab:x");
    }
    let text: String = db.query(sql).bind("first").bind("second").fetch_scalar().await.unwrap();
    assert_eq!(text, "firstsecondfirst:x");
    let mixed = db.query("SELECT $2 || :name || $1").bind("a").bind_named("name", "b").bind("c");
    assert_eq!(mixed.fetch_scalar::<String>().await.unwrap(), "cba");
    let info = db.query("SELECT :a || :b || :a").describe().await.unwrap();
    let names: Vec<Option<&str>> = info.parameters().iter().map(|parameter| parameter.name()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
}

#[tokio::test]
async fn names_that_do_not_fit_are_told() {
    let (db, _place) = open().await;
    let two = "SELECT :name || :city";
    for (query, expected) in [
        (db.query(two).bind_named("name", "x"), "no value was bound to the parameter `:city`"),
        (
            db.query(two).bind_named("nam", "x").bind_named("city", "y"),
            "the statement has no parameter `nam`; did you mean `name`?",
        ),
        (db.query(two).bind_named("name", "x").bind_named("name", "y"), "the parameter `name` was bound twice"),
        (db.query("SELECT 1").bind_named("n", 1), "the statement has no parameter `n`"),
        (db.query(two).bind("x"), "the statement has 2 parameters (:name, :city), 1 was bound"),
        (
            db.query("SELECT $1 || :name").bind("x").bind("y"),
            "the statement mixes numbers such as `$1` with names: $1, :name",
        ),
        (db.query("SELECT $1 || $3").bind_all(["x", "y", "z"]), "the statement has $3 and not $2"),
    ] {
        let error = query.await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (DbErrorKind::Parameters, expected));
    }
    let text: String = db.query(two).bind_all(["a", "b"]).fetch_scalar().await.unwrap();
    assert_eq!(text, "ab");
}

#[tokio::test]
async fn positions_are_those_of_the_text_with_names() {
    let (db, _place) = open().await;
    let sql = "SELECT :größe || :x, nothing, :größe";
    let query = db.query(sql).bind_named("größe", "a").bind_named("x", "b");
    let error = query.await.unwrap_err();
    assert_eq!(error.position(), sql.find("nothing"), "{error:?}");
    let error = db.query("SELECT :a FROM WHERE :b").bind_all([1, 2]).await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (DbErrorKind::Syntax, Some(15)), "{error:?}");
}

struct Point {
    x: i64,
    y: i64,
}

impl ToParams for Point {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        row.push(self.x)?;
        row.push(self.y)
    }
}

#[tokio::test]
async fn many_values_are_bound_at_once() {
    let (db, _place) = open().await;
    let sql = "SELECT CAST($1 AS INTEGER) - CAST($2 AS INTEGER)";
    let difference = async |query: montrs_orm::Query<'_>| query.fetch_scalar::<i64>().await.unwrap();
    assert_eq!(difference(db.query(sql).bind_all((5, 3_i16))).await, 2);
    assert_eq!(difference(db.query(sql).bind_all([5, 3])).await, 2);
    assert_eq!(difference(db.query(sql).bind_all((1..3).rev().collect::<Vec<i32>>())).await, 1);
    assert_eq!(difference(db.query(sql).bind_all(Point { x: 1, y: 8 })).await, -7);
    assert_eq!(difference(db.query(sql).bind(9).bind_all((2,))).await, 7);
    let error = db.query(sql).bind_all((1_u64, u64::MAX)).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().starts_with("parameter $2 cannot be sent: "), "{error}");
}

fn list<T: Clone>(values: impl AsRef<[T]>) -> Vec<T> {
    values.as_ref().to_vec()
}

async fn of_words(db: &Database, sql: &'static str, list: impl Encode) -> Vec<i64> {
    db.query(sql).bind(list).fetch_all().await.unwrap()
}

#[tokio::test]
async fn a_list_is_bound_to_the_placeholder_of_an_in() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, word TEXT, id UUID, at TIMESTAMP, x DOUBLE PRECISION)")
        .await
        .unwrap();
    let id = |n: i64| Uuid::from_u128(0x1234_5678 + n as u128);
    let at = |n: i64| DateTime::from_timestamp(n, 500_000_000).unwrap().naive_utc();
    for n in 1..=5_i64 {
        let insert = db.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5)").bind(n).bind(format!("\"w{n}\\\n"));
        insert.bind(id(n)).bind(at(n)).bind(n as f64 / 2.0).await.unwrap();
    }
    const IN: &str = "SELECT n FROM t WHERE n IN ($1) ORDER BY n";
    const NOT_IN: &str = "SELECT n FROM t WHERE n not in ($1) ORDER BY n";
    for _ in 0..2 {
        assert_eq!(of_words(&db, IN, list([5, 1, 1, 9])).await, [1, 5]);
        assert_eq!(of_words(&db, IN, list([2_i64])).await, [2]);
        assert_eq!(of_words(&db, NOT_IN, list([2_i16, 3])).await, [1, 4, 5]);
        assert_eq!(of_words(&db, IN, list::<i64>([])).await, [0; 0]);
        assert_eq!(of_words(&db, NOT_IN, list::<i64>([])).await, [1, 2, 3, 4, 5]);
        assert_eq!(of_words(&db, NOT_IN, list([Some(1), None])).await, [0; 0]);
        // One value is what it always was.
        assert_eq!(of_words(&db, IN, 3).await, [3]);
    }
    let words = vec!["\"w2\\\n".to_owned(), "w3".into()];
    assert_eq!(of_words(&db, "SELECT n FROM t WHERE word IN ($1)", list(&words)).await, [2]);
    assert_eq!(of_words(&db, "SELECT n FROM t WHERE word || '' IN ($1)", list(&words)).await, [2]);
    assert_eq!(of_words(&db, "SELECT n FROM t WHERE id IN ($1) ORDER BY n", list([id(4), id(3)])).await, [3, 4]);
    assert_eq!(of_words(&db, "SELECT n FROM t WHERE at IN ($1)", list([at(4)])).await, [4]);
    assert_eq!(of_words(&db, "SELECT n FROM t WHERE x IN ($1) ORDER BY n", list([0.5, 2.0, 1e300])).await, [1, 4]);
    let named = db.query("SELECT n FROM t WHERE (n IN (:ids) OR word IN (:words)) AND n > $1 AND n NOT IN (:ids)");
    let named = named.bind_named("ids", list([1, 2])).bind(0).bind_named("words", list(["\"w2\\\n", "\"w3\\\n"]));
    assert_eq!(named.fetch_all::<i64>().await.unwrap(), [3]);
    let streamed = db.query("SELECT n FROM t WHERE n IN ($1)").bind(list([1, 2])).fetch_one::<i64>().await.unwrap();
    assert!(streamed < 3);
    let deleted = db.execute("DELETE FROM t WHERE n IN ($1)").bind(list([1, 2])).await.unwrap();
    assert_eq!(deleted.rows_affected(), 2);
    // As in a transaction, where PostgreSQL reads through a portal.
    let mut tx = db.begin().await.unwrap();
    assert_eq!(tx.query(IN).bind(list([1, 3, 4])).fetch_all::<i64>().await.unwrap(), [3, 4]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_list_has_no_limit_and_numbered_parameters_have() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)").await.unwrap();
    db.execute_many("INSERT INTO t VALUES ($1)", (0..10).map(|n| (n,))).await.unwrap();
    let many: Vec<i64> = (5..70_005).collect();
    let n: i64 = db.query("SELECT count(*) FROM t WHERE n IN ($1)").bind(list(&many)).fetch_scalar().await.unwrap();
    assert_eq!(n, 5);
    let sql =
        format!("DELETE FROM t WHERE n IN ({})", (1..=70_000).map(|n| format!("${n}")).collect::<Vec<_>>().join(","));
    let error = db.execute(RuntimeSql(sql)).bind_all(many).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters, "{error}");
    let fixes = montrs_orm::AiError::suggested_fixes(&error).join(" ");
    assert!(error.to_string().contains(differs("32766", "65535")) && fixes.contains("IN ($1)"), "{error}: {fixes}");
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 10);
}

#[derive(ToParams)]
struct Filter {
    flags: Vec<bool>,
    prices: Vec<Decimal>,
    days: Vec<NaiveDate>,
}

#[tokio::test]
async fn lists_are_of_booleans_decimals_and_dates_too_and_fields_of_structs() {
    let (db, _place) = open().await;
    let sql = format!("CREATE TABLE t (n INTEGER, flag BOOLEAN, price {}, day DATE)", differs("DECIMAL", "NUMERIC"));
    db.execute(RuntimeSql(sql)).await.unwrap();
    let (price, day) = (|n: i64| Decimal::new(n * 10 + 5, 1), |n: i32| NaiveDate::from_epoch_days(n).unwrap());
    let rows = (1..=4_i32).map(|n| (n, n % 2 == 0, price(n.into()), day(n)));
    db.execute_many("INSERT INTO t VALUES ($1, $2, $3, $4)", rows).await.unwrap();
    const FLAG: &str = "SELECT n FROM t WHERE flag IN ($1) ORDER BY n";
    assert_eq!(of_words(&db, FLAG, list([true])).await, [2, 4]);
    assert_eq!(of_words(&db, FLAG, list([false, true])).await, [1, 2, 3, 4]);
    const PRICE: &str = "SELECT n FROM t WHERE price IN ($1) ORDER BY n";
    assert_eq!(of_words(&db, PRICE, list([price(3), price(1), price(9)])).await, [1, 3]);
    assert_eq!(of_words(&db, PRICE, list([Decimal::new(250, 2)])).await, [2], "2.50 is 2.5");
    const DAY: &str = "SELECT n FROM t WHERE day NOT IN ($1) ORDER BY n";
    assert_eq!(of_words(&db, DAY, list([day(2), day(3)])).await, [1, 4]);
    let filter =
        || Filter { flags: vec![true], prices: vec![price(2), price(3), price(4)], days: vec![day(1), day(2), day(3)] };
    let named = "SELECT n FROM t WHERE day IN (:days) AND flag IN (:flags) AND price IN (:prices)";
    assert_eq!(db.query(named).bind_all_named(filter()).fetch_all::<i64>().await.unwrap(), [2]);
    let numbered = "SELECT n FROM t WHERE day IN ($3) AND flag IN ($1) AND price IN ($2)";
    assert_eq!(db.query(numbered).bind_all(filter()).fetch_all::<i64>().await.unwrap(), [2]);
}

#[tokio::test]
async fn a_list_of_bytes_is_told_where_there_are_no_arrays() {
    let (db, _place) = open().await;
    let sql = format!("SELECT 1 WHERE {} IN ($1)", differs("x'01'", "'\\x01'::bytea"));
    let found = db.query(RuntimeSql(sql)).bind(vec![vec![1_u8], vec![2]]).fetch_scalar::<i64>().await;
    if on_postgres() {
        return assert_eq!(found.unwrap(), 1);
    }
    let error = found.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("a value of bytes cannot be in a list"), "{error}");
    assert!(montrs_orm::AiError::suggested_fixes(&error)[0].contains("hex(column) IN ($1)"), "{error:?}");
}

#[tokio::test]
async fn a_list_that_fits_nowhere_is_told() {
    let (db, _place) = open().await;
    let error = db.query("SELECT 1 WHERE 1 = $1").bind(list([1, 2])).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode, "{error:?}");
    let error = db.query("SELECT 1 WHERE 1 IN ($1, $2)").bind(list([1, 2])).bind(1).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode, "{error:?}");
}
