//! The form of a URL: `postgres://user:password@host:port,host:port/database?name=value&name=value`.
//!
//! Every part may be missing, and each may be percent-encoded. The parts before the `?` have names as the parameters
//! behind it have, as in libpq.

use crate::{options::configuration, settings::is_known};
use montrs_driver_sdk::Result;

const SCHEMES: [&str; 2] = ["postgres", "postgresql"];

/// Names whose values are nobody's business, be they parameters here or elsewhere.
const SECRETS: &[&str] = &["password", "passwd", "pwd", "pass", "passphrase", "sslpassword", "secret", "token", "key"];

/// Reads a URL as parameters, decoded. What is said behind the `?` goes before what is said in front of it.
pub(crate) fn parameters(url: &str) -> Result<Vec<(String, String)>> {
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
        _ => return Err(configuration("the URL does not begin with `postgres://` or `postgresql://`")),
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut found: Vec<(String, String)> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(configuration("a parameter of the URL has no value")
                .with_hint("write `name=value`; a `?` in a password is written `%3F`"));
        };
        let (name, value) = (decode(name)?, decode(value)?);
        if found.iter().any(|(earlier, _)| *earlier == name) {
            return Err(configuration(format!("the parameter `{name}` is given twice in the URL")));
        }
        found.push((name, value));
    }
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
    let (hosts, ports) = hosts_and_ports(hosts)?;
    let parts = [
        ("user", decode(user)?),
        ("password", decode(password.unwrap_or_default())?),
        ("host", hosts),
        ("port", ports),
        ("dbname", decode(database)?),
    ];
    for (name, value) in parts {
        if !value.is_empty() && !found.iter().any(|(earlier, _)| earlier == name) {
            found.push((name.into(), value));
        }
    }
    Ok(found)
}

/// Splits `host:port,[::1]:port` into a list of hosts and a list of ports, where any has one.
fn hosts_and_ports(text: &str) -> Result<(String, String)> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(part) => {
                let (host, rest) = part
                    .split_once(']')
                    .ok_or_else(|| configuration("an IPv6 address in the URL has no closing bracket"))?;
                (host, rest.strip_prefix(':').unwrap_or(rest))
            }
            None => part.rsplit_once(':').unwrap_or((part, "")),
        };
        hosts.push(decode(host)?);
        ports.push(port);
    }
    // The text is not shown: it may be part of a password.
    if ports.iter().any(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(configuration("a port in the URL is not a number").with_hint(
            "write `postgres://user:password@host:5432/database`; `/`, `?`, `@` and `:` in a password are written %2F, \
             %3F, %40 and %3A",
        ));
    }
    let ports = if ports.iter().all(|port| port.is_empty()) { String::new() } else { ports.join(",") };
    let hosts = if hosts.iter().all(String::is_empty) { String::new() } else { hosts.join(",") };
    Ok((hosts, ports))
}

/// Decodes `%XX`. Unlike browsers this refuses what is malformed, and leaves `+` as it is, as libpq does.
fn decode(text: &str) -> Result<String> {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(configuration("the URL has a `%` without two hexadecimal digits")
                .with_hint("write `%25` for a percent sign"));
        };
        decoded.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    if decoded.contains(&0) {
        return Err(configuration("the URL contains a NUL character"));
    }
    String::from_utf8(decoded).map_err(|_| configuration("the URL is not UTF-8 when it is decoded"))
}

/// The URL with the password and all that may be a secret replaced. Of a URL that cannot be right, rather too much is.
pub(crate) fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.split_once(':') {
            Some((scheme, _)) => format!("{scheme}:…"),
            None => "…".into(),
        };
    };
    // A `?` that no parameter follows is part of a password.
    let mut questions = rest.match_indices('?').map(|(at, _)| at);
    let place_end = questions.find(|at| begins_with_parameter(&rest[at + 1..])).unwrap_or(rest.len());
    let at = rest[..place_end].rfind('@');
    let (login, rest) = at.map_or(("", rest), |at| rest.split_at(at));
    let mut redacted = format!("{scheme}://");
    match login.split_once(':') {
        Some((user, _)) => redacted.push_str(&format!("{user}:…")),
        None => redacted.push_str(login),
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    redacted.push_str(rest);
    for (index, parameter) in query.iter().flat_map(|query| query.split('&')).enumerate() {
        redacted.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => redacted.push_str(&format!("{name}=…")),
            _ => redacted.push_str(parameter),
        }
    }
    redacted
}

