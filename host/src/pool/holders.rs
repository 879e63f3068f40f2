//! Who holds the connections of a pool, and what the pool does with them meanwhile.

use super::Pool;
use std::{
    fmt::{self, Write},
    panic::Location,
    time::{Duration, Instant},
};

/// Who holds a connection, and since when.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    /// `None` is the pool itself.
    pub(super) at: Option<&'static Location<'static>>,
    pub(super) since: Instant,
}

/// What the pool does with a connection that is held, which may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Opening,
    Resetting,
    /// The hook of this name.
    Hook(&'static str),
}

/// The holders, by the numbers of their leases.
#[derive(Default)]
pub(super) struct Holders {
    all: Vec<Option<Holder>>,
    /// Numbers that no lease has.
    free: Vec<usize>,
    /// What the pool does for a lease, and since when. Kept apart, so that a lease without it pays nothing.
    activities: Vec<(usize, Activity, tokio::time::Instant)>,
}

impl Holders {
    /// Gives out a number.
    #[inline]
    pub(super) fn enter(&mut self, holder: Holder) -> usize {
        match self.free.pop() {
            Some(number) => {
                self.all[number] = Some(holder);
                number
            }
            None => {
                self.all.push(Some(holder));
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

    /// Where the connection of a lease was checked out.
    pub(super) fn place(&self, number: usize) -> Option<&'static Location<'static>> {
        self.all.get(number).copied().flatten()?.at
    }

    /// How many there are, with what the pool holds itself.
    pub(super) fn count(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Since when a connection is held that was given out first.
    pub(super) fn longest(&self) -> Option<Instant> {
        self.all.iter().flatten().filter(|holder| holder.at.is_some()).map(|holder| holder.since).min()
    }

    /// What the pool does for a lease, and for how long.
    pub(super) fn activity(&self, number: usize) -> Option<(Activity, Duration)> {
        let (_, activity, since) = self.activities.iter().find(|(of, ..)| *of == number)?;
        Some((*activity, since.elapsed()))
    }

    /// The places that hold connections, the longest first.
    pub(super) fn list(&self) -> String {
        const SHOWN: usize = 8;
        let mut holders: Vec<(Holder, usize)> =
            self.all.iter().zip(0..).filter_map(|(holder, number)| Some(((*holder)?, number))).collect();
        holders.sort_by_key(|(holder, _)| holder.since);
        if holders.is_empty() {
            return "they were given back just now".into();
        }
        let mut list = String::new();
        for (index, (holder, number)) in holders.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let seconds = holder.since.elapsed().as_secs_f64();
            let _ = write!(list, "{separator}held for {seconds:.1} s ");
            let _ = match holder.at {
                Some(at) => write!(list, "since {at}"),
                None => write!(list, "by the pool itself"),
            };
            if let Some((activity, time)) = self.activity(*number) {
                let _ = write!(list, " ({activity} for {:.1} s)", time.as_secs_f64());
            }
        }
        if holders.len() > SHOWN {
            let _ = write!(list, " and {} more", holders.len() - SHOWN);
        }
        list
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("being opened"),
            Self::Resetting => f.write_str("being reset"),
            Self::Hook(name) => write!(f, "running the hook {name}"),
        }
    }
}

/// Tells others what the pool does for a lease, until it is dropped.
pub(super) struct Doing {
    pool: Pool,
    number: usize,
}

impl Pool {
    pub(super) fn doing(&self, number: usize, activity: Activity) -> Doing {
        self.connections().holders.activities.push((number, activity, tokio::time::Instant::now()));
        Doing { pool: self.clone(), number }
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.pool.connections().holders.activities.retain(|(number, ..)| *number != self.number);
    }
}
