//! The session's turn to write: see [`WriteQueue`].

use super::Session;
use crate::{
    DbError, Sql,
    writer::{Turn, WriteQueue},
};
use montrs_driver_abi::{LockMode, TransactionOptions};

impl Session {
    /// Whether the statement writes, and has to wait for its turn. It is the current one from now on.
    pub(crate) async fn must_queue(&mut self, sql: &Sql) -> Result<bool, DbError> {
        if !self.statements.find(sql) {
            self.ready().await?;
            Box::pin(self.prepare(sql)).await?;
        }
        Ok(self.statements.current().writes && !self.try_turn())
    }

    pub(crate) fn give_turn(&mut self, turn: Turn) {
        turn.note(self.checked_out);
        self.turn = Some(turn);
    }

    /// Takes the turn to write where nobody has it or waits for it; `true` if the session has it.
    #[inline]
    pub(crate) fn try_turn(&mut self) -> bool {
        if self.turn.is_none() {
            let turn = self.queue.as_ref().and_then(WriteQueue::try_take);
            turn.into_iter().for_each(|turn| self.give_turn(turn));
        }
        self.turn.is_some()
    }

    /// Waits for the turn to write, where there is such a thing. A transaction that has run something does not wait: it may hold
    /// locks that who has the turn waits for, and the database tells.
    #[cold]
    pub(crate) async fn wait_for_turn(&mut self) -> Result<(), DbError> {
        if !self.try_turn()
            && let Some(queue) = self.queue.clone()
            && (self.is_untouched || !self.in_transaction())
        {
            let turn = queue.take_with_connection().await?;
            self.give_turn(turn);
        }
        Ok(())
    }

    /// Lets others write, unless a transaction is open, or a result, after which the connection needs a reset until it has ended.
    #[inline]
    pub(crate) fn end_turn(&mut self) {
        if self.turn.is_some() && !self.connection.needs_reset() && !self.in_transaction() {
            self.turn = None;
        }
    }
}

/// Whether a transaction takes the lock to write when it begins.
pub(crate) fn locks_at_once(options: TransactionOptions) -> bool {
    matches!(options.lock_mode, LockMode::IMMEDIATE | LockMode::EXCLUSIVE)
}
