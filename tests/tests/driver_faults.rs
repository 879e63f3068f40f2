//! A driver that panics, hangs or answers wrongly harms the connection that it does that on, and nothing else.

use futures_util::FutureExt;
use montrs_orm::{AiError, Connection, Database, DbError, DbErrorKind, FromRow, Plan, RowReader, RuntimeSql, query};
use montrs_tests::{builder, poll_then_drop};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A database whose second connection is about to misbehave, and others that must not notice.
struct Scene {
    db: Database,
    /// The database's first connection.
    bystander: Connection,
    other_database: Database,
    other_driver: Database,
}

impl Scene {
    async fn new() -> Self {
        let db = builder("faulty:ok").max_connections(2).connect().await.unwrap();
        let bystander = db.acquire().await.unwrap();
        let other_database = builder("faulty:ok").connect().await.unwrap();
        let other_driver = builder("kv:memory").connect().await.unwrap();
        let mut scene = Self { db, bystander, other_database, other_driver };
        scene.check(2).await;
        scene
    }

    /// Lets the next call of a slot misbehave, on the connection that is not the bystander.
    async fn arm(&self, slot: &str, how: &str) {
        self.db.execute(RuntimeSql(format!("arm {slot} {how}"))).await.unwrap();
    }

    /// Checks that the database now works on its connection of this number, and all others as before.
    async fn check(&mut self, wanted: i64) {
        assert_eq!(number(&self.db).await, wanted);
        let bystander: i64 = self.bystander.query("number").fetch_scalar().await.unwrap();
        assert_eq!(bystander, 1);
        assert_eq!(number(&self.other_database).await, 1);
        self.other_driver.execute("set key").bind("value").await.unwrap();
    }
}

/// The driver's number of the connection that the pool gives out.
async fn number(db: &Database) -> i64 {
    db.query("number").fetch_scalar().await.unwrap()
}

/// The slots that a caller of the host can reach and whose error it gets.
const SLOTS: &[&str] = &[
    "prepare",
    "describe",
    "query",
    "query-many",
    "prepare-many",
    "pipeline",
    "command",
    "upload",
    "upload-bytes",
    "upload-rows",
    "upload-end",
    "next",
    "close-rows",
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "rollback-to",
    "ping",
];

/// Does what calls this slot.
async fn call(db: &Database, slot: &str) -> Result<(), DbError> {
    match slot {
        "prepare" => {
            // One that was prepared before is not prepared again.
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            db.execute(RuntimeSql(format!("a statement that is new {number}"))).await.map(drop)
        }
        "describe" => db.query("number").describe().await.map(drop),
        "query" => db.execute("number").await.map(drop),
        "query-many" => db.execute_many("number", [(1,)]).await.map(drop),
        "prepare-many" => {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            db.pipeline(query(RuntimeSql(format!("a statement of a pipeline {number}")))).await.map(drop)
        }
        "pipeline" => db.pipeline(query("number")).await.map(drop),
        "command" => db.command("number").await.map(drop),
        "upload" => db.command("sink").upload().await.map(drop),
        "upload-bytes" => db.command("sink").upload().await?.write(b"x").await,
        "upload-rows" => db.command("sink").upload().await?.write_rows([(1,)]).await,
        "upload-end" => db.command("sink").upload().await?.finish().await.map(drop),
        "next" => db.query("rows 2").fetch_all::<i64>().await.map(drop),
        "close-rows" => {
            let mut connection = db.acquire().await?;
            connection.query("rows 2").fetch::<i64>().next().await.expect("there are rows")?;
            connection.execute("number").await.map(drop)
        }
        "begin" => db.begin().await.map(drop),
        "commit" => db.begin().await?.commit().await,
        "rollback" => db.begin().await?.rollback().await,
        "savepoint" => db.begin().await?.begin().await.map(drop),
        "release" => db.begin().await?.begin().await?.commit().await,
        "rollback-to" => db.begin().await?.begin().await?.rollback().await,
        "ping" => db.ping().await,
        _ => panic!("{slot} is no slot"),
    }
}

#[tokio::test]
async fn a_statement_that_is_no_part_of_the_script_is_refused() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.db.script("number").await.unwrap().rows_affected(), 0);
    for script in ["outside", "nothing", "hälf a character"] {
        let error = scene.db.script(script).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::DriverProtocol, "{script}: {error}");
    }
    scene.check(2).await;
    scene.arm("first-statement", "panic").await;
    assert_eq!(scene.db.script("number").await.unwrap_err().kind(), DbErrorKind::DriverPanicked);
    scene.check(3).await;
    // One whose author has not thought of scripts.
    let error = scene.other_driver.script("get key").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Unsupported);
}

