//! Why a file or a directory is not used.

use std::fmt;
use std::path::Path;

/// Why a file or a directory is not used: one sentence, and the command that mends it where there is one.
///
/// The sentence reads on from the path, as in `/plugins/liba.so: others can write to it`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    reason: String,
    mend: Option<String>,
}

/// The sorts of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// It is no driver at all: no library, or a library without a metadata record.
    NotADriver,
    /// The operating system did not let it be read, or it leads nowhere.
    Unreadable,
    /// Somebody else can change it.
    Untrusted,
    /// It is cut short, or its headers contradict themselves.
    Damaged,
    /// It is made for another machine or operating system.
    Foreign,
    /// Its metadata record lacks something or says something invalid.
    Record,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), mend: None }
    }

    pub(crate) fn mended_by(mut self, command: impl Into<String>) -> Self {
        self.mend = Some(command.into());
        self
    }

    /// The sort of this refusal.
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The reason, without the command that mends it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The shell command that mends it, where there is one.
    pub fn mend(&self) -> Option<&str> {
        self.mend.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.mend {
            Some(mend) => write!(f, "; mend it with `{mend}`"),
            None => Ok(()),
        }
    }
}

/// A path as a word of a shell command.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_quotes_is_one_shell_word() {
        assert_eq!(shell_word(Path::new("/opt/plugins")), "/opt/plugins");
        assert_eq!(shell_word(Path::new("/my plugins")), "'/my plugins'");
        assert_eq!(shell_word(Path::new("/it's")), r"'/it'\''s'");
    }
}
