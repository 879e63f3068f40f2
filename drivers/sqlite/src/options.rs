//! What a URL may ask for, and what holds where it asks for nothing.

use crate::{
    coroutine,
    extension::Extension,
    pragma,
    url::{self, Parts},
};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::{path::PathBuf, time::Duration};

/// The options of a database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Where the database is.
    pub(crate) place: Place,
    /// How the file is opened. Defaults to reading and writing; the file is created if it does not exist.
    pub(crate) mode: Option<Mode>,
    /// The database was open before, so a file that is missing now has been lost: another one is not created.
    pub(crate) was_open: bool,
    /// The file cannot change while it is open, so it is read without locks. Defaults to false.
    pub(crate) immutable: bool,
    /// How long a lock of another connection is waited for. Defaults to 5 seconds.
    pub(crate) busy_timeout: Duration,
    /// Whether foreign keys are enforced. Defaults to true.
    pub(crate) foreign_keys: bool,
    /// The journal. Defaults to WAL for a file that is created, and to what the file has otherwise.
    pub(crate) journal_mode: Option<&'static str>,
    /// How much is synchronized with the disk. Defaults to NORMAL with WAL and FULL without.
    pub(crate) synchronous: Option<&'static str>,
    /// How operations are executed. Defaults to coroutines where there are some.
    pub(crate) execution: Execution,
    /// The page cache, in pages, or in KiB where it is negative. Defaults to SQLite's -2000.
    pub(crate) cache_size: Option<i32>,
    /// How much of the file is read through a memory map, in bytes. Defaults to nothing.
    pub(crate) mmap_size: Option<u64>,
    /// Where temporary tables and indices are kept. Defaults to files.
    pub(crate) temp_store: Option<&'static str>,
    /// SQLite's file system. Defaults to the system's.
    pub(crate) vfs: Option<String>,
    /// What is loaded into each connection. Defaults to nothing.
    pub(crate) extensions: Vec<Extension>,
    /// Other pragmas. Defaults to SQLite's.
    pub(crate) pragmas: Vec<(&'static str, String)>,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// In the memory of one connection.
    Memory,
    /// In this file; the path is absolute.
    File(PathBuf),
}

/// How operations are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Execution {
    /// On the task that calls, in a coroutine.
    Coroutine,
    /// On the host's blocking pool.
    Blocking,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `ro`: it is only read.
    ReadOnly,
    /// `rw`: it is read and written, and must exist.
    ReadWrite,
    /// `rwc`: it is read and written, and created if it does not exist.
    Create,
}

const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const PARAMETERS: &[&str] = &[
    "mode",
    "immutable",
    "busy_timeout",
    "foreign_keys",
    "journal_mode",
    "synchronous",
    "cache_size",
    "mmap_size",
    "temp_store",
    "vfs",
    "extension",
    "execution",
];
const PRAGMA: &str = "pragma.";
const EXTENSION: &str = "extension";
const MODES: &[&str] = &["ro", "rw", "rwc", "memory"];
/// Without `off`, which SQLite refuses in a connection that defends its file.
const JOURNAL_MODES: &[&str] = &["delete", "truncate", "persist", "memory", "wal"];
const EXECUTIONS: &[&str] = &["coroutine", "blocking"];
const TEMP_STORES: &[&str] = &["default", "file", "memory"];
const SYNCHRONOUS: &[&str] = &["off", "normal", "full", "extra"];
const SWITCHES: &[(&str, bool)] = &[
    ("true", true),
    ("false", false),
    ("on", true),
    ("off", false),
    ("yes", true),
    ("no", false),
    ("1", true),
    ("0", false),
];

impl Execution {
    /// Coroutines, where there are some.
    const DEFAULT: Self = if coroutine::ARE_SUPPORTED { Self::Coroutine } else { Self::Blocking };
}

