//! Statements, parameters and the ways to read their rows.

use futures_util::TryStreamExt;
use montrs_orm::{Database, DbError, DbErrorKind, Executor, Kind, RuntimeSql, Value};
use montrs_tests::{Place, builder, differs, open, poll_then_drop};

async fn numbers(count: i64) -> (Database, Place) {
    let (db, place) = open().await;
    db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, word TEXT)").await.unwrap();
    db.execute(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < $1) \
         INSERT INTO numbers SELECT i, 'number ' || i FROM s",
    )
    .bind(count)
    .await
    .unwrap();
    (db, place)
}

#[tokio::test]
async fn every_way_to_fetch_reads_the_same_rows() {
    let (db, _place) = numbers(5000).await;
    let sql = "SELECT n, word FROM numbers ORDER BY n";
    let all: Vec<(i64, String)> = db.query(sql).fetch_all().await.unwrap();
    assert_eq!(all.len(), 5000);
    assert_eq!(all[4999], (5000, "number 5000".into()));

    let streamed: Vec<(i64, String)> = db.query(sql).fetch().try_collect().await.unwrap();
    assert_eq!(streamed, all);

    let mut borrowed = Vec::new();
    db.query(sql)
        .for_each(|row| {
            assert_eq!(row.number(), borrowed.len() as u64);
            borrowed.push((row.get::<i64>("n")?, row.get::<&str>(1)?.to_owned()));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(borrowed, all);

    assert_eq!(db.query(sql).fetch_one::<(i64, String)>().await.unwrap(), all[0]);
    assert_eq!(db.query(sql).fetch_optional::<(i64, String)>().await.unwrap(), Some(all[0].clone()));
    assert_eq!(db.query(sql).fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!(db.query("SELECT n FROM numbers WHERE n < 0").fetch_optional::<i64>().await.unwrap(), None);
}

#[tokio::test]
async fn execute_tells_what_was_done_and_can_be_fetched_with_returning() {
    let (db, _place) = numbers(3).await;
    let done = db.execute("UPDATE numbers SET word = $1 WHERE n > $2").bind("x").bind(1).await.unwrap();
    assert_eq!(done.rows_affected(), 2);
    let done = db.execute("INSERT INTO numbers VALUES (4, $1)").bind("four").await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (1, differs(Some(4), None)));
    let done = db.execute("SELECT * FROM numbers").await.unwrap();
    assert_eq!(done.rows_affected(), 0);
    let id: i64 = db.execute("INSERT INTO numbers VALUES (5, 'five') RETURNING n").fetch_scalar().await.unwrap();
    assert_eq!(id, 5);
    let mut words: Vec<String> = db.query("DELETE FROM numbers RETURNING word").fetch_all().await.unwrap();
    words.sort();
    assert_eq!(words, ["five", "four", "number 1", "x", "x"]);
}

#[tokio::test]
async fn placeholders_are_numbered_and_can_be_used_again() {
    let (db, _place) = open().await;
    let text: String = db.query("SELECT $2 || $1 || $2").bind("a").bind("b").fetch_scalar().await.unwrap();
    assert_eq!(text, "bab");
}

#[tokio::test]
async fn wrong_parameters_are_refused_with_what_was_expected() {
    let (db, _place) = open().await;
    let error = db.query("SELECT $1, $2").bind(1).fetch_one::<(i64, i64)>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
    assert!(error.to_string().contains('2') && error.to_string().contains('1'), "{error}");
    let error = db.query("SELECT 1").bind(1).fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Parameters);
    let error = db.query("SELECT $1").bind(u64::MAX).fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("$1"), "{error}");
    // The connection is as good as before.
    assert_eq!(db.query("SELECT CAST($1 AS INTEGER)").bind(7).fetch_scalar::<i64>().await.unwrap(), 7);
}

