//! Prepared statements.

use crate::{
    catalog,
    message::{self, Field, tag},
    session::{Dropped, Session, statement_name, unwritable, unwritable_sql},
    shape::{Shape, parameter_kind},
    sql,
    text::Text,
    types,
};
use bytes::BytesMut;
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
    with_lists: Vec<(Vec<usize>, PgStatement)>,
}

/// What the server knows of a statement.
pub(crate) struct Prepared {
    /// Its name, as a number; 0 is the unnamed statement, which does not last.
    number: u64,
    /// The types of its parameters.
    pub(crate) parameters: Box<[u32]>,
    pub(crate) shape: Arc<Shape>,
    generation: u32,
    /// The server has told its parameters and columns.
    pub(crate) is_described: bool,
    /// The server said that it is out of date.
    pub(crate) is_stale: bool,
}

impl PgStatement {
    fn of(session: &Session, text: Text, prepared: Prepared) -> Self {
        let may_change_session = sql::may_change_session(text.sent());
        Self { text, prepared, may_change_session, dropped: session.dropped(), with_lists: Vec::new() }
    }

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
        prepare_again(session, &mut [self]).await.map_err(|(_, error)| error)
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
    pub(crate) async fn for_lists(&mut self, session: &mut Session, lists: &[usize]) -> Result<&mut Self> {
        if !self.with_lists.iter().any(|(known, _)| known == lists) {
            let statement = of_text(session, self.text.with_lists(lists)).await?;
            self.with_lists.push((lists.to_vec(), statement));
        }
        Ok(self.variant_mut(lists))
    }

    /// The same statement for lists at these parameters, where it was prepared for them; itself for none.
    pub(crate) fn variant(&self, lists: &[usize]) -> &Self {
        self.with_lists.iter().find(|(known, _)| known == lists).map_or(self, |(_, statement)| statement)
    }

