//! COPY and LISTEN on PostgreSQL.

mod postgres;

use montrs_orm::{Database, DbErrorKind};
use montrs_tests::{builder, poll_then_drop};
use postgres::{open_with, url};

async fn table(name: &str) -> Database {
    let db = open_with(name, |builder| builder.max_connections(1)).await;
    db.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text, data bytea)").await.unwrap();
    db
}

async fn count(db: &Database) -> i64 {
    db.query("SELECT count(*) FROM t").fetch_scalar().await.unwrap()
}

async fn process(db: &Database) -> i32 {
    db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap()
}

#[tokio::test]
async fn rows_and_bytes_are_copied_in() {
    let db = table("copied_in").await;
    let mut copy = db.command("copy_in").bind("COPY t (id, name, data) FROM STDIN").upload().await.unwrap();
    copy.write_rows((1..=50_000_i64).map(|id| (id, format!("name {id}"), vec![0_u8, 255]))).await.unwrap();
    let odd = "tab\t line\n return\r back\\slash \\N \\. ä";
    copy.write_rows([(0_i64, Some(odd), None::<Vec<u8>>), (-1, None, Some(b"\\x\t".to_vec()))]).await.unwrap();
    copy.write(b"-2\tby hand\t\\N\n").await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 50_003);
    let sql = "SELECT name, data FROM t WHERE id = $1";
    let row = async |id: i64| db.query(sql).bind(id).fetch_one::<(Option<String>, Option<Vec<u8>>)>().await.unwrap();
    assert_eq!(row(0).await, (Some(odd.into()), None));
    assert_eq!(row(-1).await, (None, Some(b"\\x\t".to_vec())));
    assert_eq!(row(7).await, (Some("name 7".into()), Some(vec![0, 255])));
    let mut copy = db.command("copy_in").bind("COPY t FROM STDIN (FORMAT csv)").upload().await.unwrap();
    copy.write(b"-3,\"a,b\",\n").await.unwrap();
    copy.write(b"").await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 1);
    assert_eq!(row(-3).await, (Some("a,b".into()), None));
}

#[tokio::test]
async fn an_error_in_a_copy_tells_the_line_and_leaves_nothing() {
    let db = table("copy_errors").await;
    let pid = process(&db).await;
    let mut copy = db.command("copy_in").bind("COPY t (id) FROM STDIN").upload().await.unwrap();
    copy.write(b"1\n2\nx\n").await.unwrap();
    let error = copy.finish().await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (DbErrorKind::Data, Some("22P02")), "{error}");
    assert!(error.detail().unwrap_or_default().contains("line 3, column id: \"x\""), "{error:?}");
    // Far more than the sockets hold, after an error in the first line.
    let mut copy = db.command("copy_in").bind("COPY t (id) FROM STDIN").upload().await.unwrap();
    let mut text = b"x\n".to_vec();
    text.resize(50_000_000, b'\n');
    let error = copy.write(&text).await.unwrap_err();
    drop(copy);
    assert_eq!(error.sqlstate(), Some("22P02"));
    let mut copy = db.command("copy_in").bind("COPY t (id) FROM STDIN").upload().await.unwrap();
    let error = copy.write_rows([(1, 2)]).await.unwrap_err();
    assert_eq!((error.kind(), error.row()), (DbErrorKind::Parameters, Some(0)));
    drop(copy);
    let mut copy = db.command("copy_in").bind("COPY t FROM STDIN CSV").upload().await.unwrap();
    assert_eq!(copy.write_rows([(1, 2, 3)]).await.unwrap_err().kind(), DbErrorKind::Unsupported);
    drop(copy);
    for (sql, kind) in [
        ("COPY nowhere FROM STDIN", DbErrorKind::UndefinedTable),
        ("COPY t TO STDOUT", DbErrorKind::Unsupported),
        ("COPY t FROM STDIN; DELETE FROM t", DbErrorKind::MultipleStatements),
        ("DELETE FROM t", DbErrorKind::Parameters),
    ] {
        let error = db.command("copy_in").bind(sql).upload().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error}");
    }
    assert_eq!((count(&db).await, process(&db).await), (0, pid));
}

#[tokio::test]
async fn a_copy_that_is_dropped_is_undone() {
    let db = table("copy_dropped").await;
    let pid = process(&db).await;
    for polls in 0..5 {
        poll_then_drop(polls, db.command("copy_in").bind("COPY t (id) FROM STDIN").upload()).await;
        let mut copy = db.command("copy_in").bind("COPY t (id) FROM STDIN").upload().await.unwrap();
        copy.write(b"1\n").await.unwrap();
        poll_then_drop(polls, copy.write(&vec![b'1'; 10_000_000])).await;
        drop(copy);
        assert_eq!((count(&db).await, process(&db).await), (0, pid), "{polls} polls");
    }
}