impl Options {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CONFIGURATION`], with what would be right.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Parts { path, parameters } = url::split(url)?;
        let mut options = Self {
            place: Place::Memory,
            mode: None,
            was_open: false,
            immutable: false,
            busy_timeout: DEFAULT_BUSY_TIMEOUT,
            foreign_keys: true,
            journal_mode: None,
            synchronous: None,
            cache_size: None,
            mmap_size: None,
            temp_store: None,
            vfs: None,
            extensions: Vec::new(),
            pragmas: Vec::new(),
            execution: Execution::DEFAULT,
        };
        let mut execution = None;
        let mut is_memory = path == url::MEMORY;
        for (index, (name, value)) in parameters.iter().enumerate() {
            let is_extension = name.split('.').next() == Some(EXTENSION);
            if !is_extension && parameters[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(configuration(format!("the parameter `{name}` is given twice in the URL")));
            }
            match name.as_str() {
                "mode" => match one_of(name, value, MODES)? {
                    "ro" => options.mode = Some(Mode::ReadOnly),
                    "rw" => options.mode = Some(Mode::ReadWrite),
                    "rwc" => options.mode = Some(Mode::Create),
                    _ => is_memory = true,
                },
                "immutable" => options.immutable = switch(name, value)?,
                "busy_timeout" => {
                    let milliseconds: u32 = number(name, value, "a number of milliseconds, 0 or more")?;
                    options.busy_timeout = Duration::from_millis(milliseconds.into());
                }
                "foreign_keys" => options.foreign_keys = switch(name, value)?,
                "journal_mode" => options.journal_mode = Some(one_of(name, value, JOURNAL_MODES)?),
                "synchronous" => options.synchronous = Some(one_of(name, value, SYNCHRONOUS)?),
                "cache_size" => {
                    let what = "a number of pages, or of KiB where it is negative";
                    options.cache_size = Some(number(name, value, what)?);
                }
                "execution" => {
                    let is_coroutine = one_of(name, value, EXECUTIONS)? == "coroutine";
                    execution = Some(if is_coroutine { Execution::Coroutine } else { Execution::Blocking });
                }
                "mmap_size" => options.mmap_size = Some(number(name, value, "a number of bytes, 0 or more")?),
                "temp_store" => options.temp_store = Some(one_of(name, value, TEMP_STORES)?),
                "vfs" => options.vfs = Some(value.clone()),
                EXTENSION => options.extensions.push(Extension::of_url(value, None)?),
                _ if is_extension => {
                    let entry = name.strip_prefix("extension.");
                    options.extensions.push(Extension::of_url(value, entry)?);
                }
                _ => match name.strip_prefix(PRAGMA) {
                    Some(pragma) => options.pragmas.push(pragma::of_url(pragma, value)?),
                    None => return Err(unknown(name)),
                },
            }
        }
        if !is_memory {
            options.place = Place::File(url::absolute(&path)?);
        }
        // What an extension does between two of SQLite's questions is not known: it may hold a lock, or the address of a
        // thread-local, while a coroutine changes its thread.
        let has_extensions = !options.extensions.is_empty();
        options.execution = execution.unwrap_or(if has_extensions { Execution::Blocking } else { Execution::DEFAULT });
        options.check()?;
        Ok(options)
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> Result<()> {
        if self.execution == Execution::Coroutine && !coroutine::ARE_SUPPORTED {
            return Err(configuration("there are no coroutines on this platform").with_hint("use `execution=blocking`"));
        }
        let is_memory = self.place == Place::Memory;
        if is_memory && (self.mode == Some(Mode::ReadOnly) || self.immutable) {
            return Err(configuration("an in-memory database that can only be read would always be empty")
                .with_hint("drop `mode=ro` or `immutable`, or name a file"));
        }
        if is_memory && self.mmap_size.is_some_and(|size| size > 0) {
            return Err(configuration("an in-memory database has no file for `mmap_size`"));
        }
        if is_memory && self.journal_mode.is_some_and(|mode| mode != "memory") {
            return Err(configuration("an in-memory database has no journal but `journal_mode=memory`"));
        }
        if self.immutable && matches!(self.mode, Some(Mode::ReadWrite | Mode::Create)) {
            return Err(configuration("an immutable database cannot be written").with_hint("use `mode=ro` with it"));
        }
        Ok(())
    }

    /// Whether connections can only read.
    pub(crate) fn is_read_only(&self) -> bool {
        self.immutable || self.mode == Some(Mode::ReadOnly)
    }

    /// The database's name for people.
    pub(crate) fn database(&self) -> String {
        match &self.place {
            Place::Memory => url::MEMORY.into(),
            Place::File(path) => path.display().to_string(),
        }
    }
}

pub(crate) fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::CONFIGURATION, message)
}

fn unknown(name: &str) -> Error {
    let mut message = format!("the URL has an unknown parameter `{name}`");
    if let Some(nearest) = nearest(name, PARAMETERS.iter().copied()) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    configuration(message).with_hint(format!("the parameters are {}, and pragma.<name>", PARAMETERS.join(", ")))
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const SIMILAR: f64 = 0.6;
    known
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn bad_value(name: &str, value: &str, allowed: &str) -> Error {
    configuration(format!("the parameter `{name}` in the URL cannot be `{value}`"))
        .with_hint(format!("`{name}` is {allowed}"))
}

fn one_of(name: &str, value: &str, allowed: &'static [&'static str]) -> Result<&'static str> {
    let found = allowed.iter().find(|known| known.eq_ignore_ascii_case(value));
    found.copied().ok_or_else(|| bad_value(name, value, &format!("one of {}", allowed.join(", "))))
}

fn switch(name: &str, value: &str) -> Result<bool> {
    let found = SWITCHES.iter().find(|(known, _)| known.eq_ignore_ascii_case(value));
    found.map(|(_, on)| *on).ok_or_else(|| {
        let names: Vec<&str> = SWITCHES.iter().map(|(known, _)| *known).collect();
        bad_value(name, value, &format!("one of {}", names.join(", ")))
    })
}

fn number<N: std::str::FromStr>(name: &str, value: &str, what: &str) -> Result<N> {
    value.parse().map_err(|_| bad_value(name, value, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str) -> PathBuf {
        match Options::parse(url).unwrap().place {
            Place::File(path) => path,
            Place::Memory => panic!("{url} is in memory"),
        }
    }

    fn refused(url: &str) -> Error {
        let error = Options::parse(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::CONFIGURATION, "{url}: {error}");
        error
    }

    #[test]
    fn all_forms_of_urls_are_read() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(file("sqlite:app.db"), here.join("app.db"));
        assert_eq!(file("sqlite://data.db"), here.join("data.db"));
        assert_eq!(file("sqlite://data/app.db?mode=rw"), here.join("data/app.db"));
        assert_eq!(file("SQLite:///abs/path.db?mode=ro"), PathBuf::from("/abs/path.db"));
        assert_eq!(file("sqlite:/abs/p%61th%20%C3%BC%3F.db"), PathBuf::from("/abs/path ü?.db"));
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:x.db?mode=memory", "sqlite::memory:?mode=rwc"] {
            assert_eq!(Options::parse(url).unwrap().place, Place::Memory, "{url}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let options = Options::parse(
            "sqlite:/x.db?mode=rw&busy_timeout=250&foreign_keys=OFF&journal_mode=Wal&synchronous=full&cache_size=-64",
        )
        .unwrap();
        assert_eq!(options.mode, Some(Mode::ReadWrite));
        assert_eq!(options.busy_timeout, Duration::from_millis(250));
        assert!(!options.foreign_keys);
        assert_eq!(
            (options.journal_mode, options.synchronous, options.cache_size),
            (Some("wal"), Some("full"), Some(-64))
        );
        assert_eq!(Options::parse("sqlite:/x.db?execution=blocking").unwrap().execution, Execution::Blocking);
        let defaults = Options::parse("sqlite:/x.db?").unwrap();
        assert_eq!((defaults.mode, defaults.busy_timeout, defaults.foreign_keys), (None, Duration::from_secs(5), true));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let unknown = refused("sqlite:/x.db?busytimeout=1");
        assert!(unknown.to_string().contains("did you mean `busy_timeout`?"), "{unknown}");
        assert!(unknown.record().hint.contains("mode, immutable, busy_timeout, foreign_keys"));
        assert!(!refused("sqlite:/x.db?password=geheim").to_string().contains("geheim"));
        assert!(refused("sqlite:/x.db?execution=threads").record().hint.contains("coroutine, blocking"));
        assert!(refused("sqlite:/x.db?mode=wr").record().hint.contains("ro, rw, rwc, memory"));
        assert!(refused("sqlite:/x.db?immutable").record().hint.contains("true, false"));
        assert!(refused("sqlite:/x.db?busy_timeout=-1").record().hint.contains("milliseconds"));
        assert!(refused("sqlite:/x.db?cache_size=9999999999").record().hint.contains("KiB"));
        assert!(refused("sqlite:/x.db?mode=ro&mode=rw").to_string().contains("twice"));
        for url in ["sqlite::memory", "sqlite://:memory", "sqlite::Memory:"] {
            assert!(refused(url).to_string().contains("did you mean `sqlite::memory:`?"), "{url}");
        }
        assert_eq!(file("sqlite:/%3Amemory"), PathBuf::from("/:memory"));
        for url in ["sqlite:/x.db#frag", "sqlite:/x.db?mode=ro#frag", "sqlite::memory:#"] {
            let error = refused(url);
            assert!(error.to_string().contains("fragment") && error.record().hint.contains("%23"), "{error:?}");
        }
        for url in [
            "sqlite:/x.db?mode=%zz",
            "sqlite:/x%2",
            "sqlite:/x%",
            "sqlite:/x%ff.db",
            "sqlite:/x%00.db",
            "sqlite:",
            "sqlite://?mode=ro",
            "sqlite:file:x.db",
            "sqlite::memory:?mode=ro",
            "sqlite::memory:?journal_mode=wal",
            "sqlite:/x.db?immutable=1&mode=rwc",
            "sqlite:/x.db?journal_mode=off",
            "postgres://x",
            "",
        ] {
            refused(url);
        }
    }
}
