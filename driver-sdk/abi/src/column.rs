//! The columns of a result.

use crate::Kind;
use abi_stable::{
    StableAbi,
    std_types::{RArc, RString, RVec},
};

/// Whether a column can be NULL, as far as the database tells. An open set: an unknown number means "not known".
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nullability(pub u8);

impl Nullability {
    /// Not known.
    pub const UNKNOWN: Self = Self(0);
    /// Never NULL.
    pub const NOT_NULL: Self = Self(1);
    /// Can be NULL.
    pub const NULLABLE: Self = Self(2);
}

/// One column of a result.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Column {
    /// The name in the result.
    pub name: RString,
    /// The database's name of the declared type, such as `int4` or `VARCHAR(80)`; empty for an expression without one.
    pub type_name: RString,
    /// The table that the column is taken from; empty for an expression.
    pub table: RString,
    /// The column's name in that table; empty for an expression.
    pub origin: RString,
    /// The database's number of the type, such as PostgreSQL's OID; 0 where there is none.
    pub type_code: u32,
    /// The kind that values of the column are expected to have; [`Kind::NULL`] where nothing is known. A value's own
    /// kind is what counts.
    pub kind: Kind,
    /// Whether it can be NULL.
    pub nullability: Nullability,
}

impl Column {
    /// A column of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into().into(),
            type_name: RString::new(),
            table: RString::new(),
            origin: RString::new(),
            type_code: 0,
            kind: Kind::NULL,
            nullability: Nullability::UNKNOWN,
        }
    }
}

/// All columns of a result, shared by the statement and its results.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ColumnSet {
    /// The columns in their order.
    pub columns: RVec<Column>,
}

impl ColumnSet {
    /// These columns, ready to be shared.
    pub fn of(columns: impl IntoIterator<Item = Column>) -> RArc<Self> {
        RArc::new(Self { columns: columns.into_iter().collect() })
    }
}
