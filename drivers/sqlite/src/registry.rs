//! The statements of a session, and the tokens that stand for them outside of it.
//!
//! Tokens may be dropped anywhere and at any time: while other work uses the connection on another thread, and after
//! the connection. A statement must then be finalized by whoever has the connection. So a token only leaves a note, and
//! the session finalizes when it works next, or when it is closed.

use crate::prepared::Prepared;
use montrs_driver_sdk::{Error, Result};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// The statements that a session has prepared.
#[derive(Default)]
pub(crate) struct Registry {
    /// By the number of their token.
    statements: Vec<Option<Prepared>>,
    free: Vec<usize>,
    notes: Arc<Notes>,
}

/// Stands for a statement. Dropping the token gives the statement up.
#[derive(Debug)]
pub(crate) struct Token {
    number: usize,
    notes: Arc<Notes>,
}

/// Names a statement for as long as its token lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    number: usize,
    /// The address of the registry's notes, which no other registry has while the token lives.
    registry: usize,
}

/// Which statements are given up.
#[derive(Debug, Default)]
struct Notes {
    /// Spares the lock when there are none.
    has_some: AtomicBool,
    given_up: Mutex<Vec<usize>>,
    is_closed: AtomicBool,
}

impl Registry {
    /// Takes a statement in.
    pub(crate) fn add(&mut self, prepared: Prepared) -> Token {
        let number = self.free.pop().unwrap_or(self.statements.len());
        if number == self.statements.len() {
            self.statements.push(None);
        }
        self.statements[number] = Some(prepared);
        Token { number, notes: self.notes.clone() }
    }

    /// The statement of this name.
    ///
    /// # Errors
    ///
    /// When it is of another connection.
    #[inline]
    pub(crate) fn get(&mut self, name: Name) -> Result<&mut Prepared> {
        let is_ours = name.registry == Arc::as_ptr(&self.notes).addr();
        let statement = if is_ours { self.statements.get_mut(name.number) } else { None };
        statement.and_then(Option::as_mut).ok_or_else(of_another)
    }

    /// The statements with an unfinished run.
    pub(crate) fn running(&mut self) -> impl Iterator<Item = &mut Prepared> {
        self.statements.iter_mut().flatten().filter(|prepared| prepared.is_running())
    }

    /// Finalizes what was given up.
    #[inline]
    pub(crate) fn tidy(&mut self) {
        if self.notes.has_some.load(Ordering::Relaxed) && self.notes.has_some.swap(false, Ordering::Acquire) {
            self.finalize();
        }
    }

    #[cold]
    fn finalize(&mut self) {
        let given_up = std::mem::take(&mut *self.notes.lock());
        for number in given_up {
            if let Some(statement) = self.statements.get_mut(number) {
                *statement = None;
                self.free.push(number);
            }
        }
    }

    /// How many statements there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.statements.iter().flatten().count()
    }
}

#[cold]
fn of_another() -> Error {
    Error::protocol("the statement belongs to another connection")
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Nobody reads notes any more.
        self.notes.is_closed.store(true, Ordering::Relaxed);
        self.notes.lock().clear();
    }
}

impl Token {
    /// What operations know the statement by.
    pub(crate) fn name(&self) -> Name {
        Name { number: self.number, registry: Arc::as_ptr(&self.notes).addr() }
    }
}

impl Notes {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.notes.is_closed.load(Ordering::Relaxed) {
            self.notes.lock().push(self.number);
            self.notes.has_some.store(true, Ordering::Release);
        }
    }
}
