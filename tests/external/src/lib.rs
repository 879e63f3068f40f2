//! A driver that is built outside of the workspace, by whatever compiler. Its statements send everything over the
//! boundary that can cross it; see [`connection`].

#![forbid(unsafe_code)]

mod connection;
mod samples;

use connection::ExternalConnection;
use montrs_driver_sdk::{Capability, Database, Driver, Error, ErrorKind, Host, Reply, export_driver};

struct External;

struct ExternalDatabase {
    host: Host,
}

impl Driver for External {
    type Database = ExternalDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, ExternalDatabase> {
        Reply::ready(match url.split_once("://") {
            Some((_, place)) if place.ends_with("@here") => Ok(ExternalDatabase { host }),
            _ => {
                Err(Error::new(ErrorKind::CONFIGURATION, "the only place is `here`").with_hint("Say external://here."))
            }
        })
    }

    fn redact(url: &str) -> String {
        format!("{}://…@here", url.split(':').next().unwrap_or_default())
    }
}

impl Database for ExternalDatabase {
    type Connection = ExternalConnection;

    fn connect(&self) -> Reply<'_, ExternalConnection> {
        Reply::later(async {
            self.host.yield_now().await;
            Ok(ExternalConnection::new(self.host.clone()))
        })
    }

    fn capability(&self, capability: Capability) -> u64 {
        match capability {
            Capability::MAX_CONNECTIONS => 3,
            Capability::TRANSACTIONS => 1,
            other => u64::from(other.0) * 1000,
        }
    }
}

export_driver! {
    driver: External,
    name: "external",
    schemes: ["external", "external+tls"],
}
