//! The columns of a statement's result.

use crate::{declared_type::DeclaredType, statement::Statement};
use montrs_driver_sdk::{Column, ColumnSet, Nullability, RArc};
use std::ffi::c_int;

/// What the columns of a result are, and what their values mean.
pub(crate) struct Columns {
    /// What crosses; the same pointer for as long as the columns are the same.
    pub(crate) set: RArc<ColumnSet>,
    /// The declared types, in the columns' order.
    pub(crate) types: Vec<DeclaredType>,
    /// How often the statement had been prepared anew when this was made.
    reprepared: c_int,
}

impl Columns {
    /// Reads the columns of a statement.
    pub(crate) fn of(statement: &Statement) -> Self {
        let (columns, types) = (0..statement.column_count()).map(|index| column(statement, index)).unzip();
        Self { set: RArc::new(ColumnSet { columns }), types, reprepared: statement.reprepared() }
    }

    /// Reads the columns again where SQLite has prepared the statement anew, as it does when the schema has changed.
    #[inline]
    pub(crate) fn renew(&mut self, statement: &Statement) {
        if statement.reprepared() != self.reprepared {
            self.replace(statement);
        }
    }

    #[cold]
    fn replace(&mut self, statement: &Statement) {
        let new = Self::of(statement);
        let is_same = self.types == new.types
            && self.set.columns.iter().zip(&*new.set.columns).all(|(old, new)| {
                (&old.name, &old.type_name, &old.table, &old.origin)
                    == (&new.name, &new.type_name, &new.table, &new.origin)
            });
        if is_same {
            self.reprepared = new.reprepared;
        } else {
            *self = new;
        }
    }
}

fn column(statement: &Statement, index: c_int) -> (Column, DeclaredType) {
    let type_name = statement.column_type(index);
    let declared = DeclaredType::parse(&type_name);
    let origin = statement.column_origin(index).unwrap_or_default();
    let column = Column {
        name: statement.column_name(index).into(),
        type_name: type_name.into(),
        table: origin.table.into(),
        origin: origin.column.into(),
        type_code: 0,
        kind: declared.kind(),
        nullability: Nullability::UNKNOWN,
    };
    (column, declared)
}
