//! Operations on the calling task: at once where they are short, in slices where they are not, and on the host's
//! blocking pool where they take long or wait for the disk.
//!
//! The fiber with the session is in one of three places: here, when nothing runs; in a [`Task`], which runs an operation
//! and lives no longer than its future; or on its way back, when the future was dropped half-way. It is never dropped on
//! the executor, because closing a database and ending an operation both take their time.

use crate::{
    coroutine::{Fiber, Pause, Place, Running, Step},
    monitor::Monitor,
    session::Session,
};
use montrs_driver_sdk::{Error, ErrorKind, Host, Reply, Result};
use std::{mem, panic::resume_unwind, pin::Pin, sync::Arc, thread, time::Instant};

/// How many slices an operation has on the executor before it moves to the blocking pool.
const SLICES: u32 = 10;

/// A session whose operations run on the tasks that call them.
pub(crate) struct Inline {
    host: Host,
    monitor: Arc<Monitor>,
    fiber: Option<Fiber<Session>>,
    /// Brings the fiber back after an operation that was abandoned.
    returning: Option<Coming<Option<Fiber<Session>>>>,
}

type Coming<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Inline {
    /// Takes the session in.
    ///
    /// # Errors
    ///
    /// When there is no address space for a stack.
    pub(crate) fn new(host: Host, monitor: Arc<Monitor>, session: Session) -> Result<Self> {
        let fiber = Fiber::new(session).map_err(|error| {
            let message = format!("no stack for the connection can be reserved: {error}");
            Error::new(ErrorKind::OUT_OF_MEMORY, message)
        })?;
        Ok(Self { host, monitor, fiber: Some(fiber), returning: None })
    }

    /// The session, unless it was closed or is still on its way back.
    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        self.fiber.as_mut().map(Fiber::value)
    }

    /// Runs an operation. Dropping the reply's future cancels it.
    #[inline]
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        operation: u64,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        let Some(fiber) = self.fiber.take() else {
            return self.run_later(operation, work);
        };
        match self.begin(fiber, operation, work) {
            Step::Ended(fiber, result) => {
                self.fiber = Some(fiber);
                Reply::ready(self.result(result))
            }
            Step::Paused(running, pause) => {
                let task = Task { inline: self, operation, state: State::Here(running) };
                Reply::later(task.run(pause))
            }
        }
    }

    /// Closes the database; nothing can be run after it.
    pub(crate) async fn close(&mut self) -> Result<()> {
        self.come_back().await;
        match self.fiber.take() {
            // The last connection to a file moves the write-ahead log into it.
            Some(fiber) => self.host.run_blocking(move || drop(fiber)).await,
            None => Ok(()),
        }
    }

    #[inline(always)] // What comes back is large, and is taken apart at once.
    fn begin<T: Send + 'static>(
        &self,
        fiber: Fiber<Session>,
        operation: u64,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Step<Session, Result<T>> {
        self.monitor.begin(operation);
        fiber.start(Place::Executor, work)
    }

    #[cold]
    fn run_later<T: Send + 'static>(
        &mut self,
        operation: u64,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        Reply::later(async move {
            self.come_back().await;
            let fiber = self.fiber.take().ok_or_else(closed)?;
            match self.begin(fiber, operation, work) {
                Step::Ended(fiber, result) => {
                    self.fiber = Some(fiber);
                    self.result(result)
                }
                Step::Paused(running, pause) => {
                    Task { inline: self, operation, state: State::Here(running) }.run(pause).await
                }
            }
        })
    }

    /// Waits for the end of what was abandoned.
    async fn come_back(&mut self) {
        if let Some(returning) = &mut self.returning {
            self.fiber = returning.await;
            self.returning = None;
            self.break_if_gone();
        }
    }

    /// The blocking pool has ended, and the session with it.
    fn break_if_gone(&self) {
        if self.fiber.is_none() {
            self.monitor.set_broken();
        }
    }

    /// What an operation ended with. After a panic nobody knows what state the session is in.
    #[inline]
    fn result<T>(&self, result: thread::Result<Result<T>>) -> Result<T> {
        result.unwrap_or_else(|payload| {
            self.monitor.set_broken();
            resume_unwind(payload)
        })
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        let (fiber, returning) = (self.fiber.take(), self.returning.take());
        if fiber.is_some() || returning.is_some() {
            self.host.spawn_blocking(move || drop((fiber, returning)));
        }
    }
}