#[tokio::test]
async fn answers_of_a_pipeline_that_are_out_of_turn_cost_the_connection() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.db.pipeline([query("number").scalar::<i64>()]).await.unwrap(), [2]);
    let wrong =
        ["wrong-turn", "wrong-step", "wrong-silence", "wrong-twice", "wrong-cells", "wrong-width", "one too few"];
    for (connection, text) in (3..).zip(wrong) {
        let pipeline = scene.db.pipeline((query("number").scalar::<i64>(), query(text), query("number")));
        let error = pipeline.await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::DriverProtocol, "{text}: {error}");
        scene.check(connection).await;
    }
    let error = scene.db.pipeline((query("number"), query("nonsense"))).await.unwrap_err();
    assert_eq!((error.kind(), error.statement_number()), (DbErrorKind::Syntax, Some(2)));
    assert_eq!(error.to_string(), "statement 2 of 2: `nonsense` is no command");
}

/// A row whose type panics when it is read.
#[derive(Debug)]
struct Panics;

impl FromRow<'_> for Panics {
    fn fields(_: &mut Vec<montrs_orm::Field>) {}

    fn resolve(_: &montrs_orm::Columns, _: &mut Plan) -> Result<(), DbError> {
        Ok(())
    }

    fn read(_: &mut RowReader<'_>) -> Result<Self, DbError> {
        panic!("the application's own")
    }
}

#[tokio::test]
async fn a_panic_of_the_application_does_not_go_through_the_driver() {
    let mut scene = Scene::new().await;
    let pipeline = scene.db.pipeline((query("number").one::<Panics>(), query("number").scalar::<i64>()));
    let panic = std::panic::AssertUnwindSafe(pipeline).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the application's own"));
    scene.check(2).await;
}

#[tokio::test]
async fn a_panic_in_any_slot_is_an_error_and_costs_that_connection() {
    let mut scene = Scene::new().await;
    let mut connection = 2;
    for slot in SLOTS {
        for how in ["panic", "panic-later", "odd-panic", "bomb"] {
            scene.arm(slot, how).await;
            let error = call(&scene.db, slot).await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::DriverPanicked, "{slot} {how}: {error}");
            assert_eq!(error.error_code(), "DB_DRIVER_PANICKED");
            let message = match how {
                "panic" | "panic-later" => format!("the driver panicked: {slot} was told to panic"),
                _ => "the driver panicked: (no message)".to_owned(),
            };
            assert_eq!(error.to_string(), message, "{how}");
            connection += 1;
            scene.check(connection).await;
        }
    }
}

