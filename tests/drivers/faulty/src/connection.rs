//! A session that misbehaves.

use crate::{
    fault::{Fault, Fuse, Turn},
    wrong,
};
use montrs_driver_sdk::{
    Answers, Batch, Blocking, Column, ColumnSet, Connection, ConnectionStatus, Description, Error, ErrorKind, Fetched,
    Host, ManyReply, NextBatch, Params, PipelineStep, QueryOptions, Reply, Result, RowBatch, TransactionOptions,
    ValueRef,
};

use std::ops::Range;

/// A session that misbehaves.
///
/// Its statements are those of the crate's documentation, those of [`wrong`], and `break`, after which the connection
/// says that it is broken; `uploading`, which tells whether an upload is open; `spawn-panic` and `job-panic`, where a task or a job panics that nobody waits for; and
/// `blocking-panic`, where it is waited for.
pub struct FaultyConnection {
    number: u64,
    host: Host,
    armed: Vec<Fault>,
    /// What the open upload has taken: bytes, or values of rows.
    uploaded: Option<u64>,
    status: ConnectionStatus,
    fuse: Fuse,
}

/// A statement's text.
pub struct Statement {
    text: String,
    _fuse: Fuse,
}

/// How many rows are left, each a batch.
pub struct Rows {
    left: u64,
    _fuse: Fuse,
}

impl FaultyConnection {
    pub(crate) fn new(number: u64, host: Host) -> Self {
        Self { number, host, armed: Vec::new(), uploaded: None, status: ConnectionStatus::READY, fuse: Fuse::default() }
    }

    /// The fault that was armed for this slot; it strikes once.
    fn take(&mut self, slot: &str) -> Option<Fault> {
        let index = self.armed.iter().position(|fault| fault.slot == slot)?;
        Some(self.armed.remove(index))
    }

    fn take_fuse(&mut self, slot: &str) -> Fuse {
        Fuse(self.take(slot))
    }

    /// Misbehaves when that is armed for the slot, and otherwise changes the status.
    fn step(&mut self, slot: &str, status: ConnectionStatus) -> Reply<'_, ()> {
        if let Some(fault) = self.take(slot) {
            return if fault.is_idle() { Reply::ready(Ok(())) } else { fault.strike() };
        }
        Reply::later(async move {
            Turn::default().await;
            self.status = status;
            Ok(())
        })
    }

    fn arm(&mut self, slot: &str, how: &str) -> Result<()> {
        let fault = Fault::parse(slot, how).ok_or_else(|| Error::new(ErrorKind::SYNTAX, "no such fault"))?;
        if slot == "drop" {
            self.fuse = Fuse(Some(fault));
        } else {
            self.armed.push(fault);
        }
        Ok(())
    }

    fn run(&mut self, text: &str, batch: &mut Batch) -> Result<Fetched<Rows>> {
        let mut rows = None;
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["number"] => return one(batch, self.number),
            ["uploading"] => return one(batch, self.uploaded.is_some().into()),
            ["rows", count] => {
                let left = count.parse().map_err(|_| Error::new(ErrorKind::SYNTAX, "no number"))?;
                rows = Some(Rows { left, _fuse: self.take_fuse("drop-rows") });
            }
            ["arm", slot, how] => self.arm(slot, how)?,
            ["break"] => self.status = ConnectionStatus::BROKEN,
            ["spawn-panic"] => drop(self.host.spawn(async { panic!("a task was told to panic") })),
            ["job-panic"] => self.host.spawn_blocking(|| panic!("a job was told to panic")),
            _ => {
                return wrong::answer(text, batch)
                    .unwrap_or_else(|| Err(Error::new(ErrorKind::SYNTAX, format!("`{text}` is no command"))));
            }
        }
        batch.clear(0);
        let columns = rows.iter().map(|_| Column::named("row"));
        Ok(Fetched { columns: ColumnSet::of(columns), affected: 0, last_insert_id: None, rows })
    }
}

fn one<R>(batch: &mut Batch, value: u64) -> Result<Fetched<R>> {
    batch.clear(1);
    batch.push(ValueRef::I64(i64::try_from(value).unwrap_or(i64::MAX)))?;
    batch.end_row();
    Ok(Fetched::finished(ColumnSet::of([Column::named("number")]), 0))
}

impl Connection for FaultyConnection {
    type Statement = Statement;
    type Rows = Rows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, Statement> {
        match self.take("prepare") {
            Some(fault) => fault.strike(),
            None => Reply::ready(Ok(Statement { text: sql.to_owned(), _fuse: self.take_fuse("drop-statement") })),
        }
    }

    fn first_statement(&mut self, script: &str) -> Result<Option<Range<usize>>> {
        if let Some(fault) = self.take("first-statement") {
            fault.panic();
        }
        Ok(match script {
            "" => None,
            "outside" => Some(0..script.len() + 1),
            "nothing" => Some(1..1),
            "hälf a character" => Some(0..2),
            _ => Some(0..script.len()),
        })
    }

