//! The command `explain`: how SQLite would run a statement.

use crate::{
    error::Fault,
    registry::Name,
    session::{Answer, Session},
    sql::{self, Token},
    statement::Stored,
};
use montrs_driver_sdk::{Batch, Column, ColumnSet, Error, ErrorKind, Kind, ParamBuffer, Params, Result, ValueRef};
use std::collections::HashMap;

pub(crate) const NAME: &str = "explain";
const EXPLAIN: &str = "EXPLAIN QUERY PLAN ";

/// A statement to be explained.
pub(crate) struct Explained {
    sql: String,
    values: ParamBuffer,
}

impl Explained {
    /// Reads the command's parameters: the statement, and the values of its parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PARAMETERS`] when the first one is no text.
    pub(crate) fn read(parameters: &Params<'_>) -> Result<Self> {
        let value = |index| parameters.get(index).map_err(|error| Error::protocol(error.to_string()));
        let Ok(ValueRef::Text(sql)) = value(0) else {
            let message = "the command `explain` has a statement and its values as its parameters";
            return Err(Error::new(ErrorKind::PARAMETERS, message));
        };
        let mut values = ParamBuffer::default();
        for index in 1..parameters.len() {
            match parameters.name(index) {
                Some(name) => values.push_named(name, value(index)?)?,
                None => values.push(value(index)?)?,
            }
        }
        Ok(Self { sql: sql.to_owned(), values })
    }
}

impl Session {
    /// Answers with the lines of a statement's plan. Positions in errors are those of the statement.
    pub(crate) fn explain(&mut self, explained: &Explained, batch: &mut Batch) -> Result<Answer> {
        let Explained { sql, values } = explained;
        if !sql::tokens(sql).any(|(token, ..)| !matches!(token, Token::Space | Token::Semicolon)) {
            return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the SQL text contains no statement"));
        }
        let token = self.prepare(&format!("{EXPLAIN}{sql}")).map_err(of_statement)?;
        let for_lists = self.for_lists(token.name(), &values.as_params())?;
        let name = for_lists.as_deref().map_or(token.name(), crate::registry::Token::name);
        self.bind(name, &values.as_params())?;
        let lines = self.plan(name);
        let lines = self.leave(name, lines)?;
        batch.clear(1);
        for line in lines {
            batch.push(ValueRef::Text(&line))?;
            batch.end_row();
        }
        let columns = ColumnSet::of([Column { kind: Kind::TEXT, ..Column::named("plan") }]);
        Ok(Answer { columns, affected: 0, last_insert_id: None, is_finished: true })
    }

    /// The rows of a plan, each further in than the one that it belongs to.
    fn plan(&mut self, name: Name) -> Result<Vec<String>, Fault> {
        let prepared = self.registry.get(name)?;
        let (mut lines, mut depths) = (Vec::new(), HashMap::new());
        while prepared.statement.step()? {
            let number = |column| match prepared.statement.value(column) {
                Some(Stored::Integer(number)) => number,
                _ => 0,
            };
            let depth = depths.get(&number(1)).map_or(0, |depth| depth + 1);
            depths.insert(number(0), depth);
            lines.push("  ".repeat(depth) + &prepared.statement.text(3).unwrap_or_default());
        }
        prepared.end();
        Ok(lines)
    }
}

fn of_statement(mut error: Error) -> Error {
    let record = error.record_mut();
    record.position = record.position.into_option().map(|at| at.saturating_sub(EXPLAIN.len() as u32)).into();
    error
}
