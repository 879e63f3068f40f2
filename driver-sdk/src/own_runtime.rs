//! A tokio runtime inside the driver.

use crate::{Error, ErrorKind, Result};
use std::panic;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinError,
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

    /// Runs a future on the driver's runtime. Dropping what this returns drops the future there.
    ///
    /// # Errors
    ///
    /// What the future returns; a panic in it, of kind [`ErrorKind::PANICKED`].
    pub fn run<T, F>(&self, future: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let task = self.runtime.as_ref().map(|runtime| runtime.spawn(future));
        async move {
            let Some(task) = task else {
                return Err(ended());
            };
            let abort = AbortOnDrop(task.abort_handle());
            let result = task.await;
            drop(abort);
            result.unwrap_or_else(|error| Err(join_error(error)))
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

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
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
