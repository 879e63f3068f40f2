//! An answer now, or later.

use crate::{Error, Result, guard::Guarded};
use montrs_driver_abi as abi;
use std::pin::Pin;

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The answer of an operation: there already, or a future for it.
///
/// Whatever can be answered without waiting should be: such an answer costs no allocation and no second call.
///
/// A future may borrow the connection and the statement, but not the SQL text or the parameters: they are valid during
/// the call only, and the compiler holds you to that. The host may drop the future at any time; what is left to do
/// then is the business of [`Connection::reset`](crate::Connection::reset).
pub struct Reply<'a, T>(Inner<'a, T>);

enum Inner<'a, T> {
    Ready(Result<T>),
    Later(Later<'a, T>),
}

impl<'a, T> Reply<'a, T> {
    /// The operation has ended.
    #[inline]
    pub fn ready(result: Result<T>) -> Self {
        Self(Inner::Ready(result))
    }

    /// The operation goes on in this future.
    pub fn later(future: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Self(Inner::Later(Box::pin(future)))
    }

    /// The same, with its value changed.
    #[inline]
    pub fn map<U: 'a>(self, change: impl FnOnce(T) -> U + Send + 'a) -> Reply<'a, U>
    where
        T: 'a,
    {
        match self.0 {
            Inner::Ready(result) => Reply::ready(result.map(change)),
            Inner::Later(future) => Reply::later(async move { future.await.map(change) }),
        }
    }

    /// The result, once it is there.
    pub(crate) async fn wait(self) -> Result<T> {
        match self.0 {
            Inner::Ready(result) => result,
            Inner::Later(future) => future.await,
        }
    }

    /// The operation cannot be done by this driver: an error of kind
    /// [`ErrorKind::UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED).
    pub fn unsupported(what: &str) -> Self {
        Self::ready(Err(Error::new(crate::ErrorKind::UNSUPPORTED, format!("the driver does not support {what}"))))
    }
}

impl<T> From<Result<T>> for Reply<'_, T> {
    fn from(result: Result<T>) -> Self {
        Self::ready(result)
    }
}

impl<T: Send + 'static> Reply<'static, T> {
    /// Sends the reply over the boundary, its value changed to the form that crosses.
    #[inline(always)]
    pub(crate) fn into_abi<U: 'static>(self, convert: fn(T) -> U) -> abi::Reply<U> {
        match self.0 {
            Inner::Ready(result) => abi::Reply::now(result.map(convert)),
            Inner::Later(future) => abi::Reply::later(abi::async_ffi::FfiFuture::new(Guarded::new(future, convert))),
        }
    }
}
