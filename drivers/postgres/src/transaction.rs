//! Transactions and savepoints, in SQL.

use crate::session::Session;
use montrs_driver_sdk::{Access, Error, ErrorKind, Isolation, LockMode, Result, TransactionOptions};

/// The statement that begins a transaction.
pub(crate) fn begin_statement(options: TransactionOptions) -> Result<String> {
    let isolation = match options.isolation {
        Isolation::DEFAULT => "",
        Isolation::READ_UNCOMMITTED => " ISOLATION LEVEL READ UNCOMMITTED",
        Isolation::READ_COMMITTED => " ISOLATION LEVEL READ COMMITTED",
        Isolation::REPEATABLE_READ => " ISOLATION LEVEL REPEATABLE READ",
        Isolation::SERIALIZABLE => " ISOLATION LEVEL SERIALIZABLE",
        _ => return Err(unsupported("this isolation level")),
    };
    let access = match options.access {
        Access::DEFAULT => "",
        Access::READ_WRITE => " READ WRITE",
        Access::READ_ONLY => " READ ONLY",
        _ => return Err(unsupported("this access mode")),
    };
    // PostgreSQL takes its locks when they are needed.
    if !matches!(options.lock_mode, LockMode::DEFAULT | LockMode::DEFERRED) {
        return Err(
            unsupported("a transaction that locks as it begins").with_hint("lock what is needed with LOCK TABLE")
        );
    }
    let deferrable = if options.deferrable { " DEFERRABLE" } else { "" };
    Ok(format!("BEGIN{isolation}{access}{deferrable}"))
}

/// Commits. PostgreSQL answers the COMMIT of a transaction that has failed with ROLLBACK, and no error.
pub(crate) async fn commit(session: &mut Session) -> Result<()> {
    if session.command("COMMIT").await? != "ROLLBACK" {
        return Ok(());
    }
    let message = "the transaction was rolled back instead, because a statement in it had failed";
    Err(Error::new(ErrorKind::TRANSACTION_STATE, message)
        .with_hint("end a transaction in which a statement has failed with a rollback, and begin it anew"))
}

pub(crate) fn savepoint(depth: u32) -> String {
    format!("SAVEPOINT montrs_{depth}")
}

pub(crate) fn release(depth: u32) -> String {
    format!("RELEASE SAVEPOINT montrs_{depth}")
}

/// Undoes what was done since the savepoint, and forgets it.
pub(crate) fn rollback_to(depth: u32) -> String {
    format!("ROLLBACK TO SAVEPOINT montrs_{depth}; RELEASE SAVEPOINT montrs_{depth}")
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::UNSUPPORTED, format!("PostgreSQL does not support {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_said_in_sql() {
        let options = TransactionOptions {
            isolation: Isolation::SERIALIZABLE,
            access: Access::READ_ONLY,
            lock_mode: LockMode::DEFAULT,
            deferrable: true,
        };
        assert_eq!(begin_statement(options).unwrap(), "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
        assert_eq!(begin_statement(TransactionOptions::default()).unwrap(), "BEGIN");
        for options in [
            TransactionOptions { isolation: Isolation(9), ..TransactionOptions::default() },
            TransactionOptions { access: Access(9), ..TransactionOptions::default() },
            TransactionOptions { lock_mode: LockMode::IMMEDIATE, ..TransactionOptions::default() },
        ] {
            assert_eq!(begin_statement(options).unwrap_err().kind(), ErrorKind::UNSUPPORTED);
        }
    }
}
