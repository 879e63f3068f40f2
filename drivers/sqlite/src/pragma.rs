//! Pragmas: which the URL can set, which a reset restores, which are refused, and which leave no trace.

use crate::{
    error::{self, Circumstances},
    handle::{Failure, Handle},
    options::{self, Options, configuration},
};
use montrs_driver_sdk::{ErrorKind, Result};

/// Settings of a connection that a URL can set as `pragma.<name>=<value>`.
const SETTINGS: &[&str] = &[
    "analysis_limit",
    "automatic_index",
    "cache_spill",
    CASE_SENSITIVE_LIKE,
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "defer_foreign_keys",
    "empty_result_callbacks",
    "full_column_names",
    "fullfsync",
    "ignore_check_constraints",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "trusted_schema",
    "wal_autocheckpoint",
];

/// Properties of a file that is made; `pragma.<name>` as well.
const OF_NEW_FILES: &[&str] = &["auto_vacuum", "encoding", "page_size"];

/// Settings that have a parameter of their own.
const PARAMETERS: &[&str] =
    &["busy_timeout", "cache_size", "foreign_keys", "journal_mode", "mmap_size", "synchronous", "temp_store"];

/// What neither the URL nor SQL may set, and why.
const REFUSED: &[(&str, &str)] = &[
    ("threads", "threads of SQLite's own would use the file beside the one that runs the statement"),
    ("soft_heap_limit", OF_THE_PROCESS),
    ("hard_heap_limit", OF_THE_PROCESS),
    ("temp_store_directory", OF_THE_PROCESS),
    ("data_store_directory", OF_THE_PROCESS),
];
const OF_THE_PROCESS: &str = "it would change all databases of the process";

/// With a value too these leave the session as it was: they look at something, or do something to the file.
const WITHOUT_TRACE: &[&str] = &[
    "application_id",
    "foreign_key_check",
    "foreign_key_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "schema_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "wal_checkpoint",
];

/// Values of `synchronous`.
const NORMAL: &str = "1";
const FULL: &str = "2";

const VALUES: &str = "SQLite's documentation of the pragma names its values";

/// Nothing tells whether it is on.
const CASE_SENSITIVE_LIKE: &str = "case_sensitive_like";

/// Why nobody may set a pragma; `None` if it can be set.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(name)).map(|(_, reason)| *reason)
}

