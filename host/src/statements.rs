//! The prepared statements of a session, the least recently used dropped first.

use crate::{Columns, DbError, FromRow, Plan, Sql};
use lru::LruCache;
use montrs_driver_abi::{ColumnSet, abi_stable::std_types::RArc};
use montrs_driver_loader::Statement;
use std::{num::NonZeroUsize, ptr};

/// The prepared statements of a session.
pub(crate) struct Statements {
    all: Vec<Prepared>,
    /// Where in `all` the statement of a text is.
    by_text: LruCache<Sql, usize>,
    /// Where the statement is that was used last.
    current: usize,
}

/// A prepared statement, and what is known of its result.
pub(crate) struct Prepared {
    pub(crate) text: Sql,
    pub(crate) statement: Statement,
    /// Of its last result.
    pub(crate) columns: Columns,
    /// Where in `columns` those of a type are.
    pub(crate) plan: Plan,
    /// The type that the plan is for.
    planned: Option<Resolve>,
}

/// A type's [`FromRow::resolve`], which stands for the type: two types that share it share their plans.
type Resolve = fn(&Columns, &mut Plan) -> Result<(), DbError>;

impl Statements {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { all: Vec::new(), by_text: LruCache::new(capacity), current: 0 }
    }

    /// The statement of this text, which is the current one from now on.
    #[inline]
    pub(crate) fn find(&mut self, text: &Sql) -> Option<&mut Prepared> {
        let current = self.all.get(self.current);
        // A literal that is run again lies where it lay before.
        if !current.is_some_and(|current| ptr::eq(current.text.as_str(), text.as_str())) {
            self.current = *self.by_text.get(text)?;
        }
        self.all.get_mut(self.current)
    }

    /// Takes a statement in, which is the current one from now on.
    pub(crate) fn add(&mut self, text: Sql, statement: Statement) -> &mut Prepared {
        let prepared = Prepared {
            text: text.clone(),
            statement,
            columns: Columns::new(ColumnSet::of([])),
            plan: Plan::default(),
            planned: None,
        };
        let is_full = self.by_text.len() == self.by_text.cap().get();
        let oldest = if is_full { self.by_text.pop_lru() } else { None };
        self.current = oldest.map_or(self.all.len(), |(_, index)| index);
        self.by_text.put(text, self.current);
        match self.all.get_mut(self.current) {
            Some(place) => *place = prepared,
            None => self.all.push(prepared),
        }
        &mut self.all[self.current]
    }

    /// The statement that was found or added last.
    #[inline]
    pub(crate) fn current(&self) -> &Prepared {
        &self.all[self.current]
    }

    #[inline]
    pub(crate) fn current_mut(&mut self) -> &mut Prepared {
        &mut self.all[self.current]
    }
}

impl Prepared {
    /// Takes the columns of a new result.
    #[inline]
    pub(crate) fn set_columns(&mut self, columns: RArc<ColumnSet>) {
        if !self.columns.are(&columns) {
            self.columns = Columns::new(columns);
            self.planned = None;
        }
    }

    /// Sees to it that `plan` is for this type.
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
}
