//! Errors on the wire.

use abi_stable::{
    StableAbi,
    std_types::{RBox, ROption, RString, RVec, Tuple2},
};
use std::fmt;

/// What went wrong, as far as a program needs to know. An open set: an unknown number means [`ErrorKind::QUERY`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorKind(pub u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl ErrorKind {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }

        impl fmt::Debug for ErrorKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($number => f.write_str(stringify!($name)),)*
                    other => write!(f, "ErrorKind({other})"),
                }
            }
        }
    };
}

kinds! {
    /// The database refused or failed the statement, and no other kind fits.
    QUERY = 1,
    /// A unique or primary key constraint.
    UNIQUE_VIOLATION = 10,
    /// A foreign key constraint.
    FOREIGN_KEY_VIOLATION = 11,
    /// A NULL where none is allowed.
    NOT_NULL_VIOLATION = 12,
    /// A check constraint.
    CHECK_VIOLATION = 13,
    /// An exclusion constraint.
    EXCLUSION_VIOLATION = 14,
    /// The SQL text cannot be parsed.
    SYNTAX = 20,
    /// A table, view or schema that does not exist.
    UNDEFINED_TABLE = 21,
    /// A column that does not exist.
    UNDEFINED_COLUMN = 22,
    /// A function that does not exist, or not for these types.
    UNDEFINED_FUNCTION = 23,
    /// A name that fits several things.
    AMBIGUOUS = 24,
    /// An empty text, or only comments, where a statement is expected.
    EMPTY_STATEMENT = 25,
    /// More than one statement where one is expected.
    MULTIPLE_STATEMENTS = 26,
    /// Parameters that are missing, too many, or unknown by their name.
    PARAMETERS = 27,
    /// A value that the database cannot store or compute: out of range, division by zero, wrong form.
    DATA = 28,
    /// A text, value or result that is larger than the database allows.
    TOO_LARGE = 29,
    /// A transaction could not be serialized; it can be run again.
    SERIALIZATION = 30,
    /// A deadlock; the transaction can be run again.
    DEADLOCK = 31,
    /// A lock was not had within the time allowed.
    LOCK_TIMEOUT = 32,
    /// The database is locked by another connection.
    BUSY = 33,
    /// The operation was cancelled.
    CANCELLED = 34,
    /// The operation took longer than allowed.
    TIMEOUT = 35,
    /// A statement that the transaction's state does not allow.
    TRANSACTION_STATE = 36,
    /// The types of the statement's parameters had changed since it was prepared, and it was not run; it has been prepared anew,
    /// and the host gives it its parameters once more. A host of version 1.0 reports it.
    STALE_STATEMENT = 37,
    /// No connection could be made, or the database cannot be opened.
    CONNECTION = 40,
    /// The connection was lost during use.
    CONNECTION_LOST = 41,
    /// User or password were refused.
    AUTHENTICATION = 42,
    /// TLS could not be set up as asked for.
    TLS = 43,
    /// The server takes no more connections.
    TOO_MANY_CONNECTIONS = 44,
    /// The database, file or user that is asked for does not exist.
    NOT_FOUND = 45,
    /// A write to what can only be read.
    READ_ONLY = 50,
    /// No space is left.
    DISK_FULL = 51,
    /// The database's file is damaged, or is no database.
    CORRUPT = 52,
    /// The operating system or the database denies the access.
    PERMISSION = 53,
    /// Reading or writing failed.
    IO = 54,
    /// Memory is exhausted.
    OUT_OF_MEMORY = 55,
    /// A parameter's value does not fit the place it is bound to.
    ENCODE = 60,
    /// A value of the result cannot be read as what it is declared to be.
    DECODE = 61,
    /// The URL or an option in it is wrong.
    CONFIGURATION = 70,
    /// The driver or the database cannot do what is asked for.
    UNSUPPORTED = 71,
    /// The driver panicked. The connection is broken.
    PANICKED = 80,
    /// Driver and host do not keep to the ABI. The connection is broken.
    PROTOCOL = 81,
}

/// The fields of an error. Texts are empty where nothing is known.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ErrorRecord {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Where in the user's SQL, as a byte offset.
    pub position: ROption<u32>,
    /// Which of many rows of parameters the error belongs to, counted from 0.
    pub row: ROption<u64>,
    /// The database's own number of the error, such as SQLite's extended result code; 0 where there is none.
    pub native_code: i64,
    /// The SQLSTATE, five characters, where the database has one.
    pub sqlstate: RString,
    /// What failed and with what, one line, without a trailing stop.
    pub message: RString,
    /// More of the same.
    pub detail: RString,
    /// What could be done.
    pub hint: RString,
    /// The schema concerned.
    pub schema: RString,
    /// The table concerned.
    pub table: RString,
    /// The column concerned; several are separated by a comma and a space.
    pub column: RString,
    /// The constraint concerned.
    pub constraint: RString,
    /// Whether the same operation may succeed when it is tried again, unchanged.
    pub is_retryable: bool,
    /// Whether the database may have performed the operation although it is reported as failed.
    pub may_have_executed: bool,
    /// What has no field of its own yet, by name.
    pub extra: RVec<Tuple2<RString, RString>>,
}

/// An error, as one pointer: results stay small on the good path.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct DriverError(RBox<ErrorRecord>);

impl DriverError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(RBox::new(ErrorRecord {
            kind,
            position: ROption::RNone,
            row: ROption::RNone,
            native_code: 0,
            sqlstate: RString::new(),
            message: message.into().into(),
            detail: RString::new(),
            hint: RString::new(),
            schema: RString::new(),
            table: RString::new(),
            column: RString::new(),
            constraint: RString::new(),
            is_retryable: matches!(kind, ErrorKind::SERIALIZATION | ErrorKind::DEADLOCK | ErrorKind::BUSY),
            may_have_executed: false,
            extra: RVec::new(),
        }))
    }

    /// A fault in how the two sides speak with each other.
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::PROTOCOL, message)
    }

    /// Adds what could be done.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into().into();
        self
    }

    /// Adds more of the same.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into().into();
        self
    }

    /// Adds the place in the user's SQL, as a byte offset.
    pub fn with_position(mut self, offset: usize) -> Self {
        self.0.position = u32::try_from(offset).ok().into();
        self
    }

    /// Adds which of many rows of parameters the error belongs to, counted from 0.
    pub fn with_row(mut self, row: usize) -> Self {
        self.0.row = ROption::RSome(row as u64);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// All fields.
    pub fn record(&self) -> &ErrorRecord {
        &self.0
    }

    /// All fields, to be changed.
    pub fn record_mut(&mut self) -> &mut ErrorRecord {
        &mut self.0
    }

    /// All fields, without the box.
    pub fn into_record(self) -> ErrorRecord {
        RBox::into_inner(self.0)
    }
}

impl fmt::Debug for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DriverError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_with_its_table() {
        assert_eq!(size_of::<DriverError>(), 2 * size_of::<usize>());
    }

    #[test]
    fn kinds_print_their_names() {
        assert_eq!(format!("{:?}", ErrorKind::UNIQUE_VIOLATION), "UNIQUE_VIOLATION");
        assert_eq!(format!("{:?}", ErrorKind(9999)), "ErrorKind(9999)");
    }
}
