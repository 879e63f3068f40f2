//! All kinds of errors, and their codes.

use montrs_driver_abi::ErrorKind;

/// What went wrong, as far as a program needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The database refused or failed the statement, and no other kind fits.
    Query,
    /// A unique or primary key constraint.
    UniqueViolation,
    /// A foreign key constraint.
    ForeignKeyViolation,
    /// A NULL where none is allowed.
    NotNullViolation,
    /// A check constraint.
    CheckViolation,
    /// An exclusion constraint.
    ExclusionViolation,
    /// The SQL text cannot be parsed.
    Syntax,
    /// A table that does not exist.
    UndefinedTable,
    /// A column that does not exist.
    UndefinedColumn,
    /// A function that does not exist.
    UndefinedFunction,
    /// A name that fits several things.
    Ambiguous,
    /// An empty text where a statement is expected.
    EmptyStatement,
    /// More than one statement where one is expected.
    MultipleStatements,
    /// Parameters that are missing, too many, or unknown by their name.
    Parameters,
    /// A value that the database cannot store or compute.
    Data,
    /// A text, value or result that is larger than allowed.
    TooLarge,
    /// A transaction could not be serialized.
    Serialization,
    /// A deadlock.
    Deadlock,
    /// A lock was not had within the time allowed.
    LockTimeout,
    /// The database is locked by another connection.
    Busy,
    /// The operation was cancelled.
    Cancelled,
    /// The operation took longer than allowed.
    Timeout,
    /// A statement that the transaction's state does not allow.
    TransactionState,
    /// No connection could be made.
    Connection,
    /// The connection was lost during use.
    ConnectionLost,
    /// User or password were refused.
    Authentication,
    /// TLS could not be set up as asked for.
    Tls,
    /// The server takes no more connections.
    TooManyConnections,
    /// The database does not exist.
    DatabaseNotFound,
    /// A write to what can only be read.
    ReadOnly,
    /// No space is left.
    DiskFull,
    /// The database is damaged, or is no database.
    Corrupt,
    /// The access is denied.
    Permission,
    /// Reading or writing failed.
    Io,
    /// Memory is exhausted.
    OutOfMemory,
    /// A parameter's value cannot be sent.
    Encode,
    /// A value cannot be read as the type that is asked for.
    Decode,
    /// No row where one is expected.
    RowNotFound,
    /// No column of that name or position in the result, or more than one.
    ColumnNotFound,
    /// A statement does not fit the types that it is used with, as a check found without running it.
    Mismatch,
    /// No connection was free within the time allowed.
    PoolTimeout,
    /// The pool is closed.
    PoolClosed,
    /// The URL or another setting is wrong.
    Configuration,
    /// The driver or the database cannot do what is asked for.
    Unsupported,
    /// No driver serves the URL's scheme.
    DriverNotFound,
    /// A driver's file is not trusted or cannot be used.
    DriverRefused,
    /// A driver was made for another version of the ABI.
    DriverIncompatible,
    /// The driver panicked.
    DriverPanicked,
    /// Driver and host do not keep to the ABI.
    DriverProtocol,
    /// The application's own code returned it.
    Application,
}

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
        Self::Application,
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
            Self::Application => "DB_APPLICATION",
        }
    }

    /// The kind of what a driver reports.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        use DbErrorKind as K;
        match kind {
            ErrorKind::UNIQUE_VIOLATION => K::UniqueViolation,
            ErrorKind::FOREIGN_KEY_VIOLATION => K::ForeignKeyViolation,
            ErrorKind::NOT_NULL_VIOLATION => K::NotNullViolation,
            ErrorKind::CHECK_VIOLATION => K::CheckViolation,
            ErrorKind::EXCLUSION_VIOLATION => K::ExclusionViolation,
            ErrorKind::SYNTAX => K::Syntax,
            ErrorKind::UNDEFINED_TABLE => K::UndefinedTable,
            ErrorKind::UNDEFINED_COLUMN => K::UndefinedColumn,
            ErrorKind::UNDEFINED_FUNCTION => K::UndefinedFunction,
            ErrorKind::AMBIGUOUS => K::Ambiguous,
            ErrorKind::EMPTY_STATEMENT => K::EmptyStatement,
            ErrorKind::MULTIPLE_STATEMENTS => K::MultipleStatements,
            ErrorKind::PARAMETERS => K::Parameters,
            ErrorKind::DATA => K::Data,
            ErrorKind::TOO_LARGE => K::TooLarge,
            ErrorKind::SERIALIZATION => K::Serialization,
            ErrorKind::DEADLOCK => K::Deadlock,
            ErrorKind::LOCK_TIMEOUT => K::LockTimeout,
            ErrorKind::BUSY => K::Busy,
            ErrorKind::CANCELLED => K::Cancelled,
            ErrorKind::TIMEOUT => K::Timeout,
            ErrorKind::TRANSACTION_STATE => K::TransactionState,
            ErrorKind::CONNECTION => K::Connection,
            ErrorKind::CONNECTION_LOST => K::ConnectionLost,
            ErrorKind::AUTHENTICATION => K::Authentication,
            ErrorKind::TLS => K::Tls,
            ErrorKind::TOO_MANY_CONNECTIONS => K::TooManyConnections,
            ErrorKind::NOT_FOUND => K::DatabaseNotFound,
            ErrorKind::READ_ONLY => K::ReadOnly,
            ErrorKind::DISK_FULL => K::DiskFull,
            ErrorKind::CORRUPT => K::Corrupt,
            ErrorKind::PERMISSION => K::Permission,
            ErrorKind::IO => K::Io,
            ErrorKind::OUT_OF_MEMORY => K::OutOfMemory,
            ErrorKind::ENCODE => K::Encode,
            ErrorKind::DECODE => K::Decode,
            ErrorKind::CONFIGURATION => K::Configuration,
            ErrorKind::UNSUPPORTED => K::Unsupported,
            ErrorKind::PANICKED => K::DriverPanicked,
            ErrorKind::PROTOCOL => K::DriverProtocol,
            // A kind of a later version: the message still says what it is.
            _ => K::Query,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_left_out_and_codes_are_distinct() {
        assert_eq!(DbErrorKind::ALL.len(), DbErrorKind::Application as usize + 1, "Application is the last kind");
        let codes: std::collections::BTreeSet<&str> = DbErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), DbErrorKind::ALL.len());
    }
}
