//! A database: what a URL stands for.

use crate::{
    SqliteConnection,
    options::{Options, Place},
    runtime::Runtime,
};
use montrs_driver_sdk::{Capability, Database, Host, Isolation, LockMode, Reply};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// One database.
pub struct SqliteDatabase {
    options: Arc<Options>,
    host: Host,
    runtime: Arc<Runtime>,
    /// Whether there was a connection.
    was_open: Arc<AtomicBool>,
    /// What SQLite said when a connection was opened.
    parameter_limit: Arc<AtomicU64>,
}

/// What SQLite allows unless it is compiled otherwise.
const DEFAULT_PARAMETER_LIMIT: u64 = 32_766;

impl SqliteDatabase {
    pub(crate) fn new(options: Options, host: Host) -> Self {
        let parameter_limit = Arc::new(DEFAULT_PARAMETER_LIMIT.into());
        let runtime = Arc::new(Runtime::of(&host));
        Self { options: Arc::new(options), host, runtime, was_open: Arc::default(), parameter_limit }
    }
}

impl Database for SqliteDatabase {
    type Connection = SqliteConnection;

    fn connect(&self) -> Reply<'_, SqliteConnection> {
        let (host, was_open) = (self.host.clone(), self.was_open.clone());
        let options = Options { was_open: was_open.load(Ordering::Relaxed), ..(*self.options).clone() };
        let (runtime, parameter_limit) = (self.runtime.clone(), self.parameter_limit.clone());
        Reply::later(async move {
            let connection = SqliteConnection::open(host, runtime, Arc::new(options), parameter_limit).await?;
            was_open.store(true, Ordering::Relaxed);
            Ok(connection)
        })
    }

    fn capability(&self, capability: Capability) -> u64 {
        match capability {
            Capability::MAX_CONNECTIONS => u64::from(self.options.place == Place::Memory),
            Capability::MAX_PARAMETERS => self.parameter_limit.load(Ordering::Relaxed),
            Capability::TRANSACTIONS
            | Capability::READ_ONLY_TRANSACTIONS
            | Capability::NAMED_PARAMETERS
            | Capability::SINGLE_WRITER => 1,
            // Each is given as SERIALIZABLE, which is never less.
            Capability::ISOLATION_LEVELS => bits([
                Isolation::DEFAULT.0,
                Isolation::READ_UNCOMMITTED.0,
                Isolation::READ_COMMITTED.0,
                Isolation::REPEATABLE_READ.0,
                Isolation::SERIALIZABLE.0,
            ]),
            Capability::LOCK_MODES => {
                bits([LockMode::DEFAULT.0, LockMode::DEFERRED.0, LockMode::IMMEDIATE.0, LockMode::EXCLUSIVE.0])
            }
            _ => 0,
        }
    }
}

fn bits<const N: usize>(numbers: [u8; N]) -> u64 {
    numbers.iter().fold(0, |bits, number| bits | 1 << number)
}
