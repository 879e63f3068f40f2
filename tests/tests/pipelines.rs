//! Several statements in one go: all of them, or none; with the same answers on every database.

mod dropping;

use montrs_orm::{Capability, Database, DbErrorKind, FromRow, QueryBuilder, RuntimeSql, query};
use montrs_tests::{Place, builder, differs};

const INSERT: &str = "INSERT INTO t (id, name) VALUES ($1, $2)";

async fn table() -> (Database, Place) {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    db.execute_many(INSERT, [(1, "Ada"), (2, "Grace")]).await.unwrap();
    (db, place)
}

async fn names(db: &Database) -> Vec<String> {
    db.query("SELECT name FROM t ORDER BY id").fetch_all().await.unwrap()
}

#[derive(FromRow, Debug, PartialEq)]
struct User {
    id: i64,
    name: String,
}

const ONE: &str = "SELECT id, name FROM t WHERE id = $1";

#[tokio::test]
async fn each_statement_is_answered_as_it_is_wanted() {
    let (db, _place) = table().await;
    assert_eq!(db.capability(Capability::PIPELINES), differs(0, 1));
    let task = db.clone();
    let (user, users, none, count, done) = tokio::spawn(async move {
        task.pipeline((
            query(ONE).bind(1).one::<User>(),
            query("SELECT id, name FROM t ORDER BY id").all::<User>(),
            query(ONE).bind(7).optional::<User>(),
            query("SELECT count(*) FROM t WHERE id < :most").bind_named("most", 9).scalar::<i64>(),
            query("UPDATE t SET name = $1").bind("Rita"),
        ))
        .await
    })
    .await
    .unwrap()
    .unwrap();
    let of = |id, name: &str| User { id, name: name.into() };
    assert_eq!((user, users, none), (of(1, "Ada"), vec![of(1, "Ada"), of(2, "Grace")], None));
    assert_eq!((count, done.rows_affected()), (2, 2));
    assert_eq!(names(&db).await, ["Rita", "Rita"]);
    let mut builder = QueryBuilder::new("SELECT name FROM t");
    builder.conditions().push_opt("id = ", Some(2));
    let ([first, second], rest) = db
        .pipeline((
            [query("DELETE FROM t WHERE id = $1").bind_all((1,)), query("DELETE FROM t WHERE id = $1").bind(1)],
            vec![builder.into_statement().scalar::<String>()],
        ))
        .await
        .unwrap();
    assert_eq!((first.rows_affected(), second.rows_affected(), rest), (1, 0, vec!["Rita".to_owned()]));
}

#[tokio::test]
async fn statements_see_what_those_before_them_did() {
    let (db, _place) = table().await;
    let (_, count, _, again, returned) = db
        .pipeline((
            query(INSERT).bind(3).bind("Emmy"),
            query("SELECT count(*) FROM t").scalar::<i64>(),
            query("DELETE FROM t WHERE id > 1"),
            query("SELECT count(*) FROM t").scalar::<i64>(),
            query("INSERT INTO t (id, name) VALUES (8, 'a'), (9, 'b') RETURNING id").all::<i64>(),
        ))
        .await
        .unwrap();
    assert_eq!((count, again, returned), (3, 1, vec![8, 9]));
    let returned = db.pipeline(query("INSERT INTO t VALUES (10, 'c'), (11, 'd') RETURNING id").one::<i64>()).await;
    assert_eq!(returned.unwrap(), 10);
    assert_eq!(names(&db).await.len(), 5);
}

#[tokio::test]
async fn an_error_in_the_middle_names_its_statement_and_leaves_nothing() {
    let (db, _place) = table().await;
    let statements = || {
        (
            query("UPDATE t SET name = 'gone'"),
            query(INSERT).bind(1).bind("again"),
            query("SELECT count(*) FROM t").scalar::<i64>(),
        )
    };
    let error = db.pipeline(statements()).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::UniqueViolation, Some(2)));
    assert_eq!((error.sql(), error.row(), error.may_have_executed()), (Some(INSERT), None, false));
    assert!(error.to_string().starts_with("statement 2 of 3: "), "{error}");
    assert_eq!(names(&db).await, ["Ada", "Grace"]);
    // Inside of a transaction, the pipeline alone is undone.
    let mut tx = db.begin().await.unwrap();
    tx.execute(INSERT).bind(3).bind("Emmy").await.unwrap();
    assert_eq!(tx.pipeline(statements()).await.unwrap_err().kind(), DbErrorKind::UniqueViolation);
    let (done, count) = tx
        .pipeline((query(INSERT).bind(4).bind("Lise"), query("SELECT count(*) FROM t").scalar::<i64>()))
        .await
        .unwrap();
    assert_eq!((done.rows_affected(), count), (1, 4));
    tx.commit().await.unwrap();
    assert_eq!(names(&db).await, ["Ada", "Grace", "Emmy", "Lise"]);
    let mut tx = db.begin().await.unwrap();
    tx.pipeline([query("DELETE FROM t")]).await.unwrap();
    drop(tx);
    assert_eq!(names(&db).await.len(), 4);
}

