// The derive needs nothing in scope, and nothing in scope changes what it does.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused_qualifications, single_use_lifetimes)]

//! A crate that documents everything.

/// Shadows what generated code could name without its full path.
#[allow(missing_docs, dead_code, unused_macros)]
mod shadowing {
    pub struct Ok;
    pub struct Result;
    pub struct Vec;
    pub struct Field;
    pub struct Plan;
    pub struct Default;
    pub trait Push {
        fn push(self, _: ());
        fn next(self);
    }
    impl<T> Push for T {
        fn push(self, _: ()) {}
        fn next(self) {}
    }
}

#[allow(unused_imports)]
use shadowing::{Default, Field, Ok, Plan, Push, Result, Vec};

/// Fields named like what generated code has in scope.
#[derive(::montrs_orm::FromRow)]
pub struct Locals<'__row> {
    /// Documented.
    pub row: i64,
    /// Documented.
    pub plan: ::std::option::Option<i64>,
    /// Documented.
    pub columns: &'__row str,
    /// Documented.
    pub out: i64,
    /// Documented.
    pub __row: i64,
    /// Documented.
    pub __plan: i64,
    /// Documented.
    #[orm(default = __out)]
    pub __out: i64,
    /// Documented.
    #[orm(skip, default = __row)]
    pub self_: i64,
    /// Documented.
    pub r#type: i64,
    /// Documented.
    #[deprecated]
    #[orm(default)]
    pub old: i64,
}

fn __out() -> i64 {
    0
}

fn __row() -> i64 {
    0
}

/// Reads nothing.
#[derive(::montrs_orm::FromRow)]
pub struct Nothing {}

/// Reads nothing either.
#[derive(::montrs_orm::FromRow)]
pub struct Skipped {
    /// Documented.
    #[orm(skip)]
    pub cache: i64,
}

fn main() {}