/// Whether setting a pragma may leave something in the session for its next user.
pub(crate) fn leaves_trace(name: &str) -> bool {
    !WITHOUT_TRACE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Reads `pragma.<name>=<value>` of a URL.
pub(crate) fn of_url(name: &str, value: &str) -> Result<(&'static str, String)> {
    let known = || SETTINGS.iter().chain(OF_NEW_FILES).copied();
    if let Some(name) = known().find(|known| *known == name) {
        return match value {
            "" => Err(configuration(format!("the parameter `pragma.{name}` in the URL has no value"))),
            _ => Ok((name, value.into())),
        };
    }
    if let Some(reason) = refusal(name) {
        return Err(configuration(format!("the pragma `{name}` cannot be set: {reason}")));
    }
    if PARAMETERS.contains(&name) {
        let message = format!("the pragma `{name}` has a parameter of its own");
        return Err(configuration(message).with_hint(format!("write `{name}={value}`")));
    }
    let mut message = format!("the URL can set no pragma `{name}`");
    if let Some(nearest) = options::nearest(name, known().chain(PARAMETERS.iter().copied())) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    let names: Vec<&str> = known().collect();
    Err(configuration(message).with_hint(format!("as `pragma.<name>` can be set: {}", names.join(", "))))
}

/// Sets the pragmas of the URL. SQLite takes whatever it does not understand for something else, and says nothing; so
/// it is asked.
pub(crate) fn set(handle: &Handle, options: &Options, circumstances: &Circumstances) -> Result<()> {
    for (name, value) in &options.pragmas {
        let now =
            assign(handle, name, value).and_then(|()| read(handle, name)).map_err(|failure| {
                match error::error(&failure, circumstances) {
                    error if error.kind() == ErrorKind::QUERY => {
                        let message = format!("{}: `pragma.{name}` cannot be {value}", circumstances.database);
                        configuration(format!("{message}: {}", failure.message)).with_hint(VALUES)
                    }
                    error => error,
                }
            })?;
        if let Some(now) = now.filter(|now| !is_same(name, value, now)) {
            let message = format!("{}: `pragma.{name}` is {now}, not {value}", circumstances.database);
            return Err(configuration(message).with_hint(if OF_NEW_FILES.contains(name) {
                "it can be chosen for a new file only, and of the values that SQLite's documentation names"
            } else {
                VALUES
            }));
        }
    }
    Ok(())
}

/// Whether a value that was asked for is what a pragma answers.
fn is_same(name: &str, asked: &str, now: &str) -> bool {
    const WORDS: &[(&str, &str)] = &[
        ("on", "1"),
        ("yes", "1"),
        ("true", "1"),
        ("off", "0"),
        ("no", "0"),
        ("false", "0"),
        ("none", "0"),
        ("full", "1"),
        ("incremental", "2"),
        ("fast", "2"),
        ("UTF-16", "UTF-16le"),
        ("UTF-16", "UTF-16be"),
    ];
    // Where it is on, this one answers with a number of pages.
    let now = if name == "cache_spill" && now != "0" && asked.parse::<u32>().unwrap_or(1) == 1 { "1" } else { now };
    asked.eq_ignore_ascii_case(now)
        || WORDS.iter().any(|(word, number)| asked.eq_ignore_ascii_case(word) && now == *number)
}

/// What the settings of a session were when it was opened.
pub(crate) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// Reads them.
    pub(crate) fn read(handle: &Handle) -> Result<Self, Failure> {
        let mut settings = Vec::with_capacity(SETTINGS.len() + PARAMETERS.len());
        for name in SETTINGS.iter().chain(PARAMETERS).copied().filter(|name| *name != "busy_timeout") {
            if let Some(value) = read(handle, name)? {
                settings.push((name, value));
            }
        }
        Ok(Self(settings))
    }

    /// Gives a session the settings back that it was opened with, without attached databases and temporary objects.
    /// Outside of a transaction only. Names a setting that stays different.
    pub(crate) fn restore(&self, handle: &Handle, options: &Options) -> Result<Option<&'static str>, Failure> {
        const ATTACHED: &str =
            "SELECT 'DETACH \"' || replace(name, '\"', '\"\"') || '\"' FROM pragma_database_list WHERE seq > 1 LIMIT 1";
        while let Some(detach) = handle.first_text(ATTACHED)? {
            handle.execute(&detach)?;
        }
        // A change of the place where they are kept removes all temporary objects.
        let place = handle.first_text("PRAGMA temp_store")?;
        assign(handle, "temp_store", if place.as_deref() == Some("2") { "1" } else { "2" })?;
        let like = options.pragmas.iter().find(|(name, _)| *name == CASE_SENSITIVE_LIKE);
        assign(handle, CASE_SENSITIVE_LIKE, like.map_or("off", |(_, value)| value))?;
        for (name, value) in self.different(handle, options)? {
            assign(handle, name, &value)?;
        }
        // The first access to the file gives back the lock of `locking_mode=exclusive`.
        handle.execute(crate::open::SIGN_OF_LIFE)?;
        Ok(self.different(handle, options)?.first().map(|(name, _)| *name))
    }

    fn different(&self, handle: &Handle, options: &Options) -> Result<Vec<(&'static str, String)>, Failure> {
        let is_wal = crate::open::is_journal(handle, "wal")?;
        let mut different = Vec::new();
        for (name, value) in &self.0 {
            let now = read(handle, name)?.unwrap_or_default();
            let value = match *name {
                // WAL is the file's, whoever has switched it on or off.
                "journal_mode" if is_wal || value == "wal" => now.as_str(),
                // What is safe without WAL is more than it was with it.
                "synchronous" if options.synchronous.is_none() => {
                    if is_wal {
                        NORMAL
                    } else {
                        FULL
                    }
                }
                _ => value,
            };
            if now != value {
                different.push((*name, value.to_owned()));
            }
        }
        Ok(different)
    }
}

fn read(handle: &Handle, name: &str) -> Result<Option<String>, Failure> {
    // Asking for this one would switch it.
    if name == CASE_SENSITIVE_LIKE { Ok(None) } else { handle.first_text(&format!("PRAGMA {name}")) }
}

/// A value in quotes is a name or a number to a pragma, and never anything else.
fn assign(handle: &Handle, name: &str, value: &str) -> Result<(), Failure> {
    let value = if name == "secure_delete" && value == "2" { "fast" } else { value };
    handle.execute(&format!("PRAGMA {name} = '{}'", value.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_compared_as_sqlite_takes_them() {
        for (asked, now) in [("ON", "1"), ("no", "0"), ("-100", "-100"), ("fast", "2"), ("exclusive", "exclusive")] {
            assert!(is_same("x", asked, now), "{asked} {now}");
        }
        for (asked, now) in [("maybe", "0"), ("4096", "8192"), ("on", "0"), ("exklusiv", "normal")] {
            assert!(!is_same("x", asked, now), "{asked} {now}");
        }
        assert!(is_same("cache_spill", "on", "483") && !is_same("cache_spill", "off", "483"));
    }
}
