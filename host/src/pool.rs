//! The pool of connections, and who holds them.
//!
//! A permit for each connection that may be open goes to those who ask, in their order. Whoever has one takes an idle
//! connection, or opens one.

use crate::{Capability, DbError, DbErrorKind, writer::WriteQueue};
use holders::{Holder, Holders};
use lease::{Lease, Pooled};
use montrs_driver_loader as loader;
use status::{Counts, Waits};
use std::{
    panic::Location,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, SemaphorePermit},
    time::timeout,
};

mod holders;
mod hooks;
mod lease;
mod maintenance;
mod options;
mod status;

pub use hooks::HookFuture;
pub(crate) use hooks::Hooks;
pub(crate) use lease::PooledSession;
pub(crate) use maintenance::Maintenance;
pub(crate) use options::{PoolOptions, random};
pub use status::PoolStatus;

/// What a sign of life, or an orderly end, may take.
const SHORT: Duration = Duration::from_secs(5);

/// For how long a database counts as down after a failure to connect to it.
const MOMENT: Duration = Duration::from_secs(5);

/// Longer than anybody waits, and short enough for a clock.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The pool of connections of one database.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    /// Of those who write, where one may at a time.
    queue: Option<Arc<WriteQueue>>,
    database: Arc<loader::Database>,
    options: PoolOptions,
    hooks: Hooks,
    runtime: Handle,
    /// One for each connection that may be open and is not held; tokio gives them out in the order of asking.
    permits: Semaphore,
    connections: Mutex<Connections>,
    waiting: AtomicUsize,
    /// Told when the pool is closed, and of each lease that ends after that.
    returned: Notify,
}

#[derive(Default)]
struct Connections {
    /// The one that was used last at the end.
    #[allow(clippy::vec_box, reason = "a session is large, and moved at each check-out")]
    idle: Vec<Box<Pooled>>,
    open: usize,
    holders: Holders,
    counts: Counts,
    /// When a connection could not be opened although it should, unless one was opened since.
    failed: Option<tokio::time::Instant>,
}

