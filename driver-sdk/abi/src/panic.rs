//! Panics that must not cross.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs work whose panic has nobody to be reported to.
pub fn quietly(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        discard(payload);
    }
}

/// Drops what a panic carried, which may panic again.
pub fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..MOST_PANICS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(another) => payload = another,
        }
    }
    std::mem::forget(payload);
}

/// Whoever panics in the drop of what a panic carried may do so without an end: after so many it is leaked.
const MOST_PANICS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic::panic_any,
        sync::atomic::{AtomicUsize, Ordering},
    };

    #[test]
    fn what_a_panic_carried_is_dropped_even_when_that_panics() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
                panic!("expected by the test");
            }
        }
        quietly(|| panic_any(Bomb));
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
