//! One session with a store.

use crate::{
    statement::{Outcome, Statement},
    store::Store,
};
use montrs_driver_sdk::{
    Batch, Blocking, Column, ColumnSet, Connection, ConnectionStatus, Error, ErrorKind, Fetched, NextBatch, Params,
    QueryOptions, Reply, Result, TransactionOptions, ValueRef,
};

/// One session with a store.
pub struct KvConnection {
    store: Blocking<Store>,
    in_transaction: bool,
}

/// The values that are left, and how many bytes of them to send at once.
pub struct KvRows {
    values: std::vec::IntoIter<String>,
    batch_bytes: usize,
}

impl KvConnection {
    pub(crate) fn new(store: Blocking<Store>) -> Self {
        Self { store, in_transaction: false }
    }
}

impl Connection for KvConnection {
    type Statement = Statement;
    type Rows = KvRows;

    /// Reads the text, which does not block: the answer is there at once.
    fn prepare(&mut self, sql: &str) -> Reply<'_, Statement> {
        Reply::ready(Statement::parse(sql))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut Statement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<KvRows>> {
        let parameter = match text(parameters) {
            Ok(parameter) => parameter,
            Err(error) => return Reply::ready(Err(error)),
        };
        Reply::later(async move {
            let statement = statement.clone();
            let (column, values) = match self.store.run(move |store| statement.run(store, parameter)).await?? {
                Outcome::Values(column, values) => (column, values),
                Outcome::Changed(count) => {
                    batch.clear(0);
                    return Ok(Fetched::finished(ColumnSet::of([]), count));
                }
            };
            let mut rows = KvRows { values: values.into_iter(), batch_bytes: options.batch_bytes as usize };
            let finished = rows.fill(batch)?;
            let columns = ColumnSet::of([Column::named(column)]);
            Ok(Fetched { rows: (!finished).then_some(rows), ..Fetched::finished(columns, 0) })
        })
    }

    fn next<'a>(&'a mut self, rows: &'a mut KvRows, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        let filled = rows.fill(batch);
        Reply::ready(filled.map(|finished| NextBatch { affected: 0, finished }))
    }

    fn close_rows<'a>(&'a mut self, _rows: &'a mut KvRows) -> Reply<'a, ()> {
        Reply::ready(Ok(()))
    }

    fn begin(&mut self, _options: TransactionOptions) -> Reply<'_, ()> {
        Reply::later(async {
            self.store.run(Store::begin).await?;
            self.in_transaction = true;
            Ok(())
        })
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            self.store.run(Store::commit).await?;
            self.in_transaction = false;
            Ok(())
        })
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.reset()
    }

    /// Waits for the end of what was abandoned, because one call at a time has the store.
    fn reset(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            self.store.run(Store::rollback).await?;
            self.in_transaction = false;
            Ok(())
        })
    }

    fn status(&mut self) -> ConnectionStatus {
        if self.in_transaction { ConnectionStatus::IN_TRANSACTION } else { ConnectionStatus::READY }
    }

    fn close(&mut self) -> Reply<'_, ()> {
        Reply::later(async {
            let saved = self.store.run(|store| store.save()).await?;
            saved.map_err(|error| Error::new(ErrorKind::IO, format!("the store was not saved: {error}")))
        })
    }
}

impl KvRows {
    /// Writes values until the batch is full; says whether those were the last.
    fn fill(&mut self, batch: &mut Batch) -> Result<bool> {
        batch.clear(1);
        for value in self.values.by_ref() {
            batch.push(ValueRef::Text(&value))?;
            batch.end_row();
            if batch.size() >= self.batch_bytes {
                break;
            }
        }
        Ok(self.values.as_slice().is_empty())
    }
}

/// The only parameter as text; numbers are written out.
fn text(parameters: Params<'_>) -> Result<Option<String>> {
    if parameters.len() > 1 {
        return Err(Error::new(ErrorKind::PARAMETERS, "a statement has at most one parameter"));
    }
    match parameters.get(0) {
        Err(_) => Ok(None),
        Ok(ValueRef::Text(text)) => Ok(Some(text.to_owned())),
        Ok(ValueRef::I32(number)) => Ok(Some(number.to_string())),
        Ok(ValueRef::I64(number)) => Ok(Some(number.to_string())),
        Ok(_) => Err(Error::new(ErrorKind::ENCODE, "a value is a text or a whole number")),
    }
}
