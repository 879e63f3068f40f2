//! Reading from replicas.

use super::Database;
use crate::{DbError, DbErrorKind, pool::PooledSession};
use std::panic::Location;

impl Database {
    /// Where to read what may be a little old: the next [replica](crate::DatabaseBuilder::replica) in turn; this database itself
    /// where there is none, or all are down.
    ///
    /// When no connection to a replica can be opened, since its server refuses, takes no more, or does not answer within 5 seconds
    /// or half of [`acquire_timeout`](crate::DatabaseBuilder::acquire_timeout), nothing was executed: so who wanted it gets one of
    /// the next replica that is not down, and the primary's when there is none. That replica is down then, unless it only takes
    /// no more than those that are open: for 5 seconds nobody tries it; then one does, and when that fails it is down for another
    /// 5 seconds. What waiting does not mend, such as a wrong password, is an error all the same, and so is a pool whose
    /// connections are all in use. A statement whose connection is lost is not run again: it may have been executed. Nor does
    /// anything that is known to write go elsewhere.
    ///
    /// Nothing else goes to replicas: no statement is looked at to tell whether it reads. Nor does a replica refuse to write,
    /// unless its server does. To read several times from the same one, keep what this returns.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), montrs_orm::DbError> {
    /// let db = montrs_orm::Database::builder()
    ///     .url("postgres://primary/app")
    ///     .replica("postgres://replica-1/app")
    ///     .replica("postgres://replica-2/app")
    ///     .connect()
    ///     .await?;
    /// let users: i64 = db.read().query("SELECT count(*) FROM users").fetch_scalar().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(&self) -> &Self {
        self.0.replicas.next().unwrap_or(self)
    }

    pub(crate) fn replicas(&self) -> &[Self] {
        self.0.replicas.all()
    }

    /// Whether somebody may read from it.
    pub(crate) fn may_be_tried(&self) -> bool {
        self.0.pool.may_be_tried()
    }

    /// A connection of another database that is the same one to read from, if this one is a replica that is down.
    #[cold]
    pub(super) async fn elsewhere(
        &self,
        error: DbError,
        at: &'static Location<'static>,
    ) -> Result<PooledSession, DbError> {
        let Some(primary) = self.0.primary.get().and_then(std::sync::Weak::upgrade) else { return Err(error) };
        let primary = Self(primary);
        let mut last = (self, error);
        for _ in primary.replicas() {
            if !last.0.has_refused(&last.1) {
                break;
            }
            let Some(replica) = primary.0.replicas.next() else { break };
            match replica.checkout_here(at).await {
                Ok(session) => return Ok(session),
                Err(error) => last = (replica, error),
            }
        }
        match last {
            (replica, error) if replica.has_refused(&error) => primary.checkout_here(at).await,
            (_, error) => Err(error),
        }
    }

    /// Whether it gave no connection, and so has executed nothing, for a reason that may pass.
    fn has_refused(&self, error: &DbError) -> bool {
        match error.kind() {
            DbErrorKind::TooManyConnections => true,
            DbErrorKind::Connection | DbErrorKind::ConnectionLost | DbErrorKind::PoolTimeout => self.0.pool.is_down(),
            _ => false,
        }
    }
}