    /// The same, to be changed.
    pub(crate) fn variant_mut(&mut self, lists: &[usize]) -> &mut Self {
        match self.with_lists.iter().position(|(known, _)| known == lists) {
            Some(index) => &mut self.with_lists[index].1,
            None => self,
        }
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

/// Prepares several statements in one go. The `row` of an error is the statement's place.
pub(crate) async fn new_many(session: &mut Session, texts: Vec<Arc<str>>) -> Result<Vec<PgStatement>> {
    let has_escapes = session.has_escapes();
    let texts: Vec<Text> = texts.into_iter().map(|sql| Text::new(sql, has_escapes)).collect();
    let prepared = prepare(session, &texts.iter().collect::<Vec<_>>()).await;
    let prepared = prepared.map_err(|(index, error)| error.with_row(index))?;
    Ok(texts.into_iter().zip(prepared).map(|(text, prepared)| PgStatement::of(session, text, prepared)).collect())
}

/// Prepares again those that the server does not know any more, or not as they are now; all in one go. An error has the place of
/// the statement.
pub(crate) async fn prepare_again(
    session: &mut Session,
    statements: &mut [&mut PgStatement],
) -> Result<(), (usize, Error)> {
    let is_due: Vec<usize> =
        (0..statements.len()).filter(|index| statements[*index].must_be_prepared(session)).collect();
    let texts: Vec<&Text> = is_due.iter().map(|index| &statements[*index].text).collect();
    let prepared = prepare(session, &texts).await.map_err(|(place, error)| (is_due[place], error))?;
    for (index, prepared) in is_due.into_iter().zip(prepared) {
        let old = std::mem::replace(&mut statements[index].prepared, prepared);
        statements[index].forget(old.number);
    }
    Ok(())
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
        is_described: false,
        is_stale: false,
    };
    let text = Text::new(sql, session.has_escapes());
    Ok(PgStatement::of(session, text, prepared))
}

async fn of_text(session: &mut Session, text: Text) -> Result<PgStatement> {
    let prepared = prepare(session, &[&text]).await.map_err(|(_, error)| error)?.pop();
    let prepared = prepared.ok_or_else(|| Error::protocol("the prepared statement is missing"))?;
    Ok(PgStatement::of(session, text, prepared))
}

/// What the server tells of a statement.
struct Told {
    number: u64,
    parameters: Box<[u32]>,
    fields: Vec<Field>,
}

/// Prepares statements in one go. An error has the place of the text that it belongs to.
async fn prepare(session: &mut Session, texts: &[&Text]) -> Result<Vec<Prepared>, (usize, Error)> {
    // Dropped before it has ended, or refused, the statements may exist on the server without anybody who knows them: they
    // are closed with the next request. To close what does not exist is no error.
    let mut unfinished = Unfinished { dropped: session.dropped(), told: Vec::with_capacity(texts.len()) };
    let whole = |error| (0, error);
    session.begin().and_then(|()| session.close_what_was_dropped()).map_err(whole)?;
    for (index, text) in texts.iter().enumerate() {
        let number = if session.target.options.named_statements { session.new_number() } else { 0 };
        unfinished.told.push(Told { number, parameters: Box::default(), fields: Vec::new() });
        if let Err(error) = write(text, number, &mut session.wire.outgoing) {
            session.take_back();
            unfinished.told.clear();
            return Err((index, error));
        }
    }
    session.sync();
    read(session, texts, &mut unfinished.told).await?;
    let oids = unfinished.told.iter().flat_map(|told| told.fields.iter().map(|field| field.type_oid));
    let types = catalog::types(session, oids.collect::<Vec<_>>().into_iter()).await.map_err(whole)?;
    let generation = session.generation;
    let prepared = |Told { number, parameters, fields }| {
        let shape = if fields.is_empty() { Shape::empty() } else { Shape::of(fields, |oid| types.get(&oid).cloned()) };
        Prepared { number, parameters, shape, generation, is_described: true, is_stale: false }
    };
    Ok(std::mem::take(&mut unfinished.told).into_iter().map(prepared).collect())
}

fn write(text: &Text, number: u64, out: &mut BytesMut) -> Result<()> {
    let sql = text.sent();
    if sql::is_empty(sql) {
        return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty"));
    }
    text.check()?;
    let name = if number == 0 { String::new() } else { statement_name(number) };
    frontend::parse(&name, sql, [], out).map_err(|error| text.as_written(unwritable_sql(error, sql)))?;
    frontend::describe(b'S', &name, out).map_err(unwritable)
}

/// Sends the request, and reads to its end what the server tells of each statement.
async fn read(session: &mut Session, texts: &[&Text], told: &mut [Told]) -> Result<(), (usize, Error)> {
    // The statement whose answer comes.
    let (mut place, mut result) = (0, Ok(()));
    let failed = |place: usize, error| match texts.get(place) {
        Some(text) => (place, text.as_written(not_executed(error))),
        None => (place, error),
    };
    loop {
        let message = session.message_while_writing().await.map_err(|error| failed(0, error))?;
        let body = session.wire.body(&message);
        let taken = match (message.tag, told.get_mut(place)) {
            (tag::READY_FOR_QUERY, _) => match session.ready(&message) {
                Ok(true) => return result,
                ready => ready.map(drop),
            },
            (tag::ERROR_RESPONSE, _) => {
                let sql = texts.get(place).map_or("", |text| text.sent());
                let report = session.report(&message).map_err(|error| failed(place, error))?;
                result = result.and(Err(failed(place, report.into_error(sql))));
                Ok(())
            }
            (tag::PARAMETER_DESCRIPTION, Some(told)) => {
                message::parameter_description(body).map(|parameters| told.parameters = parameters)
            }
            (tag::ROW_DESCRIPTION, Some(told)) => {
                place += 1;
                message::row_description(body).map(|fields| told.fields = fields)
            }
            (tag::NO_DATA, Some(_)) => {
                place += 1;
                Ok(())
            }
            (tag::PARSE_COMPLETE, _) => Ok(()),
            _ => Err(session.broken("a message that does not belong to the answer of a Parse")),
        };
        session.sound(taken).map_err(|error| failed(place, error))?;
    }
}

struct Unfinished {
    dropped: Dropped,
    told: Vec<Told>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let named = self.told.iter().map(|told| told.number).filter(|number| *number != 0);
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
    }
}

/// The error of what changes nothing that is kept: to prepare, to begin, to undo.
#[cold]
pub(crate) fn not_executed(mut error: Error) -> Error {
    let record = error.record_mut();
    record.may_have_executed = false;
    record.is_retryable |= record.kind == ErrorKind::CONNECTION_LOST;
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
