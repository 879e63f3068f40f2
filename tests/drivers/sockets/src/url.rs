//! What the driver's URLs say.
//!
//! `line+tcp://user:password@host:port?attempts=3`, `line+unix:///path/of/the/socket?attempts=3`

use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::fmt;

/// What a URL stands for.
pub(crate) struct Target {
    pub(crate) address: Address,
    /// How often to try before the server counts as unreachable. Defaults to 1.
    pub(crate) attempts: u32,
}

pub(crate) enum Address {
    Tcp(String, u16),
    Unix(String),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::CONFIGURATION, format!("{what} in {}", redact(url)));
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let address = match place.split_once("://") {
            Some(("line+unix", path)) => Address::Unix(path.to_owned()),
            Some(("line+tcp", place)) => {
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                let (host, port) = place.rsplit_once(':').ok_or_else(|| wrong("no port"))?;
                Address::Tcp(host.to_owned(), port.parse().map_err(|_| wrong("a port that is no number"))?)
            }
            _ => return Err(wrong("no `//`")),
        };
        let mut target = Self { address, attempts: 1 };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("attempts", n)) => {
                    target.attempts = n.parse().map_err(|_| wrong("`attempts` is not a number"))?;
                }
                _ => return Err(wrong("an unknown option").with_hint("The only option is `attempts`.")),
            }
        }
        Ok(target)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => f.write_str(path),
        }
    }
}

/// The URL with `…` for the password.
pub(crate) fn redact(url: &str) -> String {
    let Some((scheme, (login, rest))) =
        url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    else {
        return url.to_owned();
    };
    let user = login.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:…@{rest}")
}
