//! A blocking library on the host's blocking pool.

use crate::{Host, Result, host::shutting_down};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A value that blocks when it is used, such as a connection of an embedded database.
///
/// [`run`](Self::run) takes the value to the host's blocking pool and brings back the result: one hop a call. Work whose
/// future is dropped goes on to its end there; the next `run` waits for it. Dropping this drops the value on the
/// blocking pool, after the work that still uses it.
pub struct Blocking<T: Send + 'static> {
    host: Host,
    /// `None` only while `drop` runs.
    value: Option<Arc<Mutex<T>>>,
}

impl<T: Send + 'static> Blocking<T> {
    /// Takes the value in. Making it may block too: see [`Blocking::make`].
    pub fn new(host: Host, value: T) -> Self {
        Self { host, value: Some(Arc::new(Mutex::new(value))) }
    }

    /// Makes the value on the blocking pool.
    ///
    /// # Errors
    ///
    /// What `make` returns; a panic in it; a host that is shutting down.
    pub async fn make(host: Host, make: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Self> {
        let value = host.run_blocking(make).await??;
        Ok(Self::new(host, value))
    }

    /// Runs the work with the value.
    ///
    /// # Errors
    ///
    /// A panic in the work, of kind [`ErrorKind::PANICKED`](crate::ErrorKind::PANICKED); a host that is shutting down.
    pub async fn run<R: Send + 'static>(&mut self, work: impl FnOnce(&mut T) -> R + Send + 'static) -> Result<R> {
        let value = self.value.clone().ok_or_else(shutting_down)?;
        let mut value = value.lock_owned().await;
        self.host.run_blocking(move || work(&mut value)).await
    }
}

impl<T: Send + 'static> Drop for Blocking<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        self.host.spawn_blocking(move || drop(value));
    }
}
