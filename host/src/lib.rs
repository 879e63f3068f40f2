//! An async, SQL-first data layer whose database drivers are shared libraries, loaded at run time.
//!
//! An application is compiled once, without any database client in it. At deployment somebody puts a driver's library
//! into a plugins directory and sets `DATABASE_URL`; the URL's scheme selects the driver.
//!
//! ```no_run
//! use montrs_orm::{Database, DbError, FromRow};
//!
//! #[derive(FromRow)]
//! struct User {
//!     id: i64,
//!     name: String,
//! }
//!
//! # async fn example() -> Result<(), DbError> {
//! let db = Database::connect_env().await?; // DATABASE_URL
//! let user: User = db.query("SELECT id, name FROM users WHERE id = $1").bind(1).fetch_one().await?;
//! let n: i64 = db.query("SELECT count(*) FROM users").fetch_scalar().await?;
//! let done = db.execute("UPDATE users SET name = $1 WHERE id = $2").bind("Ada").bind(user.id).await?;
//! assert_eq!(done.rows_affected(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a query
//!
//! [`Database`] (a pool of connections) → [`Query`] (SQL and parameters) → driver → rows, in batches → [`FromRow`].
//! A [`Session`], which is what [`Connection`] and [`Transaction`] dereference to, takes the same calls as [`Database`].
//!
//! # What there is not
//!
//! No query DSL, no migrations, no implicit cache of results.

#![forbid(unsafe_code)]

mod ai_error;
mod array;
mod builder;
mod calendar;
mod check;
mod columns;
mod composite;
mod config;
mod connection;
mod cursor;
mod database;
mod decode;
mod encode;
mod error;
mod error_example;
mod error_fixes;
mod error_guide;
mod error_kind;
mod error_mark;
mod executor;
mod explain;
mod fetch_map;
mod from_row;
mod interval;
mod layout;
mod listener;
mod literal;
mod load;
mod many;
mod pace;
mod param_row;
mod parameters;
mod pipeline;
mod plan;
mod pool;
mod query;
mod query_builder;
mod replicas;
mod retry;
mod row;
mod row_reader;
mod script;
mod session;
mod source;
mod sql;
mod statement;
mod statement_info;
mod statements;
mod stream;
mod table;
mod transaction;
mod types;
mod upload;
mod value;
mod writer;

pub use ai_error::AiError;
pub use builder::DatabaseBuilder;
pub use check::Checks;
pub use columns::{Column, Columns};
#[doc(hidden)]
pub use composite::{CompositeReader, CompositeWriter};
pub use connection::Connection;
pub use cursor::Cursor;
pub use database::Database;
pub use decode::{Decode, DecodeError};
pub use encode::{Encode, EncodeError, Encoded};
pub use error::DbError;
pub use error_kind::DbErrorKind;
pub use executor::Executor;
pub use from_row::{Field, FromRow};
pub use interval::Interval;
pub use listener::{ListenEvent, Listener, Notification};
pub use load::Loader;
pub use many::ToParams;
pub use param_row::ParamRow;
pub use pipeline::{Expected, Pipelined};
pub use plan::Plan;
pub use pool::{HookFuture, PoolStatus};
pub use query::{Done, Query};
pub use query_builder::{QueryBuilder, Separated};
pub use retry::Retry;
pub use row::{ColumnIndex, Row};
pub use row_reader::RowReader;
pub use script::Script;
pub use session::Session;
pub use sql::{IntoSql, RuntimeSql, Sql};
pub use statement::{Statement, query};
pub use statement_info::{ParameterInfo, StatementInfo};
pub use stream::RowStream;
pub use table::{Keyed, Table};
pub use transaction::Transaction;
#[cfg(feature = "json")]
pub use types::Json;
pub use upload::Upload;
pub use value::Value;

#[doc(inline)]
pub use montrs_orm_macros::{FromRow, SqlType, Table, ToParams};

pub use montrs_driver_abi::{
    Access, Array, Capability, Dimension, Isolation, Kind, LockMode, Nullability, Timestamp, TransactionOptions,
    ValueRef,
};

/// Finding drivers: the search path, and what is in it.
pub mod drivers {
    pub use montrs_driver_loader::*;
}
