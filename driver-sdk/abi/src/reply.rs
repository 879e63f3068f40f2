//! An answer now, or a future for it.

use crate::DriverError;
use abi_stable::{
    StableAbi,
    std_types::{ROption, RResult},
};
use async_ffi::FfiFuture;

/// What an operation ends with.
pub type DriverResult<T> = RResult<T, DriverError>;

/// The answer of a slot: there already, or to be awaited.
///
/// Most short operations of an embedded database end during the call. They then cost neither an allocation nor a
/// second call across the boundary.
#[repr(C)]
#[derive(StableAbi)]
pub struct Reply<T> {
    now: ROption<DriverResult<T>>,
    later: ROption<FfiFuture<DriverResult<T>>>,
}

impl<T> Reply<T> {
    /// The operation has ended.
    #[inline]
    pub fn now(result: Result<T, DriverError>) -> Self {
        Self { now: ROption::RSome(result.into()), later: ROption::RNone }
    }

    /// The operation goes on while the future is polled; dropping the future abandons it.
    #[inline]
    pub fn later(future: FfiFuture<DriverResult<T>>) -> Self {
        Self { now: ROption::RNone, later: ROption::RSome(future) }
    }

    /// The result where it is there already, otherwise the future for it.
    ///
    /// A reply with neither is a fault of the driver and reads as an error.
    #[inline]
    pub fn into_result(self) -> Result<Result<T, DriverError>, FfiFuture<DriverResult<T>>> {
        match (self.now, self.later) {
            (ROption::RSome(result), _) => Ok(result.into_result()),
            (ROption::RNone, ROption::RSome(future)) => Err(future),
            (ROption::RNone, ROption::RNone) => {
                Ok(Err(DriverError::protocol("the driver answered with neither a result nor a future")))
            }
        }
    }
}