fn begins_with_parameter(query: &str) -> bool {
    let name = query.split_once('=').map(|(name, _)| decode(name));
    matches!(name, Some(Ok(name)) if is_known(&name))
}

fn is_secret(name: &str) -> bool {
    // A name that cannot be decoded may be anything.
    decode(name).map_or(true, |name| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(url: &str) -> Vec<String> {
        parameters(url).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn all_forms_of_urls_are_read() {
        assert_eq!(
            read("postgres://me:p%40ss@db.example:6432/app?sslmode=require"),
            ["sslmode=require", "user=me", "password=p@ss", "host=db.example", "port=6432", "dbname=app"]
        );
        assert_eq!(read("PostgreSQL://"), [""; 0]);
        assert_eq!(read("postgres:///app"), ["dbname=app"]);
        assert_eq!(read("postgres://a:1,b,[::1]:3/"), ["host=a,b,::1", "port=1,,3"]);
        assert_eq!(read("postgres://%2Fvar%2Frun/app"), ["host=/var/run", "dbname=app"]);
        assert_eq!(read("postgres://x/app?host=/tmp&port=5"), ["host=/tmp", "port=5", "dbname=app"]);
        assert_eq!(read("postgres://me@:5433/a+b"), ["user=me", "port=5433", "dbname=a+b"]);
    }

    #[test]
    fn malformed_urls_are_refused_without_their_secrets() {
        for url in [
            "postgres:x",
            "sqlite://x",
            "postgres://h:pa",
            "postgres://me:se/cret@h/d",
            "postgres://me:se?cret@h/d",
            "postgres://[::1/d",
            "postgres://h/%zz",
            "postgres://h/%00",
            "postgres://h/%ff",
            "postgres://h/d?host=a&host=b",
            "postgres://h/d?x",
        ] {
            let error = parameters(url).unwrap_err();
            assert!(!error.to_string().contains("se") || !url.contains("cret"), "{error}");
        }
    }

    #[test]
    fn secrets_are_replaced() {
        for (url, redacted) in [
            ("postgres://me:geheim@h:1/d?sslmode=require", "postgres://me:…@h:1/d?sslmode=require"),
            ("postgres://h/d?user=me&PassWord=geheim", "postgres://h/d?user=me&PassWord=…"),
            ("postgres://me:ge/he@im@h/d", "postgres://me:…@h/d"),
            ("postgres://me:ge?heim@h/d", "postgres://me:…@h/d"),
            ("postgres://h:5432/d?application_name=a@b", "postgres://h:5432/d?application_name=a@b"),
            ("postgres://me@h/d", "postgres://me@h/d"),
            ("postgres:me:geheim", "postgres:…"),
            ("postgres://h/d?%=geheim", "postgres://h/d?%=…"),
        ] {
            assert_eq!(redact(url), redacted);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_redacted_and_read_or_refused(text in "\\PC{0,40}", rest in "(\\PC|[/:@?&=%,\\[\\]]){0,40}") {
            for url in [text, format!("postgres://{rest}")] {
                let _ = redact(&url);
                let _ = parameters(&url);
            }
        }

        #[test]
        fn a_password_is_never_shown(secret in "[A-Za-z0-9/?@:]{8,20}", host in "[a-z]{1,5}(:[0-9]{1,4})?") {
            let redacted = redact(&format!("postgres://me:{secret}@{host}/db"));
            prop_assert_eq!(redacted, format!("postgres://me:…@{host}/db"));
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let redacted = redact(&format!("postgres://{host}/db?password={encoded}"));
            prop_assert!(!redacted.contains(&encoded));
        }
    }
}
