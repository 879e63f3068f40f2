//! Dropping futures half-way.

use montrs_tests::poll_then_drop;

/// More polls than any operation here needs.
const MOST_POLLS: usize = 1000;

/// Runs an operation that is dropped after no poll, after one, after two, …, until it once comes to its end. `check` is
/// run after each. Returns how often it was dropped, which depends on the weather where other threads do the work.
///
/// # Panics
///
/// When it does not come to its end.
pub(crate) async fn at_every_poll<T>(operation: impl AsyncFn() -> T, check: impl AsyncFn()) -> usize {
    for polls in 0..MOST_POLLS {
        let end = poll_then_drop(polls, operation()).await;
        let has_ended = end.is_some();
        drop(end);
        check().await;
        if has_ended {
            return polls;
        }
    }
    panic!("the operation did not end within {MOST_POLLS} polls");
}
