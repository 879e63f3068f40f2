//! A driver that speaks a protocol over the host's sockets: no thread and no runtime of its own.
//!
//! The protocol is in lines. What the server answers depends on the command:
//!
//! | the driver sends | the server answers |
//! |---|---|
//! | `hello`, `ping`, `begin`, `commit`, `rollback` | `done 0` |
//! | `query` and the text, then `bind` and a value for each parameter, then `go` | `columns` and their names, rows as for `next`; or `done` and a count |
//! | `next` | `row` and its values, again and again, then `more`, or `done` and a count |
//! | `close`, which ends a result that has more rows | `done 0` |
//! | `reset` and a number, when something was abandoned | `ready` and the number, after what is left of older answers |
//! | `bye` | nothing: it closes |
//!
//! Values are separated by tabs. Instead of any answer there may be `error` and a text.

#![forbid(unsafe_code)]

mod connection;
mod url;
mod wire;

use connection::LineConnection;
use montrs_driver_sdk::{
    Capability, Database, Driver, Error, ErrorKind, Host, LogLevel, Reply, Result, Socket, TcpOptions, export_driver,
};
use std::{io, time::Duration};
use url::{Address, Target};
use wire::Wire;

/// The driver.
pub struct LineDriver;

/// One server.
pub struct LineDatabase {
    target: Target,
    host: Host,
}

/// The time between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(10);

impl Driver for LineDriver {
    type Database = LineDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, LineDatabase> {
        Reply::ready(Target::parse(url).map(|target| LineDatabase { target, host }))
    }

    fn redact(url: &str) -> String {
        url::redact(url)
    }
}

impl Database for LineDatabase {
    type Connection = LineConnection;

    fn connect(&self) -> Reply<'_, LineConnection> {
        Reply::later(async {
            let mut wire = Wire::new(self.socket().await?);
            wire.send("hello\n").await?;
            wire.done().await?;
            self.host.log(LogLevel::INFO, "line", || format!("connected to {}", self.target));
            Ok(LineConnection::new(wire, self.host.clone()))
        })
    }

    fn capability(&self, capability: Capability) -> u64 {
        u64::from(capability == Capability::TRANSACTIONS)
    }
}

impl LineDatabase {
    /// Opens a socket, again and again while attempts are left.
    async fn socket(&self) -> Result<Socket> {
        let mut attempt = 1;
        loop {
            let error = match self.open_socket().await {
                Ok(socket) => return Ok(socket),
                Err(error) => error,
            };
            let message = format!("cannot connect to {}: {error}", self.target);
            if attempt == self.target.attempts {
                return Err(Error::new(ErrorKind::CONNECTION, message));
            }
            self.host.log(LogLevel::WARN, "line", || format!("{message}; attempt {attempt}"));
            attempt += 1;
            self.host.sleep(PAUSE).await;
        }
    }

    async fn open_socket(&self) -> io::Result<Socket> {
        let (name, port) = match &self.target.address {
            Address::Unix(path) => return self.host.connect_unix(path).await,
            Address::Tcp(name, port) => (name, *port),
        };
        let options = TcpOptions { no_delay: true, keepalive: true, ..TcpOptions::default() };
        let mut last = io::Error::other("the name has no address");
        for address in self.host.resolve(name).await? {
            match self.host.connect_tcp(&address, port, options).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

export_driver! {
    driver: LineDriver,
    name: "test-sockets",
    schemes: ["line+tcp", "line+unix"],
}