    fn describe<'a>(&'a mut self, _statement: &'a mut Statement) -> Reply<'a, Description> {
        match self.take("describe") {
            Some(fault) => fault.strike(),
            None => Reply::unsupported("the description of statements"),
        }
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut Statement,
        _parameters: Params<'_>,
        _options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Rows>> {
        if let Some(fault) = self.take("query") {
            return fault.strike();
        }
        if statement.text == "blocking-panic" {
            return Reply::later(async {
                let mut work = Blocking::new(self.host.clone(), ());
                work.run(|()| panic!("blocking work was told to panic")).await
            });
        }
        Reply::ready(self.run(&statement.text, batch))
    }

    fn prepare_many(&mut self, texts: &[&str]) -> Reply<'_, Vec<Statement>> {
        if let Some(fault) = self.take("prepare-many") {
            return fault.strike();
        }
        let count = if texts.contains(&"one too few") { texts.len() - 1 } else { texts.len() };
        let statement = |text: &&str| Statement { text: (*text).to_owned(), _fuse: Fuse::default() };
        Reply::ready(Ok(texts[..count].iter().map(statement).collect()))
    }

    fn pipeline<'a>(
        &'a mut self,
        statements: Vec<&'a mut Statement>,
        steps: &'a [PipelineStep<'a>],
        _batch_bytes: u32,
        mut answers: Answers<'a>,
    ) -> Reply<'a, ()> {
        if let Some(fault) = self.take("pipeline") {
            return fault.strike();
        }
        let mut batch = Batch::EMPTY;
        for (index, step) in steps.iter().enumerate() {
            let text = &statements[step.statement].text;
            let fetched = match self.run(text, &mut batch) {
                Ok(fetched) => fetched,
                Err(error) => return Reply::ready(Err(error.with_row(index))),
            };
            let step = match text.as_str() {
                "wrong-turn" => index + 1,
                "wrong-step" => usize::MAX,
                "wrong-silence" => continue,
                _ => index,
            };
            answers.finish(step, true, &fetched.columns, &mut batch, 0);
            if text == "wrong-twice" {
                answers.finish(step, false, &fetched.columns, &mut batch, 0);
            }
        }
        Reply::ready(Ok(()))
    }

    fn query_many<'a>(&'a mut self, _statement: &'a mut Statement, rows: RowBatch) -> Reply<'a, ManyReply> {
        if let Some(fault) = self.take("query-many") {
            return fault.strike();
        }
        let affected = rows.rows() as u64;
        Reply::ready(Ok(ManyReply { affected, last_insert_id: None.into(), spare: rows.into_spare() }))
    }

    fn command<'a>(
        &'a mut self,
        name: &str,
        _parameters: Params<'_>,
        _options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<Rows>> {
        match self.take("command") {
            Some(fault) => fault.strike(),
            None => Reply::ready(self.run(name, batch)),
        }
    }

    fn upload(&mut self, name: &str, _parameters: Params<'_>) -> Reply<'_, ()> {
        if let Some(fault) = self.take("upload") {
            return fault.strike();
        }
        if name != "sink" {
            return Reply::ready(Err(Error::new(ErrorKind::UNSUPPORTED, format!("`{name}` takes no upload"))));
        }
        self.uploaded = Some(0);
        Reply::ready(Ok(()))
    }

    fn upload_bytes(&mut self, bytes: &[u8]) -> Reply<'_, ()> {
        if let Some(fault) = self.take("upload-bytes") {
            return fault.strike();
        }
        let count = bytes.len() as u64;
        Reply::later(async move {
            Turn::default().await;
            self.uploaded = self.uploaded.map(|uploaded| uploaded + count);
            Ok(())
        })
    }

    fn upload_rows(&mut self, rows: RowBatch) -> Reply<'_, Batch> {
        if let Some(fault) = self.take("upload-rows") {
            return fault.strike();
        }
        self.uploaded = self.uploaded.map(|uploaded| uploaded + rows.rows() as u64);
        Reply::ready(Ok(rows.into_spare()))
    }

    fn upload_end(&mut self) -> Reply<'_, u64> {
        if let Some(fault) = self.take("upload-end") {
            return fault.strike();
        }
        Reply::ready(self.uploaded.take().ok_or_else(|| Error::protocol("no upload is open")))
    }

    fn next<'a>(&'a mut self, rows: &'a mut Rows, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        if let Some(fault) = self.take("next") {
            return fault.strike();
        }
        Reply::later(async {
            Turn::default().await;
            one::<Rows>(batch, rows.left)?;
            rows.left -= 1;
            Ok(NextBatch { affected: 0, finished: rows.left == 0 })
        })
    }

    fn close_rows<'a>(&'a mut self, _rows: &'a mut Rows) -> Reply<'a, ()> {
        self.step("close-rows", self.status)
    }

    fn begin(&mut self, _options: TransactionOptions) -> Reply<'_, ()> {
        self.step("begin", ConnectionStatus::IN_TRANSACTION)
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        self.step("commit", ConnectionStatus::READY)
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.step("rollback", ConnectionStatus::READY)
    }

    fn savepoint(&mut self, _depth: u32) -> Reply<'_, ()> {
        self.step("savepoint", self.status)
    }

    fn release(&mut self, _depth: u32) -> Reply<'_, ()> {
        self.step("release", self.status)
    }

    fn rollback_to(&mut self, _depth: u32) -> Reply<'_, ()> {
        self.step("rollback-to", self.status)
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        self.uploaded = None;
        self.step("reset", ConnectionStatus::READY)
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        self.step("ping", self.status)
    }

    fn status(&mut self) -> ConnectionStatus {
        if let Some(fault) = self.take("status") {
            fault.panic();
        }
        self.status
    }

    fn close(&mut self) -> Reply<'_, ()> {
        self.step("close", ConnectionStatus::BROKEN)
    }
}
