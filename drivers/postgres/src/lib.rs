//! PostgreSQL for montrs-orm, as a driver that is loaded at run time.
//!
//! The way of a query, one file a layer:
//!
//! ```text
//! connection   the SDK's trait
//! query        Bind, Execute, rows into batches        statement    Parse, Describe
//! many         one statement for many rows, pipelined
//! command      what is no statement: copy_in, copy_out, listen
//! copy_binary  rows in COPY's binary format            numeric      decimals in binary
//! text         `:name` and positions in errors         token        the words of SQL
//! encode       parameters as the server takes them     decode       values as they cross
//! session      one request and its answer, in the caller's task
//! wire         messages over a stream                  stream       a socket of the host's, with TLS or without
//! ```
//!
//! A connection is made by `connect` (which server), `startup` (logging in) and `tls`; what is abandoned is put right by
//! `reset` and `cancel`. There is no thread, no runtime and no task behind a connection.
//!
//! URLs, types and all else that users need are in `docs/postgres.md`.

#![forbid(unsafe_code)]

mod array;
mod cancel;
mod catalog;
mod certificate;
mod choice;
mod command;
mod connect;
mod connection;
mod copy_binary;
mod copy_in;
mod copy_out;
mod database;
mod datetime;
mod decode;
mod encode;
mod endpoint;
mod error;
mod listen;
mod many;
mod message;
mod numeric;
mod options;
mod passfile;
mod permissions;
mod pipeline;
mod print;
mod query;
mod request;
mod reset;
mod rows;
mod script;
mod secret;
mod session;
mod settings;
mod shape;
mod sql;
mod startup;
mod statement;
mod stream;
mod target;
mod text;
mod timeout;
mod tls;
mod token;
mod transaction;
mod types;
mod unsupported;
mod url;
mod wire;

pub use command::PgResult;
pub use connection::PgConnection;
pub use copy_out::CopyRows;
pub use database::PgDatabase;
pub use listen::Notifications;
pub use rows::PgRows;
pub use statement::PgStatement;

use montrs_driver_sdk::{Driver, Host, Reply, export_driver};

/// The driver.
pub struct Postgres;

impl Driver for Postgres {
    type Database = PgDatabase;

    fn open(url: &str, host: Host) -> Reply<'static, PgDatabase> {
        Reply::later(PgDatabase::open(url.to_owned(), host))
    }

    fn redact(url: &str) -> String {
        url::redact(url)
    }
}

export_driver! {
    driver: Postgres,
    name: "postgres",
    schemes: ["postgres", "postgresql"],
}
