//! The commands: what PostgreSQL can do that is no statement with rows.

use crate::{
    copy_out, copy_out::CopyRows, listen, listen::Notifications, query, reset, rows::PgRows, session::Session, sql,
    statement,
};
use montrs_driver_sdk::{
    Batch, Error, ErrorKind, Fetched, NextBatch, ParamBuffer, Params, QueryOptions, Result, ValueRef,
};

const COMMANDS: [&str; 3] = ["copy_out", "explain", "listen"];
const UPLOADS: [&str; 2] = ["copy_in", "load"];

/// An open result.
pub enum PgResult {
    /// Of a query.
    Query(PgRows),
    /// Of `copy_out`.
    Copy(CopyRows),
    /// Of `listen`.
    Listen(Notifications),
}

/// A command that answers with rows.
#[derive(Debug)]
pub(crate) enum Command {
    /// The plan of this statement, and its parameters.
    Explain(String, ParamBuffer),
    /// The data of this COPY statement.
    CopyOut(String),
    /// Notifications on these channels.
    Listen(Vec<String>),
}

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UNSUPPORTED`] for an unknown name, [`ErrorKind::PARAMETERS`] for parameters that do not fit.
    pub(crate) fn parse(name: &str, parameters: &Params<'_>) -> Result<Self> {
        match name {
            "copy_out" => Ok(Self::CopyOut(copy_statement(name, parameters)?)),
            "explain" => {
                let (statement, parameters) = explained(parameters)?;
                Ok(Self::Explain(statement, parameters))
            }
            "listen" => Ok(Self::Listen(channels(parameters)?)),
            _ if UPLOADS.contains(&name) => {
                Err(Error::new(ErrorKind::UNSUPPORTED, format!("the command `{name}` takes data"))
                    .with_hint("begin it with upload(), write bytes or rows, and finish it"))
            }
            _ => Err(unknown(name)),
        }
    }

    pub(crate) async fn run(
        self,
        session: &mut Session,
        options: QueryOptions,
        batch: &mut Batch,
    ) -> Result<Fetched<PgResult>> {
        match self {
            Self::CopyOut(sql) => copy_out::run(session, &sql, options, batch).await,
            Self::Explain(sql, parameters) => explain(session, &sql, parameters, options, batch).await,
            Self::Listen(channels) => listen::run(session, channels, options, batch).await,
        }
    }
}

/// The COPY statement of an upload.
///
/// # Errors
///
/// As for [`Command::parse`].
pub(crate) fn upload(name: &str, parameters: &Params<'_>) -> Result<String> {
    match name {
        "copy_in" => return copy_statement(name, parameters),
        "load" => return load_statement(name, parameters),
        _ => {}
    }
    if COMMANDS.contains(&name) {
        return Err(Error::new(ErrorKind::UNSUPPORTED, format!("the command `{name}` takes no data"))
            .with_hint("await it, or fetch its rows"));
    }
    Err(unknown(name))
}

/// The next rows of whatever is open.
pub(crate) async fn next(session: &mut Session, open: &mut PgResult, batch: &mut Batch) -> Result<NextBatch> {
    match open {
        PgResult::Query(rows) => query::next(session, rows, batch).await,
        PgResult::Copy(rows) => rows.next(session, batch).await,
        PgResult::Listen(notifications) => notifications.next(session, batch).await,
    }
}

/// Ends whatever is open.
pub(crate) async fn close(session: &mut Session, open: &PgResult) -> Result<()> {
    match open {
        PgResult::Query(rows) => query::close(session, rows).await,
        PgResult::Copy(_) => reset::stop(session).await,
        PgResult::Listen(_) => {
            reset::stop(session).await?;
            listen::end(session).await
        }
    }
}

/// Runs `EXPLAIN` of a statement. Positions in errors are those of the statement.
async fn explain(
    session: &mut Session,
    sql: &str,
    parameters: ParamBuffer,
    options: QueryOptions,
    batch: &mut Batch,
) -> Result<Fetched<PgResult>> {
    const EXPLAIN: &str = "EXPLAIN ";
    if sql::is_empty(sql) {
        return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty"));
    }
    let of_statement = |mut error: Error| {
        let record = error.record_mut();
        record.position = record.position.into_option().map(|at| at.saturating_sub(EXPLAIN.len() as u32)).into();
        error
    };
    let mut statement = statement::new(session, format!("{EXPLAIN}{sql}").into()).await.map_err(of_statement)?;
    query::execute(session, &mut statement, &parameters, options, batch).await.map_err(of_statement)
}

/// A statement and its parameters, which are the first parameter and those after it.
fn explained(parameters: &Params<'_>) -> Result<(String, ParamBuffer)> {
    let mut others = ParamBuffer::default();
    let value = |index| parameters.get(index).map_err(|error| Error::protocol(error.to_string()));
    let Ok(ValueRef::Text(statement)) = value(0) else {
        return Err(wrong("explain", "has a statement and its values as its parameters"));
    };
    for index in 1..parameters.len() {
        match parameters.name(index) {
            Some(name) => others.push_named(name, value(index)?)?,
            None => others.push(value(index)?)?,
        }
    }
    Ok((statement.to_owned(), others))
}

fn copy_statement(name: &str, parameters: &Params<'_>) -> Result<String> {
    let statement = match texts(name, parameters)?.as_slice() {
        [statement] if sql::is_copy(statement) => (*statement).to_owned(),
        _ => String::new(),
    };
    if statement.is_empty() {
        let direction = if name == "copy_in" { "FROM STDIN" } else { "TO STDOUT" };
        return Err(wrong(name, &format!("has one parameter: a statement `COPY … {direction}`")));
    }
    Ok(statement)
}

/// The table and its columns are SQL, in the caller's quotes.
fn load_statement(name: &str, parameters: &Params<'_>) -> Result<String> {
    match texts(name, parameters)?.as_slice() {
        [target] if !target.is_empty() => Ok(format!("COPY {target} FROM STDIN")),
        _ => Err(wrong(name, "has one parameter: a table with its columns, such as `users (id, name)`")),
    }
}

fn channels(parameters: &Params<'_>) -> Result<Vec<String>> {
    let channels = texts("listen", parameters)?;
    if channels.is_empty() || channels.iter().any(|channel| channel.is_empty()) {
        return Err(wrong("listen", "has the names of one or more channels as its parameters"));
    }
    Ok(channels.into_iter().map(str::to_owned).collect())
}

fn texts<'a>(name: &str, parameters: &Params<'a>) -> Result<Vec<&'a str>> {
    if parameters.has_names() {
        return Err(wrong(name, "has no parameters with names"));
    }
    let text = |index| match parameters.get(index).map_err(|error| Error::protocol(error.to_string()))? {
        ValueRef::Text(text) if !text.contains('\0') => Ok(text),
        _ => Err(wrong(name, "takes texts only, without NUL characters")),
    };
    (0..parameters.len()).map(text).collect()
}

fn wrong(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::PARAMETERS, format!("the command `{name}` {what}"))
}

fn unknown(name: &str) -> Error {
    const SIMILAR: f64 = 0.6;
    let nearest = COMMANDS
        .iter()
        .chain(&UPLOADS)
        .map(|known| (strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), known), known))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let nearest = nearest.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default();
    let message = format!("PostgreSQL's driver has no command `{name}`{nearest}");
    let (commands, uploads) = (COMMANDS.join(", "), UPLOADS.join(", "));
    Error::new(ErrorKind::UNSUPPORTED, message)
        .with_hint(format!("its commands are {commands}; its uploads are {uploads}"))
}
