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
    /// How many are kept…
    capacity: usize,
    /// …and how many more for the pipeline that is being run.
    room: usize,
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
        Self { all: Vec::new(), by_text: LruCache::unbounded(), capacity: capacity.get(), room: 0, current: 0 }
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
        self.drop_oldest(self.capacity.saturating_add(self.room) - 1);
        self.current = self.all.len();
        self.by_text.put(text.clone(), self.current);
        self.all.push(Prepared { statement, layout: Layout::new(text), writes });
    }

    /// Keeps so many more, until [`shrink`](Self::shrink): those of a pipeline are needed together.
    pub(crate) fn make_room(&mut self, count: usize) {
        self.room = self.room.saturating_add(count);
    }

    /// Drops what is too many.
    pub(crate) fn shrink(&mut self) {
        self.room = 0;
        self.drop_oldest(self.capacity);
    }

    /// Drops the least recently used ones, until no more than so many are left.
    fn drop_oldest(&mut self, left: usize) {
        while self.by_text.len() > left
            && let Some((_, index)) = self.by_text.pop_lru()
        {
            self.all.swap_remove(index);
            if let Some(place) = self.all.get(index).and_then(|moved| self.by_text.peek_mut(moved.layout.text())) {
                *place = index;
            }
            if self.current == self.all.len() {
                self.current = index;
            }
        }
    }

    /// The statements of these texts, each once, with their layouts; and for each text which of them is its own. One that is
    /// missing has none.
    pub(crate) fn several<'a>(
        &mut self,
        texts: impl Iterator<Item = &'a Sql>,
    ) -> (Vec<&mut Statement>, Vec<&mut Layout>, Vec<Option<usize>>) {
        let mut own: Vec<Option<usize>> = texts.map(|text| self.find(text).then_some(self.current)).collect();
        // In the order of `all`, so that each is borrowed once.
        let mut wanted = vec![None; self.all.len()];
        own.iter().flatten().for_each(|index| wanted[*index] = Some(0));
        for (place, wanted) in wanted.iter_mut().flatten().enumerate() {
            *wanted = place;
        }
        own.iter_mut().for_each(|own| *own = own.and_then(|index| wanted[index]));
        let several = self.all.iter_mut().zip(&wanted).filter(|(_, wanted)| wanted.is_some());
        let (statements, layouts) =
            several.map(|(prepared, _)| (&mut prepared.statement, &mut prepared.layout)).unzip();
        (statements, layouts, own)
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
