//! A driver that misbehaves on command.
//!
//! `faulty:ok` works. `faulty:connect=panic-later@2` misbehaves when the second connection is opened; the places that a
//! URL can name are `open`, `redact`, `connect`, `capability` and `drop-database`, and the number may be left out; `2+` is
//! the second connection and all after it.
//!
//! The statements are `number`, which has the connection's number; `rows <count>`, each in a batch of its own;
//! `arm <slot> <how>`, after which the next call of that slot on this connection misbehaves; and those in `wrong` and
//! `connection`. Each is a command as well. The upload `sink` counts bytes and rows.

#![forbid(unsafe_code)]

mod connection;
mod fault;
mod wrong;

use connection::FaultyConnection;
use fault::{Fault, Fuse};
use montrs_driver_sdk::{Capability, Database, Driver, Error, ErrorKind, Host, Reply, export_driver};
use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
};

/// The driver.
pub struct FaultyDriver;

/// A database that misbehaves.
pub struct FaultyDatabase {
    fault: Option<Fault>,
    /// The numbers of the connections that the fault is for.
    strikes_at: RangeInclusive<u64>,
    connections: AtomicU64,
    host: Host,
    _fuse: Fuse,
}

/// The fault that a URL asks for.
fn fault(url: &str) -> Option<(Fault, RangeInclusive<u64>)> {
    let (slot, how) = url.strip_prefix("faulty:")?.split_once('=')?;
    let (how, number) = how.split_once('@').unwrap_or((how, "0+"));
    let (first, is_open) = number.strip_suffix('+').map_or((number, false), |first| (first, true));
    let first = first.parse().ok()?;
    Some((Fault::parse(slot, how)?, first..=if is_open { u64::MAX } else { first }))
}

impl Driver for FaultyDriver {
    type Database = FaultyDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, FaultyDatabase> {
        // Its panics are the point and not worth a report. The hook is this library's own: the host has another.
        std::panic::set_hook(Box::new(|_| ()));
        let (fault, strikes_at) = match fault(url) {
            Some((fault, number)) => (Some(fault), number),
            None if url == "faulty:ok" => (None, 0..=0),
            None => return Reply::ready(Err(Error::new(ErrorKind::CONFIGURATION, format!("no such fault: {url}")))),
        };
        if let Some(fault) = fault.as_ref().filter(|fault| fault.slot == "open") {
            return fault.strike();
        }
        let fuse = Fuse(fault.clone().filter(|fault| fault.slot == "drop-database"));
        Reply::ready(Ok(FaultyDatabase { fault, strikes_at, connections: AtomicU64::new(0), host, _fuse: fuse }))
    }

    fn redact(url: &str) -> String {
        if let Some((fault, _)) = fault(url).filter(|(fault, _)| fault.slot == "redact") {
            fault.panic();
        }
        url.to_owned()
    }
}

impl Database for FaultyDatabase {
    type Connection = FaultyConnection;

    fn connect(&self) -> Reply<'_, FaultyConnection> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.fault {
            Some(fault) if fault.slot == "connect" && self.strikes_at.contains(&number) => fault.strike(),
            _ => Reply::ready(Ok(FaultyConnection::new(number, self.host.clone()))),
        }
    }

    fn capability(&self, capability: Capability) -> u64 {
        match &self.fault {
            Some(fault) if fault.slot == "capability" => fault.panic(),
            _ => (capability == Capability::PIPELINES).into(),
        }
    }
}

export_driver! {
    driver: FaultyDriver,
    name: "test-faulty",
    schemes: ["faulty"],
}
