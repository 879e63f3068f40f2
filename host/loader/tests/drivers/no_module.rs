//! A library with the record of a driver and nothing else.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the record is all that is wanted")]
mod export;
