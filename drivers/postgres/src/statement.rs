//! Prepared statements.

use crate::{
    catalog,
    message::{self, tag},
    session::{Dropped, Session, statement_name, unwritable, unwritable_sql},
    shape::{Shape, parameter_kind},
    sql,
    text::Text,
    types,
};
use montrs_driver_sdk::{Description, Error, ErrorKind, Nullability, Parameter, Params, Result, ValueRef};
use postgres_protocol::message::frontend;
use std::sync::{Arc, PoisonError};

/// A prepared statement.
pub struct PgStatement {
    pub(crate) text: Text,
    pub(crate) prepared: Prepared,
    /// The text mentions what may outlive the statement in its session.
    pub(crate) may_change_session: bool,
    dropped: Dropped,
    /// The same statement for lists, and the parameters, from 0, that they were bound to.
    with_lists: Option<(Vec<usize>, Box<PgStatement>)>,
}

/// What the server knows of a statement.
pub(crate) struct Prepared {
    /// Its name, as a number; 0 is the unnamed statement, which does not last.
    number: u64,
    /// The types of its parameters.
    pub(crate) parameters: Box<[u32]>,
    pub(crate) shape: Arc<Shape>,
    generation: u32,
    /// The server said that it is out of date.
    pub(crate) is_stale: bool,
}

impl PgStatement {
    /// Whether the server does not know it any more, or not as it is now.
    pub(crate) fn must_be_prepared(&self, session: &Session) -> bool {
        self.prepared.is_stale || self.prepared.generation != session.generation
    }

    /// Whether it is sent anew with each query.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.prepared.number == 0
    }

    /// The name that the server knows it by.
    pub(crate) fn name(&self) -> String {
        match self.prepared.number {
            0 => String::new(),
            number => statement_name(number),
        }
    }

    /// Prepares it again, under another name.
    pub(crate) async fn prepare_again(&mut self, session: &mut Session) -> Result<()> {
        let prepared = prepare(session, &self.text).await?;
        let old = std::mem::replace(&mut self.prepared, prepared);
        self.forget(old.number);
        Ok(())
    }

    /// The parameters, from 0, of an `IN` that is given a list by these values.
    pub(crate) fn lists(&self, values: &Params<'_>) -> Vec<usize> {
        let types = &self.prepared.parameters;
        let in_lists = self.text.in_lists();
        // What does not fit is told when the query is written.
        let Some(order) = (!in_lists.is_empty()).then(|| self.text.assign(values, types.len()).ok()).flatten() else {
            return Vec::new();
        };
        let is_list = |parameter: &usize| {
            let index = order.as_ref().map_or(Some(*parameter), |order| order.get(*parameter).copied());
            let value = index.and_then(|index| values.get(index).ok());
            let is_array = types.get(*parameter).is_some_and(|oid| types::element(*oid).is_some());
            matches!(value, Some(ValueRef::Array(_))) && !is_array
        };
        in_lists.iter().copied().filter(is_list).collect()
    }

    /// The same statement for lists at these parameters. It is prepared when it is first used.
    pub(crate) async fn for_lists(&mut self, session: &mut Session, lists: Vec<usize>) -> Result<&mut Self> {
        if self.with_lists.as_ref().is_none_or(|(known, _)| *known != lists) {
            let statement = of_text(session, self.text.with_lists(&lists)).await?;
            self.with_lists = Some((lists, Box::new(statement)));
        }
        let missing = || Error::protocol("the statement for lists is missing");
        self.with_lists.as_mut().map(|(_, statement)| &mut **statement).ok_or_else(missing)
    }

    fn forget(&self, number: u64) {
        if number != 0 {
            self.dropped.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        }
    }
}

impl Drop for PgStatement {
    /// The session closes it with its next request.
    fn drop(&mut self) {
        self.forget(self.prepared.number);
    }
}

/// Prepares a statement.
pub(crate) async fn new(session: &mut Session, sql: Arc<str>) -> Result<PgStatement> {
    let has_escapes = session.has_escapes();
    of_text(session, Text::new(sql, has_escapes)).await
}

