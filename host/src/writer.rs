//! The queue of those who want to write, for databases where one connection may write at a time.
//!
//! Who would otherwise ask the database again and again for its lock waits here for a turn, in the order of asking, and without a
//! connection where it can: so those who read find one.

use crate::{Database, DbError, DbErrorKind, pool::PooledSession};
use std::{
    future::poll_fn,
    panic::Location,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The queue of a database.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    turn: Arc<Semaphore>,
    /// Where the connection was checked out that had the turn last.
    holder: Mutex<Option<&'static Location<'static>>>,
    /// How many wait for their turn with a connection in hand.
    with_connection: AtomicUsize,
    has_come: Notify,
    acquire_timeout: Duration,
}

/// The right to write. Dropping it lets the next one have it.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Arc<WriteQueue>,
    _permit: OwnedSemaphorePermit,
}

impl Turn {
    /// Notes where the connection was checked out that has the turn.
    pub(crate) fn note(&self, holder: Option<&'static Location<'static>>) {
        *self.queue.holder.lock().unwrap_or_else(PoisonError::into_inner) = holder;
    }
}

impl WriteQueue {
    pub(crate) fn new(acquire_timeout: Duration) -> Self {
        let (turn, has_come) = (Arc::new(Semaphore::new(1)), Notify::new());
        Self { turn, holder: Mutex::new(None), with_connection: AtomicUsize::new(0), has_come, acquire_timeout }
    }

    /// The turn, where nobody has it or waits for it.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<Turn> {
        let permit = self.turn.clone().try_acquire_owned().ok()?;
        Some(Turn { queue: self.clone(), _permit: permit })
    }

    async fn take(self: &Arc<Self>) -> Result<Turn, DbError> {
        match timeout(self.acquire_timeout, self.turn.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { queue: self.clone(), _permit: permit }),
            Ok(Err(_)) | Err(_) => Err(self.waited_in_vain()),
        }
    }

    #[cold]
    fn waited_in_vain(&self) -> DbError {
        let limit = self.acquire_timeout;
        let message = format!("other connections of the pool wrote for {limit:?} (acquire_timeout)");
        let message = match *self.holder.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(holder) => format!("{message}: now the one that was checked out at {holder}"),
            None => message,
        };
        DbError::new(DbErrorKind::Busy, message)
            .fixed_by("Inside a transaction run all statements on it, such as tx.execute(…): on the database they wait for its end.")
            .fixed_by("End transactions that write soon.")
            .fixed_by("Or raise acquire_timeout.")
    }

    /// Waits with a connection in hand.
    pub(crate) async fn take_with_connection(self: &Arc<Self>) -> Result<Turn, DbError> {
        let _waits = Waits::new(self);
        self.take().await
    }

    /// Waits until somebody waits with a connection in hand.
    async fn somebody_has_a_connection(&self) {
        loop {
            let mut has_come = pin!(self.has_come.notified());
            has_come.as_mut().enable();
            if self.with_connection.load(Ordering::SeqCst) > 0 {
                return;
            }
            has_come.await;
        }
    }
}

/// A connection that may write at once.
///
/// Who has the turn and waits for a connection lets those go first who have one already, and might hold all that there are.
pub(crate) async fn checkout(
    database: &Database,
    queue: &Arc<WriteQueue>,
    at: &'static Location<'static>,
) -> Result<PooledSession, DbError> {
    let turn = queue.take().await?;
    if let Some(mut session) = database.try_checkout(at) {
        session.give_turn(turn);
        return Ok(session);
    }
    let mut checkout = pin!(database.checkout_here(at));
    let mut others = pin!(queue.somebody_has_a_connection());
    let first = poll_fn(|cx| match checkout.as_mut().poll(cx) {
        Poll::Ready(session) => Poll::Ready(Some(session)),
        Poll::Pending => others.as_mut().poll(cx).map(|()| None),
    });
    let (mut session, turn) = match first.await {
        Some(session) => (session?, turn),
        None => {
            drop(turn);
            (checkout.await?, queue.take_with_connection().await?)
        }
    };
    session.give_turn(turn);
    Ok(session)
}

/// Counts one who waits with a connection in hand.
struct Waits<'a>(&'a WriteQueue);

impl<'a> Waits<'a> {
    fn new(queue: &'a WriteQueue) -> Self {
        queue.with_connection.fetch_add(1, Ordering::SeqCst);
        queue.has_come.notify_waiters();
        Self(queue)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.with_connection.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    /// Otherwise all who come later would give up their turns while they wait for a connection.
    #[test]
    fn who_has_stopped_waiting_lets_nobody_go_first() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let queue = Arc::new(WriteQueue::new(Duration::from_secs(60)));
        let turn = queue.try_take().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut others = Box::pin(queue.somebody_has_a_connection());
        assert!(others.as_mut().poll(&mut cx).is_pending());
        let mut waiting = Box::pin(queue.take_with_connection());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        assert!(others.as_mut().poll(&mut cx).is_ready());
        drop(turn);
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        drop(waiting);
        assert!(pin!(queue.somebody_has_a_connection()).as_mut().poll(&mut cx).is_pending());
    }
}
