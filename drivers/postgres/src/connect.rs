//! Opening connections: which servers are tried, in which order, with TLS or without.

use crate::{
    choice::{SslMode, TargetSessionAttrs},
    endpoint::{Address, Endpoint},
    options::{HostPort, socket_path},
    session::Session,
    startup,
    stream::Stream,
    target::Target,
    timeout::within,
    tls::tls,
    wire::Wire,
};
use bytes::BytesMut;
use montrs_driver_sdk::{Error, ErrorKind, Host, Result, Socket};
use postgres_protocol::message::frontend;
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io,
    sync::Arc,
};
use tokio::io::AsyncWriteExt;

/// Opens a connection to the first server that can be reached and is what is asked for.
pub(crate) async fn connect(host: &Host, target: &Arc<Target>) -> Result<Session> {
    use TargetSessionAttrs::{Any, PreferStandby, Standby};
    let options = &target.options;
    let wanted = match options.target_session_attrs {
        PreferStandby => &[Standby, Any][..],
        ref one => std::slice::from_ref(one),
    };
    let mut failures = Vec::new();
    for wanted in wanted {
        for server in in_order(options.hosts.iter().collect(), options.load_balance) {
            let endpoints = match endpoints(host, server).await {
                Ok(endpoints) => endpoints,
                Err(error) => {
                    failures.push(error);
                    continue;
                }
            };
            for endpoint in in_order(endpoints, options.load_balance) {
                match attempt_in_time(host, target, &endpoint, *wanted).await {
                    Ok(session) => return Ok(session),
                    // A server that is there and refuses is an answer.
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => failures.push(error),
                }
            }
        }
    }
    Err(all_of(failures))
}

/// The addresses of a server.
async fn endpoints(host: &Host, server: &HostPort) -> Result<Vec<Endpoint>> {
    let HostPort { host: name, hostaddr, port } = server;
    let endpoint = |address| Endpoint { host: name.clone(), port: *port, address };
    if let Some(address) = hostaddr {
        return Ok(vec![endpoint(Address::Ip(address.clone()))]);
    }
    if name.starts_with('/') {
        return Ok(vec![endpoint(Address::Unix(socket_path(name, *port)))]);
    }
    let found = host.resolve(name).await.and_then(|addresses| match addresses.is_empty() {
        true => Err(io::Error::other("it has no address")),
        false => Ok(addresses),
    });
    let addresses = found.map_err(|error| unreachable(format!("the host `{name}` cannot be resolved: {error}")))?;
    Ok(addresses.into_iter().map(|address| endpoint(Address::Ip(address))).collect())
}

async fn attempt_in_time(
    host: &Host,
    target: &Arc<Target>,
    endpoint: &Endpoint,
    wanted: TargetSessionAttrs,
) -> Result<Session> {
    let attempt = Box::pin(attempt(host, target, endpoint, wanted));
    let Some(limit) = target.options.connect_timeout else {
        return attempt.await;
    };
    within(host, limit, attempt)
        .await
        .unwrap_or_else(|| Err(unreachable(format!("{endpoint} did not answer within {limit:?} (connect_timeout)"))))
}

async fn attempt(
    host: &Host,
    target: &Arc<Target>,
    endpoint: &Endpoint,
    wanted: TargetSessionAttrs,
) -> Result<Session> {
    use Encryption::{Always, IfPossible, Never};
    let (first, second) = match target.options.sslmode {
        _ if endpoint.is_local() => (Never, None),
        SslMode::Disable => (Never, None),
        SslMode::Allow => (Never, Some(Always)),
        SslMode::Prefer => (IfPossible, Some(Never)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Always, None),
    };
    let mut session = match (session(host, target, endpoint, first).await, second) {
        (Err(error), Some(second)) if refuses_encryption(&error) => {
            session(host, target, endpoint, second).await.map_err(|_| error)?
        }
        (result, _) => result?,
    };
    if startup::is(&mut session, wanted).await? {
        return Ok(session);
    }
    session.wire.terminate().await;
    Err(unreachable(format!("{endpoint} is not what `target_session_attrs` asks for")))
}

/// Whether the other way, with TLS or without, may be let in: `pg_hba.conf` tells them apart.
fn refuses_encryption(error: &Error) -> bool {
    error.kind() == ErrorKind::TLS || error.record().sqlstate == "28000"
}

