//! SQLite for montrs-orm, as a driver that is loaded at run time.
//!
//! The way of a query, one file a layer:
//!
//! ```text
//! connection   the SDK's trait
//! execution    on the calling task (inline, coroutine), or on the host's blocking pool
//! session      the synchronous core: statements, transactions, errors
//! prepared     a statement's run: bind, step, batch
//! transfer     commands with rows, upload those that take bytes: backup, blob, image
//! statement    sqlite3_stmt*          handle    sqlite3*
//! ```
//!
//! # URLs
//!
//! `sqlite::memory:`, `sqlite:app.db`, `sqlite://app.db`, `sqlite:///data/app.db?mode=ro`. The path is percent-decoded.
//!
//! | parameter | values | default |
//! |---|---|---|
//! | `mode` | `ro`, `rw`, `rwc`, `memory` | `rwc`, or reading where the file is write-protected |
//! | `immutable` | a switch: the file never changes and is read without locks | off |
//! | `busy_timeout` | milliseconds to wait for a lock | 5000 |
//! | `foreign_keys` | a switch | on |
//! | `journal_mode` | `delete`, `truncate`, `persist`, `memory`, `wal` | `wal` for a new file, else what the file has |
//! | `synchronous` | `off`, `normal`, `full`, `extra` | `normal` with WAL, `full` without |
//! | `cache_size` | pages, or KiB where negative | SQLite's: -2000 |
//! | `mmap_size` | bytes of the file that are read through a memory map | 0 |
//! | `temp_store` | `default`, `file`, `memory` | `default`: files |
//! | `vfs` | the name of one of SQLite's file systems | the system's |
//! | `extension`, `extension.<entry>` | the absolute path of a library to load; several are allowed | none |
//! | `pragma.<name>` | any other setting of a connection, or of a new file | SQLite's |
//! | `execution` | `coroutine`, `blocking` | `coroutine` on 64-bit x86 and ARM without extensions, else `blocking` |
//!
//! A switch is `true`/`false`, `on`/`off`, `yes`/`no` or `1`/`0`.
//!
//! # Unsafe code
//!
//! Is in `handle`, `statement`, `backup`, `blob`, `image` and `vfs`, which call SQLite or are called by it; in one line of
//! `session`, which says that a session may change its thread; in one of `extension`, which asks who the user is; and in `coroutine`, which changes
//! stacks. [`export_driver!`] expands to some more.

mod backup;
mod binary_json;
mod bind;
mod blob;
mod columns;
mod command;
mod connection;
#[cfg_attr(
    any(montrs_no_coroutines, not(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))),
    path = "no_coroutine.rs"
)]
mod coroutine;
mod database;
mod datetime;
mod declared_type;
mod error;
mod execution;
mod explain;
mod extension;
mod governor;
mod handle;
mod image;
mod inline;
mod list;
mod many;
mod monitor;
mod nullability;
#[cfg_attr(not(unix), path = "no_one_copy.rs")]
mod one_copy;
mod open;
mod options;
mod placeholder;
mod pragma;
mod prepared;
mod registry;
mod row;
mod runtime;
mod script;
mod session;
mod session_state;
mod sql;
mod statement;
mod transaction;
mod transfer;
mod upload;
mod url;
mod vfs;

#[cfg(test)]
mod tests;

pub use connection::{SqliteConnection, SqliteRows, SqliteStatement};
pub use database::SqliteDatabase;

use montrs_driver_sdk::{Driver, Host, Reply, export_driver};

/// The driver.
pub struct Sqlite;

impl Driver for Sqlite {
    type Database = SqliteDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, SqliteDatabase> {
        options::Options::parse(url).map(|options| SqliteDatabase::new(options, host)).into()
    }

    fn redact(url: &str) -> String {
        url::redact(url)
    }
}

export_driver! {
    driver: Sqlite,
    name: "sqlite",
    schemes: ["sqlite"],
    traits: ["one-copy-per-process"],
}
