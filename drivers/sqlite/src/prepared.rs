//! A prepared statement with what is known of it, and its run: bind, step, batch.

use crate::{
    binary_json::BinaryJson,
    bind::bind,
    columns::Columns,
    error::Fault,
    handle::{Findings, Handle},
    list::{self, WithLists},
    placeholder::Placeholders,
    row::push_row,
    sql,
    statement::Statement,
};
use montrs_driver_sdk::{Batch, BatchError, Error, Params, QueryOptions, Result, UseValue, ValueRef};
use std::ffi::c_int;

/// A statement of a session.
pub(crate) struct Prepared {
    pub(crate) statement: Statement,
    pub(crate) placeholders: Placeholders,
    pub(crate) columns: Columns,
    /// Whether it changes no database file by itself.
    pub(crate) is_read_only: bool,
    /// What SQLite found in it.
    pub(crate) findings: Findings,
    /// What is run instead when lists are bound.
    pub(crate) with_lists: Option<WithLists>,
    /// The parameters that take a list.
    pub(crate) lists: Vec<c_int>,
    is_insert: bool,
    run: Option<Run>,
    json: BinaryJson,
    /// Whether values are bound that are worth being freed.
    holds_large_values: bool,
}

/// A run that has not ended.
struct Run {
    /// How many rows the caller will still read.
    rows_left: u64,
    batch_bytes: usize,
    total_changes_before: i64,
}

/// What a run came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Progress {
    /// Whether the run has ended.
    pub(crate) is_finished: bool,
    /// The rows that it changed, once it has ended.
    pub(crate) affected: u64,
    /// The key of the row that it inserted last.
    pub(crate) last_insert_id: Option<i64>,
}

impl Prepared {
    /// Takes a statement that was just prepared from this text.
    pub(crate) fn new(statement: Statement, sql: &str) -> Result<Self> {
        let is_read_only = statement.is_read_only();
        Ok(Self {
            placeholders: Placeholders::find(&statement, sql)?,
            columns: Columns::of(&statement),
            is_read_only,
            findings: Findings::default(),
            with_lists: None,
            lists: Vec::new(),
            is_insert: !is_read_only && sql::is_insert(sql),
            run: None,
            json: BinaryJson::default(),
            holds_large_values: false,
            statement,
        })
    }

    /// Binds the values, which are copied. Never waits. After an error [`end`](Self::end) must follow.
    pub(crate) fn bind(&mut self, values: &Params<'_>) -> Result<(), Fault> {
        let Self { statement, placeholders, lists, holds_large_values, .. } = self;
        for &(parameter, index) in placeholders.assign(values)?.iter() {
            let binding = Binding { statement, placeholders, lists, holds_large_values, parameter };
            values.with_value(index, binding)?;
        }
        Ok(())
    }

    /// Runs up to a full batch with the values that are bound. Also after an error [`end`](Self::end) must follow, unless
    /// the run has ended.
    pub(crate) fn start(
        &mut self,
        handle: &Handle,
        options: QueryOptions,
        batch: &mut Batch,
    ) -> Result<Progress, Fault> {
        self.run = Some(Run {
            rows_left: if options.max_rows == 0 { u64::MAX } else { options.max_rows },
            batch_bytes: options.batch_bytes as usize,
            total_changes_before: if self.is_read_only { 0 } else { handle.total_changes() },
        });
        self.proceed(handle, batch)
    }

    /// Runs the statement, which has no columns, from its values to its end. After an error [`end`](Self::end) must follow.
    pub(crate) fn run_once(&mut self, handle: &Handle, values: &Params<'_>) -> Result<Progress, Fault> {
        self.bind(values)?;
        self.run = Some(Run { rows_left: 0, batch_bytes: 0, total_changes_before: handle.total_changes() });
        while self.statement.step()? {}
        Ok(self.finish(handle))
    }

    /// Goes on to the next full batch.
    pub(crate) fn proceed(&mut self, handle: &Handle, batch: &mut Batch) -> Result<Progress, Fault> {
        let Some(run) = &mut self.run else {
            return Err(Error::protocol("the result has ended").into());
        };
        let mut has_more = self.statement.step()?;
        // The first step of a run prepares the statement anew when the schema has changed.
        self.columns.renew(&self.statement);
        batch.clear(self.columns.types.len());
        while has_more {
            push_row(batch, &self.statement, &self.columns.types, (handle, &mut self.json))?;
            run.rows_left -= 1;
            if run.rows_left == 0 {
                self.run_to_end()?;
                break;
            }
            if batch.size() >= run.batch_bytes {
                batch.demote_invalid_text();
                // What a statement with RETURNING changes is changed before its first row.
                let last_insert_id = self.is_insert.then(|| handle.last_insert_id());
                return Ok(Progress { is_finished: false, affected: 0, last_insert_id });
            }
            has_more = self.statement.step()?;
        }
        batch.demote_invalid_text();
        Ok(self.finish(handle))
    }

    /// Lets a statement that writes do all it was told to, without its rows; one that reads is simply left.
    pub(crate) fn run_to_end(&mut self) -> Result<(), Fault> {
        while !self.is_read_only && self.statement.step()? {}
        Ok(())
    }

    /// Ends the run, whether its statement has come to its end or not.
    pub(crate) fn end(&mut self) {
        self.run = None;
        self.statement.reset();
        if self.holds_large_values {
            self.statement.clear_bindings();
            self.holds_large_values = false;
        }
    }

    /// Whether a run has not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    fn finish(&mut self, handle: &Handle) -> Progress {
        let before = self.run.as_ref().map_or(0, |run| run.total_changes_before);
        self.end();
        // SQLite leaves the count of the statement before in place when a statement counts nothing.
        let has_changed = !self.is_read_only && handle.total_changes() != before;
        Progress {
            is_finished: true,
            affected: if has_changed { handle.changes() } else { 0 },
            last_insert_id: (has_changed && self.is_insert).then(|| handle.last_insert_id()),
        }
    }
}

/// A parameter that a value is to be bound to.
struct Binding<'p> {
    statement: &'p mut Statement,
    placeholders: &'p Placeholders,
    /// The parameters that take a list.
    lists: &'p [c_int],
    holds_large_values: &'p mut bool,
    parameter: c_int,
}

impl UseValue<'_> for Binding<'_> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn use_value(self, value: std::result::Result<ValueRef<'_>, BatchError>) -> Result<(), Fault> {
        /// Smaller values stay bound until the next run: that is cheaper than to free them.
        const LARGE: usize = 64 * 1024;
        let value = value.map_err(|error| Error::protocol(error.to_string()))?;
        *self.holds_large_values |= match value {
            ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::OtherText(text) => text.len() > LARGE,
            ValueRef::Bytes(bytes) | ValueRef::OtherBytes(bytes) => bytes.len() > LARGE,
            _ => false,
        };
        match value {
            ValueRef::Array(list) if self.lists.contains(&self.parameter) => {
                *self.holds_large_values = true;
                Ok(self.statement.bind_text(self.parameter, &list::json(list)?)?)
            }
            value => bind(self.statement, self.parameter, value, || self.placeholders.text(self.parameter)),
        }
    }
}