/// An operation that did not end in its first slice. Dropping it abandons the operation.
struct Task<'a, T: Send + 'static> {
    inline: &'a mut Inline,
    operation: u64,
    state: State<T>,
}

enum State<T: Send + 'static> {
    /// It was paused.
    Here(Running<Session, Result<T>>),
    /// It runs on the blocking pool, which has sole ownership until this brings it back.
    Away(Coming<Result<Step<Session, Result<T>>>>),
    /// It has ended, or is being gone on with.
    Nowhere,
}

impl<T: Send + 'static> Task<'_, T> {
    async fn run(mut self, mut pause: Pause) -> Result<T> {
        let mut slices = 1;
        loop {
            let place = match pause {
                Pause::Waiting(time) => {
                    let begun = Instant::now();
                    self.inline.host.sleep(time).await;
                    // A runtime that has ended does not wait. Its blocking pool refuses what is sent to it.
                    if begun.elapsed() < time { Place::Thread } else { Place::Executor }
                }
                Pause::Spent if slices < SLICES => {
                    slices += 1;
                    self.inline.host.yield_now().await;
                    Place::Executor
                }
                Pause::Spent | Pause::Syncing => Place::Thread,
            };
            match self.go_on(place).await? {
                Step::Ended(fiber, result) => {
                    self.inline.fiber = Some(fiber);
                    return self.inline.result(result);
                }
                Step::Paused(running, reason) => (self.state, pause) = (State::Here(running), reason),
            }
        }
    }

    async fn go_on(&mut self, place: Place) -> Result<Step<Session, Result<T>>> {
        let State::Here(running) = mem::replace(&mut self.state, State::Nowhere) else {
            unreachable!("it is here after each pause");
        };
        if place == Place::Executor {
            return Ok(running.go_on(place));
        }
        let sent = Sent { running: Some(running), monitor: self.inline.monitor.clone(), operation: self.operation };
        self.state = State::Away(Box::pin(self.inline.host.run_blocking(move || sent.go_on())));
        let State::Away(coming) = &mut self.state else { unreachable!("it was just sent away") };
        let step = coming.await;
        self.state = State::Nowhere;
        step.inspect_err(|_| self.inline.break_if_gone())
    }
}

/// An operation on its way to the blocking pool. Where that has ended, the operation is dropped here, and must not run on.
struct Sent<T: Send + 'static> {
    running: Option<Running<Session, Result<T>>>,
    monitor: Arc<Monitor>,
    operation: u64,
}

impl<T: Send + 'static> Sent<T> {
    fn go_on(mut self) -> Step<Session, Result<T>> {
        let running = self.running.take().expect("it is taken only here, where `self` ends");
        running.go_on(Place::Thread)
    }
}

impl<T: Send + 'static> Drop for Sent<T> {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.monitor.cancel(self.operation);
        }
    }
}

impl<T: Send + 'static> Drop for Task<'_, T> {
    fn drop(&mut self) {
        let state = mem::replace(&mut self.state, State::Nowhere);
        if matches!(state, State::Nowhere) {
            return;
        }
        self.inline.monitor.cancel(self.operation);
        let host = self.inline.host.clone();
        self.inline.returning = Some(match state {
            State::Here(running) => {
                let ending = host.run_blocking(move || running.finish());
                Box::pin(async { ending.await.ok() })
            }
            State::Away(coming) => Box::pin(async move {
                match coming.await.ok()? {
                    Step::Ended(fiber, _) => Some(fiber),
                    Step::Paused(running, _) => host.run_blocking(move || running.finish()).await.ok(),
                }
            }),
            State::Nowhere => return,
        });
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::CONNECTION_LOST, "the connection was closed")
}
