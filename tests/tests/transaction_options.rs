//! What a transaction can be asked for as it begins: what is declared takes effect, and nothing else is taken.

use montrs_orm::{Access, Capability, Database, DbErrorKind, Isolation, LockMode, TransactionOptions};
use montrs_tests::{Place, builder, differs, on_postgres, with};

/// A pool of one, with a table.
async fn one_connection() -> (Database, Place) {
    let place = Place::new();
    let db = builder(place.url()).max_connections(1).connect().await.unwrap();
    db.execute("CREATE TABLE t (x INTEGER)").await.unwrap();
    (db, place)
}

async fn values(db: &Database) -> Vec<i64> {
    db.query("SELECT x FROM t ORDER BY x").fetch_all().await.unwrap()
}

/// What a driver declares is what it takes, and it takes nothing else.
#[tokio::test]
async fn options_are_taken_where_the_driver_declares_them_and_refused_elsewhere() {
    let (db, _place) = one_connection().await;
    let (levels, modes) = (db.capability(Capability::ISOLATION_LEVELS), db.capability(Capability::LOCK_MODES));
    assert_eq!((levels, modes), (0b11111, differs(0b1111, 0b11)));
    let plain = TransactionOptions::default();
    let mut asked = vec![
        ("read-only".to_owned(), db.capability(Capability::READ_ONLY_TRANSACTIONS) == 1, Access::READ_ONLY),
        ("read-write".to_owned(), true, Access::READ_WRITE),
        ("access 9".to_owned(), false, Access(9)),
    ]
    .into_iter()
    .map(|(name, declared, access)| (name, declared, TransactionOptions { access, ..plain }))
    .collect::<Vec<_>>();
    for number in 0..12_u8 {
        let (level, mode) = (Isolation(number), LockMode(number));
        let declared = |bits: u64| bits & 1 << number != 0;
        asked.push((format!("{level:?}"), declared(levels), TransactionOptions { isolation: level, ..plain }));
        asked.push((format!("{mode:?}"), declared(modes), TransactionOptions { lock_mode: mode, ..plain }));
    }
    for (name, declared, options) in asked {
        match db.begin_with(options).await {
            Ok(mut tx) => {
                assert!(declared, "{name} is taken, and not declared");
                let written = tx.execute("INSERT INTO t VALUES (1)").await;
                let kind = (options.access == Access::READ_ONLY).then_some(DbErrorKind::ReadOnly);
                assert_eq!(written.err().map(|error| error.kind()), kind, "{name}");
                tx.rollback().await.unwrap();
            }
            Err(error) => {
                assert!(!declared, "{name} is declared, and refused: {error}");
                assert_eq!(error.kind(), DbErrorKind::Unsupported, "{name}: {error}");
                assert!(error.to_string().contains("does not support"), "{name}: {error}");
                let what = ["isolation level", "access mode", "lock mode", "locks as it begins"];
                assert!(what.iter().any(|what| error.to_string().contains(what)), "{name}: {error}");
            }
        }
        assert_eq!(values(&db).await, [0; 0], "{name}");
    }
}

/// What another transaction commits meanwhile is seen by a second look, or is not: never more than the level allows.
#[tokio::test]
async fn a_level_is_what_the_transaction_runs_at() {
    let (db, place) = one_connection().await;
    let other = place.open().await;
    for (level, name, seen) in [
        (Isolation::READ_UNCOMMITTED, "read uncommitted", differs(0, 1)),
        (Isolation::READ_COMMITTED, "read committed", differs(0, 1)),
        (Isolation::REPEATABLE_READ, "repeatable read", 0),
        (Isolation::SERIALIZABLE, "serializable", 0),
    ] {
        let options = TransactionOptions { isolation: level, ..TransactionOptions::default() };
        let mut tx = db.begin_with(options).await.unwrap();
        if on_postgres() {
            assert_eq!(tx.query("SHOW transaction_isolation").fetch_scalar::<String>().await.unwrap(), name);
        }
        let count = "SELECT count(*) FROM t";
        assert_eq!(tx.query(count).fetch_scalar::<i64>().await.unwrap(), 0, "{name}");
        other.execute("INSERT INTO t VALUES (1)").await.unwrap();
        assert_eq!(tx.query(count).fetch_scalar::<i64>().await.unwrap(), seen, "{name}");
        tx.commit().await.unwrap();
        assert_eq!(values(&db).await, [1], "{name}");
        db.execute("DELETE FROM t").await.unwrap();
    }
}

/// A snapshot whose reads never fail to be serialized: SQLite has no other.
#[tokio::test]
async fn a_deferrable_transaction_only_reads_and_does_not_fail() {
    let (db, place) = one_connection().await;
    let deferrable = TransactionOptions {
        isolation: Isolation::SERIALIZABLE,
        access: Access::READ_ONLY,
        deferrable: true,
        ..TransactionOptions::default()
    };
    let mut tx = db.begin_with(deferrable).await.unwrap();
    if on_postgres() {
        assert_eq!(tx.query("SHOW transaction_deferrable").fetch_scalar::<String>().await.unwrap(), "on");
    }
    assert_eq!(tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
    place.open().await.execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(tx.query("SELECT count(*) FROM t").fetch_scalar::<i64>().await.unwrap(), 0);
    assert_eq!(tx.execute("DELETE FROM t").await.unwrap_err().kind(), DbErrorKind::ReadOnly);
}

#[tokio::test]
async fn a_lock_mode_that_is_declared_keeps_others_from_writing_at_once() {
    let (db, place) = one_connection().await;
    let other = builder(&differs(with(place.url(), "busy_timeout=0"), place.url().into())).connect().await.unwrap();
    for (bit, mode) in [(2, LockMode::IMMEDIATE), (3, LockMode::EXCLUSIVE)] {
        let begun = db.begin_with(TransactionOptions { lock_mode: mode, ..TransactionOptions::default() }).await;
        if db.capability(Capability::LOCK_MODES) & 1 << bit == 0 {
            assert_eq!(begun.map(drop).unwrap_err().kind(), DbErrorKind::Unsupported, "{mode:?}");
            continue;
        }
        let tx = begun.unwrap();
        let refused = other.execute("INSERT INTO t VALUES (1)").await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_retryable()), (DbErrorKind::Busy, true), "{mode:?}");
        tx.rollback().await.unwrap();
        other.execute("INSERT INTO t VALUES (1)").await.unwrap();
    }
}