/// Takes a statement that is run once, without parameters. One without rows, whose types would have to be known, is not
/// prepared: it is sent when it is run, which is one round trip.
pub(crate) async fn once(session: &mut Session, sql: Arc<str>) -> Result<PgStatement> {
    if !sql::has_no_rows(&sql) {
        return new(session, sql).await;
    }
    let prepared = Prepared {
        number: 0,
        parameters: Box::default(),
        shape: Shape::empty(),
        generation: session.generation,
        is_stale: false,
    };
    let text = Text::new(sql, session.has_escapes());
    let (may_change_session, dropped) = (sql::may_change_session(text.sent()), session.dropped());
    Ok(PgStatement { text, prepared, may_change_session, dropped, with_lists: None })
}

async fn of_text(session: &mut Session, text: Text) -> Result<PgStatement> {
    let prepared = prepare(session, &text).await?;
    let (may_change_session, dropped) = (sql::may_change_session(text.sent()), session.dropped());
    Ok(PgStatement { text, prepared, may_change_session, dropped, with_lists: None })
}

async fn prepare(session: &mut Session, text: &Text) -> Result<Prepared> {
    let sql = text.sent();
    if sql::is_empty(sql) {
        return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty"));
    }
    text.check()?;
    session.begin()?;
    session.close_what_was_dropped()?;
    let number = if session.target.options.named_statements { session.new_number() } else { 0 };
    let name = if number == 0 { String::new() } else { statement_name(number) };
    let out = &mut session.wire.outgoing;
    frontend::parse(&name, sql, [], out).map_err(|error| text.as_written(unwritable_sql(error, sql)))?;
    frontend::describe(b'S', &name, out).map_err(unwritable)?;
    session.sync();
    let (mut parameters, mut fields) = (Box::default(), Vec::new());
    // Dropped before it has ended, or refused, the statement may exist on the server without anybody who knows it: it
    // is closed with the next request. To close what does not exist is no error.
    let mut unfinished = Unfinished { dropped: session.dropped(), number };
    session
        .exchange(sql, |tag, body| {
            match tag {
                tag::PARAMETER_DESCRIPTION => parameters = message::parameter_description(body)?,
                tag::ROW_DESCRIPTION => fields = message::row_description(body)?,
                _ => {}
            }
            Ok(())
        })
        .await
        .map_err(|error| text.as_written(not_executed(error)))?;
    let shape = if fields.is_empty() {
        Shape::empty()
    } else {
        let types = catalog::types(session, fields.iter().map(|field| field.type_oid)).await?;
        Shape::of(fields, |oid| types.get(&oid).cloned())
    };
    unfinished.number = 0;
    Ok(Prepared { number, parameters, shape, generation: session.generation, is_stale: false })
}

struct Unfinished {
    dropped: Dropped,
    number: u64,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.number != 0 {
            self.dropped.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
        }
    }
}

/// To prepare is not to execute.
fn not_executed(mut error: Error) -> Error {
    error.record_mut().may_have_executed = false;
    error
}

/// Tells parameters and columns, with the tables that they are taken from.
pub(crate) async fn describe(session: &mut Session, statement: &mut PgStatement) -> Result<Description> {
    if statement.must_be_prepared(session) {
        statement.prepare_again(session).await?;
    }
    let (Prepared { parameters, shape, .. }, text) = (&statement.prepared, &statement.text);
    let types = catalog::types(session, parameters.iter().copied()).await?;
    let parameters = parameters.iter().enumerate().map(|(index, oid)| {
        let of_type = types.get(oid);
        Parameter {
            name: text.name(index).into(),
            type_name: of_type.map(|of_type| of_type.name.to_string()).unwrap_or_default().into(),
            type_code: *oid,
            kind: parameter_kind(of_type),
            nullability: Nullability::UNKNOWN,
        }
    });
    let mut columns = shape.set.columns.clone();
    catalog::add_origins(session, &shape.fields, &mut columns).await?;
    Ok(Description { parameters: parameters.collect(), columns, is_read_only: false })
}
