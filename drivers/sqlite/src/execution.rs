//! The two ways in which a connection's operations are executed. What they do is the same: see [`Session`].

use crate::{
    governor::Governor,
    inline::{Inline, closed},
    monitor::Monitor,
    options::{Execution, Options},
    runtime::Runtime,
    session::Session,
};
use montrs_driver_sdk::{Blocking, Host, Reply, Result};
use std::{sync::Arc, thread};

/// Executes operations.
pub(crate) enum Executor {
    /// On the task that calls, in a coroutine.
    Inline(Inline),
    /// On the host's blocking pool, one hop an operation. Nothing is in it once it was closed.
    Pool { session: Blocking<Option<Session>>, monitor: Arc<Monitor> },
}

impl Executor {
    /// Opens the database on the blocking pool, and tells how many parameters a statement can have. The number of this
    /// operation is 1.
    pub(crate) async fn open(
        host: Host,
        runtime: Arc<Runtime>,
        options: Arc<Options>,
        monitor: Arc<Monitor>,
    ) -> Result<(Self, usize)> {
        let guard = CancelOnDrop { monitor: &monitor, operation: 1 };
        let opening = {
            let (host, monitor) = (host.clone(), monitor.clone());
            host.clone().run_blocking(move || {
                monitor.begin(1);
                let governor = Arc::new(Governor::new(monitor.clone(), runtime, options.busy_timeout));
                let session = Session::open(options.clone(), monitor.clone(), governor)?;
                let limit = session.parameter_limit();
                let executor = match options.execution {
                    Execution::Coroutine => Self::Inline(Inline::new(host, monitor, session)?),
                    Execution::Blocking => Self::Pool { session: Blocking::new(host, Some(session)), monitor },
                };
                Ok((executor, limit))
            })
        };
        let opened = opening.await;
        guard.disarm();
        opened?
    }

    /// The session, where a call that never waits can be made at once.
    #[inline]
    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Inline(inline) => inline.session(),
            Self::Pool { .. } => None,
        }
    }

    /// Runs an operation; numbers rise. When the reply's future is dropped, the operation is told to stop, and the next
    /// one waits for its end.
    #[inline]
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        operation: u64,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        match self {
            Self::Inline(inline) => inline.run(operation, work),
            Self::Pool { session, monitor } => Reply::later(async move {
                let guard = CancelOnDrop { monitor, operation };
                let monitor = monitor.clone();
                let result = session
                    .run(move |session| {
                        let session = session.as_mut().ok_or_else(closed)?;
                        let _broken_by_panic = BreakOnPanic(&monitor);
                        monitor.begin(operation);
                        work(session)
                    })
                    .await;
                guard.disarm();
                result?
            }),
        }
    }

    /// Closes the database.
    pub(crate) async fn close(&mut self) -> Result<()> {
        match self {
            Self::Inline(inline) => inline.close().await,
            // The last connection to a file moves the write-ahead log into it, which takes its time.
            Self::Pool { session, .. } => session.run(|session| drop(session.take())).await,
        }
    }
}

/// Cancels an operation whose future is dropped.
struct CancelOnDrop<'a> {
    monitor: &'a Monitor,
    operation: u64,
}

impl CancelOnDrop<'_> {
    /// The operation has ended.
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.monitor.cancel(self.operation);
    }
}

/// After a panic nobody knows what state the session is in.
struct BreakOnPanic<'a>(&'a Monitor);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set_broken();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::ConnectionStatus;

    #[test]
    fn a_panic_breaks_the_connection_and_nothing_else_does() {
        let monitor = Monitor::default();
        drop(BreakOnPanic(&monitor));
        assert_eq!(monitor.status(), ConnectionStatus::READY);
        let panicked = std::panic::catch_unwind(|| {
            let _broken_by_panic = BreakOnPanic(&monitor);
            panic!("expected by the test");
        });
        assert!(panicked.is_err());
        assert_eq!(monitor.status(), ConnectionStatus::BROKEN);
    }
}
