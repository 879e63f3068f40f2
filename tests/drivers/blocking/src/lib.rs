//! A driver for a library that blocks: a key-value store, whose calls run on the host's blocking pool.
//!
//! URLs are `kv:memory` and `kv:` with the path of a file. The statements are `set <key>` and `add <key>` with the value
//! as `$1`, `delete <key>`, `get <key>`, `keys`, and `import <key> <address>`, which waits for a value from a TCP peer.

#![forbid(unsafe_code)]

mod connection;
mod statement;
mod store;

use connection::KvConnection;
use montrs_driver_sdk::{Blocking, Capability, Database, Driver, Error, ErrorKind, Host, Reply, Result, export_driver};
use std::path::{Path, PathBuf};
use store::Store;

/// The driver.
pub struct KvDriver;

/// One store.
pub struct KvDatabase {
    /// `None` for a store in memory.
    path: Option<PathBuf>,
    host: Host,
}

impl Driver for KvDriver {
    type Database = KvDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, KvDatabase> {
        let path = match url.strip_prefix("kv:") {
            Some("memory") => None,
            Some(path) if Path::new(path).is_absolute() => Some(path.into()),
            _ => {
                let message = format!("{url} is neither kv:memory nor kv: with an absolute path");
                return Reply::ready(Err(Error::new(ErrorKind::CONFIGURATION, message)));
            }
        };
        Reply::ready(Ok(KvDatabase { path, host }))
    }

    fn redact(url: &str) -> String {
        url.to_owned() // There are no secrets in it.
    }
}

impl Database for KvDatabase {
    type Connection = KvConnection;

    fn connect(&self) -> Reply<'_, KvConnection> {
        let path = self.path.clone();
        Reply::later(async move {
            let store = Blocking::make(self.host.clone(), move || open(path.as_deref())).await?;
            Ok(KvConnection::new(store))
        })
    }

    fn capability(&self, capability: Capability) -> u64 {
        match capability {
            // Each connection has the values in its own memory.
            Capability::MAX_CONNECTIONS | Capability::TRANSACTIONS => 1,
            _ => 0,
        }
    }
}

fn open(path: Option<&Path>) -> Result<Store> {
    let Some(path) = path else {
        return Ok(Store::in_memory());
    };
    Store::open(path).map_err(|error| {
        Error::new(ErrorKind::CONNECTION, format!("cannot open the store {}: {error}", path.display()))
    })
}

export_driver! {
    driver: KvDriver,
    name: "test-blocking",
    schemes: ["kv"],
}
