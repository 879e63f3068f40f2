//! What an application wants to be done when a connection is opened, given out or given back.

use super::{Pool, holders::Activity};
use crate::{DbError, DbErrorKind, Session};
use std::{
    any::Any,
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

/// When a hook is run.
#[derive(Clone, Copy)]
pub(super) enum Event {
    AfterConnect,
    BeforeAcquire,
    AfterRelease,
}

impl Pool {
    /// Runs the hook for this event, if there is one, for the lease of this number. A panic of it, and too long a time, are
    /// errors.
    pub(super) async fn run_hook(
        &self,
        event: Event,
        number: usize,
        session: &mut Session,
        limit: Duration,
    ) -> Result<(), DbError> {
        let hooks = &self.0.hooks;
        let (hook, name) = match event {
            Event::AfterConnect => (&hooks.after_connect, "after_connect"),
            Event::BeforeAcquire => (&hooks.before_acquire, "before_acquire"),
            Event::AfterRelease => (&hooks.after_release, "after_release"),
        };
        let Some(hook) = hook else { return Ok(()) };
        let _doing = self.doing(number, Activity::Hook(name));
        // The call of the hook is part of the future, and so of what is caught.
        let mut future = pin!(async move { hook(session).await });
        let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map_err(|error| error.during(format_args!("the hook {name} failed"))),
            Err(payload) => Poll::Ready(Err(panicked(name, payload))),
        });
        timeout(limit, caught).await.unwrap_or_else(|_| {
            let message = format!("the hook {name} did not end within {limit:.1?}");
            Err(DbError::new(DbErrorKind::PoolTimeout, message).fixed_by(MEND_IT))
        })
    }
}

/// For a hook that takes too long.
pub(super) const MEND_IT: &str = "Give what the hook waits for a limit of time, or raise acquire_timeout.";

/// The hook is a setting of the program's, and wrong.
#[cold]
fn panicked(name: &str, payload: Box<dyn Any + Send>) -> DbError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = format!("the hook {name} panicked: {}", text.unwrap_or("it does not say why"));
    // Its drop might panic again.
    std::mem::forget(payload);
    DbError::new(DbErrorKind::Configuration, message)
        .fixed_by(format!("Mend the hook {name} of the DatabaseBuilder: it returns what fails as an error."))
}
