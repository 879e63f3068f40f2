//! Throwaway PostgreSQL servers for tests.
//!
//! They are made from the PostgreSQL that this system has, listen on a free port of the loopback interface and on a Unix socket,
//! and run as this user, or as `nobody` where this user is root. Each lies in a directory of its own and takes half a
//! second to a second.
//!
//! Most tests need a database, not a server:
//!
//! ```no_run
//! use montrs_test_clusters::TestDatabase;
//!
//! let database = TestDatabase::new(); // Fresh and empty; dropped with the value.
//! database.sql("CREATE TABLE users (id bigint)");
//! let url = database.url(); // For the driver.
//! ```
//!
//! It is made on *the server under test*: the one that the environment variable `MONTRS_TEST_POSTGRES` names by a URL, as
//! `cargo xtask test` sets it, or else one that this process starts when it is first asked for. What is done to a server
//! itself, such as killing it, is done to one of one's own:
//!
//! ```no_run
//! use montrs_test_clusters::{Bouncer, Certificate, Cluster, Replicated, Shutdown};
//!
//! let mut cluster = Cluster::plain();
//! cluster.stop(Shutdown::Immediate);
//! cluster.run();
//!
//! let mut tls = Cluster::tls(); // Refuses connections without TLS. Its users: `tls::users`.
//! tls.present(Certificate::Expired);
//!
//! let bouncer = Bouncer::start(&cluster, 0); // Transaction mode, without prepared statements.
//!
//! let replicated = Replicated::start(); // A primary and its streaming standby.
//! replicated.promote();
//! ```
//!
//! # No server outlives its test
//!
//! Everything of a server is done by a shell that stands between it and the test (`supervise.sh`). It ends when the other
//! end of its standard input is closed: by the drop of a [`Cluster`], by the end of the process for one in a `static`, and
//! by the system when the process was killed. It then stops the server and removes the directory.

#![forbid(unsafe_code)]

mod account;
mod bouncer;
mod certificates;
mod cluster;
mod database;
mod installation;
mod replicated;
mod settings;
mod shell;
mod sql;
mod supervisor;
mod url;

pub mod tls;

pub use bouncer::Bouncer;
pub use certificates::Certificate;
pub use cluster::{Cluster, Shutdown};
pub use database::{TestDatabase, server_under_test};
pub use installation::{Installation, NEWER_DIRECTORY};
pub use replicated::Replicated;
pub use sql::sql;
