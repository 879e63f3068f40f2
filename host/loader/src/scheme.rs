//! URL schemes, the part of a database URL that selects the driver.

use crate::{LoadError, LoadErrorKind};
use std::fmt;

/// The scheme of a URL, in lower case.
///
/// The syntax is that of RFC 3986, section 3.1: a letter, then letters, digits, `+`, `-` and `.`; upper and lower case
/// are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scheme(String);

impl Scheme {
    /// Reads a scheme that stands alone, without its colon.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let valid = text.len() <= MAX_LEN
            && bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        valid.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Reads the scheme of a database URL; the rest of the URL is the driver's and is not looked at.
    ///
    /// ```
    /// use montrs_driver_loader::Scheme;
    /// assert_eq!(Scheme::of_url("Postgres://ada@db/app")?.as_str(), "postgres");
    /// assert_eq!(Scheme::of_url("sqlite::memory:")?.as_str(), "sqlite");
    /// # Ok::<(), montrs_driver_loader::LoadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoadErrorKind::MalformedUrl`] when the URL does not start with a scheme. The error shows nothing of the URL,
    /// because a password may be anywhere in it.
    pub fn of_url(url: &str) -> Result<Self, LoadError> {
        url.split_once(':').and_then(|(scheme, _)| Self::new(scheme)).ok_or_else(|| malformed(url))
    }

    /// The scheme, in lower case and without its colon.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// No registered scheme is half as long; what is longer is rather a secret that was pasted in the wrong place.
const MAX_LEN: usize = 64;

fn malformed(url: &str) -> LoadError {
    let what = match url.chars().next() {
        None => "the database URL is empty",
        Some('"' | '\'') => "the database URL starts with a quotation mark",
        Some(c) if c.is_whitespace() => "the database URL starts with white space",
        Some('/' | '.' | '~') => "the database URL is a path, without a scheme",
        Some(_) if url.contains(':') => "the database URL does not start with a scheme",
        Some(_) => "the database URL has no scheme: there is no colon in it",
    };
    LoadError::new(LoadErrorKind::MalformedUrl, what).fixed_by(
        "start the URL with the driver's scheme and a colon; `montrs-db drivers` lists the schemes that are served",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_url_gives_its_scheme_in_lower_case() {
        for (url, scheme) in [
            ("postgres://ada:secret@db:5432/app?x=y", "postgres"),
            ("PostgreSQL://h", "postgresql"),
            ("sqlite::memory:", "sqlite"),
            ("sqlite:app.db", "sqlite"),
            ("sqlite:///abs/path.db?mode=ro", "sqlite"),
            ("toy+tls-2.0:x", "toy+tls-2.0"),
            ("x:", "x"),
        ] {
            assert_eq!(Scheme::of_url(url).unwrap().as_str(), scheme, "{url}");
        }
    }

    #[test]
    fn what_is_no_scheme_is_an_error_that_shows_nothing_of_the_url() {
        for url in [
            "",
            "hunter2",
            "//ada:hunter2@db",
            "postgres//ada:hunter2@db",
            "\"postgres://ada:hunter2@db\"",
            " postgres://ada:hunter2@db",
            ":hunter2",
            "1db:hunter2",
            "pöstgres:hunter2",
            "/var/lib/hunter2.db",
        ] {
            let error = Scheme::of_url(url).unwrap_err();
            assert_eq!(error.kind(), LoadErrorKind::MalformedUrl);
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2") && !text.contains("ada:"), "{text}");
            assert!(text.contains("scheme"), "{text}");
        }
    }

    #[test]
    fn a_quoted_url_is_recognised() {
        assert!(Scheme::of_url("'sqlite:a.db'").unwrap_err().to_string().contains("quotation mark"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_scheme_or_an_error(text in ".*") {
            if let Ok(scheme) = Scheme::of_url(&text) {
                prop_assert_eq!(Scheme::new(scheme.as_str()), Some(scheme));
            }
        }
    }
}
