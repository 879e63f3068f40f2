//! Finds, trusts and opens the database drivers of montrs-orm.
//!
//! A driver is a shared library that somebody put into a plugin directory. The way from a URL to an opened driver:
//!
//! 1. [`Scheme`]: the URL's scheme is all that is read of it.
//! 2. [`SearchPath`]: the directories to look in, each with where it comes from.
//! 3. [`Scan`]: which files there are drivers. Each carries a [`DriverRecord`] in a section of its own, so that none of
//!    its code needs to run. A file that others than the user and root can change, or that is no whole library for
//!    this machine, gets a [`Refusal`].
//! 4. The newest version that serves the scheme is read whole, judged again by the bytes that were read, copied to a
//!    private place, and that copy is opened: [`LoadedDriver`].
//! 5. [`Database`] and [`Connection`]: safe handles on what the driver makes, which keep the host's side of the ABI's
//!    rules. Sockets, timers and tasks for the driver run on the tokio runtime that the database was opened with.
//!
//! [`Loader`] does the first four.
//!
//! # What is checked, and what cannot be
//!
//! Before a file is trusted, it is read, in bounds, and nothing else. After that it is code in this process: its panics
//! are caught, its crashes and hangs are not.
//!
//!
//! # Unsafe code
//!
//! Opening a library and calling into it cannot be checked by the compiler. `unsafe` lives in `open` (the only
//! `dlopen`), in `privileges` (one question to the C library), in `database` and `connection` (calls to the driver), and
//! in `services` and `socket` (calls from it).

#![deny(unsafe_code)]

mod candidate;
#[allow(unsafe_code, reason = "calls to the driver cannot be checked by the compiler")]
mod connection;
mod content_hash;
#[allow(unsafe_code, reason = "calls to the driver cannot be checked by the compiler")]
mod database;
mod error;
mod image;
mod known_files;
mod layout;
mod loader;
mod one_copy;
#[allow(unsafe_code, reason = "opening a library cannot be checked by the compiler")]
mod open;
mod private_copy;
#[allow(unsafe_code, reason = "std does not say whether privileges are raised")]
mod privileges;
mod record;
mod refusal;
mod scan;
mod scheme;
mod search_path;
mod select;
#[allow(unsafe_code, reason = "calls from the driver cannot be checked by the compiler")]
mod services;
#[allow(unsafe_code, reason = "calls from the driver cannot be checked by the compiler")]
mod socket;
mod trust;

pub use connection::{Connection, QueryResult, Rows, Started, Statement, TakeAnswer};
pub use content_hash::ContentHash;
pub use database::Database;
pub use error::{LoadError, LoadErrorKind};
pub use loader::{LoadedDriver, Loader};
pub use one_copy::OpenGuard;
pub use record::{DriverRecord, PanicStrategy};
pub use refusal::{Refusal, RefusalKind};
pub use scan::{Candidate, Contents, DirectoryOutcome, MAX_CANDIDATES, MAX_ENTRIES, Scan, ScannedDirectory};
pub use scheme::Scheme;
pub use search_path::{IgnoredSource, PLUGINS_VARIABLE, SearchDirectory, SearchPath, Source};
