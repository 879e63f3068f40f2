//! The derive against a host that has only what generated code uses: rows of text.
//!
//! Generated code names `::montrs_orm`, so this crate calls itself that.

#![forbid(unsafe_code)]

extern crate self as montrs_orm;

mod host;
mod reading;

pub(crate) use host::{Columns, DbError, Decode, Field, FromRow, Plan, RowReader};
pub(crate) use montrs_orm_macros::FromRow;
