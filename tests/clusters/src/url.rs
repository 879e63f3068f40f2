//! The URLs of servers.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::Path};

/// A URL for a connection over TCP.
pub(crate) fn tcp(user: &str, password: &str, port: u16, database: &str) -> String {
    let (user, password, database) = (encoded(user), encoded(password), encoded(database));
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

/// A URL for a connection over the Unix socket in the directory.
pub(crate) fn socket(user: &str, directory: &Path, port: u16, database: &str) -> String {
    let (user, database) = (encoded(user), encoded(database));
    format!("postgres:///{database}?host={}&port={port}&user={user}", encoded(&directory.to_string_lossy()))
}

/// The same URL with another database.
pub(crate) fn with_database(url: &str, database: &str) -> String {
    let (url, parameters) = url.split_at(url.find('?').unwrap_or(url.len()));
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    format!("{}/{}{parameters}", &url[..end], encoded(database))
}

/// The URL without its password, and the password as it was before it was encoded.
pub(crate) fn without_password(url: &str) -> Option<(String, OsString)> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let at = authority + url[authority..end].rfind('@')?;
    let colon = authority + url[authority..at].find(':')?;
    Some((format!("{}{}", &url[..colon], &url[at..]), decoded(&url[colon + 1..at])))
}

fn decoded(text: &str) -> OsString {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [byte, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(value.unwrap_or(*byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    OsString::from_vec(out)
}

/// Percent-encodes what may have a meaning of its own in a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut out = String::new();
    for byte in text.bytes() {
        if plain(byte) { out.push(byte.into()) } else { out.push_str(&format!("%{byte:02X}")) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_exchanged() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old", "postgres://u:p@h:1/new"),
            ("postgres://h", "postgres://h/new"),
            ("postgres://h?sslmode=require", "postgres://h/new?sslmode=require"),
            ("postgres:///old?host=/tmp/a/b", "postgres:///new?host=/tmp/a/b"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }

    #[test]
    fn password_is_taken_out_of_a_url() {
        for (url, expected) in [
            ("postgres://u:p@h:1/d", Some(("postgres://u@h:1/d", "p"))),
            ("postgres://u:a%40b%3a%25@h?x=y@z:1", Some(("postgres://u@h?x=y@z:1", "a@b:%"))),
            ("postgres://u@h:1/d", None),
            ("postgres://h:1/d:e@f", None),
            ("postgres:///d?host=/tmp", None),
            ("host=/tmp password=p", None),
        ] {
            let expected = expected.map(|(url, password)| (url.to_owned(), password.into()));
            assert_eq!(without_password(url), expected, "{url}");
        }
        let (_, password) = without_password(&tcp("u", "p@ss %:/?", 1, "d")).expect("there is one");
        assert_eq!(password, "p@ss %:/?");
    }

    #[test]
    fn what_has_a_meaning_is_encoded() {
        assert_eq!(tcp("a b", "p@:?", 1, "d"), "postgres://a%20b:p%40%3A%3F@127.0.0.1:1/d");
        assert_eq!(socket("u", Path::new("/tmp/x&y"), 2, "d"), "postgres:///d?host=%2Ftmp%2Fx%26y&port=2&user=u");
    }
}
