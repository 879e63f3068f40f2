//! The commands: what the driver can do that has no SQL. Their names and parameters, read and checked.

use crate::{explain, options::nearest, url};
use montrs_driver_sdk::{Error, ErrorKind, Params, Result, ValueRef};
use std::{ffi::c_int, path::PathBuf};

/// A command that answers with rows.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Copies a database of this connection to a file.
    Backup(Copy),
    /// Copies a file to a database of this connection.
    Restore(Copy),
    /// Gives the bytes of a database.
    Serialize { schema: String },
    /// Gives the bytes of a value.
    BlobRead { value: Place, offset: usize, length: Option<usize> },
}

/// A command that takes bytes.
#[derive(Debug, PartialEq)]
pub(crate) enum UploadCommand {
    /// Makes the bytes the content of a database in memory.
    Deserialize { schema: String },
    /// Writes the bytes over a part of a value.
    BlobWrite { value: Place, offset: usize },
}

/// What is copied between this connection and a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Copy {
    /// The database of this connection.
    pub(crate) schema: String,
    pub(crate) file: PathBuf,
    /// How many pages are copied in one step.
    pub(crate) pages: c_int,
}

/// Where a value is stored.
#[derive(Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) column: String,
    pub(crate) row: i64,
}

/// How a command is called, for people too.
struct Usage {
    name: &'static str,
    /// By position; all must be given.
    positions: &'static [&'static str],
    /// By name; none need be given.
    names: &'static [&'static str],
}

const COMMANDS: &[Usage] = &[
    // Read by itself: any parameters may follow.
    Usage { name: explain::NAME, positions: &["statement"], names: &[] },
    Usage { name: "backup", positions: &["destination"], names: &["schema", "pages"] },
    Usage { name: "restore", positions: &["source"], names: &["schema", "pages"] },
    Usage { name: "serialize", positions: &[], names: &["schema"] },
    Usage { name: "blob_read", positions: &["table", "column", "row"], names: &["schema", "offset", "length"] },
];

const UPLOADS: &[Usage] = &[
    Usage { name: "deserialize", positions: &[], names: &["schema"] },
    Usage { name: "blob_write", positions: &["table", "column", "row"], names: &["schema", "offset"] },
];

