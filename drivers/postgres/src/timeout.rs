//! A future that may take so long and no longer.

use montrs_driver_sdk::Host;
use std::{pin::pin, task::Poll, time::Duration};

/// Waits for the future; `None` when it takes longer.
pub(crate) async fn within<T>(host: &Host, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut sleep) = (pin!(future), pin!(host.sleep(limit)));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}
