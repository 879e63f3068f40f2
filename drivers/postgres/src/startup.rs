//! The beginning of a session: logging in, and what the server then tells.

use crate::{
    certificate,
    choice::{AuthMethod, ChannelBinding, TargetSessionAttrs},
    message::{Body, tag},
    passfile::{self, Login},
    secret::Secret,
    session::{LOG, Session, TransactionStatus, unwritable},
};
use montrs_driver_sdk::{Error, ErrorKind, LogLevel, Result};
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{self, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::frontend,
};

/// The codes of an Authentication message.
mod request {
    pub(super) const OK: i32 = 0;
    pub(super) const CLEARTEXT_PASSWORD: i32 = 3;
    pub(super) const MD5_PASSWORD: i32 = 5;
    pub(super) const SASL: i32 = 10;
    pub(super) const SASL_CONTINUE: i32 = 11;
    pub(super) const SASL_FINAL: i32 = 12;
}

/// What a password may cost to check. PostgreSQL's default is 4096; a server that names billions wants to keep us busy.
const MAX_SCRAM_ITERATIONS: u64 = 1_000_000;

/// Logs in, and reads up to the first ReadyForQuery.
pub(crate) async fn start(session: &mut Session) -> Result<()> {
    let target = session.target.clone();
    let options = &target.options;
    let mut parameters = vec![("user", &*options.user), ("database", &*options.dbname), ("client_encoding", "UTF8")];
    parameters.extend(options.options.as_deref().map(|value| ("options", value)));
    parameters.extend(options.application_name.as_deref().map(|value| ("application_name", value)));
    frontend::startup_message(parameters, &mut session.wire.outgoing).map_err(unwritable)?;
    let started = exchange(session).await;
    started.map_err(|error| named(error, session))
}

async fn exchange(session: &mut Session) -> Result<()> {
    session.flush().await?;
    let mut login = LoggingIn { state: State::NotBegun, is_done: false };
    loop {
        let message = session.message().await?;
        let body = session.wire.body(&message);
        match message.tag {
            tag::AUTHENTICATION => {
                let body = body.to_vec();
                login.answer(session, &body).await?;
            }
            tag::BACKEND_KEY_DATA => {
                let mut body = Body::new(body);
                session.key = Some((body.i32()?, body.i32()?));
            }
            tag::ERROR_RESPONSE => return Err(session.report(&message)?.into_error("")),
            tag::NEGOTIATE_PROTOCOL_VERSION => {}
            tag::READY_FOR_QUERY if login.is_done => {
                session.ready(&message)?;
                session.wire.sent();
                return Ok(());
            }
            _ => return Err(session.broken("a message that does not belong to the beginning of a session")),
        }
    }
}

/// Says of an error where it comes from, and that nothing was done.
fn named(mut error: Error, session: &Session) -> Error {
    let record = error.record_mut();
    if record.kind == ErrorKind::CONNECTION_LOST {
        record.kind = ErrorKind::CONNECTION;
        record.is_retryable = true;
    }
    record.may_have_executed = false;
    record.message = format!("{}: {}", session.endpoint, record.message).into();
    error
}

struct LoggingIn {
    state: State,
    /// The server has let us in.
    is_done: bool,
}

enum State {
    /// The server has asked for nothing yet.
    NotBegun,
    /// The password was sent, as it is or hashed.
    Sent,
    /// The first message of SCRAM was sent.
    Begun(Box<ScramSha256>),
    /// The proof was sent, and the server's is to come.
    Proven(Box<ScramSha256>),
    /// The server has proven that it knows the password too.
    Ended,
}

impl LoggingIn {
    async fn answer(&mut self, session: &mut Session, body: &[u8]) -> Result<()> {
        let mut body = Body::new(body);
        match body.i32()? {
            request::OK => return self.let_in(session),
            request::CLEARTEXT_PASSWORD => {
                allow(session, AuthMethod::Password)?;
                refuse_cleartext(session)?;
                let password = password(session)?;
                frontend::password_message(password.reveal().as_bytes(), &mut session.wire.outgoing)
                    .map_err(unwritable)?;
                self.state = State::Sent;
            }
            request::MD5_PASSWORD => {
                allow(session, AuthMethod::Md5)?;
                let (password, user) = (password(session)?, &session.target.options.user);
                let hash = md5_hash(user.as_bytes(), password.reveal().as_bytes(), body.array()?);
                frontend::password_message(hash.as_bytes(), &mut session.wire.outgoing).map_err(unwritable)?;
                self.state = State::Sent;
            }
            request::SASL => self.begin_scram(session, &mut body)?,
            request::SASL_CONTINUE => self.prove(session, body.rest()).await?,
            request::SASL_FINAL => return self.check_proof(session, body.rest()),
            method => {
                let message = format!("the server asks for a way to log in that is not supported (number {method})");
                return Err(Error::new(ErrorKind::AUTHENTICATION, message)
                    .with_hint("supported are scram-sha-256, md5 and password in pg_hba.conf"));
            }
        }
        session.flush().await
    }

