//! What people who know SQLite expect of it, through the public API.

use montrs_orm::{Access, Database, DbErrorKind, LockMode, RuntimeSql, TransactionOptions, Value, drivers::SearchPath};
use montrs_tests::{TestFile, builder, built_library, private_dir};
use std::time::Duration;

const LOCK: fn(LockMode) -> TransactionOptions =
    |lock_mode| TransactionOptions { lock_mode, ..TransactionOptions::default() };

async fn memory() -> Database {
    builder("sqlite::memory:").connect().await.unwrap()
}

async fn scalar(db: &Database, sql: &'static str) -> Value {
    db.query(sql).fetch_scalar().await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[tokio::test]
async fn lock_modes_take_their_locks_at_begin() {
    let file = TestFile::new();
    let open = || builder(&format!("{}?busy_timeout=0&journal_mode=delete", file.url())).connect();
    // Of one pool, the second would wait for its turn.
    let (db, other) = (open().await.unwrap(), open().await.unwrap());
    db.execute("CREATE TABLE t (x)").await.unwrap();
    let first = db.begin_with(LOCK(LockMode::IMMEDIATE)).await.unwrap();
    let refused = other.begin_with(LOCK(LockMode::IMMEDIATE)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.is_retryable()), (DbErrorKind::Busy, true));
    assert_eq!(scalar(&db, "SELECT count(*) FROM t").await, Value::I64(0), "readers go on");
    drop(db.begin_with(LOCK(LockMode::DEFERRED)).await.unwrap());
    first.rollback().await.unwrap();
    let first = db.begin_with(LOCK(LockMode::EXCLUSIVE)).await.unwrap();
    let refused = db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(refused.kind(), DbErrorKind::Busy, "readers wait");
    first.rollback().await.unwrap();
    let read_only = TransactionOptions { access: Access::READ_ONLY, ..TransactionOptions::default() };
    let mut tx = db.begin_with(read_only).await.unwrap();
    let refused = tx.execute("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!(refused.kind(), DbErrorKind::ReadOnly);
}

#[tokio::test]
async fn savepoints_in_sql_and_in_the_api_go_together() {
    let db = memory().await;
    db.execute("CREATE TABLE t (x)").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for sql in ["INSERT INTO t VALUES (1)", "SAVEPOINT mine", "INSERT INTO t VALUES (2)", "ROLLBACK TO mine"] {
        tx.execute(sql).await.unwrap();
    }
    let mut inner = tx.begin().await.unwrap();
    inner.execute("INSERT INTO t VALUES (3)").await.unwrap();
    inner.commit().await.unwrap();
    tx.execute("RELEASE mine").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT x FROM t").fetch_all::<i64>().await.unwrap(), [1, 3]);
}

#[tokio::test]
async fn what_a_connection_was_given_is_its_users_and_not_the_next_ones() {
    let (file, other) = (TestFile::new(), TestFile::new());
    for url in [file.url(), "sqlite::memory:"] {
        let db = builder(url).max_connections(1).connect().await.unwrap();
        db.execute("CREATE TABLE kept (x)").await.unwrap();
        let mut connection = db.acquire().await.unwrap();
        connection.execute("ATTACH $1 AS other").bind(other.path().to_str().unwrap()).await.unwrap();
        connection.execute("CREATE TABLE IF NOT EXISTS other.t (x)").await.unwrap();
        connection.execute("CREATE TEMP TABLE scratch AS SELECT 1 AS x").await.unwrap();
        connection.execute("PRAGMA foreign_keys = off").await.unwrap();
        connection.execute("PRAGMA busy_timeout = 100").await.unwrap();
        // Also after a statement that was dropped half-way.
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n";
        let dropped = tokio::time::timeout(Duration::from_millis(5), connection.query(endless).fetch_scalar::<i64>());
        dropped.await.unwrap_err();
        let joined = "SELECT count(*) FROM scratch LEFT JOIN other.t USING (x)";
        assert_eq!(connection.query(joined).fetch_scalar::<i64>().await.unwrap(), 1);
        assert_eq!(connection.query("PRAGMA foreign_keys").fetch_scalar::<i64>().await.unwrap(), 0);
        assert_eq!(connection.query("PRAGMA busy_timeout").fetch_scalar::<i64>().await.unwrap(), 100);
        drop(connection);
        let error = db.query(joined).fetch_scalar::<i64>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::UndefinedTable, "{error}");
        assert_eq!(scalar(&db, "PRAGMA foreign_keys").await, Value::I64(1));
        assert_eq!(scalar(&db, "PRAGMA busy_timeout").await, Value::I64(5000));
        assert_eq!(scalar(&db, "SELECT count(*) FROM kept").await, Value::I64(0), "the database is the same");
        // A setting does the same for the next one who sets it.
        for _ in 0..2 {
            let mut connection = db.acquire().await.unwrap();
            connection.execute("PRAGMA foreign_keys = off").await.unwrap();
            assert_eq!(connection.query("PRAGMA foreign_keys").fetch_scalar::<i64>().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn attached_databases_are_changed_together_or_not_at_all() {
    let (file, other) = (TestFile::new(), TestFile::new());
    for is_kept in [false, true] {
        let db = file.open().await;
        let mut connection = db.acquire().await.unwrap();
        connection.execute("ATTACH $1 AS other").bind(other.path().to_str().unwrap()).await.unwrap();
        connection.execute("CREATE TABLE IF NOT EXISTS main.t (x)").await.unwrap();
        connection.execute("CREATE TABLE IF NOT EXISTS other.t (x)").await.unwrap();
        let mut tx = connection.begin().await.unwrap();
        tx.execute("INSERT INTO main.t VALUES (1)").await.unwrap();
        tx.execute("INSERT INTO other.t SELECT x + 1 FROM main.t").await.unwrap();
        if is_kept {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        let both = "SELECT x FROM main.t UNION ALL SELECT x FROM other.t";
        let expected: &[i64] = if is_kept { &[1, 2] } else { &[] };
        assert_eq!(connection.query(both).fetch_all::<i64>().await.unwrap(), expected);
        for schema in ["main", "other"] {
            let check = RuntimeSql(format!("PRAGMA {schema}.integrity_check"));
            assert_eq!(connection.query(check).fetch_scalar::<String>().await.unwrap(), "ok");
        }
        drop(connection);
        db.close().await.unwrap();
    }
    let rows: Vec<i64> = other.open().await.query("SELECT x FROM t").fetch_all().await.unwrap();
    assert_eq!(rows, [2], "it is a database of its own");
}

#[tokio::test]
async fn sql_loads_no_extension_whatever_it_sets() {
    let mut connection = memory().await.acquire().await.unwrap();
    for sql in ["PRAGMA trusted_schema = on", "PRAGMA writable_schema = on"] {
        connection.execute(sql).await.unwrap();
        let error = connection.execute("SELECT load_extension('/lib/extension.so')").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Permission, "{error:?}");
    }
}

/// With SQLite's own way of waiting, the task that holds the lock would never come to its commit.
#[tokio::test]
async fn a_busy_timeout_that_sql_sets_waits_without_holding_up_the_thread() {
    let file = TestFile::new();
    let db = builder(&format!("{}?busy_timeout=0", file.url())).max_connections(2).connect().await.unwrap();
    db.execute("CREATE TABLE t (x)").await.unwrap();
    let mut waiting = db.acquire().await.unwrap();
    waiting.execute("PRAGMA busy_timeout = 600000").await.unwrap();
    let mut holder = db.begin_with(LOCK(LockMode::IMMEDIATE)).await.unwrap();
    holder.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let (waited, committed) = tokio::join!(waiting.execute("INSERT INTO t VALUES (2)").into_future(), async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        holder.commit().await
    });
    committed.unwrap();
    waited.unwrap();
}

#[tokio::test]
async fn two_copies_of_sqlite_never_have_one_file_open() {
    // A driver of another name and content: nothing but the file says that it is SQLite as well.
    let plugins = private_dir();
    let library = built_library("montrs_driver_sqlite");
    let mut bytes = std::fs::read(&library).unwrap();
    let (from, to) = (b"name=sqlite\0", b"name=seeker\0");
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "the record is in the library");
    let copy = plugins.path().join(library.file_name().unwrap());
    montrs_tests::install(&library, &copy);
    std::fs::write(&copy, bytes).unwrap();
    let file = TestFile::new();
    let other = || Database::builder().url(file.url()).search_path(SearchPath::only([plugins.path()]));
    let db = file.open().await;
    db.execute("CREATE TABLE t (x)").await.unwrap();
    let error = other().connect().await.unwrap_err();
    assert!(error.to_string().contains("has the database file open already"), "{error}");
    let apart = TestFile::new();
    let second = Database::builder().url(apart.url()).search_path(SearchPath::only([plugins.path()]));
    let second = second.connect().await.unwrap();
    assert_eq!(second.driver().name, "seeker");
    let mut connection = second.acquire().await.unwrap();
    let attached = connection.execute("ATTACH $1 AS other").bind(file.path().to_str().unwrap()).await;
    assert!(attached.unwrap_err().to_string().contains("open already"));
    db.close().await.unwrap();
    drop(db);
    connection.execute("ATTACH $1 AS other").bind(file.path().to_str().unwrap()).await.unwrap();
    let error = builder(file.url()).connect().await.unwrap_err();
    assert!(error.to_string().contains("has the database file open already"), "{error}");
}

#[tokio::test]
async fn rows_that_are_inserted_changed_and_returned_are_told() {
    let db = memory().await;
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE, n INTEGER DEFAULT 1)").await.unwrap();
    let done = db.execute("INSERT INTO t (word) VALUES ('a'), ('b'), ('c')").await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (3, Some(3)));
    let upsert = "INSERT INTO t (word) VALUES ($1) ON CONFLICT (word) DO UPDATE SET n = n + excluded.n RETURNING id, n";
    assert_eq!(db.query(upsert).bind("b").fetch_one::<(i64, i64)>().await.unwrap(), (2, 2));
    assert_eq!(db.query(upsert).bind("d").fetch_one::<(i64, i64)>().await.unwrap(), (4, 1));
    let ignored = db.execute("INSERT INTO t (word) VALUES ('a') ON CONFLICT DO NOTHING").await.unwrap();
    assert_eq!((ignored.rows_affected(), ignored.last_insert_id()), (0, None));
    let updated = db.execute("UPDATE t SET n = 0 WHERE n = 1").await.unwrap();
    assert_eq!((updated.rows_affected(), updated.last_insert_id()), (3, None));
    let deleted: Vec<String> = db.query("DELETE FROM t WHERE n = 0 RETURNING word").fetch_all().await.unwrap();
    assert_eq!(deleted, ["a", "c", "d"]);
    assert_eq!(db.execute("CREATE TABLE u (x)").await.unwrap().rows_affected(), 0);
}

