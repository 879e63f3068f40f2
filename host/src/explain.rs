//! How the database would run a statement.

use crate::{Cursor, DbError, DbErrorKind, IntoSql, Query};
use montrs_driver_abi::{BatchError, DriverError, ParamBuffer, ValueRef};

impl Query<'_> {
    /// Tells how the database would run the statement with the values that are bound, as lines for people, in the database's
    /// own words. The statement is not run.
    ///
    /// ```no_run
    /// # async fn example(db: montrs_orm::Database) -> Result<(), montrs_orm::DbError> {
    /// let plan = db.query("SELECT name FROM users WHERE email = $1").bind("ada@example.org").explain().await?;
    /// println!("{}", plan.join("\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What an execution costs, the database's own statement tells where there is one: `EXPLAIN (ANALYZE) SELECT …`.
    ///
    /// # Errors
    ///
    /// What the database says of the statement; [`Unsupported`](crate::DbErrorKind::Unsupported) where it cannot tell, and
    /// for a command.
    pub async fn explain(self) -> Result<Vec<String>, DbError> {
        let Self { source, sql, is_command, mut parameters } = self;
        let in_statement = |error: DbError| error.in_statement(sql.as_str());
        if is_command {
            return Err(in_statement(DbError::new(DbErrorKind::Unsupported, "a command cannot be explained")));
        }
        if let Some(error) = parameters.error.take() {
            return Err(in_statement(error));
        }
        let values = after(sql.as_str(), &parameters.values).map_err(|error| in_statement(error.into()))?;
        let mut session = source.session().await?;
        session.run_command(&"explain".into_sql(), &values, 0).await.map_err(in_statement)?;
        let (mut cursor, mut lines) = (Cursor::new(session), Vec::new());
        cursor
            .each(|row| {
                lines.push(row.get(0)?);
                Ok(())
            })
            .await?;
        Ok(lines)
    }
}

/// The statement's text as the first parameter, and its parameters after it.
fn after(sql: &str, parameters: &ParamBuffer) -> Result<ParamBuffer, DriverError> {
    let (mut all, parameters) = (ParamBuffer::default(), parameters.as_params());
    all.push(ValueRef::Text(sql))?;
    for index in 0..parameters.len() {
        let value = parameters.get(index).map_err(|error: BatchError| DriverError::protocol(error.to_string()))?;
        match parameters.name(index) {
            Some(name) => all.push_named(name, value)?,
            None => all.push(value)?,
        }
    }
    Ok(all)
}
