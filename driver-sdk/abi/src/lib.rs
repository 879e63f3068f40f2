//! The stable ABI between the montrs-orm host and its database drivers, and nothing else.
//!
//! A driver is a shared library with one root module, [`DriverModule`]. The layers follow the way of a query:
//!
//! ```text
//! DriverModule -> DatabaseObject -> ConnectionObject -> StatementObject -> RowsObject
//!  one a library    one a URL         one a session       one a SQL text     one an open result
//! ```
//!
//! Each object is a data pointer and a table of functions. Rows cross in [`Batch`]es and parameters as [`Params`], both
//! made of the same [`Cell`]s. What a driver needs of its host (sockets, timers, tasks, threads, a log) is in
//! [`HostServices`].
//!
//! # Rules that hold for every slot
//!
//! - **Who calls.** The host calls the slots of the driver's tables; the driver calls the slots of [`HostServices`],
//!   [`SocketObject`] and [`TaskObject`]. Both go through safe wrappers: `montrs-driver-loader` and
//!   `montrs-driver-sdk`.
//! - **Threads.** Any thread may call. Calls on one connection, its statements and its rows never overlap: the host
//!   has exclusive access to all of them for the call *and* for as long as the future in its [`Reply`] lives. A
//!   driver may therefore keep pointers to the connection in that future. Calls on a driver module or a database may
//!   overlap.
//! - **Answers.** A slot that returns a [`Reply`] answers at once or hands back a future. Such a slot must not block
//!   the calling thread for longer than a system call on a local file takes.
//! - **Borrowed arguments** (`RStr`, `RSlice`, [`Params`]) are valid during the call only. What outlives it is copied.
//! - **Dropping** a future is always allowed and never blocks. After an unfinished future was dropped, only `reset`,
//!   `status`, `close` and `drop` may be called on the connection until `reset` has succeeded; statements may be
//!   dropped.
//! - **Errors** are values. After an error the object can be used on, unless the error's kind or `status` says that
//!   the connection is broken.
//! - **Panics** do not cross. A slot or future that panics answers with [`ErrorKind::PANICKED`]; the host then treats
//!   the connection as broken.
//! - **Freeing.** Whoever holds an object drops it, by its `drop` slot; containers carry their own deallocator, so
//!   either side may free what the other has allocated.
//!
//! # Growing
//!
//! Tables grow at their end only. A slot that an older side lacks reads as `None`. Numbers that name things
//! ([`ErrorKind`], [`Kind`], [`Capability`]) are open: a reader that meets one it does not know treats it as "other".
//!
//! What version 1.0 has stays as it is for all versions 1.x: a driver that was built for 1.0 works with every host of 1.x,
//! and a host of 1.0 with every driver of 1.x that does not ask for more.

#![allow(non_local_definitions, reason = "abi_stable's derives of 0.11 expand to such items")]

#[macro_use]
mod object;

mod array;
mod batch;
mod capability;
mod cell;
mod column;
mod connection;
mod database;
mod driver;
mod error;
pub mod panic;
mod params;
mod pipeline;
pub mod record;
mod reply;
mod rows;
mod services;
mod socket;
mod statement;
mod task;
mod transaction;

pub use abi_stable;
pub use async_ffi;

pub use array::{Array, ArrayError, Dimension};
pub use batch::{Batch, BatchError, RowBatch};
pub use capability::Capability;
pub use cell::{Cell, Kind, Timestamp, UseValue, ValueRef, write_value};
pub use column::{Column, ColumnSet, Nullability};
pub use connection::{ConnectionObject, ConnectionStatus, ConnectionVtable, ConnectionVtableRef, Span};
pub use database::{DatabaseObject, DatabaseVtable, DatabaseVtableRef};
pub use driver::{DriverModule, DriverModuleRef};
pub use error::{DriverError, ErrorKind, ErrorRecord};
pub use params::{ParamBuffer, Params};
pub use pipeline::{AnswerSink, PipelineAnswer, PipelineStep};
pub use reply::{DriverResult, Reply};
pub use rows::{NextBatch, RowsObject, RowsVtable, RowsVtableRef};
pub use services::{
    HostServices, HostServicesVtable, HostServicesVtableRef, IoFailure, IoResult, LogLevel, TcpOptions,
};
pub use socket::{Shutdown, SocketObject, SocketVtable, SocketVtableRef, Transferred};
pub use statement::{
    Description, ManyReply, Parameter, QueryOptions, QueryReply, StatementObject, StatementVtable, StatementVtableRef,
};
pub use task::{Job, TaskObject, TaskVtable, TaskVtableRef};
pub use transaction::{Access, Isolation, LockMode, TransactionOptions};

/// The version of this ABI, as Semantic Versioning 2.0 has it.
pub const ABI_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The oldest ABI whose hosts can use a driver that is compiled against this one.
pub const ABI_MIN_VERSION: &str = "1.0.0";