    fn let_in(&mut self, session: &Session) -> Result<()> {
        let refuse = |why: &str| Err(Error::new(ErrorKind::AUTHENTICATION, why));
        match self.state {
            State::Begun(_) | State::Proven(_) => {
                return refuse("the server let us in without proving that it knows the password");
            }
            State::NotBegun => allow(session, AuthMethod::None)?,
            State::Sent | State::Ended => {}
        }
        self.is_done = true;
        Ok(())
    }

    fn begin_scram(&mut self, session: &mut Session, body: &mut Body<'_>) -> Result<()> {
        allow(session, AuthMethod::ScramSha256)?;
        let (mut has_plain, mut has_plus) = (false, false);
        while let Ok(mechanism @ [_, ..]) = body.c_bytes() {
            has_plain |= mechanism == SCRAM_SHA_256.as_bytes();
            has_plus |= mechanism == SCRAM_SHA_256_PLUS.as_bytes();
        }
        let wanted = session.target.options.channel_binding;
        let hash = session.wire.stream().certificate().and_then(certificate::end_point);
        let hash = hash.filter(|_| wanted != ChannelBinding::Disable);
        let (mechanism, binding) = match hash {
            Some(hash) if has_plus => (SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(hash)),
            _ if wanted == ChannelBinding::Require => {
                return Err(Error::new(
                    ErrorKind::AUTHENTICATION,
                    "channel binding is asked for, and is not possible here",
                )
                .with_hint("it needs TLS, SCRAM, and a certificate that is signed with a hash of its own"));
            }
            // Says that we would, so that nobody in between can pretend that the server would not.
            Some(_) => (SCRAM_SHA_256, sasl::ChannelBinding::unrequested()),
            None => (SCRAM_SHA_256, sasl::ChannelBinding::unsupported()),
        };
        if mechanism == SCRAM_SHA_256 && !has_plain {
            return Err(Error::new(ErrorKind::AUTHENTICATION, "the server offers no SCRAM-SHA-256"));
        }
        let scram = ScramSha256::new(password(session)?.reveal().as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut session.wire.outgoing).map_err(unwritable)?;
        self.state = State::Begun(Box::new(scram));
        Ok(())
    }

    async fn prove(&mut self, session: &mut Session, challenge: &[u8]) -> Result<()> {
        let State::Begun(mut scram) = std::mem::replace(&mut self.state, State::Sent) else {
            return Err(session.broken("a step of SASL out of order"));
        };
        if iterations(challenge) > MAX_SCRAM_ITERATIONS {
            let message = format!("the server asks for more than {MAX_SCRAM_ITERATIONS} iterations of SCRAM");
            return Err(Error::new(ErrorKind::AUTHENTICATION, message));
        }
        let challenge = challenge.to_vec();
        // Thousands of hashes, which are no work for an executor's thread.
        let (scram, result) = session
            .host
            .run_blocking(move || {
                let result = scram.update(&challenge);
                (scram, result)
            })
            .await?;
        result.map_err(|error| refused(&error))?;
        frontend::sasl_response(scram.message(), &mut session.wire.outgoing).map_err(unwritable)?;
        self.state = State::Proven(scram);
        Ok(())
    }

    fn check_proof(&mut self, session: &mut Session, proof: &[u8]) -> Result<()> {
        let State::Proven(mut scram) = std::mem::replace(&mut self.state, State::Sent) else {
            return Err(session.broken("a step of SASL out of order"));
        };
        scram.finish(proof).map_err(|error| refused(&error))?;
        self.state = State::Ended;
        Ok(())
    }
}

/// The number in `r=…,s=…,i=4096`.
fn iterations(challenge: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(challenge);
    let number = text.split(',').find_map(|part| part.strip_prefix("i="));
    number.map_or(0, |number| number.parse().unwrap_or(u64::MAX))
}