async fn session(host: &Host, target: &Arc<Target>, endpoint: &Endpoint, encryption: Encryption) -> Result<Session> {
    let stream = open(host, target, endpoint, encryption).await?;
    let mut session = Session::new(Wire::new(stream), host.clone(), target.clone(), endpoint.clone());
    startup::start(&mut session).await?;
    Ok(session)
}

/// Whether TLS is used.
#[derive(Clone, Copy, PartialEq)]
enum Encryption {
    Never,
    IfPossible,
    Always,
}

/// Opens a stream to a server that was connected to before, in the same way.
pub(crate) async fn stream(host: &Host, target: &Target, endpoint: &Endpoint, is_encrypted: bool) -> Result<Stream> {
    let encryption = if is_encrypted { Encryption::Always } else { Encryption::Never };
    open(host, target, endpoint, encryption).await
}

async fn open(host: &Host, target: &Target, endpoint: &Endpoint, encryption: Encryption) -> Result<Stream> {
    let failed = |error: io::Error| unreachable(format!("cannot connect to {endpoint}: {error}"));
    let socket = socket(host, target, endpoint).await.map_err(failed)?;
    let Some(tls_of_target) = target.tls.as_ref().filter(|_| encryption != Encryption::Never) else {
        return Ok(Stream::Plain(socket));
    };
    if target.options.ssl_direct {
        return tls_of_target.connect(&endpoint.host, socket).await;
    }
    let mut stream = Stream::Plain(socket);
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await.map_err(failed)?;
    match Wire::byte(&mut stream).await.map_err(failed)? {
        b'S' => match stream {
            Stream::Plain(socket) => tls_of_target.connect(&endpoint.host, socket).await,
            tls @ Stream::Tls(_) => Ok(tls),
        },
        b'N' if encryption == Encryption::IfPossible => Ok(stream),
        b'N' => Err(tls(format!("the server at {endpoint} has no TLS, which `sslmode` asks for"))),
        _ => Err(unreachable(format!("what listens at {endpoint} does not answer as PostgreSQL does"))),
    }
}

async fn socket(host: &Host, target: &Target, endpoint: &Endpoint) -> io::Result<Socket> {
    match &endpoint.address {
        Address::Ip(address) => host.connect_tcp(address, endpoint.port, target.options.tcp).await,
        Address::Unix(path) => host.connect_unix(path).await,
    }
}

fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::AUTHENTICATION | ErrorKind::CONFIGURATION | ErrorKind::NOT_FOUND)
}

/// One error for all that was tried.
fn all_of(mut failures: Vec<Error>) -> Error {
    match failures.len() {
        0 => unreachable("the URL names no server".into()),
        1 => failures.remove(0),
        _ => {
            let messages: Vec<String> = failures.iter().map(ToString::to_string).collect();
            let mut error = unreachable(format!("none of the servers can be used: {}", messages.join("; ")));
            error.record_mut().is_retryable = failures.iter().any(|failure| failure.record().is_retryable);
            error
        }
    }
}

/// No connection, and nothing was done: it may be tried again.
pub(crate) fn unreachable(message: String) -> Error {
    let mut error = Error::new(ErrorKind::CONNECTION, message);
    error.record_mut().is_retryable = true;
    error
}

fn in_order<T>(mut list: Vec<T>, is_random: bool) -> Vec<T> {
    if is_random {
        for index in (1..list.len()).rev() {
            // Each `RandomState` has other keys.
            let random = RandomState::new().build_hasher().finish();
            list.swap(index, (random % (index as u64 + 1)) as usize);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_order_has_all_and_is_not_always_the_same() {
        let orders: std::collections::HashSet<Vec<u8>> = (0..200).map(|_| in_order((0..5).collect(), true)).collect();
        assert!(orders.len() > 20);
        assert!(orders.iter().all(|order| order.iter().map(|n| 1 << n).sum::<u32>() == 0b11111));
        assert_eq!(in_order(vec![1, 2, 3], false), [1, 2, 3]);
    }

    #[test]
    fn an_error_names_all_that_was_tried() {
        let error = all_of(vec![unreachable("a".into()), tls("b")]);
        assert_eq!(error.to_string(), "none of the servers can be used: a; b");
        assert!(error.record().is_retryable);
    }
}
