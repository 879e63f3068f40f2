//! The error of finding and opening a driver.

use std::fmt;

/// Why no driver was opened.
///
/// `Display` says what failed, where, and how to mend it, over several lines where directories were searched. The
/// parts are there one by one as well: [`message`](Self::message) and [`fixes`](Self::fixes).
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", HelpLines(fixes))]
pub struct LoadError {
    kind: LoadErrorKind,
    message: String,
    fixes: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The sorts of [`LoadError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The database URL does not start with a scheme.
    MalformedUrl,
    /// No driver in the search path serves the URL's scheme.
    NoDriver,
    /// Drivers of different names serve the URL's scheme.
    Ambiguous,
    /// The file that was to be opened is not fit to be opened.
    Refused,
    /// The driver is made for another ABI, target or panic strategy than this application.
    Incompatible,
    /// No private copy of the driver could be made.
    PrivateCopy,
    /// The operating system's loader did not open the library, or it exports no driver.
    OpenFailed,
    /// The driver's root module returned an error when it was asked for.
    StartFailed,
    /// The driver panicked when it was started.
    Panicked,
    /// Databases of another copy of the same driver are open.
    AnotherCopyInUse,
    /// This application cannot open libraries at all.
    Unsupported,
}

impl LoadError {
    pub(crate) fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fixes: Vec::new(), source: None }
    }

    pub(crate) fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The sort of this error.
    pub fn kind(&self) -> LoadErrorKind {
        self.kind
    }

    /// The cause, for who wraps this error in another one.
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }

    /// What failed and where, without the advice.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What can be done about it, one sentence each, the likeliest first.
    pub fn fixes(&self) -> &[String] {
        &self.fixes
    }
}

struct HelpLines<'a>(&'a [String]);

impl fmt::Display for HelpLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fix| write!(f, "\nhelp: {fix}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn display_gives_the_message_and_every_fix() {
        let error = LoadError::new(LoadErrorKind::NoDriver, "no driver").fixed_by("copy one").fixed_by("or two");
        assert_eq!(error.to_string(), "no driver\nhelp: copy one\nhelp: or two");
        assert!(error.source().is_none());
    }

    #[test]
    fn the_cause_is_the_source() {
        let error = LoadError::new(LoadErrorKind::PrivateCopy, "x").caused_by(std::io::Error::other("full"));
        assert_eq!(error.source().unwrap().to_string(), "full");
    }
}
