//! The pool of connections, and who holds them.
//!
//! A permit for each connection that may be open goes to those who ask, in their order. Whoever has one takes an idle
//! connection, or opens one.

use crate::{
    DbError, DbErrorKind,
    session::{Session, reset_in_time},
};
use montrs_driver_loader as loader;
use std::{
    fmt::Write,
    num::NonZeroUsize,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// What the pool is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) max_connections: usize,
    pub(crate) acquire_timeout: Duration,
    pub(crate) statement_cache_capacity: NonZeroUsize,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections, in use or not.
    pub open: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// The most connections that will be open.
    pub max: usize,
}

/// The pool of connections of one database.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    database: Arc<loader::Database>,
    options: PoolOptions,
    runtime: Handle,
    /// One for each connection that may be open and is not held; tokio gives them out in the order of asking.
    permits: Semaphore,
    connections: Mutex<Connections>,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Connections {
    /// The one that was used last at the end.
    #[allow(clippy::vec_box, reason = "a session is large, and moved at each check-out")]
    idle: Vec<Box<Session>>,
    open: usize,
    /// By the number of their lease.
    holders: Vec<Option<Holder>>,
    /// Numbers that no lease has.
    free: Vec<usize>,
}

/// Who holds a connection, and since when.
#[derive(Clone, Copy)]
struct Holder {
    at: &'static Location<'static>,
    since: Instant,
}

/// A connection that was checked out. Dropping it gives it back, put right on the runtime where that is needed.
pub(crate) struct PooledSession {
    /// `None` only while `drop` runs.
    lease: Option<Lease>,
}

/// The right to a connection, and the connection once there is one. Dropping it gives both back as they are.
struct Lease {
    pool: Pool,
    number: usize,
    session: Option<Box<Session>>,
}

impl Pool {
    pub(crate) fn new(database: Arc<loader::Database>, options: PoolOptions, runtime: Handle) -> Self {
        let permits = Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS));
        let (connections, waiting) = (Mutex::default(), AtomicUsize::new(0));
        Self(Arc::new(Inner { database, options, runtime, permits, connections, waiting }))
    }

    /// An idle connection, where there is one that nobody else waits for. `at` is the caller's place, for others who wait
    /// in vain.
    pub(crate) fn try_acquire(&self, at: &'static Location<'static>) -> Option<PooledSession> {
        let mut lease = self.lease(self.0.permits.try_acquire().ok()?, at);
        let is_clean = lease.session.as_mut()?.is_clean();
        is_clean.then(|| PooledSession { lease: Some(lease) })
    }

    /// A connection that is ready for use.
    pub(crate) async fn acquire(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        let mut lease = self.lease(self.permit().await?, at);
        // Connections come back clean; this is for one whose reset was cut off with its runtime.
        if let Some(session) = &mut lease.session
            && !session.is_clean()
            && reset_in_time(session).await.is_err()
        {
            lease.discard();
        }
        if lease.session.is_none() {
            lease.session = Some(self.open().await?);
            self.connections().open += 1;
        }
        Ok(PooledSession { lease: Some(lease) })
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, DbError> {
        let _waits = Waits::new(&self.0.waiting);
        match timeout(self.0.options.acquire_timeout, self.0.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(DbError::new(DbErrorKind::PoolClosed, "the database was closed")),
            Err(_) => Err(self.exhausted()),
        }
    }

    async fn open(&self) -> Result<Box<Session>, DbError> {
        let within = self.0.options.acquire_timeout;
        let connection = timeout(within, self.0.database.connect()).await.map_err(|_| {
            let message = format!("no connection could be opened within {within:?} (acquire_timeout)");
            DbError::new(DbErrorKind::Connection, message)
        })??;
        Ok(Box::new(Session::new(connection, self.0.options.statement_cache_capacity)))
    }

    /// Notes who has the permit, and takes an idle connection.
    fn lease(&self, permit: SemaphorePermit<'_>, at: &'static Location<'static>) -> Lease {
        let holder = Some(Holder { at, since: Instant::now() });
        let mut connections = self.connections();
        let number = match connections.free.pop() {
            Some(number) => {
                connections.holders[number] = holder;
                number
            }
            None => {
                connections.holders.push(holder);
                connections.holders.len() - 1
            }
        };
        let session = connections.idle.pop();
        drop(connections);
        permit.forget();
        Lease { pool: self.clone(), number, session }
    }

    /// Ends the idle connections in an orderly way, and refuses all callers from then on.
    pub(crate) async fn close(&self) -> Result<(), DbError> {
        self.0.permits.close();
        let idle = std::mem::take(&mut self.connections().idle);
        let mut result = Ok(());
        for session in idle {
            self.connections().open -= 1;
            result = session.close().await.map_err(DbError::from).and(result);
        }
        result
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let connections = self.connections();
        PoolStatus {
            open: connections.open,
            idle: connections.idle.len(),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            max: self.0.options.max_connections,
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn exhausted(&self) -> DbError {
        let PoolOptions { max_connections, acquire_timeout, .. } = self.0.options;
        let connections = match max_connections {
            1 => "the only connection".into(),
            max => format!("all {max} connections"),
        };
        let holders = self.connections().list_holders();
        let message =
            format!("{connections} of the pool stayed in use for {acquire_timeout:?} (acquire_timeout): {holders}");
        DbError::new(DbErrorKind::PoolTimeout, message)
    }
}

impl Connections {
    /// The places that hold connections, the longest first.
    fn list_holders(&self) -> String {
        const SHOWN: usize = 8;
        let mut holders: Vec<Holder> = self.holders.iter().flatten().copied().collect();
        holders.sort_by_key(|holder| holder.since);
        if holders.is_empty() {
            return "they were given back just now".into();
        }
        let mut list = String::new();
        for (index, holder) in holders.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let seconds = holder.since.elapsed().as_secs_f64();
            let _ = write!(list, "{separator}held for {seconds:.1} s since {}", holder.at);
        }
        if holders.len() > SHOWN {
            let _ = write!(list, " and {} more", holders.len() - SHOWN);
        }
        list
    }
}

impl Deref for PooledSession {
    type Target = Session;

    #[inline]
    fn deref(&self) -> &Session {
        self.lease.as_ref().and_then(|lease| lease.session.as_deref()).expect("it is there until the drop")
    }
}

impl DerefMut for PooledSession {
    #[inline]
    fn deref_mut(&mut self) -> &mut Session {
        self.lease.as_mut().and_then(|lease| lease.session.as_deref_mut()).expect("it is there until the drop")
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        let Some(session) = &mut lease.session else { return };
        if session.is_clean() {
            return;
        }
        if session.is_broken() {
            lease.discard();
            return;
        }
        // Rolling back, or waiting for the end of what was abandoned, must not wait for the next user: locks are held.
        let runtime = lease.pool.0.runtime.clone();
        runtime.spawn(async move {
            if let Some(session) = &mut lease.session
                && reset_in_time(session).await.is_err()
            {
                lease.discard();
            }
        });
    }
}

impl Lease {
    /// Gives the connection up.
    fn discard(&mut self) {
        if self.session.take().is_some() {
            self.pool.connections().open -= 1;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let inner = &self.pool.0;
        let mut session = self.session.take();
        let mut connections = self.pool.connections();
        connections.holders[self.number] = None;
        connections.free.push(self.number);
        if inner.permits.is_closed() {
            connections.open -= usize::from(session.is_some());
        } else {
            connections.idle.extend(session.take());
        }
        drop(connections);
        // After the connection, which whoever gets the permit looks for.
        inner.permits.add_permits(1);
    }
}

/// Counts a caller for as long as it waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
