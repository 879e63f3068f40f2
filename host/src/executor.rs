//! What can run a statement.

use crate::{Connection, Database, IntoSql, Query, Session, Transaction};

/// Anything that a statement can be run on: `&Database`, `&mut Connection`, `&mut Transaction`, `&mut Session`. For
/// functions that leave the choice to their caller.
///
/// ```no_run
/// use montrs_orm::{Database, DbError, Executor};
///
/// async fn count<'e>(on: impl Executor<'e>) -> Result<i64, DbError> {
///     on.run("SELECT count(*) FROM users").fetch_scalar().await
/// }
///
/// # async fn example(db: Database) -> Result<(), DbError> {
/// count(&db).await?;
/// let mut tx = db.begin().await?;
/// count(&mut tx).await?;
/// # Ok(())
/// # }
/// ```
pub trait Executor<'e>: sealed::Sealed {
    /// A statement to be run here; the same as the `query` method of the implementor.
    fn run(self, sql: impl IntoSql) -> Query<'e>;
}

impl<'e> Executor<'e> for &'e Database {
    #[track_caller]
    fn run(self, sql: impl IntoSql) -> Query<'e> {
        self.query(sql)
    }
}

impl<'e> Executor<'e> for &'e mut Session {
    fn run(self, sql: impl IntoSql) -> Query<'e> {
        self.query(sql)
    }
}

impl<'e> Executor<'e> for &'e mut Connection {
    fn run(self, sql: impl IntoSql) -> Query<'e> {
        self.query(sql)
    }
}

impl<'e> Executor<'e> for &'e mut Transaction<'_> {
    fn run(self, sql: impl IntoSql) -> Query<'e> {
        self.query(sql)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &crate::Database {}
    impl Sealed for &mut crate::Session {}
    impl Sealed for &mut crate::Connection {}
    impl Sealed for &mut crate::Transaction<'_> {}
}