/// Some 400 KiB with SQLite's usual pages: a fraction of a millisecond where the pages are in memory.
const DEFAULT_PAGES: c_int = 100;

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UNSUPPORTED`] for an unknown name, [`ErrorKind::PARAMETERS`] for parameters that do not fit.
    pub(crate) fn parse(name: &str, parameters: &Params<'_>) -> Result<Self> {
        if UPLOADS.iter().any(|usage| usage.name == name) {
            return Err(Error::new(ErrorKind::UNSUPPORTED, format!("the command `{name}` takes bytes"))
                .with_hint("begin it with upload(), write the bytes, and finish it"));
        }
        let arguments = Arguments::read(name, COMMANDS, parameters)?;
        Ok(match name {
            "backup" => Self::Backup(arguments.copy()?),
            "restore" => Self::Restore(arguments.copy()?),
            "serialize" => Self::Serialize { schema: arguments.schema()? },
            _ => Self::BlobRead {
                value: arguments.place()?,
                offset: arguments.size("offset")?.unwrap_or(0),
                length: arguments.size("length")?,
            },
        })
    }
}

impl UploadCommand {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// As for [`Command::parse`].
    pub(crate) fn parse(name: &str, parameters: &Params<'_>) -> Result<Self> {
        if COMMANDS.iter().any(|usage| usage.name == name) {
            return Err(Error::new(ErrorKind::UNSUPPORTED, format!("the command `{name}` takes no bytes"))
                .with_hint("await it, or fetch its rows"));
        }
        let arguments = Arguments::read(name, UPLOADS, parameters)?;
        Ok(match name {
            "deserialize" => Self::Deserialize { schema: arguments.schema()? },
            _ => Self::BlobWrite { value: arguments.place()?, offset: arguments.size("offset")?.unwrap_or(0) },
        })
    }
}

/// The parameters of a command.
struct Arguments<'a> {
    usage: &'static Usage,
    /// By position, then by name.
    values: Vec<(&'static str, ValueRef<'a>)>,
}

impl<'a> Arguments<'a> {
    fn read(name: &str, known: &'static [Usage], parameters: &Params<'a>) -> Result<Self> {
        let usage = known.iter().find(|usage| usage.name == name).ok_or_else(|| unknown(name))?;
        let mut arguments = Self { usage, values: Vec::new() };
        let mut positions = 0;
        for index in 0..parameters.len() {
            let value = parameters.get(index).map_err(|error| Error::protocol(error.to_string()))?;
            let name = match parameters.name(index) {
                Some(name) => arguments.named(name)?,
                None => {
                    positions += 1;
                    usage.positions.get(positions - 1).copied().unwrap_or_default()
                }
            };
            arguments.values.push((name, value));
        }
        if positions != usage.positions.len() {
            let (were, s) =
                (if positions == 1 { "was" } else { "were" }, if usage.positions.len() == 1 { "" } else { "s" });
            let expected = usage.positions.len();
            return Err(arguments.wrong(format!("has {expected} parameter{s} by position, {positions} {were} bound")));
        }
        Ok(arguments)
    }

    /// A parameter of this name that was not bound before.
    fn named(&self, name: &str) -> Result<&'static str> {
        let Some(known) = self.usage.names.iter().find(|known| **known == name) else {
            let nearest = nearest(name, self.usage.names.iter().copied());
            let nearest = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
            return Err(self.wrong(format!("has no parameter `{name}`{nearest}")));
        };
        if self.values.iter().any(|(bound, _)| bound == known) {
            return Err(self.wrong(format!("was given `{name}` twice")));
        }
        Ok(known)
    }

    fn get(&self, name: &str) -> Option<ValueRef<'a>> {
        self.values.iter().find(|(bound, _)| *bound == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name) {
            None => Ok(None),
            Some(ValueRef::Text(text)) if !text.contains('\0') => Ok(Some(text)),
            Some(_) => Err(self.wrong(format!("needs a text for `{name}`"))),
        }
    }

    /// A number of bytes.
    fn size(&self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let size = integer(value).and_then(|number| usize::try_from(number).ok());
        size.map(Some).ok_or_else(|| self.wrong(format!("needs a number of bytes for `{name}`, 0 or more")))
    }

    fn schema(&self) -> Result<String> {
        Ok(self.text("schema")?.unwrap_or("main").to_owned())
    }

    fn copy(&self) -> Result<Copy> {
        let name = self.usage.positions[0];
        let file = self.text(name)?.unwrap_or_default();
        if file.is_empty() || file == url::MEMORY {
            return Err(self.wrong(format!("needs the path of a file for `{name}`")));
        }
        if file.starts_with("file:") {
            return Err(self.wrong(format!("takes a path for `{name}`, and none of SQLite's own `file:` names")));
        }
        let pages = match self.get("pages") {
            None => DEFAULT_PAGES,
            Some(value) => integer(value)
                .and_then(|number| c_int::try_from(number).ok())
                .filter(|pages| *pages > 0)
                .ok_or_else(|| self.wrong(format!("needs a number from 1 to {} for `pages`", c_int::MAX)))?,
        };
        Ok(Copy { schema: self.schema()?, file: url::absolute(file)?, pages })
    }

    fn place(&self) -> Result<Place> {
        let text = |name: &str| Ok::<_, Error>(self.text(name)?.unwrap_or_default().to_owned());
        let row = self.get("row").and_then(integer);
        Ok(Place {
            schema: self.schema()?,
            table: text("table")?,
            column: text("column")?,
            row: row.ok_or_else(|| self.wrong("needs the row's rowid, a number, for `row`".into()))?,
        })
    }

    fn wrong(&self, what: String) -> Error {
        let Usage { name, positions, names } = self.usage;
        let positions = if positions.is_empty() { "none" } else { &positions.join(", ") };
        Error::new(ErrorKind::PARAMETERS, format!("the command `{name}` {what}"))
            .with_hint(format!("its parameters are by position: {positions}; by name: {}", names.join(", ")))
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::I16(number) => Some(number.into()),
        ValueRef::I32(number) => Some(number.into()),
        ValueRef::I64(number) => Some(number),
        _ => None,
    }
}

fn unknown(name: &str) -> Error {
    let names = || COMMANDS.iter().chain(UPLOADS).map(|usage| usage.name);
    let mut message = format!("SQLite's driver has no command `{name}`");
    if let Some(nearest) = nearest(name, names()) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    let list = |usages: &[Usage]| usages.iter().map(|usage| usage.name).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::UNSUPPORTED, message).with_hint(format!(
        "its commands are {}; its uploads are {}",
        list(COMMANDS),
        list(UPLOADS)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::ParamBuffer;

    fn parameters(positions: &[ValueRef<'_>], names: &[(&str, ValueRef<'_>)]) -> ParamBuffer {
        let mut buffer = ParamBuffer::default();
        positions.iter().for_each(|value| buffer.push(*value).unwrap());
        names.iter().for_each(|(name, value)| buffer.push_named(name, *value).unwrap());
        buffer
    }

    fn command(name: &str, positions: &[ValueRef<'_>], names: &[(&str, ValueRef<'_>)]) -> Result<Command> {
        Command::parse(name, &parameters(positions, names).as_params())
    }

    #[test]
    fn commands_are_read_with_what_holds_by_default() {
        let text = ValueRef::Text;
        let backup = command("backup", &[text("/b.db")], &[]).unwrap();
        assert_eq!(backup, Command::Backup(Copy { schema: "main".into(), file: "/b.db".into(), pages: DEFAULT_PAGES }));
        let names = [("pages", ValueRef::I16(7)), ("schema", text("aux"))];
        let restore = command("restore", &[text("/b.db")], &names).unwrap();
        assert_eq!(restore, Command::Restore(Copy { schema: "aux".into(), file: "/b.db".into(), pages: 7 }));
        let values = [text("t"), text("c"), ValueRef::I64(-3)];
        let place = || Place { schema: "main".into(), table: "t".into(), column: "c".into(), row: -3 };
        let read = command("blob_read", &values, &[("length", ValueRef::I32(5))]).unwrap();
        assert_eq!(read, Command::BlobRead { value: place(), offset: 0, length: Some(5) });
        let write = parameters(&values, &[("offset", ValueRef::I64(9))]);
        let write = UploadCommand::parse("blob_write", &write.as_params()).unwrap();
        assert_eq!(write, UploadCommand::BlobWrite { value: place(), offset: 9 });
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let text = ValueRef::Text;
        let error = command("bakcup", &[], &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UNSUPPORTED);
        assert!(error.to_string().contains("did you mean `backup`?"), "{error}");
        assert!(error.record().hint.contains("serialize, blob_read; its uploads are deserialize, blob_write"));
        assert!(command("blob_write", &[], &[]).unwrap_err().record().hint.contains("upload()"));
        let none = parameters(&[], &[]);
        let error = UploadCommand::parse("backup", &none.as_params()).unwrap_err();
        assert!(error.to_string().contains("takes no bytes"));
        let file = [text("/b.db")];
        for (error, part) in [
            (command("backup", &[], &[]), "has 1 parameter by position, 0 were bound"),
            (command("backup", &[text("/a"), text("/b")], &[]), "2 were bound"),
            (command("backup", &[text("")], &[]), "the path of a file"),
            (command("backup", &[text(":memory:")], &[]), "the path of a file"),
            (command("backup", &[text("file:x")], &[]), "none of SQLite's own `file:` names"),
            (command("backup", &[text("a\0b")], &[]), "a text for `destination`"),
            (command("backup", &[ValueRef::I64(1)], &[]), "a text for `destination`"),
            (command("backup", &file, &[("page", ValueRef::I64(1))]), "did you mean `pages`?"),
            (command("backup", &file, &[("pages", ValueRef::I64(0))]), "from 1 to 2147483647"),
            (command("backup", &file, &[("pages", ValueRef::I64(1 << 40))]), "from 1 to 2147483647"),
            (command("backup", &file, &[("schema", text("a")), ("schema", text("b"))]), "`schema` twice"),
            (command("blob_read", &[text("t"), text("c"), text("1")], &[]), "the row's rowid"),
        ] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PARAMETERS);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
