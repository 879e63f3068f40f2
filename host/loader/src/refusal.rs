//! Why a file or a directory is not used.

use std::fmt;
use std::io;
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
    /// It leads nowhere, or reading it fails.
    Unreadable,
    /// The operating system denies the user of the process to read it.
    Denied,
    /// It is a file where a directory is expected.
    NotADirectory,
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

    /// It cannot be read because of this; `what` reads on from the path.
    pub(crate) fn unreadable(what: fmt::Arguments<'_>, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => RefusalKind::Denied,
            _ => RefusalKind::Unreadable,
        };
        Self::new(kind, format!("{what}: {error}"))
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

    /// What helps; `condition` is put behind it, such as ", if it is the driver".
    pub(crate) fn fix(&self, path: &Path, condition: &str) -> String {
        let (path, reason) = (path.display(), &self.reason);
        match (&self.mend, self.kind) {
            (Some(command), _) => format!("run `{command}`{condition}"),
            (None, RefusalKind::Denied) => {
                format!("let the user that runs this program read {path}{condition}: {reason}")
            }
            (None, RefusalKind::NotADirectory) => {
                format!("name the directory that holds {path}: files are not searched for drivers, directories are")
            }
            (None, RefusalKind::Unreadable) => format!("see to {path}{condition}: {reason}"),
            (None, _) => format!("replace {path}: {reason}"),
        }
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