fn refused(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::AUTHENTICATION, format!("logging in with SCRAM failed: {error}"))
}

fn allow(session: &Session, method: AuthMethod) -> Result<()> {
    let options = &session.target.options;
    if method != AuthMethod::ScramSha256 && options.channel_binding == ChannelBinding::Require {
        let message = "the server lets us log in without channel binding, which `channel_binding=require` asks for";
        return Err(Error::new(ErrorKind::AUTHENTICATION, message));
    }
    match &options.require_auth {
        Some(allowed) if !allowed.allows(method) => Err(Error::new(
            ErrorKind::AUTHENTICATION,
            format!("the server asks for a way to log in ({method:?}) that `require_auth` does not allow"),
        )),
        _ => Ok(()),
    }
}

/// Whoever listens would have the password, unless the connection is encrypted or does not leave the machine.
fn refuse_cleartext(session: &Session) -> Result<()> {
    let named = session.target.options.require_auth.as_ref();
    let is_asked_for = named.is_some_and(|methods| methods.asks_for(AuthMethod::Password));
    if is_asked_for || session.wire.stream().is_encrypted() || session.endpoint.is_local() {
        return Ok(());
    }
    let message = "the server asks for the password in clear text, over a connection that is not encrypted";
    Err(Error::new(ErrorKind::AUTHENTICATION, message).with_hint(
        "use `sslmode=require` or better, or scram-sha-256 in the server's pg_hba.conf; `require_auth=password` sends it all the same",
    ))
}

fn password(session: &Session) -> Result<Secret> {
    let options = &session.target.options;
    if let Some(password) = &options.password {
        return Ok(password.clone());
    }
    let default = || std::env::home_dir().map(|home| home.join(".pgpass"));
    if let Some(path) = options.passfile.clone().or_else(default) {
        // The default directory of Unix sockets is `localhost` in the file.
        let login = Login {
            host: &session.endpoint.host,
            port: session.endpoint.port,
            dbname: &options.dbname,
            user: &options.user,
        };
        let local = Login { host: "localhost", ..login };
        let found = match passfile::look_up(&path, login) {
            Ok(None) if session.endpoint.is_local() => passfile::look_up(&path, local),
            found => found,
        };
        match found {
            Ok(Some(password)) => return Ok(password),
            Ok(None) => {}
            Err(why) => session.host.log(LogLevel::WARN, LOG, || why),
        }
    }
    Err(Error::new(
        ErrorKind::AUTHENTICATION,
        format!("the server asks for a password of `{}`, and none is given", options.user),
    )
    .with_hint("put it into the URL, into PGPASSWORD, or into the file ~/.pgpass"))
}

/// Whether the server is what is asked for.
pub(crate) async fn is(session: &mut Session, wanted: TargetSessionAttrs) -> Result<bool> {
    use TargetSessionAttrs::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
    Ok(match wanted {
        Any | PreferStandby => true,
        Primary => !is_on(session, "in_hot_standby").await?,
        Standby => is_on(session, "in_hot_standby").await?,
        ReadWrite => !is_read_only(session).await?,
        ReadOnly => is_read_only(session).await?,
    })
}

async fn is_read_only(session: &mut Session) -> Result<bool> {
    Ok(is_on(session, "default_transaction_read_only").await? || is_on(session, "in_hot_standby").await?)
}

/// A setting, which servers since version 14 report by themselves.
async fn is_on(session: &mut Session, setting: &str) -> Result<bool> {
    if let Some(value) = session.settings.get(setting) {
        return Ok(value == "on");
    }
    let sql = match setting {
        "in_hot_standby" => "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'on' ELSE 'off' END",
        _ => "SHOW default_transaction_read_only",
    };
    let mut is_on = false;
    session
        .simple_query(sql, |tag, body| {
            if tag == tag::DATA_ROW {
                let mut body = Body::new(body);
                body.u16()?;
                is_on = body.value()? == Some(b"on");
            }
            Ok(())
        })
        .await?;
    debug_assert_eq!(session.status, TransactionStatus::Idle);
    Ok(is_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_that_cannot_be_read_is_too_high() {
        assert_eq!(iterations(b"r=x,s=y,i=4096"), 4096);
        assert_eq!(iterations(b"r=x,s=y,i=99999999999999999999999"), u64::MAX);
        assert_eq!(iterations(b"r=x"), 0);
    }
}
