//! Write a database driver that montrs-orm loads at run time.
//!
//! A driver is a crate of type `cdylib` that implements three traits and exports itself:
//!
//! - [`Driver`]: makes a database of a URL;
//! - [`Database`]: opens connections;
//! - [`Connection`]: prepares statements, runs them, keeps transactions.
//!
//! ```
//! use montrs_driver_sdk::{
//!     Batch, Column, ColumnSet, Connection, ConnectionStatus, Database, Driver, Error, ErrorKind, Fetched, Host,
//!     NextBatch, Params, QueryOptions, Reply, ValueRef, export_driver,
//! };
//!
//! struct Echo;
//! struct EchoDatabase;
//! struct EchoConnection;
//!
//! impl Driver for Echo {
//!     type Database = EchoDatabase;
//!     fn open(_url: &str, _host: Host) -> Reply<'static, EchoDatabase> {
//!         Reply::ready(Ok(EchoDatabase))
//!     }
//!     fn redact(url: &str) -> String {
//!         url.to_owned() // This driver's URLs hold no secrets.
//!     }
//! }
//!
//! impl Database for EchoDatabase {
//!     type Connection = EchoConnection;
//!     fn connect(&self) -> Reply<'_, EchoConnection> {
//!         Reply::ready(Ok(EchoConnection))
//!     }
//! }
//!
//! /// Answers every statement with one row that holds the statement's text.
//! impl Connection for EchoConnection {
//!     type Statement = String;
//!     type Rows = ();
//!
//!     fn prepare(&mut self, sql: &str) -> Reply<'_, String> {
//!         Reply::ready(Ok(sql.to_owned()))
//!     }
//!
//!     fn query<'a>(
//!         &'a mut self,
//!         statement: &'a mut String,
//!         _parameters: Params<'_>,
//!         _options: QueryOptions,
//!         batch: &'a mut Batch,
//!     ) -> Reply<'a, Fetched<()>> {
//!         batch.clear(1);
//!         let row = batch.push(ValueRef::Text(statement));
//!         batch.end_row();
//!         Reply::ready(row.map(|()| Fetched::finished(ColumnSet::of([Column::named("sql")]), 0)))
//!     }
//!
//!     fn next<'a>(&'a mut self, _rows: &'a mut (), _batch: &'a mut Batch) -> Reply<'a, NextBatch> {
//!         Reply::ready(Err(Error::new(ErrorKind::PROTOCOL, "the result has ended")))
//!     }
//!
//!     fn reset(&mut self) -> Reply<'_, ()> {
//!         Reply::ready(Ok(()))
//!     }
//!
//!     fn status(&mut self) -> ConnectionStatus {
//!         ConnectionStatus::READY
//!     }
//! }
//!
//! export_driver! {
//!     driver: Echo,
//!     name: "echo",
//!     schemes: ["echo"],
//! }
//! # fn main() {}
//! ```
//!
//! # How to execute
//!
//! Driver and host have separate copies of every static, so a tokio that the driver links is not the host's: its
//! timers and sockets panic in a future that the host polls. There are three ways:
//!
//! - **Host sockets**, for a protocol that is spoken over a stream: [`Host::connect_tcp`] and [`Host::connect_unix`]
//!   give a [`Socket`], which implements tokio's I/O traits. No thread, no runtime.
//! - **[`Blocking`]**, for a library that blocks: the work runs on the host's blocking pool.
//! - **`OwnRuntime`** (feature `own-runtime`), for a library that insists on its own tokio.
//!
//! # What the SDK keeps for you
//!
//! Panics are caught at every slot, in every future and in every drop, and become errors of kind
//! [`ErrorKind::PANICKED`]. Authors need no `unsafe`.

mod blocking;
mod connection;
mod database;
mod driver;
#[doc(hidden)]
pub mod export;
mod guard;
mod host;
mod many;
#[cfg(feature = "own-runtime")]
mod own_runtime;
mod pipeline;
mod reply;
mod rows;
mod socket;
mod statement;
mod upload;

pub use blocking::Blocking;
pub use connection::{Connection, Fetched};
pub use database::Database;
pub use driver::Driver;
pub use host::{Host, Task};
#[cfg(feature = "own-runtime")]
pub use own_runtime::OwnRuntime;
pub use pipeline::Answers;
pub use reply::Reply;
pub use socket::Socket;

pub use montrs_driver_abi::{
    Access, Array, Batch, BatchError, Capability, Column, ColumnSet, ConnectionStatus, Description, Dimension,
    DriverError as Error, ErrorKind, Isolation, Kind, LockMode, LogLevel, ManyReply, NextBatch, Nullability,
    ParamBuffer, Parameter, Params, PipelineStep, QueryOptions, RowBatch, TcpOptions, Timestamp, TransactionOptions,
    UseValue, ValueRef, record,
};

pub use montrs_driver_abi::abi_stable::std_types::RArc;

/// What an operation of a driver ends with.
pub type Result<T, E = Error> = std::result::Result<T, E>;
