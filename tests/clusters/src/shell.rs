//! Words for a shell.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;

/// The word in quotes, so that a shell takes it as it is.
pub(crate) fn quoted(word: &OsStr) -> Result<String> {
    let word = word.to_str().with_context(|| format!("{} is not UTF-8", word.display()))?;
    ensure!(!word.contains('\n'), "{word:?} has more than one line");
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use std::{ffi::OsStr, process::Command};

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in ["", "plain", "two words", "it's", "'", "$(echo no) `no` \\ \" * ~ ;&"] {
            let line = format!("printf %s {}", quoted(OsStr::new(word)).expect("it can be quoted"));
            let output = Command::new("sh").args(["-c", &line]).output().expect("sh is here");
            assert_eq!(output.stdout, word.as_bytes(), "{line}");
        }
    }
}
