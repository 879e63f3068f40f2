//! The columns of a result.

use crate::{DbError, DbErrorKind};
use montrs_driver_abi::{self as abi, ColumnSet, Kind, Nullability, abi_stable::std_types::RArc};

/// The columns of a result, in their order.
#[derive(Clone)]
pub struct Columns(RArc<ColumnSet>);

/// One column of a result.
#[derive(Clone, Copy)]
pub struct Column<'a>(pub(crate) &'a abi::Column);

impl<'a> Column<'a> {
    /// The name in the result.
    pub fn name(&self) -> &'a str {
        &self.0.name
    }

    /// The database's name of the declared type; empty for an expression without one.
    pub fn type_name(&self) -> &'a str {
        &self.0.type_name
    }

    /// The table that the column is taken from, where the database tells.
    pub fn table(&self) -> Option<&'a str> {
        Some(self.0.table.as_str()).filter(|table| !table.is_empty())
    }

    /// The kind that values are expected to have; [`Kind::NULL`] where nothing is known.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether it can be NULL.
    pub fn nullability(&self) -> Nullability {
        self.0.nullability
    }
}

impl Columns {
    pub(crate) fn new(columns: RArc<ColumnSet>) -> Self {
        Self(columns)
    }

    /// Whether these are the same columns, and not just equal ones.
    #[inline]
    pub(crate) fn are(&self, columns: &RArc<ColumnSet>) -> bool {
        std::ptr::eq(&*self.0, &**columns)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.columns.len()
    }

    /// Whether there are none, as for a statement without a result.
    pub fn is_empty(&self) -> bool {
        self.0.columns.is_empty()
    }

    /// The column at this position, from 0.
    pub fn get(&self, position: usize) -> Option<Column<'_>> {
        self.0.columns.get(position).map(Column)
    }

    /// All columns in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Column<'_>> {
        self.0.columns.iter().map(Column)
    }

    /// The position of the column of this name, or `None` when there is no such column.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there are several of this name.
    pub fn position(&self, name: &str) -> Result<Option<usize>, DbError> {
        let mut positions = self.iter().enumerate().filter(|(_, column)| column.name() == name).map(|(at, _)| at);
        match (positions.next(), positions.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => {
                let message = format!("the result has more than one column {name:?}");
                Err(DbError::new(DbErrorKind::ColumnNotFound, message)
                    .fixed_by(format!("Give one of the columns {name:?} another name with AS.")))
            }
        }
    }

    /// The position of the column of this name.
    ///
    /// # Errors
    ///
    /// [`DbErrorKind::ColumnNotFound`] when there is none, or more than one.
    pub fn require(&self, name: &str) -> Result<usize, DbError> {
        self.position(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> DbError {
        let names: Vec<&str> = self.iter().map(|column| column.name()).collect();
        let message = format!("the result has no column {name:?}; it has {}", list(&names));
        let error = DbError::new(DbErrorKind::ColumnNotFound, message);
        let distance = |column: &&&str| strsim::osa_distance(&column.to_lowercase(), &name.to_lowercase());
        match names.iter().min_by_key(distance).filter(|nearest| distance(nearest) <= name.chars().count() / 3) {
            Some(nearest) => error.fixed_by(format!("Did you mean the column {nearest:?}?")),
            None => error,
        }
    }
}

fn list(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "no columns".into();
    }
    let mut out = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        out.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    out
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|column| column.name())).finish()
    }
}
