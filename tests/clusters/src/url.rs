//! The URLs of servers.

use std::path::Path;

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

/// Percent-encodes what may have a meaning of its own in a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
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
    fn what_has_a_meaning_is_encoded() {
        assert_eq!(tcp("a b", "p@:?", 1, "d"), "postgres://a%20b:p%40%3A%3F@127.0.0.1:1/d");
        assert_eq!(socket("u", Path::new("/tmp/x&y"), 2, "d"), "postgres:///d?host=/tmp/x%26y&port=2&user=u");
    }
}
