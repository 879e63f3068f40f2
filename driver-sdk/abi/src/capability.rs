//! What a database can do, asked by number.

use abi_stable::StableAbi;

/// Something that databases differ in. The answer is a number; 0 is what a driver says of what it does not know.
///
/// An open set: numbers are added, never reused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capability(pub u32);

impl Capability {
    /// The most connections that the database can have at once; 0 means no limit. An in-memory database that lives in
    /// its connection answers 1: the pool then never opens a second one, and never closes the first.
    pub const MAX_CONNECTIONS: Self = Self(1);
    /// The most parameters of one statement; 0 means not known.
    pub const MAX_PARAMETERS: Self = Self(2);
    /// 1 where transactions and savepoints exist.
    pub const TRANSACTIONS: Self = Self(3);
    /// 1 where a transaction can be read-only.
    pub const READ_ONLY_TRANSACTIONS: Self = Self(4);
    /// A bit for each [`Isolation`](crate::Isolation) level that can be asked for: bit `1 << level`.
    pub const ISOLATION_LEVELS: Self = Self(5);
    /// A bit for each [`LockMode`](crate::LockMode) that can be asked for: bit `1 << mode`.
    pub const LOCK_MODES: Self = Self(6);
    /// 1 where a parameter can be an array.
    pub const ARRAYS: Self = Self(7);
    /// 1 where `:name` parameters exist.
    pub const NAMED_PARAMETERS: Self = Self(8);
    /// 1 where one connection may write at a time, so that many readers and one writer serve best.
    pub const SINGLE_WRITER: Self = Self(9);
    /// 1 where the upload `load` takes rows for a table, faster than an insert that is run for each of them. Its parameter is the
    /// table with its columns as SQL: `"users" ("name", "age")`. All rows are kept by its end, or none.
    pub const BULK_LOAD: Self = Self(10);
    /// 1 where several statements can be sent in one go.
    pub const PIPELINES: Self = Self(11);
}
