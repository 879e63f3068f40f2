//! A tokio runtime inside the driver.

use crate::{Error, ErrorKind, Result};
use std::panic;
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinError, JoinHandle},
};

/// A tokio runtime of the driver's own, for a library that cannot do without one.
///
/// It costs threads and two hops a call; measured on a PostgreSQL point query, twice the CPU of host sockets. Keep one
/// in the [`Database`](crate::Database), behind an `Arc`.
pub struct OwnRuntime {
    /// `None` only while `drop` runs.
    runtime: Option<Runtime>,
}

impl OwnRuntime {
    /// Starts a runtime with this many worker threads, which are named after the driver.
    ///
    /// # Errors
    ///
    /// When the threads cannot be started.
    pub fn new(driver: &str, worker_threads: usize) -> Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(worker_threads.max(1)).thread_name(format!("montrs-{driver}"));
        // What of tokio's drivers there is depends on the features that the driver asks for.
        builder.enable_all();
        let runtime = builder
            .build()
            .map_err(|error| Error::new(ErrorKind::IO, format!("the driver's runtime cannot be started: {error}")))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a future on the driver's runtime: it starts at once. Dropping what this returns drops the future there, at its
    /// next suspension, and does not wait for that. Let the future hold a lock on what it uses, and take the lock in
    /// [`Connection::reset`](crate::Connection::reset).
    ///
    /// # Errors
    ///
    /// What the future returns; a panic in it, of kind [`ErrorKind::PANICKED`].
    pub fn run<T, F>(&self, future: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        // The guard is made here and not in the future below, which may be dropped without ever being polled.
        let task = self.runtime.as_ref().map(|runtime| AbortOnDrop(runtime.spawn(future)));
        async move {
            let Some(mut task) = task else {
                return Err(ended());
            };
            (&mut task.0).await.unwrap_or_else(|error| Err(join_error(error)))
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // An ordinary drop blocks, and panics inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn join_error(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(payload) => crate::guard::catch::<()>(|| panic::resume_unwind(payload)).err().unwrap_or_else(ended),
        Err(_) => ended(),
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::CANCELLED, "the driver's runtime has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc::{self, RecvTimeoutError},
        task::{Context, Waker},
        time::Duration,
    };

    /// A future that never ends, and a receiver that ends when it is dropped.
    fn endless() -> (impl Future<Output = Result<()>> + Send, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel();
        let future = async move {
            let _held = sender;
            std::future::pending().await
        };
        (future, receiver)
    }

    #[test]
    fn a_future_is_dropped_with_what_run_returned_whether_that_was_polled_or_not() {
        let runtime = OwnRuntime::new("test", 1).unwrap();
        for polls in 0..3 {
            let (future, receiver) = endless();
            let mut running = Box::pin(runtime.run(future));
            for _ in 0..polls {
                assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            drop(running);
            let end = receiver.recv_timeout(Duration::from_secs(60));
            assert_eq!(end, Err(RecvTimeoutError::Disconnected), "after {polls} polls");
        }
    }

    async fn panics() -> Result<()> {
        panic!("told to")
    }

    #[test]
    fn a_panic_and_the_end_of_the_runtime_are_errors() {
        let runtime = OwnRuntime::new("test", 1).unwrap();
        let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = waiter.block_on(runtime.run(panics())).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::PANICKED, "the driver panicked: told to"));
        let (future, _receiver) = endless();
        let running = runtime.run(future);
        drop(runtime);
        assert_eq!(waiter.block_on(running).unwrap_err().kind(), ErrorKind::CANCELLED);
    }
}
