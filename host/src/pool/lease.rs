//! A connection that was checked out, and its way back.

use super::{
    Pool, SHORT,
    holders::Activity,
    hooks::{self, Event},
    options::random,
};
use crate::{
    DbError, DbErrorKind,
    session::{RESET_TIMEOUT, Session, reset_in_time},
};
use std::{
    ops::{Deref, DerefMut},
    pin::pin,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// A connection that was checked out. Dropping it gives it back, put right on the runtime where that is needed.
pub(crate) struct PooledSession {
    /// `None` only while `drop` runs.
    pub(super) lease: Option<Lease>,
}

/// The right to a connection, and the connection once there is one. Dropping it gives both back as they are.
pub(super) struct Lease {
    pub(super) pool: Pool,
    pub(super) number: usize,
    pub(super) connection: Option<Box<Pooled>>,
}

/// A connection of the pool.
pub(super) struct Pooled {
    pub(super) session: Session,
    /// When it was checked out last.
    pub(super) used: Instant,
    /// Whether that was so lately that it is given out without a check. (Not in the lease, which is moved about.)
    pub(super) is_fresh: bool,
    /// When it has been open for as long as it may; `None` is never.
    pub(super) expires: Option<Instant>,
    /// It is ready for its next user: it was opened or reset, and the hook for that has run, which may have changed it.
    pub(super) is_set_up: bool,
    /// When the maintenance first saw it idle. To read the clock at each return would cost too much.
    pub(super) idle_since: Option<tokio::time::Instant>,
}

impl Pooled {
    /// Whether it was checked out after its time.
    #[inline]
    fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| self.used >= expires)
    }
}

/// A connection was not opened in time: what was going on, and for how long.
pub(super) struct Late {
    activity: Activity,
    time: Duration,
}

impl Deref for PooledSession {
    type Target = Session;

    #[inline]
    fn deref(&self) -> &Session {
        let connection = self.lease.as_ref().and_then(|lease| lease.connection.as_deref());
        &connection.expect("it is there until the drop").session
    }
}

impl DerefMut for PooledSession {
    #[inline]
    fn deref_mut(&mut self) -> &mut Session {
        let connection = self.lease.as_mut().and_then(|lease| lease.connection.as_deref_mut());
        &mut connection.expect("it is there until the drop").session
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        let Some(connection) = &mut lease.connection else { return };
        let is_over = connection.is_expired() || lease.pool.0.permits.is_closed();
        let inner = &lease.pool.0;
        let is_clean = connection.session.is_clean() && inner.hooks.after_release.is_none();
        if is_clean {
            connection.session.end_turn();
        }
        if is_clean && !is_over {
            return;
        }
        if connection.session.is_broken() {
            lease.discard();
            return;
        }
        let runtime = lease.pool.0.runtime.clone();
        if is_clean {
            runtime.spawn(lease.close());
            return;
        }
        // Rolling back, or waiting for the end of what was abandoned, must not wait for the next user: locks are held.
        runtime.spawn(async move {
            if lease.come_back().await.is_err() {
                lease.discard();
            } else if is_over {
                lease.close().await;
            }
        });
    }
}

impl Lease {
    /// Makes its idle connection ready, or gives that up; then it tells why the hook has failed, if it was that.
    pub(super) async fn reuse(&mut self, deadline: tokio::time::Instant) -> Option<DbError> {
        if !self.is_usable().await {
            self.discard();
            return None;
        }
        let failure = self.before_acquire(deadline).await.err();
        if failure.is_some() {
            self.discard();
        }
        failure
    }

    /// Whether its idle connection can be given out, after a check where it needs one.
    async fn is_usable(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        // Connections come back clean; this is for one whose reset was cut off with its runtime.
        let is_left_over = !connection.is_set_up && !connection.session.is_clean();
        if connection.is_fresh && !is_left_over {
            return true;
        }
        // What is left of the time is for a new one.
        let limit = SHORT.min(self.pool.0.options.acquire_timeout / 2);
        let check = async {
            if is_left_over {
                self.renew().await?;
            }
            match &mut self.connection {
                Some(connection) if !connection.is_fresh => connection.session.ping().await,
                _ => Ok(()),
            }
        };
        matches!(timeout(limit, check).await, Ok(Ok(())))
    }

