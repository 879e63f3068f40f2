//! What recurses in SQLite, at its limits and beyond: a result or an error, never the end of the stack, whichever stack it
//! runs on. The driver's own tests look at each feature more closely.

use montrs_orm::{Database, DbErrorKind, RuntimeSql};
use montrs_tests::builder;

/// A feature: how a statement of a depth is made, and a depth at which it must work.
type Feature = (&'static str, fn(usize) -> String, usize);

const FEATURES: &[Feature] = &[
    ("LIKE", |n| format!("SELECT '{}' LIKE '{}'", "a".repeat(n), "%a".repeat(n)), 1000),
    ("GLOB", |n| format!("SELECT '{}' GLOB '{}'", "a".repeat(n), "*a".repeat(n)), 1000),
    ("GLOB with sets", |n| format!("SELECT '{}' GLOB '{}'", "a".repeat(n), "*[a-z]".repeat(n)), 100),
    ("brackets", |n| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)), 10),
    ("sums", |n| format!("SELECT {}1{}", "(1 + ".repeat(n), ")".repeat(n)), 100),
    ("AND", |n| format!("SELECT 1{}", " AND 1".repeat(n)), 100),
    ("NOT", |n| format!("SELECT {}1", "NOT ".repeat(n)), 100),
    ("CASE", |n| format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(n), " END".repeat(n)), 10),
    ("functions", |n| format!("SELECT {}1{}", "abs(".repeat(n), ")".repeat(n)), 10),
    ("IN", |n| format!("SELECT {}1{}", "1 IN (SELECT ".repeat(n), ")".repeat(n)), 10),
    ("EXISTS", |n| format!("{}SELECT 1{}", "SELECT EXISTS (".repeat(n), ")".repeat(n)), 10),
    ("UNION", |n| format!("SELECT 1{}", " UNION SELECT 1".repeat(n)), 100),
    ("VALUES", |n| format!("VALUES (1){}", ", (1)".repeat(n)), 10_000),
    ("subqueries", |n| format!("{}SELECT 1{}", "SELECT * FROM (".repeat(n), ")".repeat(n)), 10),
    ("joins", |n| format!("SELECT count(*) FROM small{}", ", small".repeat(n)), 1),
    ("WITH", |n| format!("{}SELECT 1{}", "WITH c AS (".repeat(n), ") SELECT * FROM c".repeat(n)), 10),
    ("recursion", |n| counting(n, "count(*)"), 10_000),
    (
        "recursion that builds text",
        |n| {
            format!(
                "WITH RECURSIVE c (i, s) AS (SELECT 1, '' UNION ALL SELECT i + 1, s || 'x' FROM c WHERE i < {n}) SELECT max(length(s)) FROM c"
            )
        },
        1000,
    ),
    ("windows", |n| format!("SELECT {} FROM small", vec!["sum(a) OVER (ORDER BY a)"; n].join(", ")), 100),
    (
        "windows in subqueries",
        |n| format!("{}SELECT a FROM small{}", "SELECT sum(a) OVER (ORDER BY a) AS a FROM (".repeat(n), ")".repeat(n)),
        5,
    ),
    (
        "a window over rows",
        |n| counting(n, "sum(i) OVER (ORDER BY i ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)"),
        10_000,
    ),
    ("JSON arrays", |n| format!("SELECT json('{}{}')", "[".repeat(n), "]".repeat(n)), 500),
    ("JSON objects", |n| format!("SELECT json_pretty('{}1{}')", "{\"a\":".repeat(n), "}".repeat(n)), 500),
    ("JSON paths", |n| format!("SELECT json_set('{{}}', '${}', 1)", ".a".repeat(n)), 100),
    ("json_tree", |n| format!("SELECT count(*) FROM json_tree('{}{}')", "[".repeat(n), "]".repeat(n)), 100),
    ("json_patch", |n| format!("SELECT json_patch('{0}1{1}', '{0}2{1}')", "{\"a\":".repeat(n), "}".repeat(n)), 100),
    ("search in brackets", |n| search(format!("{}word{}", "(".repeat(n), ")".repeat(n))), 10),
    ("search with OR", |n| search(format!("word{}", " OR word".repeat(n))), 100),
    ("search with NOT", |n| search(format!("{}word{}", "(word NOT ".repeat(n), ")".repeat(n))), 10),
    ("search with NEAR", |n| search(format!("NEAR({})", vec!["word"; n].join(" "))), 10),
    ("views", |n| format!("SELECT a FROM view{}", n.min(200)), 10),
    ("triggers", |n| format!("INSERT INTO falling VALUES ({n})"), 500),
    ("cascades", |n| format!("DELETE FROM tree WHERE tree = {n} AND id = 1"), 500),
    ("identifiers", |n| format!("SELECT 1 AS \"{}\"", "x".repeat(n)), 10_000),
];

const DEPTHS: [usize; 9] = [1, 5, 10, 100, 500, 1000, 2000, 10_000, 24_000];

fn counting(to: usize, what: &str) -> String {
    format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT {what} FROM n")
}

fn search(text: String) -> String {
    format!("SELECT count(*) FROM words WHERE words MATCH '{text}'")
}

async fn set_up(db: &Database) {
    for sql in [
        "CREATE TABLE small (a)",
        "INSERT INTO small VALUES (1), (2)",
        "CREATE VIRTUAL TABLE words USING fts5 (word)",
        "INSERT INTO words VALUES ('word')",
        "PRAGMA recursive_triggers = on",
        "CREATE TABLE falling (n)",
        "CREATE TRIGGER fall AFTER INSERT ON falling WHEN new.n > 0 BEGIN INSERT INTO falling VALUES (new.n - 1); END",
        "CREATE TABLE tree (tree, id, parent, PRIMARY KEY (tree, id), \
         FOREIGN KEY (tree, parent) REFERENCES tree ON DELETE CASCADE)",
        "CREATE VIEW view0 AS SELECT a FROM small",
    ] {
        db.execute(sql).await.unwrap();
    }
    for view in 1..=200 {
        let sql = format!("CREATE VIEW view{view} AS SELECT a FROM view{}", view - 1);
        db.execute(RuntimeSql(sql)).await.unwrap();
    }
    for tree in DEPTHS.into_iter().filter(|depth| *depth <= 2000) {
        let sql = "INSERT INTO tree WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                   SELECT $1, i, nullif(i - 1, 0) FROM n";
        db.execute(sql).bind(tree as i64).await.unwrap();
    }
}

async fn every_feature(url: &str) {
    let db = builder(url).connect().await.unwrap();
    set_up(&db).await;
    for (feature, statement, works_at) in FEATURES {
        for depth in DEPTHS {
            let result = db.query(RuntimeSql(statement(depth))).for_each(|_| Ok(())).await;
            match result {
                Ok(()) => {}
                Err(error) => {
                    assert!(depth > *works_at, "{feature} at {depth}: {error:?}");
                    let kinds = [DbErrorKind::TooLarge, DbErrorKind::Query, DbErrorKind::Data, DbErrorKind::Syntax];
                    assert!(kinds.contains(&error.kind()), "{feature} at {depth}: {error:?}");
                }
            }
            assert_eq!(db.query("SELECT count(*) FROM small").fetch_scalar::<i64>().await.unwrap(), 2, "{feature}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_recurses_ends_well_in_a_coroutine() {
    every_feature("sqlite::memory:?execution=coroutine").await;
}

/// On threads of tokio's blocking pool, whose stacks have 2 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_recurses_ends_well_on_the_blocking_pool() {
    every_feature("sqlite::memory:?execution=blocking").await;
}