#[tokio::test]
async fn data_is_copied_out_in_bounded_memory_and_may_be_left() {
    let db = table("copied_out").await;
    let pid = process(&db).await;
    let sql = "COPY (SELECT n, repeat('x', 100) FROM generate_series(1, 100000) AS n) TO STDOUT";
    let (mut rows, mut bytes) = (0_u64, 0);
    let mut data = db.command("copy_out").bind(sql).fetch::<Vec<u8>>();
    while let Some(piece) = data.next().await {
        (rows, bytes) = (rows + 1, bytes + piece.unwrap().len());
    }
    drop(data);
    assert_eq!((rows, bytes), (100_000, 10_688_895));
    for left in [0, 1, 2000] {
        let mut data = db.command("copy_out").bind(sql).fetch::<Vec<u8>>();
        for _ in 0..left {
            data.next().await.unwrap().unwrap();
        }
        drop(data);
        assert_eq!(process(&db).await, pid);
    }
    for (sql, kind) in [
        ("COPY t FROM STDIN", DbErrorKind::Unsupported),
        ("COPY nowhere TO STDOUT", DbErrorKind::UndefinedTable),
        ("COPY (SELECT 1/(5-n) FROM generate_series(1, 9) AS n) TO STDOUT", DbErrorKind::Data),
        ("SELECT 1", DbErrorKind::Parameters),
    ] {
        let error = db.command("copy_out").bind(sql).fetch_all::<Vec<u8>>().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert_eq!(process(&db).await, pid, "{sql}");
    }
}

#[tokio::test]
async fn notifications_come_from_when_listen_has_answered() {
    let (db, other) = (open_with("listens", |b| b.max_connections(1)).await, builder(&url()).connect().await.unwrap());
    let pid = process(&other).await;
    let mut connection = db.acquire().await.unwrap();
    let mut news = connection.command("listen").bind("montrs news").bind("montrs \"odd\"").cursor().await.unwrap();
    let mut sender = other.acquire().await.unwrap();
    let notify = "SELECT pg_notify($1, $2) IS NULL";
    for (channel, payload) in [("montrs news", "one"), ("montrs \"odd\"", "two"), ("montrs else", "three")] {
        sender.query(notify).bind(channel).bind(payload).fetch_scalar::<bool>().await.unwrap();
    }
    for (channel, payload) in [("montrs news", "one"), ("montrs \"odd\"", "two")] {
        let row = news.next().await.unwrap().unwrap();
        assert_eq!((row.get::<&str>(0).unwrap(), row.get::<&str>(1).unwrap()), (channel, payload));
        assert!(row.get::<i32>(2).unwrap() > 0 && pid > 0);
    }
    // One that is awaited before it is sent.
    let (row, _) =
        tokio::join!(news.next(), sender.query(notify).bind("montrs news").bind("late").fetch_scalar::<bool>());
    assert_eq!(row.unwrap().unwrap().get::<&str>(1).unwrap(), "late");
    drop(news);
    let channels = "SELECT count(*) FROM pg_listening_channels()";
    assert_eq!(connection.query(channels).fetch_scalar::<i64>().await.unwrap(), 0);
    let mut news = connection.command("listen").bind("montrs news").cursor().await.unwrap();
    poll_then_drop(1, news.next()).await;
    drop(news);
    assert_eq!(connection.query(channels).fetch_scalar::<i64>().await.unwrap(), 0);
}

#[tokio::test]
async fn a_lost_connection_ends_the_notifications() {
    let (db, other) =
        (open_with("listen_lost", |b| b.max_connections(1)).await, builder(&url()).connect().await.unwrap());
    let mut connection = db.acquire().await.unwrap();
    let pid: i32 = connection.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    let mut news = connection.command("listen").bind("montrs lost").cursor().await.unwrap();
    other.query("SELECT pg_terminate_backend($1)").bind(pid).fetch_scalar::<bool>().await.unwrap();
    assert_eq!(news.next().await.map(drop).unwrap_err().kind(), DbErrorKind::ConnectionLost);
}

#[tokio::test]
async fn what_is_no_command_is_told_with_those_that_are() {
    let db = open_with("no_command", |b| b.max_connections(1)).await;
    let error = db.command("copy_inn").bind("COPY t FROM STDIN").upload().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
    assert!(error.to_string().contains("did you mean `copy_in`?"), "{error}");
    assert!(error.to_string().contains("copy_inn"), "{error}");
    assert_eq!(db.command("copy_in").bind("COPY t FROM STDIN").await.unwrap_err().kind(), DbErrorKind::Unsupported);
    assert_eq!(db.command("listen").upload().await.unwrap_err().kind(), DbErrorKind::Unsupported);
    assert_eq!(db.command("listen").await.unwrap_err().kind(), DbErrorKind::Parameters);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(tx.command("listen").bind("x").await.unwrap_err().kind(), DbErrorKind::TransactionState);
}
