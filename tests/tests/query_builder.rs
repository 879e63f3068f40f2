//! SQL that is put together at run time, maps of rows, plans.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, FromRow, QueryBuilder};
use montrs_tests::{Place, differs, open};

#[derive(Debug, FromRow, PartialEq)]
struct User {
    id: i64,
    name: String,
}

async fn users() -> (Database, Place) {
    let (db, place) = open().await;
    db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, \"Town\" TEXT)").await.unwrap();
    let rows = [(1, "Ada", "London"), (2, "Grace", "New York"), (3, "Rita", "Turin")];
    let mut insert = QueryBuilder::new("INSERT INTO ");
    insert.push_ident("users").push(" (id, name, \"Town\") ");
    insert.push_values(rows, |row, (id, name, town)| {
        row.push_bind(id).push_bind(name).push_bind(town);
    });
    assert_eq!(insert.build(&db).await.unwrap().rows_affected(), 3);
    (db, place)
}

/// The filters of a search, each of which may be missing.
async fn search(db: &Database, name: Option<&str>, id: Option<i64>, by: &str) -> Result<Vec<i64>, DbError> {
    let mut query = QueryBuilder::new("SELECT id FROM users");
    let mut conditions = query.conditions();
    conditions.push_opt("name < ", name);
    conditions.push_opt("id = ", id);
    query.push(" ORDER BY ").push_ident(by).push(" DESC");
    query.build(db).fetch_all().await
}

#[tokio::test]
async fn conditions_are_there_when_they_are_asked_for() {
    let (db, _place) = users().await;
    assert_eq!(search(&db, None, None, "id").await.unwrap(), [3, 2, 1]);
    assert_eq!(search(&db, Some("H"), None, "Town").await.unwrap(), [2, 1]);
    assert_eq!(search(&db, Some("H"), Some(2), "id").await.unwrap(), [2]);
    let error = search(&db, None, None, "id\"; DROP TABLE users; --").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedColumn, "{error:?}");
    assert_eq!(search(&db, Some("'; DROP TABLE users; --"), None, "id").await.unwrap(), [0; 0]);
    let mut tx = db.begin().await.unwrap();
    let mut query = QueryBuilder::new("UPDATE users SET ");
    query.separated(", ").push_opt("name = ", Some("Ann")).push_opt("id = ", None::<i64>);
    query.conditions().push("id = ").push_bind_unseparated(1);
    assert_eq!(query.build(&mut tx).await.unwrap().rows_affected(), 1);
    tx.rollback().await.unwrap();
    let mut query = QueryBuilder::new("SELECT ");
    query.push_bind(u64::MAX);
    assert_eq!(query.build(&db).await.unwrap_err().kind(), DbErrorKind::Encode);
}

#[tokio::test]
async fn a_number_that_is_written_does_not_take_the_value_of_another() {
    let (db, _place) = users().await;
    let mut query = QueryBuilder::new("DELETE FROM users WHERE id <> $1");
    query.push(" AND name <> ").push_bind("Ada");
    let error = query.build(&db).bind(2).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters, "{error:?}");
    assert!(error.suggested_fixes()[0].contains("push_bind instead of $1"), "{error:?}");
    assert_eq!(db.query("SELECT count(*) FROM users").fetch_scalar::<i64>().await.unwrap(), 3);
    // By its name, or alone.
    let mut query = QueryBuilder::new("DELETE FROM users WHERE id <> :id");
    query.push(" AND name <> ").push_bind("Ada");
    assert_eq!(query.build(&db).bind_named("id", 2).await.unwrap().rows_affected(), 1);
    let query = QueryBuilder::new("DELETE FROM users WHERE id = $1");
    assert_eq!(query.build(&db).bind(2).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_list_is_pushed_like_any_value() {
    let (db, _place) = users().await;
    for (ids, expected) in [(vec![3_i64, 1, 9], vec![1, 3]), (vec![2], vec![]), (vec![], vec![])] {
        let mut query = QueryBuilder::new("SELECT id FROM users");
        let mut conditions = query.conditions();
        conditions.push("id IN (").push_bind_unseparated(ids).push_unseparated(")");
        conditions.push("name NOT IN (").push_bind_unseparated(vec!["Grace"]).push_unseparated(")");
        query.push(" ORDER BY id");
        assert_eq!(query.build(&db).fetch_all::<i64>().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn rows_become_maps_and_no_row_is_lost() {
    let (db, _place) = users().await;
    let names = db.query("SELECT id, name FROM users").fetch_map::<i64, String>().await.unwrap();
    assert_eq!((names.len(), names[&2].as_str()), (3, "Grace"));
    let users = db.query("SELECT name, id FROM users").fetch_map_by(|user: &User| user.name.clone()).await.unwrap();
    assert_eq!((users.len(), users["Rita"].id), (3, 3));
    let none = db.query("SELECT id, name FROM users WHERE id < 0").fetch_map::<i64, String>().await.unwrap();
    assert!(none.is_empty());
    let error = db.query("SELECT id / 3, name FROM users ORDER BY id").fetch_map::<i64, String>().await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Decode, Some(1)));
    assert_eq!(error.to_string(), "row 2: it has the key of a row before it, and a map has each key once");
    let error = db.query("SELECT id FROM users").fetch_map::<i64, String>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::ColumnNotFound);
}

#[tokio::test]
async fn a_plan_is_told_without_running_the_statement() {
    let (db, _place) = users().await;
    let plan = db.query("SELECT name FROM users WHERE id = $1").bind(1).explain().await.unwrap();
    assert!(plan.join("\n").contains(differs("SEARCH users USING INTEGER PRIMARY KEY", "users")), "{plan:?}");
    let plan = db.query("DELETE FROM users WHERE name IN (:names)").bind_named("names", "Ada").explain().await.unwrap();
    assert!(!plan.is_empty());
    assert_eq!(db.query("SELECT count(*) FROM users").fetch_scalar::<i64>().await.unwrap(), 3);
    let sql = "SELECT missing FROM users";
    let error = db.query(sql).explain().await.unwrap_err();
    assert_eq!((error.kind(), error.sql()), (DbErrorKind::UndefinedColumn, Some(sql)), "{error:?}");
    assert_eq!(error.position(), sql.find("missing"));
    let error = db.query("SELECT id FROM users WHERE id = $1").explain().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
    assert_eq!(db.query(" -- nothing").explain().await.unwrap_err().kind(), DbErrorKind::EmptyStatement);
    assert_eq!(db.command("explain").explain().await.unwrap_err().kind(), DbErrorKind::Unsupported);
    assert_eq!(db.command("explain").await.unwrap_err().kind(), DbErrorKind::Parameters);
    let mut tx = db.begin().await.unwrap();
    assert!(!tx.query("SELECT 1").explain().await.unwrap().is_empty());
    assert_eq!(tx.query("SELECT id FROM users WHERE id = $1").bind(2).fetch_scalar::<i64>().await.unwrap(), 2);
}
