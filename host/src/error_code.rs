//! All kinds of errors, and their codes.

use crate::DbErrorKind;

impl DbErrorKind {
    /// All kinds, in the order of the catalogue.
    pub const ALL: &[Self] = &[
        Self::UniqueViolation,
        Self::ForeignKeyViolation,
        Self::NotNullViolation,
        Self::CheckViolation,
        Self::ExclusionViolation,
        Self::Query,
        Self::Syntax,
        Self::UndefinedTable,
        Self::UndefinedColumn,
        Self::UndefinedFunction,
        Self::Ambiguous,
        Self::EmptyStatement,
        Self::MultipleStatements,
        Self::Parameters,
        Self::Data,
        Self::TooLarge,
        Self::Encode,
        Self::Decode,
        Self::RowNotFound,
        Self::ColumnNotFound,
        Self::Mismatch,
        Self::Serialization,
        Self::Deadlock,
        Self::LockTimeout,
        Self::Busy,
        Self::Cancelled,
        Self::Timeout,
        Self::TransactionState,
        Self::Connection,
        Self::ConnectionLost,
        Self::Authentication,
        Self::Tls,
        Self::TooManyConnections,
        Self::DatabaseNotFound,
        Self::ReadOnly,
        Self::DiskFull,
        Self::Corrupt,
        Self::Permission,
        Self::Io,
        Self::OutOfMemory,
        Self::PoolTimeout,
        Self::PoolClosed,
        Self::Configuration,
        Self::Unsupported,
        Self::DriverNotFound,
        Self::DriverRefused,
        Self::DriverIncompatible,
        Self::DriverPanicked,
        Self::DriverProtocol,
    ];

    /// The stable code: it never changes its meaning.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Query => "DB_QUERY",
            Self::UniqueViolation => "DB_UNIQUE_VIOLATION",
            Self::ForeignKeyViolation => "DB_FOREIGN_KEY_VIOLATION",
            Self::NotNullViolation => "DB_NOT_NULL_VIOLATION",
            Self::CheckViolation => "DB_CHECK_VIOLATION",
            Self::ExclusionViolation => "DB_EXCLUSION_VIOLATION",
            Self::Syntax => "DB_SYNTAX",
            Self::UndefinedTable => "DB_UNDEFINED_TABLE",
            Self::UndefinedColumn => "DB_UNDEFINED_COLUMN",
            Self::UndefinedFunction => "DB_UNDEFINED_FUNCTION",
            Self::Ambiguous => "DB_AMBIGUOUS_NAME",
            Self::EmptyStatement => "DB_EMPTY_STATEMENT",
            Self::MultipleStatements => "DB_MULTIPLE_STATEMENTS",
            Self::Parameters => "DB_PARAMETERS",
            Self::Data => "DB_DATA",
            Self::TooLarge => "DB_TOO_LARGE",
            Self::Serialization => "DB_SERIALIZATION",
            Self::Deadlock => "DB_DEADLOCK",
            Self::LockTimeout => "DB_LOCK_TIMEOUT",
            Self::Busy => "DB_BUSY",
            Self::Cancelled => "DB_CANCELLED",
            Self::Timeout => "DB_TIMEOUT",
            Self::TransactionState => "DB_TRANSACTION_STATE",
            Self::Connection => "DB_CONNECTION",
            Self::ConnectionLost => "DB_CONNECTION_LOST",
            Self::Authentication => "DB_AUTHENTICATION",
            Self::Tls => "DB_TLS",
            Self::TooManyConnections => "DB_TOO_MANY_CONNECTIONS",
            Self::DatabaseNotFound => "DB_NOT_FOUND",
            Self::ReadOnly => "DB_READ_ONLY",
            Self::DiskFull => "DB_DISK_FULL",
            Self::Corrupt => "DB_CORRUPT",
            Self::Permission => "DB_PERMISSION",
            Self::Io => "DB_IO",
            Self::OutOfMemory => "DB_OUT_OF_MEMORY",
            Self::Encode => "DB_ENCODE",
            Self::Decode => "DB_DECODE",
            Self::RowNotFound => "DB_ROW_NOT_FOUND",
            Self::ColumnNotFound => "DB_COLUMN_NOT_FOUND",
            Self::Mismatch => "DB_MISMATCH",
            Self::PoolTimeout => "DB_POOL_TIMEOUT",
            Self::PoolClosed => "DB_POOL_CLOSED",
            Self::Configuration => "DB_CONFIGURATION",
            Self::Unsupported => "DB_UNSUPPORTED",
            Self::DriverNotFound => "DB_DRIVER_NOT_FOUND",
            Self::DriverRefused => "DB_DRIVER_REFUSED",
            Self::DriverIncompatible => "DB_DRIVER_INCOMPATIBLE",
            Self::DriverPanicked => "DB_DRIVER_PANICKED",
            Self::DriverProtocol => "DB_DRIVER_PROTOCOL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_left_out_and_codes_are_distinct() {
        assert_eq!(DbErrorKind::ALL.len(), DbErrorKind::DriverProtocol as usize + 1, "DriverProtocol is the last kind");
        let codes: std::collections::BTreeSet<&str> = DbErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), DbErrorKind::ALL.len());
    }
}
