//! What an application wants to be done when a connection is opened, given out or given back.

use crate::{DbError, DbErrorKind, Session};
use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::time::timeout;

/// What a hook of [`DatabaseBuilder`](crate::DatabaseBuilder) returns: a future in a box.
pub type HookFuture<'s> = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 's>>;

/// A hook; see [`DatabaseBuilder`](crate::DatabaseBuilder).
pub(crate) type Hook = Arc<dyn for<'s> Fn(&'s mut Session) -> HookFuture<'s> + Send + Sync>;

/// The hooks of a pool.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) after_connect: Option<Hook>,
    pub(crate) before_acquire: Option<Hook>,
    pub(crate) after_release: Option<Hook>,
}

/// Runs a hook, if there is one. A panic of it, and too long a time, are errors.
pub(super) async fn run(
    hook: Option<&Hook>,
    name: &str,
    session: &mut Session,
    limit: Duration,
) -> Result<(), DbError> {
    let Some(hook) = hook else { return Ok(()) };
    let failed = |what: &str| DbError::new(DbErrorKind::Connection, format!("the hook {name} {what}"));
    // The call of the hook is part of the future, and so of what is caught.
    let mut future = pin!(async move { hook(session).await });
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => {
            // Its drop might panic again.
            std::mem::forget(payload);
            Poll::Ready(Err(failed("panicked")))
        }
    });
    match timeout(limit, caught).await {
        Ok(done) => done.map_err(|error| error.during(format_args!("the hook {name} failed"))),
        Err(_) => Err(failed(&format!("took longer than {limit:?}"))),
    }
}
