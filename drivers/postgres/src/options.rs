//! What a URL and the environment may ask for, and what holds where they ask for nothing.

use crate::{
    choice::{
        AuthMethod, ChannelBinding, Choice, LoadBalanceHosts, PreparedStatements, SslMode, SslNegotiation,
        TargetSessionAttrs, choice, names,
    },
    secret::Secret,
    settings::{Settings, single_option},
};
use montrs_driver_sdk::{Error, ErrorKind, Result, TcpOptions};
use std::{path::PathBuf, time::Duration};

/// The options of a database. The names are libpq's.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// In the order in which they are tried.
    pub(crate) hosts: Vec<HostPort>,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    /// Where passwords are looked up. Defaults to `~/.pgpass`.
    pub(crate) passfile: Option<PathBuf>,
    /// Defaults to the user's name.
    pub(crate) dbname: String,
    /// Command line options of the server's process, such as `-c statement_timeout=5s`.
    pub(crate) options: Option<String>,
    pub(crate) application_name: Option<String>,
    /// How long one attempt at one address may take. Defaults to no limit of the driver's own.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) sslmode: SslMode,
    pub(crate) sslrootcert: Option<RootCertificates>,
    pub(crate) sslcert: Option<PathBuf>,
    pub(crate) sslkey: Option<PathBuf>,
    /// TLS begins at once, without asking the server. Defaults to false.
    pub(crate) ssl_direct: bool,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) require_auth: Option<RequireAuth>,
    pub(crate) target_session_attrs: TargetSessionAttrs,
    /// Hosts and their addresses are tried in random order. Defaults to false.
    pub(crate) load_balance: bool,
    pub(crate) tcp: TcpOptions,
    /// Statements have names on the server and last there. Defaults to true.
    pub(crate) named_statements: bool,
}

/// A server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HostPort {
    /// A name or an address, or the directory of a Unix socket, which begins with a slash.
    pub(crate) host: String,
    /// The IP address, where it is not to be looked up.
    pub(crate) hostaddr: Option<String>,
    pub(crate) port: u16,
}

/// Whom certificates are trusted from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RootCertificates {
    File(PathBuf),
    System,
}

/// The ways to log in that the server may ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RequireAuth {
    allowed: Vec<AuthMethod>,
    /// They were named, and not only left over by those that are refused.
    are_named: bool,
}

impl RequireAuth {
    pub(crate) fn allows(&self, method: AuthMethod) -> bool {
        self.allowed.contains(&method)
    }

    /// Whether the method was named as one that is wanted.
    pub(crate) fn asks_for(&self, method: AuthMethod) -> bool {
        self.are_named && self.allows(method)
    }
}

pub(crate) const DEFAULT_PORT: u16 = 5432;

impl Options {
    /// Reads a URL, and the environment for what the URL does not say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CONFIGURATION`], with what would be right.
    pub(crate) fn parse(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let settings = Settings::read(url, environment)?;
        let user = match settings.text("user") {
            Some(user) => user,
            None => whoami::username().map_err(|error| {
                configuration(format!("the URL names no user, and the system does not tell one: {error}"))
            })?,
        };
        let seconds = "a number of seconds; 0 is no limit";
        let connect_timeout: u64 = settings.number("connect_timeout", 0, seconds)?;
        let sslrootcert = settings.get("sslrootcert").map(|value| match value {
            "system" => RootCertificates::System,
            path => RootCertificates::File(path.into()),
        });
        let options = Self {
            hosts: hosts(&settings)?,
            dbname: settings.text("dbname").unwrap_or_else(|| user.clone()),
            user,
            password: settings.get("password").map(Secret::new),
            passfile: settings.path("passfile"),
            options: server_options(&settings),
            application_name: settings.text("application_name"),
            connect_timeout: (connect_timeout > 0).then(|| Duration::from_secs(connect_timeout)),
            sslmode: sslmode(&settings, sslrootcert.as_ref())?,
            sslrootcert,
            sslcert: settings.path("sslcert"),
            sslkey: settings.path("sslkey"),
            ssl_direct: settings.choice("sslnegotiation", SslNegotiation::Postgres)? == SslNegotiation::Direct,
            channel_binding: settings.choice("channel_binding", ChannelBinding::Prefer)?,
            require_auth: require_auth(&settings)?,
            target_session_attrs: settings.choice("target_session_attrs", TargetSessionAttrs::Any)?,
            load_balance: settings.choice("load_balance_hosts", LoadBalanceHosts::Disable)? == LoadBalanceHosts::Random,
            tcp: tcp(&settings)?,
            named_statements: settings.choice("prepared_statements", PreparedStatements::Named)?
                == PreparedStatements::Named,
        };
        options.check()?;
        Ok(options)
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> Result<()> {
        if self.ssl_direct && self.sslmode < SslMode::Require {
            return Err(configuration("`sslnegotiation=direct` needs TLS in any case")
                .with_hint("use `sslmode=require`, `verify-ca` or `verify-full` with it"));
        }
        if self.sslcert.is_some() != self.sslkey.is_some() {
            return Err(configuration("`sslcert` and `sslkey` belong together: one of them is missing"));
        }
        if self.channel_binding == ChannelBinding::Require && self.sslmode == SslMode::Disable {
            return Err(configuration("`channel_binding=require` needs TLS, and `sslmode=disable` is without"));
        }
        Ok(())
    }
}

fn hosts(settings: &Settings) -> Result<Vec<HostPort>> {
    let list =
        |name: &str| -> Vec<&str> { settings.get(name).map(|list| list.split(',').collect()).unwrap_or_default() };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = hosts.len().max(addresses.len()).max(1);
    let mismatch =
        |name: &str, len: usize| Err(configuration(format!("`{name}` lists {len} values for {count} hosts")));
    if !hosts.is_empty() && hosts.len() != count {
        return mismatch("host", hosts.len());
    }
    if !addresses.is_empty() && addresses.len() != count {
        return mismatch("hostaddr", addresses.len());
    }
    if ports.len() > 1 && ports.len() != count {
        return mismatch("port", ports.len());
    }
    (0..count)
        .map(|index| {
            let port = match ports.get(index).or(ports.first()).copied().unwrap_or_default().trim() {
                "" => DEFAULT_PORT,
                port => match port.parse() {
                    Ok(0) | Err(_) => return Err(settings.bad_value("port", "a number from 1 to 65535")),
                    Ok(port) => port,
                },
            };
            let hostaddr =
                addresses.get(index).filter(|address| !address.is_empty()).map(|address| (*address).to_owned());
            let host = hosts.get(index).copied().unwrap_or_default();
            let host = match &hostaddr {
                Some(address) if host.is_empty() => address.clone(),
                _ if host.is_empty() => default_host(port),
                _ => host.to_owned(),
            };
            Ok(HostPort { host, hostaddr, port })
        })
        .collect()
}

/// The directory in which a server of this machine listens, as it is on Debian or elsewhere; else `localhost`.
fn default_host(port: u16) -> String {
    const DIRECTORIES: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];
    let has_socket = |directory: &&str| PathBuf::from(socket_path(directory, port)).exists();
    let found = DIRECTORIES.into_iter().find(has_socket).filter(|_| cfg!(unix));
    found.unwrap_or("localhost").to_owned()
}

