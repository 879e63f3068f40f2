//! Transactions, savepoints, reset.

use super::{TestFile, fails, memory, number, open_watched, query, run_with, setup};
use crate::{monitor::Monitor, session::Session};
use montrs_driver_sdk::{Access, ConnectionStatus, ErrorKind, Isolation, LockMode, TransactionOptions, ValueRef};
use std::sync::Arc;

fn options() -> TransactionOptions {
    TransactionOptions::default()
}

fn watched() -> (Session, Arc<Monitor>) {
    let monitor = Arc::default();
    let mut session = open_watched("sqlite::memory:", &monitor).unwrap();
    setup(&mut session, &["CREATE TABLE t (a UNIQUE)"]);
    (session, monitor)
}

#[test]
fn a_transaction_is_committed_or_rolled_back() {
    let (mut session, monitor) = watched();
    session.begin(options()).unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    setup(&mut session, &["INSERT INTO t VALUES (1)"]);
    session.rollback().unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (2)"]);
    session.commit().unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    assert_eq!(number(&mut session, "SELECT sum(a) FROM t"), 2);
}

#[test]
fn what_the_state_does_not_allow_is_refused() {
    let (mut session, _) = watched();
    fails(session.commit(), ErrorKind::TRANSACTION_STATE);
    fails(session.rollback(), ErrorKind::TRANSACTION_STATE);
    fails(session.savepoint(1), ErrorKind::TRANSACTION_STATE);
    fails(session.release(1), ErrorKind::TRANSACTION_STATE);
    session.begin(options()).unwrap();
    fails(session.begin(options()), ErrorKind::TRANSACTION_STATE);
    fails(session.rollback_to(7), ErrorKind::TRANSACTION_STATE);
    session.commit().unwrap();
}

#[test]
fn every_isolation_level_is_given_and_unknown_ones_refused() {
    let (mut session, _) = watched();
    for level in 0..=Isolation::SERIALIZABLE.0 {
        session.begin(TransactionOptions { isolation: Isolation(level), deferrable: true, ..options() }).unwrap();
        session.commit().unwrap();
    }
    for unknown in [
        TransactionOptions { isolation: Isolation(5), ..options() },
        TransactionOptions { access: Access(3), ..options() },
        TransactionOptions { lock_mode: LockMode(4), ..options() },
        TransactionOptions { access: Access::READ_ONLY, lock_mode: LockMode::IMMEDIATE, ..options() },
    ] {
        fails(session.begin(unknown), ErrorKind::UNSUPPORTED);
    }
}

#[test]
fn lock_modes_take_their_locks() {
    let file = TestFile::new();
    let (mut one, mut other) = (file.open("busy_timeout=0"), file.open("busy_timeout=0"));
    for lock_mode in [LockMode::IMMEDIATE, LockMode::EXCLUSIVE] {
        one.begin(TransactionOptions { lock_mode, ..options() }).unwrap();
        fails(other.begin(TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..options() }), ErrorKind::BUSY);
        fails(other.rollback(), ErrorKind::TRANSACTION_STATE);
        one.rollback().unwrap();
    }
    one.begin(TransactionOptions { lock_mode: LockMode::DEFERRED, ..options() }).unwrap();
    other.begin(TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..options() }).unwrap();
}

#[test]
fn a_read_only_transaction_refuses_writes_and_nothing_after_it() {
    let (mut session, _) = watched();
    for ending in [Session::commit, Session::rollback, Session::reset] {
        session.begin(TransactionOptions { access: Access::READ_ONLY, ..options() }).unwrap();
        assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
        for sql in ["INSERT INTO t VALUES (1)", "CREATE TABLE u (a)", "DELETE FROM t", "PRAGMA user_version = 1"] {
            fails(query(&mut session, sql, &[]), ErrorKind::READ_ONLY);
        }
        ending(&mut session).unwrap();
        setup(&mut session, &["INSERT INTO t VALUES (1)", "DELETE FROM t"]);
    }
}

#[test]
fn savepoints_nest_and_are_forgotten() {
    let (mut session, monitor) = watched();
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (1)"]);
    session.savepoint(1).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (2)"]);
    session.savepoint(2).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (4)"]);
    session.rollback_to(2).unwrap();
    fails(session.rollback_to(2), ErrorKind::TRANSACTION_STATE);
    session.release(1).unwrap();
    fails(session.release(1), ErrorKind::TRANSACTION_STATE);
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    session.commit().unwrap();
    assert_eq!(number(&mut session, "SELECT sum(a) FROM t"), 3);
}

