//! A database: what a URL stands for.

use crate::{PgConnection, catalog::Types, choice::SslMode, connect, options::Options, target::Target, tls::Tls};
use montrs_driver_sdk::{Capability, Database, Host, Isolation, LockMode, Reply, Result};
use std::sync::Arc;

/// One database.
pub struct PgDatabase {
    target: Arc<Target>,
    host: Host,
}

impl PgDatabase {
    /// Reads the URL, the environment, and the certificates that they name.
    pub(crate) async fn open(url: String, host: Host) -> Result<Self> {
        let options = Options::parse(&url, &|name| std::env::var(name).ok())?;
        let is_remote = options.hosts.iter().any(|server| server.hostaddr.is_some() || !server.host.starts_with('/'));
        let (options, tls) = if is_remote && options.sslmode != SslMode::Disable {
            // Hundreds of certificates may have to be read.
            host.run_blocking(move || Tls::new(&options).map(|tls| (options, Some(tls)))).await??
        } else {
            (options, None)
        };
        Ok(Self { target: Arc::new(Target { options, tls, types: Types::default() }), host })
    }
}

impl Database for PgDatabase {
    type Connection = PgConnection;

    fn connect(&self) -> Reply<'_, PgConnection> {
        Reply::later(async { connect::connect(&self.host, &self.target).await.map(PgConnection::new) })
    }

    fn capability(&self, capability: Capability) -> u64 {
        match capability {
            Capability::MAX_PARAMETERS => u16::MAX.into(),
            Capability::TRANSACTIONS
            | Capability::READ_ONLY_TRANSACTIONS
            | Capability::ARRAYS
            | Capability::NAMED_PARAMETERS
            | Capability::BULK_LOAD
            | Capability::PIPELINES => 1,
            Capability::ISOLATION_LEVELS => bits([
                Isolation::DEFAULT.0,
                // Given as READ COMMITTED, which is not less.
                Isolation::READ_UNCOMMITTED.0,
                Isolation::READ_COMMITTED.0,
                Isolation::REPEATABLE_READ.0,
                Isolation::SERIALIZABLE.0,
            ]),
            Capability::LOCK_MODES => bits([LockMode::DEFAULT.0, LockMode::DEFERRED.0]),
            _ => 0,
        }
    }
}

fn bits<const N: usize>(numbers: [u8; N]) -> u64 {
    numbers.iter().fold(0, |bits, number| bits | 1 << number)
}
