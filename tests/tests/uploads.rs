//! Commands and uploads, whatever the driver.

mod dropping;

use dropping::at_every_poll;
use montrs_orm::{Database, DbErrorKind};
use montrs_tests::{builder, poll_then_drop};

async fn one_connection() -> Database {
    builder("faulty:ok").max_connections(1).connect().await.unwrap()
}

async fn is_uploading(db: &Database) -> bool {
    db.query("uploading").fetch_scalar::<i64>().await.unwrap() == 1
}

#[tokio::test]
async fn a_commands_rows_are_those_of_a_query() {
    let db = one_connection().await;
    let down: Vec<i64> = db.command("rows 5").fetch_all().await.unwrap();
    assert_eq!(down, [5, 4, 3, 2, 1]);
    assert_eq!(db.command("rows 5").fetch_one::<i64>().await.unwrap(), 5);
    let mut connection = db.acquire().await.unwrap();
    let mut rows = connection.command("rows 1000000").fetch::<i64>();
    assert_eq!(rows.next().await.unwrap().unwrap(), 1_000_000);
    drop(rows);
    let mut cursor = connection.command("rows 3").cursor().await.unwrap();
    assert_eq!(cursor.columns().len(), 1);
    assert_eq!(cursor.next().await.unwrap().unwrap().get::<i64>(0).unwrap(), 3);
    drop(cursor);
    let error = connection.command("number").describe().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    let error = connection.command("nonsense").await.unwrap_err();
    assert_eq!((error.kind(), error.sql()), (DbErrorKind::Syntax, Some("nonsense")));
}

#[tokio::test]
async fn an_upload_takes_bytes_and_rows_and_counts_them() {
    let db = one_connection().await;
    let mut upload = db.command("sink").upload().await.unwrap();
    upload.write(b"four").await.unwrap();
    upload.write(b"").await.unwrap();
    upload.write_rows((0..10_000).map(|n| (n, "text"))).await.unwrap();
    upload.write_rows([[0; 0]; 0]).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), 10_004);
    assert!(!is_uploading(&db).await);
    let upload = db.acquire().await.unwrap().command("sink").upload().await.unwrap().finish().await.unwrap();
    assert_eq!(upload, 0);
}

#[tokio::test]
async fn what_takes_no_upload_says_so() {
    let db = one_connection().await;
    let error = db.query("sink").upload().await.unwrap_err();
    assert!(error.to_string().contains("a command() does"), "{error}");
    assert_eq!(db.command("rows 1").upload().await.unwrap_err().kind(), DbErrorKind::Unsupported);
    // What a driver without commands says.
    let kv = builder("kv:memory").connect().await.unwrap();
    let error = kv.command("backup").await.unwrap_err();
    assert_eq!(error.to_string(), "the driver does not support the command `backup`: it has no commands");
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    let error = kv.command("backup").upload().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_undone_before_the_next_operation() {
    let db = one_connection().await;
    let mut connection = db.acquire().await.unwrap();
    let mut upload = connection.command("sink").upload().await.unwrap();
    upload.write(b"x").await.unwrap();
    drop(upload);
    assert_eq!(connection.query("uploading").fetch_scalar::<i64>().await.unwrap(), 0);
    drop(connection);
    drop(db.command("sink").upload().await.unwrap());
    assert!(!is_uploading(&db).await);
    // With it goes the transaction that it was part of.
    let mut tx = db.begin().await.unwrap();
    drop(tx.command("sink").upload().await.unwrap());
    assert_eq!(tx.query("uploading").fetch_scalar::<i64>().await.unwrap_err().kind(), DbErrorKind::TransactionState);
    drop(tx);
    assert!(!is_uploading(&db).await);
}

#[tokio::test]
async fn an_upload_is_over_after_an_error_and_after_a_write_that_was_dropped() {
    let db = one_connection().await;
    let mut upload = db.command("sink").upload().await.unwrap();
    assert!(poll_then_drop(1, upload.write(b"x")).await.is_none());
    let error = upload.write(b"x").await.unwrap_err();
    assert!(error.to_string().contains("the upload is over"), "{error}");
    assert_eq!(upload.finish().await.unwrap_err().kind(), DbErrorKind::TransactionState);
    db.execute("arm upload-bytes error=29").await.unwrap();
    let mut upload = db.command("sink").upload().await.unwrap();
    assert_eq!(upload.write(b"x").await.unwrap_err().kind(), DbErrorKind::TooLarge);
    assert!(upload.finish().await.unwrap_err().to_string().contains("an earlier call failed"));
    let mut upload = db.command("sink").upload().await.unwrap();
    let error = upload.write_rows([vec![1], vec![1, 2]]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Parameters, Some(1)));
    drop(upload);
    assert!(!is_uploading(&db).await);
}

#[tokio::test]
async fn an_upload_may_be_dropped_at_any_poll() {
    let db = one_connection().await;
    let upload = async || {
        let mut upload = db.command("sink").upload().await.unwrap();
        for _ in 0..5 {
            upload.write(b"x").await.unwrap();
        }
        upload.finish().await.unwrap()
    };
    let dropped = at_every_poll(upload, async || assert!(!is_uploading(&db).await)).await;
    assert!(dropped > 3);
}

#[tokio::test]
async fn a_driver_without_a_faster_way_runs_many_rows_one_by_one() {
    let db = builder("kv:memory").connect().await.unwrap();
    let done = db.execute_many("add sum", (1..=100).map(|n| (n,))).await.unwrap();
    assert_eq!(done.rows_affected(), 100);
    assert_eq!(db.query("get sum").fetch_scalar::<String>().await.unwrap(), "5050");
    let error = db.execute_many("add sum", [("1",), ("two",), ("3",)]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Data, Some(1)));
    assert_eq!(error.to_string(), "row 2 of 3: \"two\" is no number");
    assert_eq!(db.query("get sum").fetch_scalar::<String>().await.unwrap(), "5050", "none of it was kept");
    let error = db.execute_many("get sum", [("1",)]).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
}