#[test]
fn after_sqlite_rolled_back_by_itself_nothing_runs_until_the_caller_does_too() {
    let (mut session, monitor) = watched();
    setup(&mut session, &["INSERT INTO t VALUES (1)"]);
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (2)"]);
    fails(query(&mut session, "INSERT OR ROLLBACK INTO t VALUES (1)", &[]), ErrorKind::UNIQUE_VIOLATION);
    assert!(monitor.status().contains(ConnectionStatus::FAILED_TRANSACTION));
    // Would be committed by itself.
    fails(query(&mut session, "INSERT INTO t VALUES (3)", &[]), ErrorKind::TRANSACTION_STATE);
    fails(session.savepoint(1), ErrorKind::TRANSACTION_STATE);
    fails(session.commit(), ErrorKind::TRANSACTION_STATE);
    session.rollback().unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    assert_eq!(number(&mut session, "SELECT sum(a) FROM t"), 1);
}

#[test]
fn a_transaction_that_sql_has_ended_is_over() {
    let (mut session, monitor) = watched();
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (1)", "COMMIT"]);
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    setup(&mut session, &["INSERT INTO t VALUES (2)", "BEGIN"]);
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    session.commit().unwrap();
}

#[test]
fn a_failed_statement_leaves_the_transaction_open() {
    let (mut session, monitor) = watched();
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (1)"]);
    fails(query(&mut session, "INSERT INTO t VALUES (1)", &[]), ErrorKind::UNIQUE_VIOLATION);
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    session.commit().unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 1);
}

#[test]
fn a_commit_that_is_refused_leaves_the_transaction_open() {
    let (mut session, monitor) = watched();
    setup(&mut session, &["CREATE TABLE c (a REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)"]);
    session.begin(options()).unwrap();
    setup(&mut session, &["INSERT INTO c VALUES (5)"]);
    fails(session.commit(), ErrorKind::FOREIGN_KEY_VIOLATION);
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    setup(&mut session, &["INSERT INTO t VALUES (5)"]);
    session.commit().unwrap();

    let file = TestFile::new();
    let monitor = Arc::default();
    let mut writer = open_watched(&file.url("journal_mode=delete&busy_timeout=0"), &monitor).unwrap();
    setup(&mut writer, &["CREATE TABLE t (a)"]);
    let mut reader = file.open("");
    reader.begin(options()).unwrap();
    assert_eq!(number(&mut reader, "SELECT count(*) FROM t"), 0);
    writer.begin(options()).unwrap();
    setup(&mut writer, &["INSERT INTO t VALUES (1)"]);
    fails(writer.commit(), ErrorKind::BUSY);
    assert_eq!(monitor.status(), ConnectionStatus::IN_TRANSACTION);
    reader.commit().unwrap();
    writer.commit().unwrap();
}

#[test]
fn reset_makes_the_session_as_good_as_new() {
    let (mut session, monitor) = watched();
    session.begin(options()).unwrap();
    session.savepoint(1).unwrap();
    setup(&mut session, &["INSERT INTO t VALUES (1), (2)"]);
    let token = session.prepare("SELECT a FROM t").unwrap();
    let small = montrs_driver_sdk::QueryOptions { max_rows: 0, batch_bytes: 0 };
    let values = super::bound(&[]);
    run_with(&mut session, &token, &values, small).unwrap();
    session.reset().unwrap();
    assert_eq!(monitor.status(), ConnectionStatus::READY);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
    setup(&mut session, &["PRAGMA foreign_keys = off", "PRAGMA busy_timeout = 1"]);
    session.reset().unwrap();
    assert_eq!(number(&mut session, "PRAGMA foreign_keys"), 1);
    session.ping().unwrap();
}

#[test]
fn two_connections_see_each_others_commits_only() {
    let file = TestFile::new();
    let (mut one, mut other) = (file.open(""), file.open(""));
    setup(&mut one, &["CREATE TABLE t (a)"]);
    one.begin(options()).unwrap();
    query(&mut one, "INSERT INTO t VALUES ($1)", &[ValueRef::I64(1)]).unwrap();
    assert_eq!(number(&mut other, "SELECT count(*) FROM t"), 0);
    one.commit().unwrap();
    assert_eq!(number(&mut other, "SELECT count(*) FROM t"), 1);
    assert_eq!(number(&mut memory(), "SELECT count(*) FROM sqlite_schema"), 0);
}