#[tokio::test]
async fn a_slot_that_never_answers_can_be_given_up_and_the_connection_stays() {
    let mut scene = Scene::new().await;
    for slot in SLOTS {
        for how in ["hang", "hang-then-panic"] {
            scene.arm(slot, how).await;
            for polls in 1.. {
                // The last poll of the smallest number that does not suffice is the one that hangs.
                assert!(polls < 100, "{slot} does not hang");
                if poll_then_drop(polls, call(&scene.db, slot)).await.is_some() {
                    break;
                }
                scene.check(2).await;
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_error_reaches_the_caller_and_only_two_cost_the_connection() {
    let kinds = [
        (1, DbErrorKind::Query),
        (10, DbErrorKind::UniqueViolation),
        (11, DbErrorKind::ForeignKeyViolation),
        (12, DbErrorKind::NotNullViolation),
        (13, DbErrorKind::CheckViolation),
        (14, DbErrorKind::ExclusionViolation),
        (20, DbErrorKind::Syntax),
        (21, DbErrorKind::UndefinedTable),
        (22, DbErrorKind::UndefinedColumn),
        (23, DbErrorKind::UndefinedFunction),
        (24, DbErrorKind::Ambiguous),
        (25, DbErrorKind::EmptyStatement),
        (26, DbErrorKind::MultipleStatements),
        (27, DbErrorKind::Parameters),
        (28, DbErrorKind::Data),
        (29, DbErrorKind::TooLarge),
        (30, DbErrorKind::Serialization),
        (31, DbErrorKind::Deadlock),
        (32, DbErrorKind::LockTimeout),
        (33, DbErrorKind::Busy),
        (34, DbErrorKind::Cancelled),
        (35, DbErrorKind::Timeout),
        (36, DbErrorKind::TransactionState),
        (40, DbErrorKind::Connection),
        (41, DbErrorKind::ConnectionLost),
        (42, DbErrorKind::Authentication),
        (43, DbErrorKind::Tls),
        (44, DbErrorKind::TooManyConnections),
        (45, DbErrorKind::DatabaseNotFound),
        (50, DbErrorKind::ReadOnly),
        (51, DbErrorKind::DiskFull),
        (52, DbErrorKind::Corrupt),
        (53, DbErrorKind::Permission),
        (54, DbErrorKind::Io),
        (55, DbErrorKind::OutOfMemory),
        (60, DbErrorKind::Encode),
        (61, DbErrorKind::Decode),
        (70, DbErrorKind::Configuration),
        (71, DbErrorKind::Unsupported),
        (80, DbErrorKind::DriverPanicked),
        (81, DbErrorKind::DriverProtocol),
        // A kind of a later version.
        (9999, DbErrorKind::Query),
    ];
    let mut scene = Scene::new().await;
    let mut connection = 2;
    for (number, kind) in kinds {
        scene.arm("query", &format!("error={number}")).await;
        let error = call(&scene.db, "query").await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, "query was told to fail"), "{number}");
        if matches!(kind, DbErrorKind::DriverPanicked | DbErrorKind::DriverProtocol) {
            connection += 1;
        }
        scene.check(connection).await;
    }
}

#[tokio::test]
async fn an_error_in_any_other_slot_leaves_a_connection_that_works() {
    let mut scene = Scene::new().await;
    for slot in SLOTS {
        scene.arm(slot, "error=33").await;
        let error = call(&scene.db, slot).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (DbErrorKind::Busy, true), "{slot}");
        scene.check(2).await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_together_is_refused_whole() {
    let mut scene = Scene::new().await;
    for (connection, sql) in (3..).zip(["wrong-cells", "wrong-width", "invalid-text"]) {
        let error = scene.db.query(sql).fetch_all::<i64>().await.unwrap_err();
        assert_eq!((error.kind(), error.error_code()), (DbErrorKind::DriverProtocol, "DB_DRIVER_PROTOCOL"), "{sql}");
        assert_eq!(error.sql(), Some(sql));
        scene.check(connection).await;
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_an_error_of_that_value_only() {
    let mut scene = Scene::new().await;
    for (sql, reason) in [("unknown-kind", "a kind that is not known here"), ("outside-heap", "outside its batch")] {
        let error = scene.db.query(sql).fetch_scalar::<Vec<u8>>().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Decode, "{sql}: {error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(scene.db.execute(sql).await.unwrap().rows_affected(), 0, "what is not read does not matter");
        scene.check(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_reset_is_replaced() {
    let mut scene = Scene::new().await;
    let faults = ["panic", "panic-later", "error=1", "hang", "hang-then-panic"];
    for (connection, how) in (3..).zip(faults) {
        scene.arm("reset", how).await;
        scene.arm("query", "hang").await;
        assert!(poll_then_drop(1, call(&scene.db, "query")).await.is_none(), "{how}");
        scene.check(connection).await;
    }
}

#[tokio::test]
async fn a_connection_that_says_that_it_is_broken_is_replaced_without_a_reset() {
    let mut scene = Scene::new().await;
    scene.arm("reset", "hang").await;
    scene.db.execute("break").await.unwrap();
    scene.check(3).await;
    scene.arm("status", "panic").await;
    scene.check(4).await;
}

#[tokio::test]
async fn a_transaction_of_which_the_driver_does_not_know_is_the_drivers_fault() {
    let mut scene = Scene::new().await;
    for connection in [3, 4] {
        scene.arm("begin", "idle").await;
        let error = scene.db.execute_many("number", [(1,)]).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::DriverProtocol, "{error}");
        assert!(error.to_string().contains("the status that it tells"), "{error}");
        scene.check(connection).await;
    }
}

#[tokio::test]
async fn a_broken_connection_that_is_held_answers_every_call_with_an_error() {
    let mut scene = Scene::new().await;
    let mut connection = scene.db.acquire().await.unwrap();
    connection.execute("arm query panic").await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let error = transaction.execute("number").await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::DriverPanicked);
    for _ in 0..2 {
        let error = transaction.execute("number").await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::ConnectionLost, "{error}");
    }
    assert_eq!(transaction.commit().await.unwrap_err().kind(), DbErrorKind::ConnectionLost);
    assert_eq!(connection.begin().await.unwrap_err().kind(), DbErrorKind::ConnectionLost);
    assert_eq!(connection.ping().await.unwrap_err().kind(), DbErrorKind::ConnectionLost);
    drop(connection);
    scene.check(3).await;
}

#[tokio::test]
async fn a_panic_while_something_is_dropped_is_kept_inside() {
    for how in ["panic", "bomb"] {
        let mut scene = Scene::new().await;
        scene.arm("drop-statement", how).await;
        scene.db.execute("rows 1").await.unwrap();
        scene.arm("drop-rows", how).await;
        scene.db.query("rows 9").fetch_optional::<i64>().await.unwrap();
        scene.check(2).await;
        scene.arm("drop", how).await;
        scene.db.execute("break").await.unwrap();
        scene.check(3).await;
        let db = builder(&format!("faulty:drop-database={how}")).connect().await.unwrap();
        db.close().await.unwrap();
        drop(db);
        scene.check(3).await;
    }
}

#[tokio::test]
async fn a_panic_while_the_database_is_closed_is_its_error() {
    let mut scene = Scene::new().await;
    let db = builder("faulty:ok").connect().await.unwrap();
    db.execute("arm close panic-later").await.unwrap();
    assert_eq!(db.close().await.unwrap_err().kind(), DbErrorKind::DriverPanicked);
    assert_eq!(db.execute("number").await.unwrap_err().kind(), DbErrorKind::PoolClosed);
    scene.check(2).await;
}

#[tokio::test]
async fn a_panic_in_a_task_or_a_job_ends_that_and_nothing_else() {
    let mut scene = Scene::new().await;
    for sql in ["spawn-panic", "job-panic"] {
        scene.db.execute(sql).await.unwrap();
        scene.check(2).await;
    }
    let error = scene.db.execute("blocking-panic").await.unwrap_err();
    assert_eq!(error.to_string(), "the driver panicked: blocking work was told to panic");
    scene.check(3).await;
}

#[tokio::test]
async fn a_panic_while_a_database_is_opened_is_an_error() {
    let mut scene = Scene::new().await;
    for slot in ["open", "connect"] {
        for how in ["panic", "panic-later", "odd-panic", "bomb"] {
            let url = format!("faulty:{slot}={how}");
            let error = builder(&url).connect().await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::DriverPanicked, "{error}");
            assert!(error.to_string().starts_with(&format!("cannot open {url}: the driver panicked: ")), "{error}");
            scene.check(2).await;
        }
    }
}

#[tokio::test]
async fn a_panic_where_no_error_can_be_told_gives_the_careful_answer() {
    let db = builder("faulty:redact=panic").connect().await.unwrap();
    assert_eq!(db.redacted_url(), "…");
    let db = builder("faulty:capability=panic").connect().await.unwrap();
    assert_eq!(db.capability(montrs_orm::Capability::TRANSACTIONS), 0);
    assert_eq!(number(&db).await, 1);
}

#[tokio::test]
async fn a_connection_that_could_not_be_opened_is_tried_anew_for_the_next_caller() {
    for (how, kind) in [("panic-later@2", DbErrorKind::DriverPanicked), ("error=44@2", DbErrorKind::TooManyConnections)]
    {
        let db = builder(&format!("faulty:connect={how}")).max_connections(2).connect().await.unwrap();
        let _first = db.acquire().await.unwrap();
        assert_eq!(db.acquire().await.unwrap_err().kind(), kind);
        assert_eq!(number(&db).await, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_never_opens_can_be_given_up() {
    // Paused time goes on by itself when nothing else can.
    let opening = builder("faulty:open=hang-then-panic").connect();
    assert!(tokio::time::timeout(Duration::from_secs(3600), opening).await.is_err());
    let error = builder("faulty:connect=hang").connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection);
    assert!(error.to_string().contains("no connection could be opened within 30s"), "{error}");
    let db = builder("faulty:connect=hang@2").max_connections(2).connect().await.unwrap();
    let _first = db.acquire().await.unwrap();
    assert!(db.acquire().now_or_never().is_none());
    assert_eq!(number(&db).await, 3);
}
