//! The host's services, safe to call.

use crate::{Error, ErrorKind, LogLevel, Result, Socket, TcpOptions, guard};
use montrs_driver_abi::{
    HostServices, IoFailure, Job, TaskObject,
    abi_stable::std_types::{RResult, RStr},
    async_ffi::FfiFuture,
};
use std::{io, time::Duration};
use tokio::sync::oneshot;

/// What a driver may ask of its host. Cheap to clone.
///
/// Futures made here must be polled inside a reply's future or a spawned task: there they run on the host's runtime.
#[derive(Clone)]
pub struct Host(HostServices);

impl Host {
    pub(crate) fn new(services: HostServices) -> Self {
        Self(services)
    }

    /// The IP addresses of a host name, in the order in which they should be tried.
    ///
    /// # Errors
    ///
    /// When the name cannot be resolved.
    pub async fn resolve(&self, host: &str) -> io::Result<Vec<String>> {
        // SAFETY: the handle is valid for its own slots.
        let addresses = unsafe { self.0.vtable().resolve()(self.0.data(), host.into()) };
        Ok(io_result(addresses.await)?.into_iter().map(Into::into).collect())
    }

    /// Opens a TCP connection to an IP address.
    ///
    /// # Errors
    ///
    /// As the operating system has it.
    pub async fn connect_tcp(&self, address: &str, port: u16, options: TcpOptions) -> io::Result<Socket> {
        // SAFETY: the handle is valid for its own slots.
        let socket = unsafe { self.0.vtable().connect_tcp()(self.0.data(), address.into(), port, options) };
        io_result(socket.await).map(Socket::new)
    }

    /// Opens a connection to a Unix socket.
    ///
    /// # Errors
    ///
    /// As the operating system has it.
    pub async fn connect_unix(&self, path: &str) -> io::Result<Socket> {
        // SAFETY: the handle is valid for its own slots.
        let socket = unsafe { self.0.vtable().connect_unix()(self.0.data(), path.into()) };
        io_result(socket.await).map(Socket::new)
    }

    /// Waits, to the millisecond.
    pub async fn sleep(&self, duration: Duration) {
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: the handle is valid for its own slots.
        unsafe { self.0.vtable().sleep()(self.0.data(), duration_ms) }.await;
    }

    /// Lets other tasks and the runtime's own work have a turn.
    pub async fn yield_now(&self) {
        // SAFETY: the handle is valid for its own slots.
        unsafe { self.0.vtable().yield_now()(self.0.data()) }.await;
    }

    /// Runs a future as a task of its own; dropping the handle lets it go on. When the runtime is shutting down, the
    /// future is dropped. A panic ends the task, and nothing else.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let future = FfiFuture::new(guard::QuietTask::new(future));
        // SAFETY: the handle is valid for its own slots.
        Task(unsafe { self.0.vtable().spawn()(self.0.data(), future) })
    }

    /// Runs blocking work on the host's blocking pool. When the runtime is shutting down, the closure may be dropped
    /// without being run.
    pub fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        // SAFETY: the handle is valid for its own slots.
        unsafe { self.0.vtable().spawn_blocking()(self.0.data(), Job::new(work)) }
    }

    /// Runs blocking work on the host's blocking pool, and brings back its result. The work starts at once; when what this
    /// returns is dropped, the work goes on to its end, and its result is dropped there. See
    /// [`Blocking`](crate::Blocking) for a value that is used again and again.
    ///
    /// # Errors
    ///
    /// A panic in the work, of kind [`ErrorKind::PANICKED`]; a host that is shutting down.
    pub fn run_blocking<R, F>(&self, work: F) -> impl Future<Output = Result<R>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.spawn_blocking(move || {
            let result = guard::catch(work);
            // Nobody listens when the future was dropped.
            let _ = sender.send(result);
        });
        async { receiver.await.unwrap_or_else(|_| Err(shutting_down())) }
    }

    /// Emits a log record. The text is only made when somebody would see it.
    pub fn log(&self, level: LogLevel, target: &str, message: impl FnOnce() -> String) {
        let (vtable, data, target) = (self.0.vtable(), self.0.data(), RStr::from_str(target));
        // SAFETY: the handle is valid for its own slots.
        if unsafe { vtable.log_enabled()(data, level, target) } {
            let message = message();
            // SAFETY: as above.
            unsafe { vtable.log()(data, level, target, message.as_str().into()) }
        }
    }
}

/// A task that was spawned; dropping it lets the task go on.
pub struct Task(TaskObject);

impl Task {
    /// Drops the task's future at its next suspension; does not wait for that.
    pub fn abort(&self) {
        // SAFETY: the handle is valid for its own slots.
        unsafe { self.0.vtable().abort()(self.0.data()) }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        // SAFETY: the handle is valid for its own slots.
        unsafe { self.0.vtable().is_finished()(self.0.data()) }
    }
}

pub(crate) fn shutting_down() -> Error {
    Error::new(ErrorKind::CANCELLED, "the runtime on which the database was opened has ended")
        .with_hint("open the database on the runtime that uses it")
}

fn io_result<T>(result: RResult<T, IoFailure>) -> io::Result<T> {
    result.into_result().map_err(|failure| match failure.code {
        code if code > 0 => io::Error::from_raw_os_error(code),
        _ => io::Error::other(failure.message.into_string()),
    })
}
