//! One statement for many rows: all of them, or none.

use montrs_orm::{AiError, Database, DbErrorKind, EncodeError, ParamRow, ToParams};
use montrs_tests::{Place, builder, differs, poll_then_drop};

const INSERT: &str = "INSERT INTO t (id, name) VALUES ($1, $2)";

async fn table() -> (Database, Place) {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    (db, place)
}

async fn count(db: &Database) -> i64 {
    db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap()
}

/// So many rows of an iterator that does not know how many it has.
fn rows(count: i64) -> impl Iterator<Item = (i64, String)> + Send {
    (1..=count).map(|id| (id, format!("name {id}"))).filter(|_| true)
}

#[tokio::test]
async fn ten_thousand_rows_of_an_iterator_are_inserted() {
    let (db, _place) = table().await;
    let task = db.clone();
    let done = tokio::spawn(async move { task.execute_many(INSERT, rows(10_000)).await }).await.unwrap().unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (10_000, differs(Some(10_000), None)));
    assert_eq!(count(&db).await, 10_000);
    let wrong: i64 = db.query("SELECT count(*) FROM t WHERE name <> 'name ' || id").fetch_scalar().await.unwrap();
    assert_eq!(wrong, 0);
    let done = db.execute_many("DELETE FROM t WHERE id = $1", [[1], [2], [2]]).await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (2, None));
}

#[tokio::test]
async fn an_error_in_the_middle_names_its_row_and_leaves_nothing() {
    let (db, _place) = table().await;
    db.execute(INSERT).bind(7500).bind("there already").await.unwrap();
    let error = db.execute_many(INSERT, rows(10_000)).await.unwrap_err();
    assert_eq!((error.kind(), error.row(), error.sql()), (DbErrorKind::UniqueViolation, Some(7499), Some(INSERT)));
    assert_eq!(
        error.to_string(),
        differs(
            "row 7500: UNIQUE constraint failed: t.id",
            "row 7500: duplicate key value violates unique constraint \"t_pkey\""
        )
    );
    assert_eq!(count(&db).await, 1);
    let error = db.execute_many(INSERT, (7400..7600).map(|id| (id, "x"))).await.unwrap_err();
    assert!(error.to_string().starts_with("row 101 of 200: "), "{error}");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn rows_that_cannot_be_sent_leave_nothing_of_those_before() {
    let (db, _place) = table().await;
    let long = (1..=5000).map(|id| if id == 4500 { vec![id] } else { vec![id, id] });
    let error = db.execute_many(INSERT, long).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Parameters, Some(4499)));
    assert_eq!(error.to_string(), "row 4500 of 5000: it has 1 values, the rows before it have 2");
    let error = db.execute_many(INSERT, [(1_u64, "a"), (u64::MAX, "b")]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Encode, Some(1)));
    assert!(error.to_string().starts_with("row 2 of 2: parameter $1 cannot be sent: "), "{error}");
    let error = db.execute_many(INSERT, [(1, "a", 2)]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Parameters, Some(0)));
    let error = db.execute_many("INSERT INTO t (id) VALUES ($1) RETURNING id", [(1,)]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn no_rows_are_none_and_the_database_is_not_asked() {
    let (db, _place) = table().await;
    let held = db.acquire().await.unwrap();
    let done = db.execute_many(INSERT, rows(0)).await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (0, None));
    drop(held);
}

#[tokio::test]
async fn dropped_at_any_poll_all_rows_are_there_or_none() {
    let (db, _place) = table().await;
    let mut dropped = 0;
    for polls in (0..).step_by(differs(7, 997)) {
        // In several batches.
        let done = poll_then_drop(polls, db.execute_many(INSERT, rows(9000))).await;
        let there = count(&db).await;
        assert!(there == 9000 || (there == 0 && done.is_none()), "{there} rows after {polls} polls");
        db.execute("DELETE FROM t").await.unwrap();
        match done {
            Some(_) => break,
            None => dropped += 1,
        }
    }
    assert!((1..1000).contains(&dropped), "{dropped}");
}

#[tokio::test]
async fn inside_a_transaction_a_failure_undoes_its_own_rows_only() {
    let (db, _place) = table().await;
    let mut tx = db.begin().await.unwrap();
    tx.execute_many(INSERT, [(1, "a"), (2, "b")]).await.unwrap();
    tx.execute_many(INSERT, [(3, "c"), (1, "d")]).await.unwrap_err();
    tx.execute_many(INSERT, &[(4, "e")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT id FROM t").fetch_all::<i64>().await.unwrap(), [1, 2, 4]);
    let mut tx = db.begin().await.unwrap();
    tx.execute_many(INSERT, [(5, "f")]).await.unwrap();
    drop(tx);
    assert_eq!(count(&db).await, 3);
}

struct Named {
    id: i64,
    name: Option<String>,
}

impl ToParams for Named {
    fn to_params(&self, row: &mut ParamRow<'_>) -> Result<(), EncodeError> {
        row.push(self.id)?;
        row.push(&self.name)
    }
}

#[tokio::test]
async fn rows_are_tuples_arrays_vectors_and_types_of_ones_own() {
    let (db, _place) = table().await;
    let all = [Named { id: 1, name: None }, Named { id: 2, name: Some("two".into()) }];
    db.execute_many(INSERT, &all).await.unwrap();
    db.execute_many(INSERT, vec![vec!["3", "three"]]).await.unwrap();
    let done = db.execute_many("DELETE FROM t WHERE id = (SELECT max(id) FROM t)", [[0; 0]; 2]).await.unwrap();
    assert_eq!(done.rows_affected(), 2);
    assert_eq!(db.query("SELECT name FROM t").fetch_all::<Option<String>>().await.unwrap(), [None]);
}

#[tokio::test]
async fn a_list_is_bound_in_each_row_or_in_none() {
    let (db, _place) = table().await;
    db.execute_many("INSERT INTO t VALUES ($1, $2)", (0..10i64).map(|n| (n, format!("w{n}")))).await.unwrap();
    let lists = [(1i64, vec![1i64, 2, 3]), (4, vec![]), (5, vec![5, 9])];
    let done = db.execute_many("DELETE FROM t WHERE id >= $1 AND id IN ($2)", lists).await.unwrap();
    assert_eq!(done.rows_affected(), 5);
    let left: Vec<i64> = db.query("SELECT id FROM t ORDER BY id").fetch_all().await.unwrap();
    assert_eq!(left, [0, 4, 6, 7, 8]);
    // Words, which the text of an array could be mistaken for.
    let done = db.execute_many("DELETE FROM t WHERE name IN ($1)", [(vec!["w0", "w4"],)]).await.unwrap();
    assert_eq!(done.rows_affected(), 2);
    for sql in ["DELETE FROM t WHERE id = $1", "DELETE FROM t WHERE name = $1"] {
        let error = db.execute_many(sql, [(vec![1i64],)]).await.unwrap_err();
        assert_eq!((error.kind(), error.row()), (DbErrorKind::Encode, Some(0)), "{error}");
        assert!(error.suggested_fixes().join(" ").contains("IN ($1)"), "{error:?}");
    }
    assert_eq!(count(&db).await, 3, "nothing was deleted by what was refused");
}
