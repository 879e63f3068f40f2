//! The levels of a session's transaction, and putting right what was left unfinished in them.

use super::{Session, locks_at_once};
use crate::{DbError, DbErrorKind};
use montrs_driver_abi::TransactionOptions;

/// How a transaction came to its end although the caller has not ended it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// It was rolled back, because an operation in it was dropped before its end, or because its commit failed.
    RolledBack,
    /// A statement such as `COMMIT` has ended it.
    EndedInSql,
}

impl Session {
    /// Opens one more level, and returns its depth.
    pub(crate) async fn enter(&mut self, options: TransactionOptions) -> Result<u32, DbError> {
        self.ready().await?;
        let outer = self.depth;
        let depth = outer + 1;
        if outer == 0 && locks_at_once(options) && !self.try_turn() {
            Box::pin(self.wait_for_turn()).await?;
        }
        // Until the level is known to be open, it counts as abandoned: this future may be dropped.
        (self.depth, self.abandoned) = (depth, Some(depth));
        let entered = match outer {
            0 => self.connection.begin(options).await,
            _ => self.connection.savepoint(outer).await,
        };
        self.abandoned = None;
        self.is_untouched |= outer == 0;
        if entered.is_err() {
            self.depth = outer;
            self.end_turn();
        }
        entered?;
        if outer == 0 && !self.in_transaction() {
            return Err(self.not_begun());
        }
        Ok(depth)
    }

    /// A driver that does not say that there is a transaction cannot have one: its end could not be told.
    #[cold]
    fn not_begun(&mut self) -> DbError {
        self.depth = 0;
        self.end_turn();
        self.connection.give_up();
        let message = "the driver has begun a transaction, and the status that it tells says that there is none";
        DbError::new(DbErrorKind::DriverProtocol, message)
    }

    /// Keeps what was done at this level. When it fails, the level is still there, to be abandoned.
    pub(crate) async fn keep(&mut self, depth: u32) -> Result<(), DbError> {
        if self.depth > depth {
            self.abandon(depth + 1);
        }
        self.ready().await?;
        let kept = match depth {
            1 => self.connection.commit().await,
            _ => self.connection.release(depth - 1).await,
        };
        if kept.is_err() {
            if !self.in_transaction() {
                self.lost = Some(Lost::RolledBack);
            }
            kept?;
        }
        self.depth = depth - 1;
        self.end_turn();
        Ok(())
    }

    /// Undoes what was done at this level and in the levels inside it.
    pub(crate) async fn undo(&mut self, depth: u32) -> Result<(), DbError> {
        self.abandon(depth);
        match self.settle().await? {
            Some(Lost::EndedInSql) => Err(Lost::EndedInSql.error()),
            // What was rolled back already is what was asked for.
            Some(Lost::RolledBack) | None => Ok(()),
        }
    }

    /// Notes that a level has ended, and is to be rolled back before the next operation.
    pub(crate) fn abandon(&mut self, depth: u32) {
        if depth <= self.depth {
            self.abandoned = Some(self.abandoned.map_or(depth, |outermost| outermost.min(depth)));
        }
    }

    /// Closes an open result, resets the connection after an operation whose future was dropped, rolls back what was
    /// abandoned. Tells whether the transaction had ended before.
    pub(super) async fn settle(&mut self) -> Result<Option<Lost>, DbError> {
        // A result whose fetching was abandoned is closed by the reset.
        if let Some(rows) = self.rows.take().filter(|_| self.connection.has_open_rows()) {
            self.connection.close_rows(rows).await?;
        }
        if self.connection.needs_reset() {
            self.statements.shrink();
            // A reset rolls back the whole transaction, be it the caller's or one that was begun in SQL.
            let was_begun_in_sql = self.depth == 0 && self.in_transaction();
            self.connection.reset().await?;
            self.lost = Some(Lost::RolledBack);
            if was_begun_in_sql {
                self.lost = None;
                return Err(Lost::RolledBack.error());
            }
        } else if self.depth > 0 && self.lost.is_none() && !self.in_transaction() {
            self.lost = Some(Lost::EndedInSql);
        }
        let lost = self.lost;
        if let Some(depth) = self.abandoned {
            match depth {
                _ if lost.is_some() => {}
                1 => self.connection.rollback().await?,
                _ => self.connection.rollback_to(depth - 1).await?,
            }
            (self.depth, self.abandoned) = (depth - 1, None);
        }
        if self.depth == 0 {
            self.lost = None;
        }
        self.end_turn();
        Ok(lost)
    }
}

impl Lost {
    /// Going on would be outside of the transaction.
    pub(super) fn error(self) -> DbError {
        let message = match self {
            Self::RolledBack => {
                "an operation of this transaction was dropped before its end, so the transaction was rolled back"
            }
            Self::EndedInSql => "a statement has ended the transaction: COMMIT or ROLLBACK in SQL",
        };
        let error = DbError::new(DbErrorKind::TransactionState, message);
        match self {
            Self::RolledBack => error,
            Self::EndedInSql => error.fixed_by("End a transaction with commit() or rollback(), not in SQL."),
        }
    }
}
