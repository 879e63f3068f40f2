//! The prepared statements of a session, the least recently used dropped first.

use crate::{Sql, layout::Layout};
use lru::LruCache;
use montrs_driver_loader::Statement;
use std::{num::NonZeroUsize, ptr};

/// The prepared statements of a session.
pub(crate) struct Statements {
    all: Vec<Prepared>,
    /// Where in `all` the statement of a text is. Without a limit of its own, for which it would reserve the memory at once.
    by_text: LruCache<Sql, usize>,
    capacity: NonZeroUsize,
    /// Where the statement is that was used last.
    current: usize,
}

/// A prepared statement.
pub(crate) struct Prepared {
    pub(crate) statement: Statement,
    /// Of its results.
    pub(crate) layout: Layout,
    /// Whether it waits for a turn to write.
    pub(crate) writes: bool,
}

impl Statements {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { all: Vec::new(), by_text: LruCache::unbounded(), capacity, current: 0 }
    }

    /// Finds the statement of this text, which is the current one from now on.
    #[inline]
    pub(crate) fn find(&mut self, text: &Sql) -> bool {
        // A literal that is run again lies where it lay before.
        if self.all.get(self.current).is_some_and(|current| ptr::eq(current.layout.sql(), text.as_str())) {
            return true;
        }
        let found = self.by_text.get(text);
        self.current = found.copied().unwrap_or(self.current);
        found.is_some()
    }

    /// Takes a statement in, which is the current one from now on.
    pub(crate) fn add(&mut self, text: Sql, statement: Statement, writes: bool) {
        let prepared = Prepared { statement, layout: Layout::new(text.clone()), writes };
        let is_full = self.by_text.len() == self.capacity.get();
        let oldest = if is_full { self.by_text.pop_lru() } else { None };
        self.current = oldest.map_or(self.all.len(), |(_, index)| index);
        self.by_text.put(text, self.current);
        match self.all.get_mut(self.current) {
            Some(place) => *place = prepared,
            None => self.all.push(prepared),
        }
    }

    /// The statement that was found or added last.
    #[inline]
    pub(crate) fn current(&self) -> &Prepared {
        &self.all[self.current]
    }

    #[inline]
    pub(crate) fn current_mut(&mut self) -> &mut Prepared {
        &mut self.all[self.current]
    }
}
