//! In the place of `coroutine`, on platforms that have none.

use std::{convert::Infallible, io, marker::PhantomData, thread, time::Duration};

/// Whether this platform has coroutines.
pub(crate) const ARE_SUPPORTED: bool = false;

/// Why work was paused.
#[allow(dead_code, reason = "no work is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    Spent,
    Waiting(Duration),
    Syncing,
}

/// Where work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Executor,
    Thread,
}

/// Where the code that asks runs: never on a coroutine.
pub(crate) fn place() -> Option<Place> {
    None
}

/// There is nothing to pause.
pub(crate) fn pause_if_spent() {}

/// There is nothing to pause.
pub(crate) fn pause(_: Pause) {}

/// A fiber, of which there are none.
pub(crate) struct Fiber<S>(Infallible, PhantomData<S>);

/// Work with a fiber's value.
pub(crate) struct Running<S, T>(Infallible, PhantomData<(S, fn() -> T)>);

/// How far work has come.
#[allow(dead_code, reason = "none does")]
pub(crate) enum Step<S, T> {
    Ended(Fiber<S>, thread::Result<T>),
    Paused(Running<S, T>, Pause),
}

impl<S> Fiber<S> {
    pub(crate) fn new(_: S) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn value(&mut self) -> &mut S {
        match self.0 {}
    }

    pub(crate) fn start<T>(self, _: Place, _: impl FnOnce(&mut S) -> T) -> Step<S, T> {
        match self.0 {}
    }
}

impl<S, T> Running<S, T> {
    pub(crate) fn go_on(self, _: Place) -> Step<S, T> {
        match self.0 {}
    }

    pub(crate) fn finish(self) -> Fiber<S> {
        match self.0 {}
    }
}
