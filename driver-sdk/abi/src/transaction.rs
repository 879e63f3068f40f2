//! How a transaction is to begin.

use abi_stable::StableAbi;

/// The isolation level, by the names of the SQL standard. An open set.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isolation(pub u8);

impl Isolation {
    /// What the database does when nothing is said.
    pub const DEFAULT: Self = Self(0);
    /// READ UNCOMMITTED.
    pub const READ_UNCOMMITTED: Self = Self(1);
    /// READ COMMITTED.
    pub const READ_COMMITTED: Self = Self(2);
    /// REPEATABLE READ.
    pub const REPEATABLE_READ: Self = Self(3);
    /// SERIALIZABLE.
    pub const SERIALIZABLE: Self = Self(4);
}

/// Whether the transaction writes. An open set.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub u8);

impl Access {
    /// What the database does when nothing is said.
    pub const DEFAULT: Self = Self(0);
    /// READ WRITE.
    pub const READ_WRITE: Self = Self(1);
    /// READ ONLY.
    pub const READ_ONLY: Self = Self(2);
}

/// When locks are taken, where the database lets one choose. An open set.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockMode(pub u8);

impl LockMode {
    /// What the database does when nothing is said.
    pub const DEFAULT: Self = Self(0);
    /// At the first statement that needs them.
    pub const DEFERRED: Self = Self(1);
    /// The write lock at once.
    pub const IMMEDIATE: Self = Self(2);
    /// The whole database at once.
    pub const EXCLUSIVE: Self = Self(3);
}

/// How a transaction is to begin. What a driver cannot give, it refuses with
/// [`ErrorKind::UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED); it never gives less than was asked for.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionOptions {
    /// The isolation level.
    pub isolation: Isolation,
    /// Whether it writes.
    pub access: Access,
    /// When locks are taken.
    pub lock_mode: LockMode,
    /// DEFERRABLE, for a serializable transaction that only reads.
    pub deferrable: bool,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self { isolation: Isolation::DEFAULT, access: Access::DEFAULT, lock_mode: LockMode::DEFAULT, deferrable: false }
    }
}
