//! The driver without a host: most tests drive the synchronous core, `facade` the exported module.

mod cancellation;
mod commands;
mod errors;
mod extensions;
mod facade;
mod limits;
mod log;
mod many;
mod opening;
mod pauses;
mod placeholders;
mod settings;
mod statements;
mod transactions;
mod values;

use crate::{
    governor::Governor,
    handle::Watch,
    monitor::Monitor,
    options::Options,
    registry::Token,
    runtime::Runtime,
    session::{Answer, Session},
};
use montrs_driver_abi::RowBatch;
use montrs_driver_sdk::{
    Batch, ColumnSet, Error, ErrorKind, NextBatch, ParamBuffer, QueryOptions, RArc, Result, ValueRef,
};
use std::sync::Arc;

const ALL: QueryOptions = QueryOptions { max_rows: 0, batch_bytes: 64 * 1024 };

fn open(url: &str) -> Result<Session> {
    open_watched(url, &Arc::default())
}

fn open_watched(url: &str, monitor: &Arc<Monitor>) -> Result<Session> {
    let options = Options::parse(url)?;
    let watch: Arc<dyn Watch> = Arc::new(Governor::new(monitor.clone(), Runtime::endless(), options.busy_timeout));
    Session::open(Arc::new(options), monitor.clone(), watch)
}

fn memory() -> Session {
    open("sqlite::memory:").unwrap()
}

/// A file in a directory of its own, which is removed at the end.
struct TestFile {
    directory: tempfile::TempDir,
}

impl TestFile {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("test.db")
    }

    fn url(&self, parameters: &str) -> String {
        format!("sqlite:{}?{parameters}", self.path().display())
    }

    fn open(&self, parameters: &str) -> Session {
        open(&self.url(parameters)).unwrap()
    }
}

fn bound(values: &[ValueRef<'_>]) -> ParamBuffer {
    let mut buffer = ParamBuffer::default();
    values.iter().for_each(|value| buffer.push(*value).unwrap());
    buffer
}

/// An answer with its rows.
#[derive(Debug)]
struct Ran {
    columns: RArc<ColumnSet>,
    batch: Batch,
    affected: u64,
    last_insert_id: Option<i64>,
    is_finished: bool,
}

fn run(session: &mut Session, token: &Token, values: &[ValueRef<'_>]) -> Result<Ran> {
    run_with(session, token, &bound(values), ALL)
}

fn run_with(session: &mut Session, token: &Token, values: &ParamBuffer, options: QueryOptions) -> Result<Ran> {
    let mut batch = Batch::EMPTY;
    let answer = session.query(token, &values.as_params(), options, &mut batch)?;
    let Answer { columns, affected, last_insert_id, is_finished } = answer;
    Ok(Ran { columns, batch, affected, last_insert_id, is_finished })
}

fn next(session: &mut Session, token: &Token) -> Result<(Batch, NextBatch)> {
    let mut batch = Batch::EMPTY;
    let next = session.next(token.name(), &mut batch)?;
    Ok((batch, next))
}

fn query(session: &mut Session, sql: &str, values: &[ValueRef<'_>]) -> Result<Ran> {
    let token = session.prepare(sql)?;
    run(session, &token, values)
}

/// Runs statements that must succeed.
fn setup(session: &mut Session, statements: &[&str]) {
    for sql in statements {
        query(session, sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn rows(session: &mut Session, sql: &str, values: &[ValueRef<'_>]) -> RowBatch {
    let answer = query(session, sql, values).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(answer.is_finished);
    answer.batch.check().unwrap()
}

/// The only value of the only row, given to a check.
fn single<T>(session: &mut Session, sql: &str, values: &[ValueRef<'_>], check: impl FnOnce(ValueRef<'_>) -> T) -> T {
    let rows = rows(session, sql, values);
    assert_eq!((rows.rows(), rows.columns()), (1, 1), "{sql}");
    check(rows.value(0, 0).unwrap())
}

fn number(session: &mut Session, sql: &str) -> i64 {
    single(session, sql, &[], |value| match value {
        ValueRef::I64(number) => number,
        other => panic!("{other:?}"),
    })
}

fn text(session: &mut Session, sql: &str) -> String {
    single(session, sql, &[], |value| match value {
        ValueRef::Text(text) => text.to_owned(),
        other => panic!("{other:?}"),
    })
}

fn fails<T>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.err().expect("this must fail");
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}
