//! The hooks of a pool, and that nothing of a session gets to its next user.

use montrs_orm::{AiError, Database, DatabaseBuilder, DbError, DbErrorKind, Session};
use montrs_tests::{Place, builder, differs, on_postgres};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

#[derive(Clone, Default)]
struct Count(Arc<AtomicU32>);

impl Count {
    fn up(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

async fn one_connection(place: &Place, set: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Database {
    set(builder(place.url()).max_connections(1)).connect().await.unwrap()
}

const MAKE: &str = "CREATE TEMPORARY TABLE mine (x INTEGER)";

async fn has_mine(session: &mut Session) -> bool {
    session.query("SELECT count(*) FROM mine").fetch_scalar::<i64>().await.is_ok()
}

#[tokio::test]
async fn what_after_connect_sets_is_there_for_every_user_and_nothing_else() {
    let (place, runs) = (Place::new(), Count::default());
    let counted = runs.clone();
    let db = one_connection(&place, |builder| {
        builder.after_connect(move |session| {
            counted.up();
            Box::pin(async move { session.execute(MAKE).await.map(drop) })
        })
    })
    .await;
    assert_eq!(runs.get(), 1);
    for _ in 0..3 {
        let mut connection = db.acquire().await.unwrap();
        assert!(has_mine(&mut connection).await);
        connection.execute("CREATE TEMPORARY TABLE others (x INTEGER)").await.unwrap();
        connection.execute("INSERT INTO mine VALUES (1)").await.unwrap();
    }
    let mut connection = db.acquire().await.unwrap();
    assert_eq!(connection.query("SELECT count(*) FROM mine").fetch_scalar::<i64>().await.unwrap(), 0);
    assert_eq!(db.pool_status().opened, 1);
    assert_eq!(runs.get(), 4);
}

#[tokio::test]
async fn an_after_connect_that_fails_is_the_error_and_leaves_no_connection() {
    let place = Place::new();
    let failing = builder(place.url())
        .after_connect(|session| Box::pin(async move { session.execute("SELECT * FROM nowhere").await.map(drop) }));
    let error = failing.connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::UndefinedTable);
    assert!(error.to_string().contains("the hook after_connect failed"), "{error}");

    let panicking = builder(place.url()).after_connect(|_| panic!("{} by the test", "expected"));
    let error = panicking.connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
    assert!(error.to_string().contains("the hook after_connect panicked: expected by the test"), "{error}");
    assert!(error.suggested_fixes()[0].contains("Mend the hook after_connect"), "{error:?}");

    let runs = Count::default();
    let counted = runs.clone();
    let db = one_connection(&place, |builder| {
        builder.after_connect(move |_| {
            assert!(counted.up() != 2, "expected by the test");
            Box::pin(async { Ok(()) })
        })
    })
    .await;
    let mut connection = db.acquire().await.unwrap();
    connection.execute(MAKE).await.unwrap();
    drop(connection);
    // The reset was followed by a panic of the hook: the connection was given up, and another one opened.
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
    assert_eq!((db.pool_status().opened, db.pool_status().open, runs.get()), (2, 1, 3));
}

#[tokio::test]
async fn before_acquire_runs_each_time_and_its_failure_replaces_an_idle_connection() {
    let (place, runs) = (Place::new(), Count::default());
    let counted = runs.clone();
    let db = one_connection(&place, |builder| {
        builder.before_acquire(move |session| {
            let run = counted.up();
            Box::pin(async move {
                match run {
                    3 => Err(DbError::application("expected by the test")),
                    5 | 6 => panic!("expected by the test"),
                    _ => session.execute(MAKE).await.map(drop),
                }
            })
        })
    })
    .await;
    for wanted in [1, 2] {
        assert!(has_mine(&mut db.acquire().await.unwrap()).await);
        assert_eq!(runs.get(), wanted);
    }
    // The third run fails with the idle connection, the fourth is for a new one.
    assert!(has_mine(&mut db.acquire().await.unwrap()).await);
    assert_eq!((runs.get(), db.pool_status().opened), (4, 2));
    // Both panic.
    let error = db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap_err();
    assert!(error.to_string().contains("the hook before_acquire panicked"), "{error}");
    assert_eq!(db.pool_status().open, 0);
    assert_eq!(db.query("SELECT 1").fetch_scalar::<i64>().await.unwrap(), 1);
}

#[tokio::test]
async fn after_release_sees_the_connection_put_right_and_can_have_it_closed() {
    let (place, runs) = (Place::new(), Count::default());
    let counted = runs.clone();
    let db = one_connection(&place, |builder| {
        builder.after_release(move |session| {
            let run = counted.up();
            Box::pin(async move {
                assert!(!has_mine(session).await, "expected never");
                session.execute("INSERT INTO t VALUES (1)").await?;
                if run == 3 { Err(DbError::application("expected by the test")) } else { Ok(()) }
            })
        })
    });
    let db = db.await;
    db.acquire().await.unwrap().execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    let mut connection = db.acquire().await.unwrap();
    connection.execute(MAKE).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    tx.execute("INSERT INTO t VALUES (9)").await.unwrap();
    drop(tx);
    drop(connection);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 2);
    assert_eq!(db.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 3);
    assert_eq!(db.pool_status().opened, 2);
}

#[tokio::test]
async fn hooks_may_be_dropped_half_way() {
    let place = Place::new();
    let db = one_connection(&place, |builder| {
        builder.before_acquire(|session| {
            Box::pin(async move {
                session.execute(MAKE).await?;
                tokio::task::yield_now().await;
                session.query("SELECT count(*) FROM mine").fetch_scalar::<i64>().await.map(drop)
            })
        })
    })
    .await;
    for polls in 0..1000 {
        let has_ended = montrs_tests::poll_then_drop(polls, db.acquire()).await.map(Result::unwrap).is_some();
        assert!(has_mine(&mut db.acquire().await.unwrap()).await, "{polls}");
        if has_ended {
            assert_eq!(db.pool_status().opened, 1, "what was left unfinished is reset, not closed");
            return;
        }
    }
    panic!("it does not end");
}

/// Each item of a session's state, as far as the database has it: how it is set, and how it is asked for.
#[tokio::test]
async fn no_state_of_a_session_gets_to_its_next_user() {
    let place = Place::new();
    let db = one_connection(&place, |builder| builder).await;
    if on_postgres() {
        db.execute("DO $$ BEGIN CREATE ROLE montrs_pool_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
            .await
            .unwrap();
        db.execute("GRANT montrs_pool_role TO CURRENT_USER").await.unwrap();
    }
    let items: &[(&str, &str)] = differs(
        &[
            ("PRAGMA foreign_keys = OFF", "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys"),
            (
                "PRAGMA recursive_triggers = ON",
                "SELECT CAST(recursive_triggers AS TEXT) FROM pragma_recursive_triggers",
            ),
            (MAKE, "SELECT CAST(count(*) AS TEXT) FROM sqlite_temp_master"),
            (
                "ATTACH ':memory:' AS another",
                "SELECT CAST(count(*) AS TEXT) FROM pragma_database_list WHERE name = 'another'",
            ),
        ],
        &[
            ("SET work_mem = '77MB'", "SELECT current_setting('work_mem')"),
            ("SELECT set_config('work_mem', '78MB', false)", "SELECT current_setting('work_mem')"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SHOW default_transaction_read_only"),
            ("SET TIME ZONE 'Asia/Tokyo'", "SELECT current_setting('TimeZone')"),
            ("SET search_path = pg_catalog", "SELECT current_setting('search_path')"),
            ("SET ROLE montrs_pool_role", "SELECT current_user::text"),
            ("SET SESSION AUTHORIZATION montrs_pool_role", "SELECT session_user::text"),
            (MAKE, "SELECT count(*)::text FROM pg_class WHERE relname = 'mine'"),
            (
                "SELECT pg_advisory_lock(77)",
                "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            ),
            ("LISTEN something", "SELECT count(*)::text FROM pg_listening_channels()"),
            ("PREPARE mine AS SELECT 1", "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'mine'"),
            ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*)::text FROM pg_cursors WHERE name = 'mine'"),
        ],
    );
    for &(change, state) in items {
        let asked = async |session: &mut Session| session.query(state).fetch_scalar::<String>().await.unwrap();
        let before = asked(&mut *db.acquire().await.unwrap()).await;
        // Left by a connection, and by a transaction that is dropped or committed.
        for way in 0..3 {
            let mut connection = db.acquire().await.unwrap();
            if way == 0 {
                connection.execute(change).await.unwrap();
                assert_ne!(asked(&mut connection).await, before, "{change} changes nothing");
            } else if !change.starts_with("ATTACH") && !change.starts_with("PRAGMA foreign_keys") {
                let mut tx = connection.begin().await.unwrap();
                tx.execute(change).await.unwrap();
                if way == 1 {
                    tx.commit().await.unwrap();
                }
            }
            drop(connection);
            assert_eq!(asked(&mut *db.acquire().await.unwrap()).await, before, "{change}, left in way {way}");
        }
    }
    assert_eq!(db.pool_status().opened, 1, "it was reset, not replaced");
}

/// What the driver cannot see, or does not look for, is gone where its user says so.
#[tokio::test]
async fn what_is_left_unseen_is_gone_after_discard_all() {
    if !on_postgres() {
        return;
    }
    let place = Place::new();
    let db = one_connection(&place, |builder| builder).await;
    db.execute("CREATE SEQUENCE numbers").await.unwrap();
    let lastval = async || db.query("SELECT lastval()").fetch_scalar::<i64>().await;
    let mut connection = db.acquire().await.unwrap();
    connection.query("SELECT nextval('numbers')").fetch_scalar::<i64>().await.unwrap();
    drop(connection);
    assert_eq!(lastval().await.unwrap(), 1, "it is the connection's");
    let mut connection = db.acquire().await.unwrap();
    connection.query("SELECT nextval('numbers')").fetch_scalar::<i64>().await.unwrap();
    connection.execute("DISCARD ALL").await.unwrap();
    drop(connection);
    assert_eq!(lastval().await.unwrap_err().sqlstate(), Some("55000"));
    assert_eq!(db.pool_status().opened, 1);
}