/// Where a server's Unix socket is.
pub(crate) fn socket_path(directory: &str, port: u16) -> String {
    format!("{}/.s.PGSQL.{port}", directory.trim_end_matches('/'))
}

/// `options=…` and every `options[name]=value`, which is `-c name=value`.
fn server_options(settings: &Settings) -> Option<String> {
    let mut options = settings.text("options").unwrap_or_default();
    for (name, value, _) in &settings.all {
        if let Some(name) = single_option(name) {
            let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
            options.push_str(if options.is_empty() { "" } else { " " });
            options.push_str(&format!("-c {name}={value}"));
        }
    }
    (!options.is_empty()).then_some(options)
}

fn sslmode(settings: &Settings, roots: Option<&RootCertificates>) -> Result<SslMode> {
    let is_system = roots == Some(&RootCertificates::System);
    let default = match settings.get("ssl") {
        Some("true") => SslMode::Require,
        Some(_) => return Err(settings.bad_value("ssl", "`true`; for all else there is `sslmode`")),
        None if is_system => SslMode::VerifyFull,
        None => SslMode::Prefer,
    };
    let sslmode = settings.choice("sslmode", default)?;
    // Anybody can have a certificate of a public authority.
    if is_system && sslmode < SslMode::VerifyFull {
        return Err(configuration("`sslrootcert=system` is of no use without checking the host's name")
            .with_hint("use `sslmode=verify-full` with it"));
    }
    Ok(sslmode)
}

fn require_auth(settings: &Settings) -> Result<Option<RequireAuth>> {
    let Some(list) = settings.get("require_auth") else { return Ok(None) };
    let bad = || {
        let allowed =
            format!("a list of {}, or of those that are refused, each with `!` before it", names::<AuthMethod>());
        settings.bad_value("require_auth", allowed)
    };
    let methods: Vec<&str> = list.split(',').map(str::trim).collect();
    let refused = methods.iter().filter(|method| method.starts_with('!')).count();
    if refused != 0 && refused != methods.len() {
        return Err(bad());
    }
    let named: Vec<AuthMethod> =
        methods.iter().map(|method| choice(method.trim_start_matches('!')).ok_or_else(bad)).collect::<Result<_>>()?;
    let is_allowed = |method: &AuthMethod| named.contains(method) != (refused > 0);
    let allowed = AuthMethod::ALL.iter().map(|(_, method)| *method).filter(is_allowed).collect();
    Ok(Some(RequireAuth { allowed, are_named: refused == 0 }))
}

fn tcp(settings: &Settings) -> Result<TcpOptions> {
    let seconds = "a number of seconds; 0 is the system's default";
    let in_ms = |name: &str| Ok(settings.number::<u32>(name, 0, seconds).map(u64::from)? * 1000);
    Ok(TcpOptions {
        no_delay: true,
        keepalive: settings.number::<u8>("keepalives", 1, "1 for on, 0 for off")? != 0,
        keepalive_retries: settings.number("keepalives_count", 0, "a number of probes; 0 is the system's default")?,
        keepalive_idle_ms: in_ms("keepalives_idle")?,
        keepalive_interval_ms: in_ms("keepalives_interval")?,
        user_timeout_ms: settings.number(
            "tcp_user_timeout",
            0,
            "a number of milliseconds; 0 is the system's default",
        )?,
    })
}

pub(crate) fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::CONFIGURATION, message)
}

#[cfg(test)]
mod tests;
