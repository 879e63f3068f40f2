//! Copies of a database to read from.

use crate::Database;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The replicas of a database, each with a pool of its own.
#[derive(Default)]
pub(crate) struct Replicas {
    all: Vec<Database>,
    next: AtomicUsize,
}

impl Replicas {
    pub(crate) fn new(all: Vec<Database>) -> Self {
        Self { all, next: AtomicUsize::new(0) }
    }

    /// The next one in turn that is not down.
    pub(crate) fn next(&self) -> Option<&Database> {
        let count = self.all.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..count).map(|offset| &self.all[first.wrapping_add(offset) % count]).find(|replica| replica.may_be_tried())
    }

    pub(crate) fn all(&self) -> &[Database] {
        &self.all
    }
}
