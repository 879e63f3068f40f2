//! Where a query is run.

use crate::{Database, DbError, session::Session, transaction::SessionRef};
use std::panic::Location;

/// Where a query gets its connection from.
pub(crate) enum Source<'e> {
    /// Any connection of the pool; the place is the caller's.
    Pool(&'e Database, &'static Location<'static>),
    /// This one.
    Session(&'e mut Session),
}

impl<'e> Source<'e> {
    /// The database, where those who write through its pool queue.
    #[inline]
    pub(crate) fn queueing(&self) -> Option<(&'e Database, &'static Location<'static>)> {
        match *self {
            Self::Pool(database, at) if database.queues_writers() => Some((database, at)),
            _ => None,
        }
    }

    pub(crate) async fn session(self) -> Result<SessionRef<'e>, DbError> {
        Ok(match self {
            Self::Pool(database, at) => SessionRef::Pooled(match database.try_checkout(at) {
                Some(session) => session,
                // In a box: the pool's future is large, and would be part of every query's.
                None => Box::pin(database.checkout(at)).await?,
            }),
            Self::Session(session) => SessionRef::Borrowed(session),
        })
    }
}
