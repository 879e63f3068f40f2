//! One statement for many rows.

use super::{fails, memory, number, setup, text};
use crate::session::Session;
use montrs_driver_sdk::{Batch, ErrorKind, ManyReply, Result, RowBatch, TransactionOptions, ValueRef};

fn batch(rows: &[&[ValueRef<'_>]]) -> RowBatch {
    let mut batch = Batch::EMPTY;
    batch.clear(rows.first().map_or(0, |row| row.len()));
    for row in rows {
        row.iter().for_each(|value| batch.push(*value).unwrap());
        batch.end_row();
    }
    batch.check().unwrap()
}

fn many(session: &mut Session, sql: &str, rows: &[&[ValueRef<'_>]]) -> Result<ManyReply> {
    let token = session.prepare(sql)?;
    session.query_many(token.name(), batch(rows))
}

#[test]
fn each_row_is_run_and_all_changes_are_counted() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (id INTEGER PRIMARY KEY, name)"]);
    let (number_of, name) = (ValueRef::I64, ValueRef::Text);
    let done = many(
        &mut session,
        "INSERT INTO t VALUES ($2, $1)",
        &[&[name("a"), number_of(5)], &[name("b"), number_of(9)], &[ValueRef::Null, number_of(7)]],
    )
    .unwrap();
    assert_eq!((done.affected, done.last_insert_id.into_option()), (3, Some(7)));
    assert_eq!(text(&mut session, "SELECT group_concat(id || coalesce(name, '-')) FROM t"), "5a,7-,9b");
    let done = many(
        &mut session,
        "UPDATE t SET name = $1 WHERE id > $2",
        &[&[name("x"), number_of(5)], &[name("y"), number_of(8)]],
    );
    let done = done.unwrap();
    assert_eq!((done.affected, done.last_insert_id.into_option()), (3, None));
    let done = many(&mut session, "DELETE FROM t", &[&[], &[]]).unwrap();
    assert_eq!(done.affected, 3);
    let done = many(&mut session, "DELETE FROM t", &[]).unwrap();
    assert_eq!(done.affected, 0);
}

#[test]
fn the_first_error_names_its_row_and_ends_the_run() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (3)"]);
    let id = ValueRef::I64;
    let rows: &[&[ValueRef<'_>]] = &[&[id(1)], &[id(2)], &[id(3)], &[id(4)]];
    let error = fails(many(&mut session, "INSERT INTO t VALUES ($1)", rows), ErrorKind::UNIQUE_VIOLATION);
    assert_eq!(error.record().row.into_option(), Some(2));
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 3);
    let rows: &[&[ValueRef<'_>]] = &[&[id(5)], &[ValueRef::F64(f64::NAN)]];
    let error = fails(many(&mut session, "INSERT INTO t VALUES ($1)", rows), ErrorKind::ENCODE);
    assert_eq!(error.record().row.into_option(), Some(1));
    let error = fails(many(&mut session, "INSERT INTO t VALUES ($1)", &[&[id(1), id(2)]]), ErrorKind::PARAMETERS);
    assert_eq!(error.record().row.into_option(), Some(0));
}

#[test]
fn statements_with_rows_and_writing_in_a_read_only_transaction_are_refused() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (id)"]);
    let row: &[&[ValueRef<'_>]] = &[&[ValueRef::I64(1)]];
    fails(many(&mut session, "SELECT $1", row), ErrorKind::UNSUPPORTED);
    fails(many(&mut session, "INSERT INTO t VALUES ($1) RETURNING id", row), ErrorKind::UNSUPPORTED);
    let read_only = montrs_driver_sdk::Access::READ_ONLY;
    session.begin(TransactionOptions { access: read_only, ..TransactionOptions::default() }).unwrap();
    fails(many(&mut session, "INSERT INTO t VALUES ($1)", row), ErrorKind::READ_ONLY);
    session.rollback().unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
}