#[tokio::test]
async fn strict_tables_and_generated_columns_keep_their_word() {
    let db = memory().await;
    let table = "CREATE TABLE t (n INTEGER, any ANY, twice INTEGER GENERATED ALWAYS AS (n * 2) STORED, \
                 half REAL AS (n / 2.0)) STRICT";
    db.execute(table).await.unwrap();
    db.execute("INSERT INTO t (n, any) VALUES (3, '7')").await.unwrap();
    let row: (i64, Value, i64, f64) = db.query("SELECT * FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (3, text("7"), 6, 1.5));
    let error = db.execute("INSERT INTO t (n) VALUES ('three')").await.unwrap_err();
    assert_eq!((error.kind(), error.column()), (DbErrorKind::Data, Some("n")));
    let error = db.execute("INSERT INTO t (twice) VALUES (1)").await.unwrap_err();
    assert!(error.to_string().contains("generated column"), "{error}");
}

#[tokio::test]
async fn functions_and_modules_are_there() {
    let db = memory().await;
    for (sql, expected) in [
        ("SELECT json_extract('{\"a\": [1, 2]}', '$.a[1]')", Value::I64(2)),
        ("SELECT '{\"a\": \"x\"}' ->> 'a'", text("x")),
        ("SELECT json(jsonb('[1, {\"b\":null}]'))", text("[1,{\"b\":null}]")),
        ("SELECT typeof(jsonb('[1]'))", text("blob")),
        ("SELECT group_concat(value, '+') FROM json_each('[1,2,3]')", text("1+2+3")),
        ("SELECT sum(column1) FILTER (WHERE column1 > 1) FROM (VALUES (1), (2), (3))", Value::I64(5)),
        ("SELECT sum(column1) OVER (ORDER BY column1 DESC) FROM (VALUES (1), (2)) LIMIT 1", Value::I64(2)),
        ("SELECT string_agg(column1, ',') FROM (VALUES ('a'), ('b'))", text("a,b")),
        ("SELECT hex(unhex('0aff'))", text("0AFF")),
        ("SELECT unixepoch('2024-02-29T12:00:00Z')", Value::I64(1_709_208_000)),
        ("SELECT strftime('%Y', '2024-02-29')", text("2024")),
        ("SELECT sqrt(2.25) + pow(2, 3) + ceil(0.5)", Value::F64(10.5)),
        ("SELECT log10(1000) - sign(-3) * trunc(1.9)", Value::F64(4.0)),
    ] {
        assert_eq!(scalar(&db, sql).await, expected, "{sql}");
    }
    db.execute("CREATE VIRTUAL TABLE mail USING fts5 (subject, body, tokenize = 'porter')").await.unwrap();
    db.execute("INSERT INTO mail VALUES ('Trees', 'They were planting oaks'), ('Sea', 'Ships')").await.unwrap();
    let found = "SELECT highlight(mail, 1, '<', '>') FROM mail WHERE mail MATCH $1 ORDER BY rank";
    let found: Vec<String> = db.query(found).bind("plant AND oak").fetch_all().await.unwrap();
    assert_eq!(found, ["They were <planting> <oaks>"]);
    db.execute("CREATE VIRTUAL TABLE places USING rtree (id, west, east, south, north, +name TEXT)").await.unwrap();
    db.execute("INSERT INTO places VALUES (1, 0, 1, 0, 1, 'near'), (2, 50, 51, 50, 51, 'far')").await.unwrap();
    let near: Vec<(i64, String)> =
        db.query("SELECT id, name FROM places WHERE east < $1").bind(2.0).fetch_all().await.unwrap();
    assert_eq!(near, [(1, "near".into())]);
}

#[tokio::test]
async fn a_declared_type_never_makes_a_value_unreadable() {
    let db = memory().await;
    let table = "CREATE TABLE t (n INTEGER, flag BOOLEAN, day DATE, price DECIMAL(10, 2), exact DECIMAL TEXT, id UUID, \
                 doc JSON, word TEXT)";
    db.execute(table).await.unwrap();
    let insert = "INSERT INTO t VALUES ($1, $1, $1, $1, $1, $1, $1, $1)";
    let all = "SELECT n, flag, day, price, exact, id, doc, word FROM t";
    type Eight<T> = (T, T, T, T, T, T, T, T);
    db.execute(insert).bind("some text").await.unwrap();
    let row: Eight<String> = db.query(all).fetch_one().await.unwrap();
    assert_eq!((row.0.as_str(), row.3.as_str(), row.6.as_str()), ("some text", "some text", "some text"));
    db.execute("DELETE FROM t").await.unwrap();
    // As a whole, since of a number text columns make text.
    for number in [0_i64, 1, 7] {
        db.execute(insert).bind(number).await.unwrap();
        let row: (i64, i64, i64, i64, i64) =
            db.query("SELECT n, flag, day, price, id FROM t").fetch_one().await.unwrap();
        assert_eq!(row, (number, number, number, number, number));
        let row: (f64, f64, String) = db.query("SELECT n, price, word FROM t").fetch_one().await.unwrap();
        assert_eq!(row, (number as f64, number as f64, number.to_string()));
        db.execute("DELETE FROM t").await.unwrap();
    }
    db.execute(insert).bind(0.25).await.unwrap();
    let row: (f64, f64, f64, f64, f64) = db.query("SELECT n, flag, day, price, id FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (0.25, 0.25, 0.25, 0.25, 0.25));
    db.execute("DELETE FROM t").await.unwrap();
    db.execute(insert).bind([0xff_u8, 0]).await.unwrap();
    let row: Eight<Vec<u8>> = db.query(all).fetch_one().await.unwrap();
    assert_eq!(row.1, [0xff, 0]);
    db.execute("DELETE FROM t").await.unwrap();
    db.execute("INSERT INTO t (n, day, word) SELECT w, w, w FROM (SELECT CAST(x'66ff' AS TEXT) AS w)").await.unwrap();
    let row: (Vec<u8>, Value, Vec<u8>) = db.query("SELECT n, day, word FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (vec![0x66, 0xff], Value::OtherBytes(vec![0x66, 0xff]), vec![0x66, 0xff]));
    let error = db.query("SELECT word FROM t").fetch_one::<String>().await.unwrap_err();
    assert!(error.to_string().contains("\"word\"") && error.to_string().contains("UTF-8"), "{error}");
}

#[tokio::test]
async fn decimals_and_identifiers_are_read_from_text_and_from_what_else_holds_them() {
    let db = memory().await;
    db.execute("CREATE TABLE t (price DECIMAL(10, 2), exact DECIMAL TEXT, id UUID)").await.unwrap();
    let (long, id) = ("12345678901234567890.123456789", uuid::Uuid::from_u128(0x1234_5678_9abc_def0 << 64 | 7));
    let long: rust_decimal::Decimal = long.parse().unwrap();
    db.execute("INSERT INTO t VALUES ($1, $2, $3)").bind("12.50").bind(long).bind(id).await.unwrap();
    let row: (rust_decimal::Decimal, rust_decimal::Decimal, uuid::Uuid) =
        db.query("SELECT * FROM t").fetch_one().await.unwrap();
    assert_eq!(row, ("12.5".parse().unwrap(), long, id));
    let row: (f64, String, String) = db.query("SELECT * FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (12.5, long.to_string(), id.to_string()));
    db.execute("UPDATE t SET id = $1").bind(id.as_bytes().to_vec()).await.unwrap();
    assert_eq!(scalar(&db, "SELECT typeof(id) FROM t").await, text("blob"));
    assert_eq!(db.query("SELECT id FROM t").fetch_scalar::<uuid::Uuid>().await.unwrap(), id);
    assert_eq!(db.query("SELECT id FROM t").fetch_scalar::<Vec<u8>>().await.unwrap(), id.as_bytes());
    let sql = RuntimeSql(format!("SELECT '{id}'"));
    assert_eq!(db.query(sql).fetch_scalar::<uuid::Uuid>().await.unwrap(), id);
}