impl Pool {
    pub(crate) fn new(database: Arc<loader::Database>, options: PoolOptions, hooks: Hooks, runtime: Handle) -> Self {
        let permits = Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS));
        let (connections, waiting, returned) = (Mutex::default(), AtomicUsize::new(0), Notify::new());
        let writes_alone = options.max_connections > 1 && database.capability(Capability::SINGLE_WRITER) == 1;
        let queue = writes_alone.then(|| Arc::new(WriteQueue::new(options.acquire_timeout)));
        Self(Arc::new(Inner { queue, database, options, hooks, runtime, permits, connections, waiting, returned }))
    }

    /// An idle connection, where there is one that nobody else waits for and that needs no check. `at` is the caller's
    /// place, for others who wait in vain.
    #[inline]
    pub(crate) fn try_acquire(&self, at: &'static Location<'static>) -> Option<PooledSession> {
        let mut lease = self.lease(self.0.permits.try_acquire().ok()?, at);
        let has_hook = self.0.hooks.before_acquire.is_some();
        if let Some(connection) = lease.connection.as_mut().filter(|connection| connection.is_fresh && !has_hook)
            && (connection.is_set_up || connection.session.is_clean())
        {
            connection.is_set_up = false;
            return Some(PooledSession { lease: Some(lease) });
        }
        // It is counted when it is waited for.
        self.connections().counts.acquired -= 1;
        None
    }

    /// Opens the connections that are kept open, and at least one.
    pub(crate) async fn warm_up(&self, at: &'static Location<'static>) -> Result<(), DbError> {
        let mut connections = Vec::new();
        for _ in 0..self.0.options.min_connections.max(1) {
            let mut lease = self.lease(self.permit().await?, at);
            // Without trying again: what is wrong with the settings should show at once.
            let opened = lease.open(self.0.options.acquire_timeout).await;
            opened.unwrap_or_else(|late| Err(lease.none_was_opened(DbErrorKind::Connection, Some(late), None)))?;
            connections.push(lease);
        }
        Ok(())
    }

    /// A connection that is ready for use.
    pub(crate) async fn acquire(&self, at: &'static Location<'static>) -> Result<PooledSession, DbError> {
        let begun = tokio::time::Instant::now();
        let deadline = begun.checked_add(self.0.options.acquire_timeout).unwrap_or_else(|| begun + FOR_EVER);
        let mut lease = self.lease(self.permit().await?, at);
        let failure = lease.reuse(deadline).await;
        // What is idle beside one that is dead is dead as well, mostly: it is not tried.
        if lease.connection.is_none() {
            lease.fill(self.0.options.time_to_open(deadline), failure).await?;
            if let Err(error) = lease.before_acquire(deadline).await {
                lease.discard();
                return Err(error);
            }
        }
        Ok(PooledSession { lease: Some(lease) })
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, DbError> {
        if let Ok(permit) = self.0.permits.try_acquire() {
            return Ok(permit);
        }
        let _waits = Waits::new(self);
        match timeout(self.0.options.acquire_timeout, self.0.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Self::closed_error()),
            Err(_) => {
                self.connections().counts.timed_out += 1;
                Err(self.exhausted())
            }
        }
    }

    /// Notes who has the permit, and takes an idle connection.
    #[inline]
    fn lease(&self, permit: SemaphorePermit<'_>, at: &'static Location<'static>) -> Lease {
        let now = Instant::now();
        let mut connections = self.connections();
        let number = connections.holders.enter(Holder { at: Some(at), since: now });
        connections.counts.acquired += 1;
        let mut connection = connections.idle.pop();
        drop(connections);
        permit.forget();
        if let Some(connection) = &mut connection {
            connection.session.checked_out = Some(at);
            connection.is_fresh = now.saturating_duration_since(connection.used) < self.0.options.check_after;
            connection.idle_since = None;
            // Of one that has to give a sign of life first, that is noted after it.
            if connection.is_fresh {
                connection.used = now;
            }
        }
        Lease { pool: self.clone(), number, connection }
    }

    /// Refuses all callers from now on, and ends the idle connections in an orderly way; the others are ended when they are
    /// given back.
    pub(crate) async fn close(&self) -> Result<(), DbError> {
        self.0.permits.close();
        self.0.returned.notify_waiters();
        let idle = std::mem::take(&mut self.connections().idle);
        let mut result = Ok(());
        for connection in idle {
            self.connections().open -= 1;
            result = connection.session.close().await.map_err(DbError::from).and(result);
        }
        result
    }

    /// Waits until the pool is closed.
    pub(crate) async fn closed(&self) {
        let mut told = pin!(self.0.returned.notified());
        told.as_mut().enable();
        if !self.0.permits.is_closed() {
            told.await;
        }
    }

    /// The error of those who come after that.
    pub(crate) fn closed_error() -> DbError {
        DbError::new(DbErrorKind::PoolClosed, "the database was closed")
    }

    /// Closes, and waits until all connections were given back.
    pub(crate) async fn close_within(&self, limit: Duration) -> Result<(), DbError> {
        let all_are_back = async {
            loop {
                let mut returned = pin!(self.0.returned.notified());
                returned.as_mut().enable();
                if self.connections().holders.count() == 0 {
                    return;
                }
                returned.await;
            }
        };
        let closing = async {
            let closed = self.close().await;
            all_are_back.await;
            closed
        };
        timeout(limit, closing).await.unwrap_or_else(|_| {
            let connections = self.connections();
            let message = match connections.holders.count() {
                0 => format!("the idle connections did not end within {limit:?} of the closing"),
                _ => {
                    let holders = connections.holders.list();
                    format!("not all connections were given back within {limit:?} of the closing: {holders}")
                }
            };
            let fix = "End the tasks that use the database before it is closed, or give them more time.";
            Err(DbError::new(DbErrorKind::Timeout, message).fixed_by(fix))
        })
    }

    /// Whether no connection could be opened the last time.
    pub(crate) fn is_down(&self) -> bool {
        self.connections().failed.is_some()
    }

    /// Whether somebody may try it, because it is not down or has been so for a while. Then others wait for what comes of that.
    pub(crate) fn may_be_tried(&self) -> bool {
        let mut connections = self.connections();
        match connections.failed {
            None => true,
            Some(at) if at.elapsed() < MOMENT => false,
            Some(_) => {
                // With idle connections it may be that none has to be opened, and nothing comes of it.
                connections.failed = connections.idle.is_empty().then(tokio::time::Instant::now);
                true
            }
        }
    }

    pub(crate) fn queue(&self) -> Option<&Arc<WriteQueue>> {
        self.0.queue.as_ref()
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
        let holders = self.connections().holders.list();
        let message =
            format!("{connections} of the pool stayed in use for {acquire_timeout:?} (acquire_timeout): {holders}");
        DbError::new(DbErrorKind::PoolTimeout, message)
    }
}
