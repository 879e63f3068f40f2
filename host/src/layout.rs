//! What a result looks like, and where a type finds its columns in it.

use crate::{Columns, DbError, FromRow, Plan, Sql, script::Place};
use montrs_driver_abi::{ColumnSet, abi_stable::std_types::RArc};
use std::ptr;

/// What is known of the results of a statement. It is kept from one result to the next, so that the columns of a type are
/// looked up once.
pub(crate) struct Layout {
    text: Sql,
    columns: Columns,
    /// Where in `columns` those of a type are.
    plan: Plan,
    /// The type that the plan is for.
    planned: Option<Resolve>,
    /// Where the statement stands, when it is part of a script.
    place: Option<Place>,
}

/// A type's [`FromRow::resolve`], which stands for the type: two types that share it share their plans.
type Resolve = fn(&Columns, &mut Plan) -> Result<(), DbError>;

impl Layout {
    /// Of a statement that has not been run yet.
    pub(crate) fn new(text: Sql) -> Self {
        Self { text, columns: Columns::new(ColumnSet::of([])), plan: Plan::default(), planned: None, place: None }
    }

    /// Of a statement of a script.
    pub(crate) fn of_script(text: Sql, place: Place) -> Self {
        Self { place: Some(place), ..Self::new(text) }
    }

    /// An error of the statement, with its text and its place in the script.
    #[cold]
    pub(crate) fn blame(&self, error: DbError) -> DbError {
        match &self.place {
            Some(place) => error.in_script(self.sql(), *place),
            None => error.in_statement(self.sql()),
        }
    }

    /// The same text, as it was given.
    pub(crate) fn text(&self) -> &Sql {
        &self.text
    }

    /// The text of the statement.
    #[inline]
    pub(crate) fn sql(&self) -> &str {
        self.text.as_str()
    }

    /// The columns of the last result.
    #[inline]
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Takes the columns of a new result.
    #[inline]
    pub(crate) fn set_columns(&mut self, columns: RArc<ColumnSet>) {
        if !self.columns.are(&columns) {
            self.columns = Columns::new(columns);
            self.planned = None;
        }
    }

    /// Finds the columns of a type.
    #[inline]
    pub(crate) fn resolve<T: for<'r> FromRow<'r>>(&mut self) -> Result<(), DbError> {
        let resolve: Resolve = <T as FromRow<'_>>::resolve;
        if self.planned.is_some_and(|planned| ptr::fn_addr_eq(planned, resolve)) {
            return Ok(());
        }
        self.planned = None;
        self.plan = Plan::of::<T>(&self.columns)?;
        self.planned = Some(resolve);
        Ok(())
    }

    /// Where the columns of the type are that was [resolved](Self::resolve) last.
    #[inline]
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}
