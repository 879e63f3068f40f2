//! The pool of connections, and who holds them.

use crate::{
    DbError, DbErrorKind,
    session::{Session, reset_in_time},
};
use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, TimeoutType, Timeouts};
use montrs_driver_loader as loader;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// What the pool is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) max_connections: usize,
    pub(crate) acquire_timeout: Duration,
    pub(crate) statement_cache_capacity: NonZeroUsize,
}

/// The pool of connections of one database.
#[derive(Clone)]
pub(crate) struct Pool {
    pool: managed::Pool<Manager>,
    holders: Arc<Holders>,
    acquire_timeout: Duration,
    runtime: Handle,
}

/// A connection that was checked out. Dropping it gives it back, put right on the runtime where that is needed.
pub(crate) struct PooledSession {
    /// `None` only while `drop` runs.
    object: Option<Object<Manager>>,
    /// `None` only while `drop` runs.
    ticket: Option<Ticket>,
    runtime: Handle,
}

impl Pool {
    pub(crate) fn new(database: Arc<loader::Database>, options: PoolOptions, runtime: Handle) -> Self {
        let manager = Manager { database, statement_cache_capacity: options.statement_cache_capacity };
        let pool = managed::Pool::builder(manager)
            .max_size(options.max_connections)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .expect("a runtime was named, which is all that can be missing");
        Self { pool, holders: Arc::default(), acquire_timeout: options.acquire_timeout, runtime }
    }

    /// A connection that is ready for use. `at` is the caller's place, for others who wait in vain.
    pub(crate) async fn acquire(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        let timeouts = Timeouts { wait: Some(self.acquire_timeout), create: Some(self.acquire_timeout), recycle: None };
        let object = self.pool.timeout_get(&timeouts).await.map_err(|error| self.acquire_error(error))?;
        let ticket = Ticket::new(self.holders.clone(), at);
        Ok(PooledSession { object: Some(object), ticket: Some(ticket), runtime: self.runtime.clone() })
    }

    /// Ends the idle connections in an orderly way, and refuses all callers from then on.
    pub(crate) async fn close(&self) -> Result<(), DbError> {
        let at_once = Timeouts { wait: Some(Duration::ZERO), create: Some(Duration::ZERO), recycle: None };
        let mut result = Ok(());
        while self.pool.status().available > 0 {
            let Ok(object) = self.pool.timeout_get(&at_once).await else { break };
            result = Object::take(object).close().await.map_err(DbError::from).and(result);
        }
        self.pool.close();
        result
    }

    pub(crate) fn status(&self) -> deadpool::Status {
        self.pool.status()
    }

    #[cold]
    fn acquire_error(&self, error: PoolError<DbError>) -> DbError {
        let timeout = self.acquire_timeout;
        match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => DbError::new(DbErrorKind::PoolClosed, "the database was closed"),
            PoolError::Timeout(TimeoutType::Create) => DbError::new(
                DbErrorKind::Connection,
                format!("no connection could be opened within {timeout:?} (acquire_timeout)"),
            ),
            _ => {
                let max = self.pool.status().max_size;
                let connections =
                    if max == 1 { "the only connection".into() } else { format!("all {max} connections") };
                let message = format!(
                    "{connections} of the pool stayed in use for {timeout:?} (acquire_timeout): {}",
                    self.holders
                );
                DbError::new(DbErrorKind::PoolTimeout, message)
            }
        }
    }
}

impl Deref for PooledSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.object.as_ref().expect("it is there until the drop")
    }
}

impl DerefMut for PooledSession {
    fn deref_mut(&mut self) -> &mut Session {
        self.object.as_mut().expect("it is there until the drop")
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        let Some(mut object) = self.object.take() else { return };
        let ticket = self.ticket.take();
        if object.is_clean() {
            return;
        }
        if object.is_broken() {
            drop(Object::take(object));
            return;
        }
        // Rolling back, or waiting for the end of what was abandoned, must not wait for the next user: locks are held.
        self.runtime.spawn(async move {
            let _held_until_then = ticket;
            if reset_in_time(&mut object).await.is_err() {
                drop(Object::take(object));
            }
        });
    }
}

/// Opens connections for the pool.
struct Manager {
    database: Arc<loader::Database>,
    statement_cache_capacity: NonZeroUsize,
}

impl managed::Manager for Manager {
    /// In a box: checking out moves it.
    type Type = Box<Session>;
    type Error = DbError;

    async fn create(&self) -> Result<Box<Session>, DbError> {
        let connection = self.database.connect().await?;
        Ok(Box::new(Session::new(connection, self.statement_cache_capacity)))
    }

    /// Connections come back clean; this is for one whose reset was cut off with its runtime.
    async fn recycle(&self, session: &mut Box<Session>, _: &Metrics) -> RecycleResult<DbError> {
        if session.is_clean() {
            return Ok(());
        }
        reset_in_time(session).await.map_err(RecycleError::Backend)
    }
}

/// Who holds a connection, and since when.
#[derive(Default)]
struct Holders(Mutex<(u64, HashMap<u64, Holder>)>);

/// The entry of one holder, which goes with it.
struct Ticket {
    holders: Arc<Holders>,
    number: u64,
}

impl Ticket {
    fn new(holders: Arc<Holders>, at: &'static Location<'static>) -> Self {
        let number = holders.enter(at);
        Self { holders, number }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.holders.leave(self.number);
    }
}

struct Holder {
    at: &'static Location<'static>,
    since: Instant,
}

impl Holders {
    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Holder>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, at: &'static Location<'static>) -> u64 {
        let (next, holders) = &mut *self.lock();
        *next += 1;
        holders.insert(*next, Holder { at, since: Instant::now() });
        *next
    }

    fn leave(&self, number: u64) {
        self.lock().1.remove(&number);
    }
}

impl std::fmt::Display for Holders {
    /// The places that hold connections, the longest first.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 8;
        let (_, holders) = &*self.lock();
        let mut holders: Vec<&Holder> = holders.values().collect();
        holders.sort_by_key(|holder| holder.since);
        if holders.is_empty() {
            return f.write_str("they were given back just now");
        }
        for (index, holder) in holders.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let seconds = holder.since.elapsed().as_secs_f64();
            write!(f, "{separator}held for {seconds:.1} s since {}", holder.at)?;
        }
        match holders.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
