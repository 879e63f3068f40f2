//! A connection: the SDK's trait on a session, however its operations are executed.

use crate::{
    command::{Command, UploadCommand},
    execution::Executor,
    explain::{self, Explained},
    monitor::Monitor,
    options::Options,
    registry::{Name, Token},
    runtime::Runtime,
    script,
    session::{Answer, Session},
};
use montrs_driver_sdk::{
    Batch, Connection, ConnectionStatus, Description, Error, Fetched, Host, ManyReply, NextBatch, ParamBuffer, Params,
    QueryOptions, Reply, Result, RowBatch, TransactionOptions,
};
use std::{
    mem,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// One connection.
pub struct SqliteConnection {
    executor: Executor,
    monitor: Arc<Monitor>,
    /// The number of the last operation.
    operation: u64,
    /// For the next query.
    page: Option<Box<Page>>,
}

/// What goes to a query and comes back: an operation that is abandoned goes on, and cannot have the host's batch. In a box, where
/// everything stays at its place: on the way it would be copied several times.
struct Page {
    request: Option<Request>,
    rows: Batch,
    answer: Option<Answer>,
}

/// The run of a statement.
struct Request {
    statement: Name,
    options: QueryOptions,
    /// The values, if they were not bound yet.
    values: Option<Box<ParamBuffer>>,
    /// What is run in the statement's place, because values are lists.
    for_lists: Option<Arc<Token>>,
}

/// A statement.
pub struct SqliteStatement(Arc<Token>);

/// An open result.
pub struct SqliteRows(Source);

/// What a result is of.
enum Source {
    /// A statement, which it keeps.
    Statement(Arc<Token>),
    /// The command that the session runs.
    Command,
}

impl Source {
    /// The statement's name.
    fn name(&self) -> Option<Name> {
        match self {
            Self::Statement(token) => Some(token.name()),
            Self::Command => None,
        }
    }
}

fn fetched(answer: Answer, source: impl FnOnce() -> Source) -> Fetched<SqliteRows> {
    let Answer { columns, affected, last_insert_id, is_finished } = answer;
    Fetched { columns, affected, last_insert_id, rows: (!is_finished).then(|| SqliteRows(source())) }
}

impl SqliteConnection {
    /// Opens a connection, and notes how many parameters a statement can have.
    pub(crate) async fn open(
        host: Host,
        runtime: Arc<Runtime>,
        options: Arc<Options>,
        parameter_limit: Arc<AtomicU64>,
    ) -> Result<Self> {
        let monitor = Arc::new(Monitor::default());
        let (executor, limit) = Executor::open(host, runtime, options, monitor.clone()).await?;
        parameter_limit.store(limit as u64, Ordering::Relaxed);
        Ok(Self { executor, monitor, operation: 1, page: None })
    }

    fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        self.operation += 1;
        self.executor.run(self.operation, work)
    }
}

impl Connection for SqliteConnection {
    type Statement = SqliteStatement;
    type Rows = SqliteRows;

