//! The password file, `~/.pgpass`: lines of `host:port:database:user:password`, where `*` is anything and `\` stands before
//! a `:` or `\` that is meant as it is.

use crate::{permissions::others_may_use, secret::Secret};
use std::{fs, io, path::Path};

/// Whom a password is looked up for.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) dbname: &'a str,
    pub(crate) user: &'a str,
}

/// More is not read.
const MAX_BYTES: u64 = 1024 * 1024;

/// The password of the first line that fits.
///
/// # Errors
///
/// When the file cannot be read, or others can read it too, in words.
pub(crate) fn look_up(path: &Path, login: Login<'_>) -> Result<Option<Secret>, String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("the password file {} cannot be read: {error}", path.display())),
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(format!("the password file {} is no ordinary file, or too large", path.display()));
    }
    if others_may_use(&metadata) {
        let path = path.display();
        return Err(format!("the password file {path} is not used, because others can read it: chmod 600 {path}"));
    }
    let text = fs::read_to_string(path)
        .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
    Ok(find(&text, login))
}

fn find(text: &str, login: Login<'_>) -> Option<Secret> {
    let port = login.port.to_string();
    let wanted = [login.host, &port, login.dbname, login.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for wanted in wanted {
            let (field, is_bare) = field(&mut rest)?;
            if field != wanted && !(is_bare && field == "*") {
                return None;
            }
        }
        Some(Secret::new(unescaped(rest)))
    })
}

/// Takes a field and the colon after it; tells whether nothing in it was escaped.
fn field<'a>(rest: &mut &'a str) -> Option<(String, bool)> {
    let mut is_escaped = false;
    let end = rest.find(|character| {
        let is_end = character == ':' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    })?;
    let (field, after): (&'a str, &'a str) = rest.split_at(end);
    *rest = &after[1..];
    Some((unescaped(field), !field.contains('\\')))
}

/// Without the backslashes that stand before something else.
fn unescaped(text: &str) -> String {
    let (mut out, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        out.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOGIN: Login<'static> = Login { host: "db:1", port: 5432, dbname: "app", user: "me" };

    fn found(text: &str) -> Option<String> {
        find(text, LOGIN).map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# db\\:1:5432:app:me:no\nother:5432:app:me:no\ndb\\:1:*:app:me:pa\\:s:s\\\\\n*:*:*:*:last";
        assert_eq!(found(file).as_deref(), Some("pa:s:s\\"));
        assert_eq!(found("*:5433:*:*:x"), None);
        assert_eq!(found("\\*:5432:app:me:x\n*:*:*:*:").as_deref(), Some(""));
        assert_eq!(found("*:*:*\n\n:::"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pgpass");
        assert_eq!(look_up(&path, LOGIN), Ok(None));
        fs::write(&path, "*:*:*:*:geheim").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = look_up(&path, LOGIN).unwrap_err();
        assert!(refused.contains("chmod 600") && !refused.contains("geheim"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(look_up(&path, LOGIN), Ok(Some(Secret::new("geheim"))));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[*:\\\\a5432\\n]{0,60}") {
            find(&text, LOGIN);
        }
    }
}
