//! No panic crosses the boundary.

use crate::{Error, ErrorKind, Reply, Result};
use montrs_driver_abi as abi;
pub(crate) use montrs_driver_abi::panic::quietly;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// Runs driver code, with a panic as an error.
#[inline]
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(panicked)
}

#[cold]
fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let error = Error::new(ErrorKind::PANICKED, format!("the driver panicked: {}", message(&*payload)));
    abi::panic::discard(payload);
    error
}

/// Runs the body of a slot.
#[inline]
pub(crate) fn slot<T, U>(convert: fn(T) -> U, work: impl FnOnce() -> Reply<'static, T>) -> abi::Reply<U>
where
    T: Send + 'static,
    U: 'static,
{
    match catch(work) {
        Ok(reply) => reply.into_abi(convert),
        Err(panic) => abi::Reply::now(Err(panic)),
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// A driver's future whose panics, also those of its drop, stay inside.
pub(crate) struct Guarded<T, U> {
    /// `None` once it has ended.
    future: Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>,
    convert: fn(T) -> U,
}

impl<T, U> Guarded<T, U> {
    pub(crate) fn new(future: Pin<Box<dyn Future<Output = Result<T>> + Send>>, convert: fn(T) -> U) -> Self {
        Self { future: Some(future), convert }
    }

    fn end(&mut self) {
        let future = self.future.take();
        quietly(move || drop(future));
    }
}

impl<T, U> Future for Guarded<T, U> {
    type Output = abi::DriverResult<U>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(Err(Error::protocol("a future was polled after its end")).into());
        };
        let result = match catch(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result.map(self.convert),
            Err(panic) => Err(panic),
        };
        self.end();
        Poll::Ready(result.into())
    }
}

impl<T, U> Drop for Guarded<T, U> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A spawned future whose panics end it, and nothing else.
pub(crate) struct QuietTask(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl QuietTask {
    pub(crate) fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }

    fn end(&mut self) {
        let future = self.0.take();
        quietly(move || drop(future));
    }
}

impl Future for QuietTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(());
        };
        if matches!(catch(|| future.as_mut().poll(cx)), Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        self.end();
        Poll::Ready(())
    }
}

impl Drop for QuietTask {
    fn drop(&mut self) {
        self.end();
    }
}