    /// Runs the hook for it.
    pub(super) async fn before_acquire(&mut self, deadline: tokio::time::Instant) -> Result<(), DbError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        (connection.is_set_up, connection.used) = (false, Instant::now());
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        self.pool.run_hook(Event::BeforeAcquire, self.number, &mut connection.session, left).await
    }

    /// Makes the connection as good as new.
    async fn renew(&mut self) -> Result<(), DbError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let resetting = self.pool.doing(self.number, Activity::Resetting);
        reset_in_time(&mut connection.session).await?;
        drop(resetting);
        self.pool.run_hook(Event::AfterConnect, self.number, &mut connection.session, RESET_TIMEOUT).await?;
        connection.is_set_up = true;
        Ok(())
    }

    /// What is done when the connection comes back, before anybody else gets it. After an error it must be given up.
    async fn come_back(&mut self) -> Result<(), DbError> {
        if self.pool.0.hooks.after_release.is_some() {
            self.renew_if_changed().await?;
            let Some(connection) = &mut self.connection else { return Ok(()) };
            self.pool.run_hook(Event::AfterRelease, self.number, &mut connection.session, RESET_TIMEOUT).await?;
        }
        self.renew_if_changed().await
    }

    async fn renew_if_changed(&mut self) -> Result<(), DbError> {
        let is_clean = self.connection.as_mut().is_none_or(|connection| connection.session.is_clean());
        if is_clean { Ok(()) } else { self.renew().await }
    }

    /// Opens a connection, or takes one that has come back. What may succeed the next time is tried again, until then;
    /// `failure` is what has failed before.
    pub(super) async fn fill(
        &mut self,
        deadline: tokio::time::Instant,
        mut failure: Option<DbError>,
    ) -> Result<(), DbError> {
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        let mut pause = Duration::from_millis(20);
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() && failure.is_some() {
                return Err(self.none_was_opened(DbErrorKind::PoolTimeout, None, failure));
            }
            match self.open(left).await {
                Err(late) => return Err(self.none_was_opened(DbErrorKind::PoolTimeout, Some(late), failure)),
                Ok(Err(error)) if may_pass(&error) && !self.pool.0.options.is_replica => failure = Some(error),
                Ok(opened) => return opened,
            }
            tokio::time::sleep(pause.mul_f64(0.5 + random() / 2.0).min(left)).await;
            pause = LONGEST_PAUSE.min(2 * pause);
            self.connection = self.pool.connections().idle.pop();
            if let Some(connection) = &mut self.connection {
                connection.is_fresh = false;
                if self.is_usable().await {
                    return Ok(());
                }
                self.discard();
            }
        }
    }

    /// The time was up: what was going on then, and what has failed before.
    #[cold]
    pub(super) fn none_was_opened(&self, kind: DbErrorKind, late: Option<Late>, failure: Option<DbError>) -> DbError {
        let limit = self.pool.0.options.acquire_timeout;
        let message = format!("no connection could be opened within {limit:?} (acquire_timeout)");
        match (late, failure) {
            (Some(Late { activity: Activity::Hook(name), time }), _) => {
                let seconds = time.as_secs_f64();
                let message = format!("{message}: the hook {name} has been running for {seconds:.1} s");
                DbError::new(DbErrorKind::PoolTimeout, message).fixed_by(hooks::MEND_IT)
            }
            (_, Some(failure)) => failure.during(format_args!("{message}; the last attempt failed")),
            (_, None) => DbError::new(kind, message),
        }
    }

    /// Opens a connection.
    pub(super) async fn open(&mut self, within: Duration) -> Result<Result<(), DbError>, Late> {
        let (pool, number) = (self.pool.clone(), self.number);
        let mut opening = pin!(async {
            let inner = &pool.0;
            let connecting = pool.doing(number, Activity::Opening);
            let connection = inner.database.connect().await?;
            drop(connecting);
            let capacity = inner.options.statement_cache_capacity;
            let mut session = Session::new(connection, capacity, inner.queue.clone(), &inner.database);
            pool.run_hook(Event::AfterConnect, number, &mut session, Duration::MAX).await?;
            Ok(session)
        });
        let opened: Result<Result<Session, DbError>, _> = timeout(within, opening.as_mut()).await;
        let now = Instant::now();
        let mut connections = self.pool.connections();
        let mut session = match opened {
            Ok(Ok(session)) => session,
            failed => {
                connections.counts.failed += 1;
                // Where the server takes no more, those that are open serve on.
                let is_full = matches!(&failed, Ok(Err(error)) if error.kind() == DbErrorKind::TooManyConnections);
                if connections.open == 0 || !is_full {
                    connections.failed = Some(tokio::time::Instant::now());
                }
                let (activity, time) = connections.holders.activity(number).unwrap_or((Activity::Opening, within));
                return failed.map(|failed| failed.map(drop)).map_err(|_| Late { activity, time });
            }
        };
        connections.counts.opened += 1;
        connections.failed = None;
        connections.open += 1;
        session.checked_out = connections.holders.place(self.number);
        self.connection = Some(Box::new(Pooled {
            session,
            used: now,
            is_fresh: false,
            expires: self.pool.0.options.expires(now),
            is_set_up: true,
            idle_since: None,
        }));
        Ok(Ok(()))
    }

    /// Gives the connection up.
    pub(super) fn discard(&mut self) {
        if self.connection.take().is_some() {
            self.pool.connections().open -= 1;
        }
    }

    /// Ends the connection in an orderly way, if it does not take long. It does not count as open from now on; the right to
    /// one comes back when it has ended.
    pub(super) fn close(mut self) -> impl Future<Output = ()> + Send + 'static {
        let connection = self.connection.take();
        self.pool.connections().open -= usize::from(connection.is_some());
        async move {
            if let Some(connection) = connection {
                let _ = timeout(SHORT, connection.session.close()).await;
            }
            drop(self);
        }
    }
}

/// Whether a connection may be had a little later. What is locked has been waited for already.
fn may_pass(error: &DbError) -> bool {
    use DbErrorKind::{Connection, ConnectionLost, TooManyConnections};
    error.is_retryable() && matches!(error.kind(), Connection | ConnectionLost | TooManyConnections)
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        let inner = &self.pool.0;
        let mut connection = self.connection.take();
        let mut connections = self.pool.connections();
        connections.holders.leave(self.number);
        if inner.permits.is_closed() {
            connections.open -= usize::from(connection.is_some());
        } else {
            connections.idle.extend(connection.take());
        }
        drop(connections);
        // After the connection, which whoever gets the permit looks for.
        inner.permits.add_permits(1);
        if inner.permits.is_closed() {
            inner.returned.notify_waiters();
        }
    }
}
