//! Values that a type, a column or a database does not take: each a clear error, and the connection goes on.

use chrono::NaiveDate;
use montrs_orm::{AiError, Database, DbErrorKind, FromRow, RuntimeSql};
use montrs_tests::{Place, builder, differs, on_postgres, open};
use rust_decimal::Decimal;

/// A table with one column of this type.
async fn column(db: &Database, column: &str) {
    db.execute(RuntimeSql(format!("CREATE TABLE t (x {column})"))).await.unwrap();
}

const INSERT: &str = "INSERT INTO t VALUES ($1)";

#[tokio::test]
async fn nan_is_stored_or_refused_and_never_becomes_null() {
    let (db, _place) = open().await;
    column(&db, "NUMERIC").await;
    let stored = db.execute(INSERT).bind(f64::NAN).await;
    if !on_postgres() {
        let error = stored.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Encode);
        assert!(error.suggested_fixes().join(" ").contains("NULL"), "{error:?}");
        db.execute(INSERT).bind("NaN").await.unwrap();
    }
    assert!(db.query("SELECT x FROM t").fetch_scalar::<f64>().await.unwrap().is_nan());
    let error = db.query("SELECT x FROM t").fetch_scalar::<Decimal>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    for part in ["\"x\"", "row 1", "Decimal", "NaN"] {
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
}

#[tokio::test]
async fn dates_before_the_year_one_are_exact_or_refused() {
    let (db, _place) = open().await;
    column(&db, "DATE").await;
    let ides = NaiveDate::from_ymd_opt(-43, 3, 15).unwrap();
    let stored = db.execute(INSERT).bind(ides).await;
    if on_postgres() {
        assert_eq!(db.query("SELECT x FROM t").fetch_scalar::<NaiveDate>().await.unwrap(), ides);
    } else {
        let error = stored.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Encode);
        assert!(error.to_string().contains("0000 to 9999"), "{error}");
    }
    db.execute("DELETE FROM t").await.unwrap();
    let year_zero = NaiveDate::from_ymd_opt(0, 2, 29).unwrap();
    db.execute(INSERT).bind(year_zero).await.unwrap();
    assert_eq!(db.query("SELECT x FROM t").fetch_scalar::<NaiveDate>().await.unwrap(), year_zero);
    // Here the driver knows, there the server.
    let error = db.execute(INSERT).bind(NaiveDate::MIN).await.unwrap_err();
    assert_eq!(error.kind(), differs(DbErrorKind::Encode, DbErrorKind::Data));
}

#[tokio::test]
async fn a_date_beyond_a_crates_range_is_named_and_can_be_read_as_text() {
    let (db, _place) = open().await;
    // The year 10000 is beyond jiff, and beyond the dates of SQLite, where it is text.
    let date = differs("'+10000-01-01'", "DATE '10000-01-01'");
    let select = || db.query(RuntimeSql(format!("SELECT {date} AS day")));
    let error = select().fetch_scalar::<jiff::civil::Date>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    assert!(error.to_string().contains("\"day\"") && error.to_string().contains("String"), "{error}");
    assert_eq!(select().fetch_scalar::<String>().await.unwrap(), "+10000-01-01");
    let read: NaiveDate = select().fetch_scalar().await.unwrap();
    assert_eq!(read, NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap());
}

#[tokio::test]
async fn a_text_with_nul_is_stored_whole_or_refused() {
    let (db, _place) = open().await;
    let mut connection = db.acquire().await.unwrap();
    connection.execute("CREATE TABLE t (x TEXT)").await.unwrap();
    let stored = connection.execute(INSERT).bind("a\0b").await;
    if on_postgres() {
        let error = stored.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Data, Some("22021")), "{error}");
        connection.execute(INSERT).bind("ab").await.unwrap();
    }
    let read: String = connection.query("SELECT x FROM t").fetch_one().await.unwrap();
    assert_eq!(read, differs("a\0b", "ab"));
}

#[tokio::test]
async fn an_unreadable_column_fails_only_who_reads_it() {
    #[derive(FromRow)]
    struct Around {
        before: i64,
        after: String,
    }
    let (db, _place) = open().await;
    // Text that is not UTF-8, and a type without a form here.
    let unreadable = differs("CAST(x'66ff' AS TEXT)", "'(1,2)'::point");
    let sql = format!("SELECT CAST(1 AS BIGINT) AS before, {unreadable} AS odd, 'x' AS after");
    let select = || db.query(RuntimeSql(sql.as_str()));
    let row: Around = select().fetch_one().await.unwrap();
    assert_eq!((row.before, row.after.as_str()), (1, "x"));
    let error = select().fetch_one::<(i64, jiff::Timestamp, String)>().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Decode);
    assert!(error.to_string().contains("\"odd\""), "{error}");
    if !on_postgres() {
        let error = select().fetch_one::<(i64, String, String)>().await.unwrap_err();
        assert!(error.to_string().contains("UTF-8") && error.to_string().contains("Vec<u8>"), "{error}");
        let (_, bytes, _): (i64, Vec<u8>, String) = select().fetch_one().await.unwrap();
        assert_eq!(bytes, b"f\xff");
    } else {
        let error =
            db.query("SELECT convert_from('\\x66ff'::bytea, 'UTF8')").fetch_scalar::<String>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Data);
    }
}

#[tokio::test]
async fn integers_that_do_not_fit_are_never_wrapped() {
    let (db, _place) = open().await;
    column(&db, "BIGINT").await;
    let error = db.execute(INSERT).bind(u64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Encode);
    assert!(error.to_string().contains("18446744073709551615"), "{error}");
    db.execute(INSERT).bind(-1).await.unwrap();
    for error in [
        db.query("SELECT x FROM t").fetch_one::<u64>().await.unwrap_err(),
        db.query("SELECT x FROM t").fetch_one::<u128>().await.map(|_| 0).unwrap_err(),
        db.query("SELECT x FROM t").fetch_one::<usize>().await.map(|_| 0).unwrap_err(),
    ] {
        assert!(error.kind() == DbErrorKind::Decode && error.to_string().contains("-1 is outside 0 to"), "{error}");
    }
}

/// On one connection it does not compile; in a pool it takes another one, or waits.
#[tokio::test]
async fn a_second_query_while_a_stream_is_open_waits_for_a_connection() {
    let place = Place::new();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000) SELECT i FROM n";
    let two = builder(place.url()).max_connections(2).connect().await.unwrap();
    let mut rows = two.query(many).fetch::<i64>();
    assert_eq!(rows.next().await.unwrap().unwrap(), 1);
    assert_eq!(two.query("SELECT 7").fetch_scalar::<i64>().await.unwrap(), 7);
    assert_eq!(rows.next().await.unwrap().unwrap(), 2);
    drop(rows);
    two.close().await.unwrap();

    let one = builder(place.url()).max_connections(1).connect().await.unwrap();
    let mut rows = one.query(many).fetch::<i64>();
    assert_eq!(rows.next().await.unwrap().unwrap(), 1);
    let mut second = std::pin::pin!(one.query("SELECT 7").fetch_scalar::<i64>());
    let first_poll = std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx))).await;
    assert!(first_poll.is_pending(), "there is no other connection");
    assert_eq!(rows.next().await.unwrap().unwrap(), 2);
    drop(rows);
    assert_eq!(second.await.unwrap(), 7);
}
