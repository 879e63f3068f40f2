//! Who holds the connections of a pool.

use std::{fmt::Write, panic::Location, time::Instant};

/// Who holds a connection, and since when.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    pub(super) at: &'static Location<'static>,
    pub(super) since: Instant,
}

/// The holders, by the numbers of their leases.
#[derive(Default)]
pub(super) struct Holders {
    /// `None` also for what the pool holds itself.
    all: Vec<Option<Holder>>,
    /// Numbers that no lease has.
    free: Vec<usize>,
}

impl Holders {
    /// Gives out a number.
    #[inline]
    pub(super) fn enter(&mut self, holder: Option<Holder>) -> usize {
        match self.free.pop() {
            Some(number) => {
                self.all[number] = holder;
                number
            }
            None => {
                self.all.push(holder);
                self.all.len() - 1
            }
        }
    }

    /// Takes a number back.
    #[inline]
    pub(super) fn leave(&mut self, number: usize) {
        self.all[number] = None;
        self.free.push(number);
    }

    /// How many there are, with what the pool holds itself.
    pub(super) fn count(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Since when a connection is held that was given out first.
    pub(super) fn longest(&self) -> Option<Instant> {
        self.all.iter().flatten().map(|holder| holder.since).min()
    }

    /// The places that hold connections, the longest first.
    pub(super) fn list(&self) -> String {
        const SHOWN: usize = 8;
        let mut holders: Vec<Holder> = self.all.iter().flatten().copied().collect();
        holders.sort_by_key(|holder| holder.since);
        if holders.is_empty() {
            return "they were given back just now".into();
        }
        let mut list = String::new();
        for (index, holder) in holders.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let seconds = holder.since.elapsed().as_secs_f64();
            let _ = write!(list, "{separator}held for {seconds:.1} s since {}", holder.at);
        }
        if holders.len() > SHOWN {
            let _ = write!(list, " and {} more", holders.len() - SHOWN);
        }
        list
    }
}
