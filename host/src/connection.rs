//! A connection that was checked out.

use crate::{Session, pool::PooledSession};
use std::ops::{Deref, DerefMut};

/// One connection, for statements that must run on the same one. It dereferences to its [`Session`].
///
/// Dropping it gives it back to the pool, as good as new: what was left unfinished is stopped, an open transaction is
/// rolled back.
pub struct Connection(PooledSession);

impl Connection {
    pub(crate) fn new(session: PooledSession) -> Self {
        Self(session)
    }
}

impl Deref for Connection {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