#[tokio::test]
async fn a_statement_is_described_without_being_run() {
    let (db, _place) = numbers(1).await;
    let info = db.query("DELETE FROM numbers WHERE n = $1 RETURNING n, word").describe().await.unwrap();
    assert_eq!(info.parameters().len(), 1);
    assert!(!info.is_read_only());
    let columns: Vec<(&str, Kind)> = info.columns().iter().map(|column| (column.name(), column.kind())).collect();
    assert_eq!(columns, [("n", Kind::I32), ("word", Kind::TEXT)]);
    assert_eq!(db.query("SELECT count(*) FROM numbers").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn text_made_at_run_time_needs_its_wrapper_and_works() {
    let (db, _place) = numbers(2).await;
    let count: i64 = db.query(RuntimeSql(format!("SELECT count(*) FROM {}", "numbers"))).fetch_scalar().await.unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_function_can_leave_the_connection_to_its_caller() {
    async fn count<'e>(on: impl Executor<'e>) -> Result<i64, DbError> {
        on.run("SELECT count(*) FROM numbers").fetch_scalar().await
    }
    let (db, _place) = numbers(2).await;
    assert_eq!(count(&db).await.unwrap(), 2);
    assert_eq!(count(&mut db.acquire().await.unwrap()).await.unwrap(), 2);
    let mut tx = db.begin().await.unwrap();
    tx.execute("DELETE FROM numbers").await.unwrap();
    assert_eq!(count(&mut tx).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_futures_can_be_spawned() {
    let (db, _place) = numbers(10).await;
    let task = tokio::spawn(async move {
        let n: i64 = db.query("SELECT count(*) FROM numbers").fetch_scalar().await?;
        let rows: Vec<Value> = db.query("SELECT n FROM numbers").fetch().try_collect().await?;
        db.query("SELECT n FROM numbers").for_each(|_| Ok(())).await?;
        db.transaction(async |tx| {
            tx.execute("DELETE FROM numbers WHERE n = $1").bind(1).await?;
            tx.transaction(async |tx| tx.execute("DELETE FROM numbers WHERE n = $1").bind(2).await).await
        })
        .await?;
        let mut connection = db.acquire().await?;
        connection.execute("DELETE FROM numbers WHERE n = 3").await?;
        let mut tx = connection.begin().await?;
        tx.query("SELECT n FROM numbers").fetch_all::<i64>().await?;
        tx.commit().await?;
        drop(connection);
        let left: i64 = db.query("SELECT count(*) FROM numbers").fetch_scalar().await?;
        Ok::<_, DbError>((n, rows.len(), left))
    });
    assert_eq!(task.await.unwrap().unwrap(), (10, 10, 7));
}

#[tokio::test]
async fn a_stream_can_be_dropped_anywhere_and_the_only_connection_goes_on() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    let sql =
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 100000) SELECT i, 'row ' || i FROM s";
    for taken in [0, 1, 2, 1000, 5000, 20_000] {
        let mut rows = db.query(sql).fetch::<(i64, String)>();
        for expected in 1..=taken {
            assert_eq!(rows.next().await.unwrap().unwrap().0, expected);
        }
        drop(rows);
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    }
    // In a transaction, too: dropping the stream does not end the transaction.
    let mut tx = db.begin().await.unwrap();
    tx.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let mut rows = tx.query(sql).fetch::<(i64, String)>();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    tx.execute("INSERT INTO t VALUES (1)").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn what_fails_in_the_middle_of_its_rows_was_not_performed() {
    let (db, _place) = numbers(50_000).await;
    let sql = differs(
        "SELECT n, CASE WHEN n = 40000 THEN json('{') END FROM numbers ORDER BY n",
        "SELECT n, 1 / (n - 40000) FROM numbers ORDER BY n",
    );
    let mut rows = db.query(sql).fetch::<(i64, Value)>();
    let mut count = 0;
    let error = loop {
        match rows.next().await.expect("it fails") {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!((1..40_000).contains(&count) && !error.may_have_executed(), "{count} rows, {error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_dropped_at_any_poll_leaves_the_only_connection_usable() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    // Long enough to be under way when it is dropped.
    let slow =
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000000) SELECT count(*) FROM s";
    for polls in 0..4 {
        poll_then_drop(polls, db.query(slow).fetch_scalar::<i64>()).await;
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    }
    for polls in 0..12 {
        poll_then_drop(polls, async {
            db.execute("INSERT INTO t VALUES ($1)").bind(polls as i64).await?;
            db.query("SELECT x FROM t").fetch_all::<Value>().await?;
            let mut rows = db.query("SELECT x FROM t").fetch::<i64>();
            while rows.next().await.transpose()?.is_some() {}
            db.query("SELECT x FROM t").for_each(|_| Ok(())).await?;
            db.query("SELECT x FROM t").describe().await?;
            db.ping().await
        })
        .await;
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn statements_are_prepared_once_and_survive_a_change_of_the_schema() {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).statement_cache_capacity(2).connect().await.unwrap();
    db.execute("CREATE TABLE t (a INTEGER)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1)").await.unwrap();
    let read = async || db.query("SELECT * FROM t").fetch_one::<Value>().await;
    assert_eq!(read().await.unwrap(), differs(Value::I64(1), Value::I32(1)));
    db.execute("ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'new'").await.unwrap();
    let row: (i64, String) = db.query("SELECT * FROM t").fetch_one().await.unwrap();
    assert_eq!(row, (1, "new".into()));
    // More statements than the cache holds.
    for n in 0..10 {
        let value: i64 = db.query(RuntimeSql(format!("SELECT {n}"))).fetch_scalar().await.unwrap();
        assert_eq!(value, n);
    }
    assert_eq!(db.query("SELECT a FROM t").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn more_statements_than_are_kept_take_turns() {
    let place = Place::new();
    let db = builder(place.url()).statement_cache_capacity(2).connect().await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    for round in 0..4i64 {
        for columns in 1..=4 {
            // A text that lies elsewhere each time.
            let list: Vec<String> = (1..=columns).map(|column| format!("$1 + {column} AS c{column}")).collect();
            let sql = RuntimeSql(format!("SELECT {}", list.join(", ")));
            let mut cursor = connection.query(sql.clone()).bind(round).cursor().await.unwrap();
            assert_eq!(cursor.columns().len(), columns);
            let row = cursor.next().await.unwrap().unwrap();
            assert_eq!(row.get::<i64>(columns - 1).unwrap(), round + columns as i64);
            assert_eq!(connection.query(sql).bind(round).fetch_scalar::<i64>().await.unwrap(), round + 1);
        }
    }
}

#[tokio::test]
async fn what_was_bound_to_one_query_is_not_bound_to_the_next() {
    let (db, _place) = open().await;
    let mut connection = db.acquire().await.unwrap();
    let refused = connection.query("SELECT $1").bind(u64::MAX).fetch_scalar::<i64>().await.unwrap_err();
    assert_eq!(refused.kind(), DbErrorKind::Encode);
    assert_eq!(connection.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    drop(connection.query("SELECT $1").bind("never run"));
    assert_eq!(connection.query("SELECT $1").bind("second").fetch_scalar::<String>().await.unwrap(), "second");
    let failed =
        connection.query("SELECT $1, abs(-9223372036854775807 - 1)").bind("x").fetch_one::<(String, i64)>().await;
    assert!(failed.is_err());
    let large = "x".repeat(1 << 20);
    assert_eq!(connection.query("SELECT length($1)").bind(&large).fetch_scalar::<i64>().await.unwrap(), 1 << 20);
    assert_eq!(connection.query("SELECT 2").fetch_scalar::<i64>().await.unwrap(), 2);
}

#[tokio::test]
async fn a_cursor_whose_fetching_was_dropped_shows_no_row_twice() {
    const SQL: &str =
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 20000) SELECT i, 'a text' FROM s";
    let place = Place::new();
    // There each batch is waited for.
    let url = differs(format!("{}?execution=blocking", place.url()), place.url().to_owned());
    let db = builder(&url).connect().await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    for polls in 0..3 {
        let mut cursor = connection.query(SQL).cursor().await.unwrap();
        let (mut seen, mut was_dropped) = (0, false);
        loop {
            let next = poll_then_drop(polls, cursor.next()).await;
            let next = match next {
                Some(next) => next,
                None => {
                    was_dropped |= polls > 0;
                    cursor.next().await
                }
            };
            match next {
                Ok(Some(row)) => {
                    let n = row.get::<i64>(0).unwrap();
                    assert_eq!(n, seen + 1);
                    seen = n;
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(was_dropped, "{error}");
                    break;
                }
            }
        }
        assert_eq!(seen < 20_000, was_dropped);
        drop(cursor);
        assert_eq!(connection.query("SELECT 7").fetch_scalar::<i64>().await.unwrap(), 7);
    }
}

/// With the other suites, all that `docs/drivers.md` tells of in "Where databases differ".
#[tokio::test]
async fn databases_differ_in_types_and_names() {
    let (db, _place) = open().await;
    let value = db.query("SELECT $1").bind(7).fetch_one::<Value>().await.unwrap();
    assert_eq!(value, differs(Value::I64(7), Value::Text("7".into())));
    let value = db.query("SELECT CAST($1 AS INTEGER)").bind(7).fetch_one::<Value>().await.unwrap();
    assert_eq!(value, differs(Value::I64(7), Value::I32(7)));
    let info = db.query("SELECT 1 AS OneName, 2 AS \"OtherName\"").describe().await.unwrap();
    let names: Vec<&str> = info.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, [differs("OneName", "onename"), "OtherName"]);
    db.execute("CREATE TABLE t (n INTEGER, word TEXT)").await.unwrap();
    let stored = db.execute("INSERT INTO t (n) VALUES ($1)").bind("no number").await.map_err(|error| error.kind());
    assert_eq!(stored.map(|done| done.rows_affected()), differs(Ok(1), Err(DbErrorKind::Data)));
    let stored = db.execute("INSERT INTO t (word) VALUES ($1)").bind([0_u8, 1]).await.map_err(|error| error.kind());
    assert_eq!(stored.map(|done| done.rows_affected()), differs(Ok(1), Err(DbErrorKind::Encode)));
    let divided = db.query("SELECT 1 / 0").fetch_scalar::<Option<i64>>().await.map_err(|error| error.kind());
    assert_eq!(divided, differs(Ok(None), Err(DbErrorKind::Data)));
    db.execute("CREATE TABLE codes (code VARCHAR(2))").await.unwrap();
    let stored = db.execute("INSERT INTO codes VALUES ('long')").await.map_err(|error| error.kind());
    assert_eq!(stored.map(|done| done.rows_affected()), differs(Ok(1), Err(DbErrorKind::Data)));
    let found = db.query("SELECT * FROM \"CODES\"").fetch_all::<(String,)>().await;
    assert_eq!(found.is_ok(), differs(true, false), "{found:?}");
}

#[tokio::test]
async fn a_transaction_outlives_a_failed_statement_where_the_database_lets_it() {
    let (db, _place) = open().await;
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let ended = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO t VALUES (1)").await?;
            tx.execute("SELECT * FROM nowhere").await.expect_err("there is no such table");
            Ok::<_, DbError>(())
        })
        .await;
    assert_eq!(ended.map_err(|error| error.kind()), differs(Ok(()), Err(DbErrorKind::TransactionState)));
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), differs(1, 0));
    // A savepoint makes it the same everywhere.
    db.transaction(async |tx| {
        tx.execute("INSERT INTO t VALUES (2)").await?;
        let failed = tx.transaction(async |tx| tx.execute("SELECT * FROM nowhere").await).await;
        failed.expect_err("there is no such table");
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
    assert_eq!(db.query("SELECT count(*) FROM t WHERE x = 2").fetch_scalar::<i64>().await.unwrap(), 1);
}
