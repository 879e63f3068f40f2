//! libpq's parameters that there are not here.

use crate::options::configuration;
use montrs_driver_sdk::Error;

/// A parameter of libpq's that is refused, unless it asks for what is done anyway.
struct Unsupported {
    /// Empty, where there is only a variable.
    name: &'static str,
    /// The variable of the environment, where to ignore it would do something else than was asked for.
    variable: &'static str,
    /// Values that change nothing here.
    harmless: &'static [&'static str],
    instead: &'static str,
}

const fn refused(
    name: &'static str,
    variable: &'static str,
    harmless: &'static [&'static str],
    instead: &'static str,
) -> Unsupported {
    Unsupported { name, variable, harmless, instead }
}

const GSS: &str = "there is no GSSAPI here; encrypt with TLS, by `sslmode=verify-full`";
const OAUTH: &str = "there is no OAuth here; log in by a password or a certificate";
const VERSIONS: &str = "TLS 1.2 and 1.3 are used; what is older is refused in any case";
const PROTOCOL: &str = "version 3.0 of the protocol is used, which every server knows";
const REVOKED: &str = "lists of revoked certificates are not read; take the authority out of `sslrootcert`";

#[rustfmt::skip]
const UNSUPPORTED: &[Unsupported] = &[
    refused("service", "PGSERVICE", &[], "write into the URL what the service file says"),
    refused("servicefile", "", &[], "write into the URL what the service file says"),
    refused("gssencmode", "PGGSSENCMODE", &["disable", "prefer"], GSS),
    refused("krbsrvname", "", &[], GSS),
    refused("gsslib", "", &[], GSS),
    refused("gssdelegation", "", &["0"], GSS),
    refused("sslcrl", "PGSSLCRL", &[], REVOKED),
    refused("sslcrldir", "PGSSLCRLDIR", &[], REVOKED),
    refused("sslpassword", "", &[], "an encrypted key cannot be used: decrypt it with `openssl pkey`, and let nobody else read the result"),
    refused("sslcertmode", "PGSSLCERTMODE", &["allow"], "a certificate is shown when there is one and the server asks for it"),
    refused("sslsni", "PGSSLSNI", &["1"], "the server is told the name that it is called by"),
    refused("sslcompression", "", &["0"], "TLS compresses nothing"),
    refused("sslkeylogfile", "", &[], "keys are written nowhere"),
    refused("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", &["TLSv1", "TLSv1.1", "TLSv1.2"], VERSIONS),
    refused("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", &["TLSv1.3"], VERSIONS),
    refused("min_protocol_version", "PGMINPROTOCOLVERSION", &["3.0"], PROTOCOL),
    refused("max_protocol_version", "", &["3.0", "latest"], PROTOCOL),
    refused("requirepeer", "PGREQUIREPEER", &[], "who runs the server of a Unix socket is not looked at; let nobody else write to its directory"),
    refused("replication", "", &["false", "off", "no", "0"], "there is no replication here"),
    refused("client_encoding", "", &["auto", "utf8", "UTF8", "utf-8", "UTF-8"], "texts are in UTF-8, into which the server converts"),
    refused("fallback_application_name", "", &[], "say `application_name`"),
    refused("requiressl", "PGREQUIRESSL", &["0"], "say `sslmode=require`, or better `sslmode=verify-full`"),
    refused("", "PGCLIENTENCODING", &["auto", "utf8", "UTF8", "utf-8", "UTF-8", "UNICODE"], "texts are in UTF-8, into which the server converts"),
    refused("", "PGTZ", &[], "say `options[TimeZone]=…` in the URL"),
    refused("", "PGDATESTYLE", &[], "say `options[DateStyle]=…` in the URL"),
    refused("", "PGGEQO", &[], "say `options[geqo]=…` in the URL"),
    refused("oauth_issuer", "", &[], OAUTH),
    refused("oauth_client_id", "", &[], OAUTH),
    refused("oauth_client_secret", "", &[], OAUTH),
    refused("oauth_scope", "", &[], OAUTH),
];

/// Looks for a parameter of libpq's in a URL: `None` where it is not one of these, else whether its value is harmless.
pub(crate) fn check(name: &str, value: &str) -> Option<Result<(), Error>> {
    let found = UNSUPPORTED.iter().find(|unsupported| !name.is_empty() && unsupported.name == name)?;
    Some(if found.harmless.contains(&value) {
        Ok(())
    } else {
        Err(found.error(&format!("the parameter `{name}`"), value))
    })
}

/// Looks for variables of libpq's in the environment.
///
/// # Errors
///
/// One asks for what is not done here.
pub(crate) fn check_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    for unsupported in UNSUPPORTED.iter().filter(|unsupported| !unsupported.variable.is_empty()) {
        let value = environment(unsupported.variable).unwrap_or_default();
        if !value.is_empty() && !unsupported.harmless.contains(&value.as_str()) {
            return Err(unsupported.error(&format!("the environment variable {}", unsupported.variable), &value));
        }
    }
    Ok(())
}

impl Unsupported {
    fn error(&self, what: &str, value: &str) -> Error {
        // What may be a secret is not shown.
        let value = if self.harmless.is_empty() { String::new() } else { format!(" with the value `{value}`") };
        configuration(format!("{what}{value} is libpq's, and is not supported by this driver")).with_hint(self.instead)
    }
}
