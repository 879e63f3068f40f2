//! What the contestants of the benchmark share.
//!
//! Each contestant is a process of its own, a worker: two copies of SQLite never meet, and the processor time and memory of
//! one are not those of another. A runner tells the workers, one at a time, which [`Case`] to run how often; see [`serve`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod case;
mod clock;
mod contestant;
mod memory;
mod request;
mod schema;
mod serve;
mod ticker;

pub use case::{Case, Place, Targets, Workload};
pub use clock::Spent;
pub use contestant::{Contestant, Subject};
pub use request::Request;
pub use schema::{
    COPIED, COPY, COPY_BINARY, COUNT, DIFFERENT, FETCH, INSERT, INSERT_THOUSAND, NAME, PIECE, POINT, POSTGRES_CLEAN,
    POSTGRES_SETUP, ROWS, SETUP, STREAM, copied_file, copied_rows, ids,
};
pub use serve::serve;
pub use ticker::Lateness;