    fn prepare(&mut self, sql: &str) -> Reply<'_, SqliteStatement> {
        let sql = sql.to_owned();
        self.run(move |session| Ok(SqliteStatement(Arc::new(session.prepare(&sql)?))))
    }

    fn first_statement(&mut self, text: &str) -> Result<Option<Range<usize>>> {
        script::first_statement(text)
    }

    fn describe<'a>(&'a mut self, statement: &'a mut SqliteStatement) -> Reply<'a, Description> {
        let name = statement.0.name();
        self.run(move |session| session.describe(name))
    }

    fn query<'a>(
        &'a mut self,
        statement: &'a mut SqliteStatement,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<SqliteRows>> {
        let Self { executor, monitor, operation, page: own } = self;
        *operation += 1;
        let name = statement.0.name();
        // Binding copies the values and never waits, so where it can be done at once they are copied only once.
        let bound = executor.session().filter(|_| !parameters.has_arrays()).map(|session| {
            monitor.begin(*operation);
            session.bind(name, &parameters)
        });
        let values = match bound {
            Some(Ok(())) => None,
            Some(Err(error)) => return Reply::ready(Err(error)),
            // In a box, because it is in the way of what is done at once.
            None => Some(Box::new(parameters.to_buffer())),
        };
        let mut page = take(own);
        page.request = Some(Request { statement: name, options, values, for_lists: None });
        let reply = executor.run(*operation, move |session| page.fill(session).map(|()| page));
        reply.map(|mut page| {
            let answer = page.answer.take().expect("a page that comes back was filled");
            let fetched = fetched(answer, || Source::Statement(page.for_lists().unwrap_or(&statement.0).clone()));
            give(own, batch, page);
            fetched
        })
    }

    fn query_once<'a>(
        &'a mut self,
        sql: &str,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<SqliteRows>> {
        let Self { executor, operation, page: own, .. } = self;
        *operation += 1;
        let sql = sql.to_owned();
        let mut page = take(own);
        let reply = executor.run(*operation, move |session| {
            let token = session.prepare(&sql)?;
            session.bind(token.name(), &ParamBuffer::default().as_params())?;
            let answer = session.start(token.name(), options, &mut page.rows)?;
            Ok((answer, token, page))
        });
        reply.map(|(answer, token, page)| {
            give(own, batch, page);
            fetched(answer, || Source::Statement(Arc::new(token)))
        })
    }

    fn query_many<'a>(&'a mut self, statement: &'a mut SqliteStatement, rows: RowBatch) -> Reply<'a, ManyReply> {
        let name = statement.0.name();
        self.run(move |session| session.query_many(name, rows))
    }

    fn next<'a>(&'a mut self, rows: &'a mut SqliteRows, batch: &'a mut Batch) -> Reply<'a, NextBatch> {
        let Self { executor, operation, page: own, .. } = self;
        *operation += 1;
        let name = rows.0.name();
        let mut page = take(own);
        let reply = executor.run(*operation, move |session| {
            let next = match name {
                Some(name) => session.next(name, &mut page.rows),
                None => session.next_of_command(&mut page.rows),
            };
            Ok((next?, page))
        });
        reply.map(|(next, page)| {
            give(own, batch, page);
            next
        })
    }

    fn close_rows<'a>(&'a mut self, rows: &'a mut SqliteRows) -> Reply<'a, ()> {
        match rows.0.name() {
            Some(name) => self.run(move |session| session.close_rows(name)),
            None => self.run(Session::close_command),
        }
    }

    fn command<'a>(
        &'a mut self,
        name: &str,
        parameters: Params<'_>,
        options: QueryOptions,
        batch: &'a mut Batch,
    ) -> Reply<'a, Fetched<SqliteRows>> {
        let command = match name {
            explain::NAME => Explained::read(&parameters).map(Either::Explain),
            _ => Command::parse(name, &parameters).map(Either::Command),
        };
        let command = match command {
            Ok(command) => command,
            Err(error) => return Reply::ready(Err(error)),
        };
        let Self { executor, operation, page: own, .. } = self;
        *operation += 1;
        let mut page = take(own);
        let reply = executor.run(*operation, move |session| {
            let answer = match command {
                Either::Explain(explained) => session.explain(&explained, &mut page.rows)?,
                Either::Command(command) => session.command(command, options, &mut page.rows)?,
            };
            Ok((answer, page))
        });
        reply.map(|(answer, page)| {
            give(own, batch, page);
            fetched(answer, || Source::Command)
        })
    }

    fn upload(&mut self, name: &str, parameters: Params<'_>) -> Reply<'_, ()> {
        match UploadCommand::parse(name, &parameters) {
            Ok(command) => self.run(move |session| session.upload(command)),
            Err(error) => Reply::ready(Err(error)),
        }
    }

    fn upload_bytes(&mut self, bytes: &[u8]) -> Reply<'_, ()> {
        // Copied, because writing may be suspended, and the bytes are the host's.
        let bytes = bytes.to_vec();
        self.run(move |session| session.upload_bytes(&bytes))
    }

    fn upload_end(&mut self) -> Reply<'_, u64> {
        self.run(Session::upload_end)
    }

    fn begin(&mut self, options: TransactionOptions) -> Reply<'_, ()> {
        self.run(move |session| session.begin(options))
    }

    fn commit(&mut self) -> Reply<'_, ()> {
        self.run(Session::commit)
    }

    fn rollback(&mut self) -> Reply<'_, ()> {
        self.run(Session::rollback)
    }

    fn savepoint(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.savepoint(depth))
    }

    fn release(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.release(depth))
    }

    fn rollback_to(&mut self, depth: u32) -> Reply<'_, ()> {
        self.run(move |session| session.rollback_to(depth))
    }

    fn reset(&mut self) -> Reply<'_, ()> {
        // After an operation or upload that was abandoned the session may stay with its user.
        let was_abandoned = self.monitor.is_cancelled();
        self.run(move |session| match was_abandoned || session.transfer.is_upload() {
            true => session.put_right(),
            false => session.reset(),
        })
    }

    fn ping(&mut self) -> Reply<'_, ()> {
        self.run(Session::ping)
    }

    fn status(&mut self) -> ConnectionStatus {
        self.monitor.status()
    }

    fn close(&mut self) -> Reply<'_, ()> {
        Reply::later(self.executor.close())
    }
}

/// What a command's name stands for.
enum Either {
    Explain(Explained),
    Command(Command),
}

impl Page {
    /// Runs the statement up to its first rows.
    fn fill(&mut self, session: &mut Session) -> Result<()> {
        let Some(Request { statement, options, values, for_lists }) = &mut self.request else {
            return Err(Error::protocol("a page was to be filled with nothing"));
        };
        if let Some(values) = values.take() {
            *for_lists = session.for_lists(*statement, &values.as_params())?;
            session.bind(for_lists.as_deref().map_or(*statement, Token::name), &values.as_params())?;
        }
        let name = for_lists.as_deref().map_or(*statement, Token::name);
        self.answer = Some(session.start(name, *options, &mut self.rows)?);
        Ok(())
    }

    /// What was run in the statement's place.
    fn for_lists(&self) -> Option<&Arc<Token>> {
        self.request.as_ref()?.for_lists.as_ref()
    }
}

/// The page of the last query.
#[inline]
fn take(own: &mut Option<Box<Page>>) -> Box<Page> {
    own.take().unwrap_or_else(|| Box::new(Page { request: None, rows: Batch::EMPTY, answer: None }))
}

/// Gives the host the rows, and keeps the buffers that it has read.
#[inline(never)] // What it is called in is then small enough to be inlined.
fn give(own: &mut Option<Box<Page>>, batch: &mut Batch, mut page: Box<Page>) {
    mem::swap(batch, &mut page.rows);
    *own = Some(page);
}
