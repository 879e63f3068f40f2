//! A driver for a library that insists on its own tokio: a message queue, whose timers and tasks run on a runtime inside
//! the driver.
//!
//! The URL is `mq:memory`. The statements are `send`, with the message as `$1`; `receive`, which waits for a message;
//! `receive within <milliseconds>`, which has no row when none came; `count`; and `ticks <count> <milliseconds>`, which
//! has a row every so often.

#![forbid(unsafe_code)]

mod connection;
mod queue;
mod statement;

use connection::QueueConnection;
use montrs_driver_sdk::{
    Capability, Database, Driver, Error, ErrorKind, Host, OwnRuntime, Reply, Result, export_driver,
};
use queue::Queue;
use std::{sync::Arc, time::Duration};

/// The driver.
pub struct QueueDriver;

/// One queue, and the runtime that it lives on.
pub struct QueueDatabase {
    queue: Arc<Queue>,
    runtime: Arc<OwnRuntime>,
}

impl Driver for QueueDriver {
    type Database = QueueDatabase;

    fn open(url: &str, _host: Host) -> Reply<'static, QueueDatabase> {
        Reply::ready(open(url))
    }

    fn redact(url: &str) -> String {
        url.to_owned() // There are no secrets in it.
    }
}

fn open(url: &str) -> Result<QueueDatabase> {
    if url != "mq:memory" {
        return Err(Error::new(ErrorKind::CONFIGURATION, format!("{url} is not mq:memory")));
    }
    Ok(QueueDatabase { queue: Arc::default(), runtime: Arc::new(OwnRuntime::new("test-mq", 1)?) })
}

impl Database for QueueDatabase {
    type Connection = QueueConnection;

    fn connect(&self) -> Reply<'_, QueueConnection> {
        Reply::later(async {
            // As if a server had to be asked.
            let handshake = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(())
            };
            self.runtime.run(handshake).await?;
            Ok(QueueConnection::new(self.runtime.clone(), self.queue.clone()))
        })
    }

    fn capability(&self, capability: Capability) -> u64 {
        u64::from(capability == Capability::TRANSACTIONS)
    }
}

export_driver! {
    driver: QueueDriver,
    name: "test-own-runtime",
    schemes: ["mq"],
}
