//! Where a server is.

use std::fmt;

/// One address of one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// The host as it was named: what its certificate must be for.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) address: Address,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Address {
    Ip(String),
    /// The path of a Unix socket.
    Unix(String),
}

impl Endpoint {
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => f.write_str(path),
            Address::Ip(ip) if *ip == self.host => write!(f, "{ip}, port {}", self.port),
            Address::Ip(ip) => write!(f, "{} ({ip}), port {}", self.host, self.port),
        }
    }
}
