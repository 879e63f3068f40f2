//! The form of a URL: the way to the file, and parameters.
//!
//! `sqlite:PATH?name=value&name=value`. Two slashes before the path are dropped, so `sqlite://app.db` is relative and
//! `sqlite:///app.db` absolute. The path and the values are percent-decoded.

use crate::options::configuration;
use montrs_driver_sdk::Result;
use std::path::PathBuf;

/// The path that stands for a database in memory.
pub(crate) const MEMORY: &str = ":memory:";

const SCHEME: &str = "sqlite";

/// Names whose values are nobody's business. The driver takes none of them, but people may write some.
const SECRETS: &[&str] = &["key", "hexkey", "textkey", "password", "passwd", "pwd", "passphrase", "secret", "token"];

/// A URL in its parts, decoded.
#[derive(Debug, PartialEq)]
pub(crate) struct Parts {
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
}

/// Splits a URL.
pub(crate) fn split(url: &str) -> Result<Parts> {
    let rest = match url.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => return Err(configuration("the URL does not begin with `sqlite:`")),
    };
    if rest.contains('#') {
        return Err(configuration("the URL has a fragment, which means nothing to SQLite")
            .with_hint("write a `#` in a path or a value as `%23`"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    // Taken for a part of the path, a password would be shown wherever the path is.
    if path.split('/').next().and_then(|first| first.split_once('@')).is_some_and(|(user, _)| user.contains(':')) {
        return Err(configuration("the URL names a user and a password, and SQLite has neither users nor hosts")
            .with_hint("write the path alone, as in `sqlite:app.db`; an `@` in a path is written `%40`"));
    }
    let path = decode(path, "path")?;
    if path != MEMORY && path.starts_with(':') && path.trim_matches(':').eq_ignore_ascii_case("memory") {
        return Err(configuration(format!("the URL names no file but `{path}`; did you mean `sqlite::memory:`?"))
            .with_hint(format!("a file of that name has the path `./{path}`")));
    }
    let parameters = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name, "parameters")?;
            let value = decode(value, "parameters")?;
            Ok((name, value))
        })
        .collect::<Result<_>>()?;
    Ok(Parts { path, parameters })
}

/// Makes a path absolute, so that a later change of the working directory does not change the database, and so that
/// SQLite never sees one of its special names.
pub(crate) fn absolute(path: &str) -> Result<PathBuf> {
    if path.is_empty() {
        return Err(configuration("the URL names no file")
            .with_hint("write `sqlite:app.db`, or `sqlite::memory:` for a database in memory"));
    }
    if path.starts_with("file:") {
        return Err(configuration("SQLite's own `file:` names cannot be used in the URL")
            .with_hint("write the path behind `sqlite:`, as in `sqlite:app.db?mode=ro`"));
    }
    let path = if cfg!(windows) { without_slash_before_drive(path) } else { path };
    std::path::absolute(path).map_err(|error| configuration(format!("the path in the URL cannot be used: {error}")))
}

/// `sqlite:///C:/app.db` has the path `/C:/app.db`.
fn without_slash_before_drive(path: &str) -> &str {
    match path.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => &path[1..],
        _ => path,
    }
}

/// Decodes `%XX`. Unlike browsers this refuses what is malformed: a wrong path would be another file.
fn decode(text: &str, what: &str) -> Result<String> {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(configuration(format!("the {what} of the URL has a `%` without two hexadecimal digits"))
                .with_hint("write `%25` for a percent sign"));
        };
        decoded.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    if decoded.contains(&0) {
        return Err(configuration(format!("the {what} of the URL contains a NUL character")));
    }
    String::from_utf8(decoded).map_err(|_| configuration(format!("the {what} of the URL is not UTF-8")))
}

/// The URL with all that may be a secret replaced: values of parameters such as `key`, and a user's password.
pub(crate) fn redact(url: &str) -> String {
    let (rest, query) = url.split_once('?').map_or((url, None), |(rest, query)| (rest, Some(query)));
    let mut redacted = redact_password(rest);
    for (index, parameter) in query.iter().flat_map(|query| query.split('&')).enumerate() {
        redacted.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => redacted.push_str(&format!("{name}=…")),
            _ => redacted.push_str(parameter),
        }
    }
    redacted
}

fn is_secret(name: &str) -> bool {
    // A name that cannot be decoded may be anything.
    decode(name, "").map_or(true, |name| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)))
}

/// `scheme://user:password@…`, which means nothing here and is written all the same.
fn redact_password(rest: &str) -> String {
    let Some((scheme, after)) = rest.split_once("//") else {
        return rest.into();
    };
    let authority = after.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((user, password)) => {
            format!("{scheme}//{user}:…{}", &after[user.len() + 1 + password.len()..])
        }
        None => rest.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_replaced() {
        assert_eq!(redact("sqlite:app.db?mode=ro&KEY=geheim&x"), "sqlite:app.db?mode=ro&KEY=…&x");
        assert_eq!(redact("sqlite:app.db?p%61ssword=geheim"), "sqlite:app.db?p%61ssword=…");
        assert_eq!(redact("sqlite:app.db?%=geheim"), "sqlite:app.db?%=…");
        assert_eq!(redact("sqlite://me:geh@eim@host/x.db?key="), "sqlite://me:…@host/x.db?key=…");
        assert_eq!(redact("sqlite:///home/me/app.db"), "sqlite:///home/me/app.db");
    }

    #[test]
    fn drives_lose_the_slash_before_them() {
        assert_eq!(without_slash_before_drive("/C:/app.db"), "C:/app.db");
        assert_eq!(without_slash_before_drive("/data/app.db"), "/data/app.db");
    }

    proptest! {
        #[test]
        fn any_text_is_redacted_and_split_or_refused(text in "\\PC{0,40}", rest in "(\\PC|[/:@?&=%]){0,40}") {
            for url in [text, format!("sqlite:{rest}")] {
                let _ = redact(&url);
                let _ = split(&url);
            }
        }

        #[test]
        fn a_key_is_never_shown(secret in "[A-Za-z0-9+/%]{8,20}", before in "[a-z:/@.]{0,20}") {
            prop_assume!(!before.contains(&secret));
            let redacted = redact(&format!("sqlite:{before}?key={secret}"));
            prop_assert!(!redacted.contains(&secret));
        }
    }
}