#[tokio::test]
async fn what_cannot_be_prepared_is_found_before_anything_is_run() {
    let (db, _place) = table().await;
    let error = db.pipeline((query("DELETE FROM t"), query("SELECT 1,\n  nowhere FROM t"))).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::UndefinedColumn, Some(2)));
    if differs(false, true) {
        assert_eq!((error.line_and_column(), error.position()), (Some((2, 3)), Some(12)));
        assert!(error.to_string().starts_with("statement 2 of 2, line 2, column 3: "), "{error}");
    }
    let error = db.pipeline((query("DELETE FROM t"), query("  "))).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::EmptyStatement, Some(2)));
    let error = db.pipeline((query("CREATE TABLE u (x INTEGER)"), query("INSERT INTO u VALUES (1)"))).await;
    assert_eq!(error.unwrap_err().statement_number(), Some(2));
    assert_eq!(names(&db).await, ["Ada", "Grace"]);
}

#[tokio::test]
async fn parameters_that_are_missing_or_cannot_be_sent_leave_nothing() {
    let (db, _place) = table().await;
    for missing in [query(INSERT).bind(3), query("DELETE FROM t WHERE id = :id"), query("DELETE FROM t").bind(1)] {
        let error = db.pipeline((query("DELETE FROM t"), query("SELECT 1"), missing)).await.unwrap_err();
        assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::Parameters, Some(3)), "{error}");
    }
    let error = db.pipeline((query("DELETE FROM t"), query(INSERT).bind(u64::MAX).bind("x"))).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::Encode, Some(2)));
    assert!(error.to_string().starts_with("statement 2 of 2: parameter $1 cannot be sent"), "{error}");
    assert_eq!(names(&db).await, ["Ada", "Grace"]);
}

#[tokio::test]
async fn rows_that_do_not_fit_are_found_after_the_statements_were_run() {
    let (db, _place) = table().await;
    let error = db.pipeline((query(ONE).bind(7).one::<User>(), query("UPDATE t SET name = 'done'"))).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::RowNotFound, Some(1)));
    assert!(error.may_have_executed());
    assert_eq!(names(&db).await, ["done", "done"]);
    let statements =
        (query("DELETE FROM t WHERE id = 1"), query("SELECT name FROM t").all::<i64>(), query("DELETE FROM t"));
    let error = db.pipeline(statements).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::Decode, Some(2)));
    assert!(error.may_have_executed());
    let error = db.pipeline(query("SELECT 1 AS wrong").all::<User>()).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::ColumnNotFound, Some(1)));
    assert!(names(&db).await.is_empty());
}

#[tokio::test]
async fn a_thousand_different_queries_are_answered_in_order() {
    let (db, _place) = table().await;
    // More than the cache of statements holds; and the same again, of which some are in it.
    for _ in 0..2 {
        let queries = (0..1000).map(|n| {
            let sql = format!("SELECT CAST({n} AS INTEGER), CAST($1 AS INTEGER) FROM t WHERE id <= 1 + {n} % 2");
            query(RuntimeSql(sql)).bind(n * 3).all::<(i64, i64)>()
        });
        let answers = db.pipeline(queries.collect::<Vec<_>>()).await.unwrap();
        for (n, rows) in (0..).zip(answers) {
            assert_eq!(rows, vec![(n, n * 3); 1 + n as usize % 2]);
        }
    }
    let same = (0..1000).map(|n| query("SELECT $1 + id FROM t WHERE id = 1").bind(n).scalar::<i64>());
    let sums = db.pipeline(same.collect::<Vec<_>>()).await.unwrap();
    assert_eq!(sums, (1..=1000).collect::<Vec<i64>>());
    assert_eq!(names(&db).await, ["Ada", "Grace"]);
}

#[tokio::test]
async fn large_answers_and_large_parameters_arrive_whole() {
    const NUMBERS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, $1 FROM n";
    let (db, _place) = table().await;
    let text = "x".repeat(500);
    let large = "y".repeat(5_000_000);
    let numbers = || query(NUMBERS).bind(&text).all::<(i64, String)>();
    let (first, length, second, same) = db
        .pipeline((
            numbers(),
            query("SELECT length(CAST($1 AS TEXT))").bind(&large).scalar::<i64>(),
            numbers(),
            query("SELECT CAST($1 AS TEXT)").bind(&large).scalar::<String>(),
        ))
        .await
        .unwrap();
    assert_eq!(length, 5_000_000);
    assert!(same == large);
    for rows in [first, second] {
        assert_eq!(rows.len(), 20_000);
        assert!((1..).zip(rows).all(|(n, row)| row.0 == n && row.1 == text));
    }
}

#[tokio::test]
async fn dropped_at_any_poll_all_is_done_or_nothing() {
    let (db, _place) = table().await;
    let ended = dropping::at_every_poll(
        async || {
            db.pipeline((
                query("DELETE FROM t WHERE id > 2"),
                query(INSERT).bind(3).bind("c"),
                query("SELECT id, name FROM t").all::<User>(),
                query(INSERT).bind(4).bind("d"),
            ))
            .await
            .unwrap()
        },
        async || {
            let there = names(&db).await.len();
            assert!(there == 2 || there == 4, "{there}");
        },
    );
    ended.await;
    assert_eq!(names(&db).await, ["Ada", "Grace", "c", "d"]);
}

#[tokio::test]
async fn no_statement_needs_no_database_and_none_may_end_the_transaction() {
    let (db, _place) = table().await;
    let held = db.acquire().await.unwrap();
    let none: [&'static str; 0] = [];
    assert_eq!(db.pipeline(none.map(|sql| query(sql).scalar::<i64>())).await.unwrap(), [0; 0]);
    drop(held);
    let error = db.pipeline((query("DELETE FROM t"), query("COMMIT"), query("SELECT 1"))).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TransactionState, "{error}");
}
