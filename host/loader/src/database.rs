//! A database of a loaded driver, safe to use.

use crate::{
    LoadedDriver, OpenGuard,
    connection::{Connection, wait},
    services::services,
};
use montrs_driver_abi::{Capability, DatabaseObject, DriverError};
use std::sync::Arc;
use tokio::runtime::Handle;

impl LoadedDriver {
    /// The URL with every secret in it replaced, as the driver knows it, for people and logs.
    pub fn redact(&self, url: &str) -> String {
        // SAFETY: the module was checked against this ABI when it was loaded, and `url` outlives the call.
        unsafe { self.module().redact()(url.into()) }.into_string()
    }
}

/// What a URL stands for.
pub struct Database {
    object: DatabaseObject,
    /// Shared with the connections: the database counts as open until the last of them is gone.
    guard: Arc<OpenGuard>,
}

impl Database {
    /// Lets the driver make a database of the URL. Its sockets, timers and tasks run on `runtime`.
    ///
    /// # Errors
    ///
    /// What the driver says of the URL.
    pub async fn open(
        driver: &LoadedDriver,
        guard: OpenGuard,
        url: &str,
        runtime: Handle,
    ) -> Result<Self, DriverError> {
        // SAFETY: the module was checked against this ABI when it was loaded, and `url` outlives the call.
        let reply = unsafe { driver.module().open()(url.into(), services(runtime)) };
        Ok(Self { object: wait(reply).await?, guard: Arc::new(guard) })
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub async fn connect(&self) -> Result<Connection, DriverError> {
        // SAFETY: `&self` keeps the database alive until the reply's future has ended or was dropped.
        let reply = unsafe { self.object.vtable().connect()(self.object.data()) };
        Ok(Connection::new(wait(reply).await?, self.guard.clone()))
    }

    /// What the database can do; see [`Capability`] for the numbers.
    pub fn capability(&self, capability: Capability) -> u64 {
        // SAFETY: `&self` keeps the database alive during the call.
        unsafe { self.object.vtable().capability()(self.object.data(), capability) }
    }
}
