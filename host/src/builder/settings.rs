//! The settings of a pool, and whether they make sense.

use super::DatabaseBuilder;
use crate::{DbError, DbErrorKind, pool::PoolOptions};
use std::{num::NonZeroUsize, time::Duration};

/// A shorter time is a mistake, mostly one of the unit.
const SHORTEST: Duration = Duration::from_millis(1);

impl DatabaseBuilder {
    /// The settings of the pool, unless they make no sense.
    pub(super) fn pool_options(&self) -> Result<PoolOptions, DbError> {
        let positive = |name: &str, value: usize| {
            let wrong = || wrong(format!("{name} is 0")).fixed_by(format!("Set {name} to 1 or more."));
            NonZeroUsize::new(value).ok_or_else(wrong)
        };
        let acquire_timeout = self.acquire_timeout.unwrap_or(Duration::from_secs(30));
        if acquire_timeout < SHORTEST {
            let message = format!("acquire_timeout is {acquire_timeout:?}: no connection can be opened in that time");
            return Err(wrong(message).fixed_by("Set acquire_timeout to 1 ms or more; 5 seconds is a good value."));
        }
        let max_connections = positive("max_connections", self.max_connections.unwrap_or(10))?.get();
        let min_connections = self.min_connections.unwrap_or(0);
        if min_connections > max_connections {
            let message = format!("min_connections is {min_connections}, more than max_connections, {max_connections}");
            return Err(wrong(message).fixed_by("Lower min_connections, or raise max_connections."));
        }
        let unless_zero = |name: &str, limit: Option<Duration>, default| match limit.unwrap_or(default) {
            Duration::ZERO => Ok(None),
            limit if limit < SHORTEST => {
                let message = format!("{name} is {limit:?}: each connection would be closed at once");
                Err(wrong(message).fixed_by(format!("Set {name} to 1 ms or more, or to 0, which is for ever.")))
            }
            limit => Ok(Some(limit)),
        };
        Ok(PoolOptions {
            max_connections,
            min_connections,
            acquire_timeout,
            idle_timeout: unless_zero("idle_timeout", self.idle_timeout, Duration::from_secs(10 * 60))?,
            max_lifetime: unless_zero("max_lifetime", self.max_lifetime, Duration::from_secs(30 * 60))?,
            check_after: self.check_after.unwrap_or(Duration::from_secs(1)),
            statement_cache_capacity: positive(
                "statement_cache_capacity",
                self.statement_cache_capacity.unwrap_or(100),
            )?,
            is_replica: false,
        })
    }
}

/// A setting of the builder, or of the file that it has read.
fn wrong(message: String) -> DbError {
    DbError::new(DbErrorKind::Configuration, format!("the settings of the pool make no sense: {message}"))
}
