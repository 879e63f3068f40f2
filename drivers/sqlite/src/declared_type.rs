//! Declared types: what a column's values mean.
//!
//! SQLite stores five classes of values and takes any text as a column's type. The first word of that type says here
//! what is meant; letter case, further words and `(80)` do not matter. A declared type never makes a value unreadable:
//! what does not have the form that the type asks for stays what it is.

use crate::datetime::{self, ReadTimestamp};
use montrs_driver_sdk::{Kind, ValueRef};
use uuid::Uuid;

/// What a declared type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclaredType {
    /// Nothing: values are what they are stored as. The kind is what the type's affinity prefers.
    Stored(Kind),
    /// `BOOLEAN`, `BOOL`: the integers 0 and 1.
    Boolean,
    /// `DATE`: text.
    Date,
    /// `TIME`: text.
    Time,
    /// `DATETIME`, `TIMESTAMP`: text, an instant where it has an offset.
    Timestamp,
    /// `TIMESTAMPTZ`, `TIMESTAMP WITH TIME ZONE`: text, an instant also without an offset, as SQLite's own functions
    /// write UTC.
    TimestampTz,
    /// `JSON`, `JSONB`: text, numbers, which SQLite makes of such text, and blobs of SQLite's binary JSON.
    Json,
    /// `UUID`: text with hyphens, or sixteen bytes.
    Uuid,
    /// `DECIMAL`, `NUMERIC`: numbers and text that is one.
    Decimal,
}

impl DeclaredType {
    /// Reads a declared type; the empty text stands for none.
    pub(crate) fn parse(declared: &str) -> Self {
        let upper = declared.to_ascii_uppercase();
        let mut words = upper.split('(').next().unwrap_or_default().split_ascii_whitespace();
        match words.next().unwrap_or_default() {
            "BOOLEAN" | "BOOL" => Self::Boolean,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMESTAMPTZ" => Self::TimestampTz,
            "DATETIME" | "TIMESTAMP" if words.clone().eq(["WITH", "TIME", "ZONE"]) => Self::TimestampTz,
            "DATETIME" | "TIMESTAMP" => Self::Timestamp,
            "JSON" | "JSONB" => Self::Json,
            "UUID" => Self::Uuid,
            "DECIMAL" | "NUMERIC" => Self::Decimal,
            _ => Self::Stored(affinity(&upper)),
        }
    }

    /// The kind that values are expected to have.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Stored(kind) => kind,
            Self::Boolean => Kind::BOOL,
            Self::Date => Kind::DATE,
            Self::Time => Kind::TIME,
            Self::Timestamp => Kind::TIMESTAMP,
            Self::TimestampTz => Kind::TIMESTAMP_TZ,
            Self::Json => Kind::JSON,
            Self::Uuid => Kind::UUID,
            Self::Decimal => Kind::DECIMAL,
        }
    }

    /// What an integer means.
    ///
    /// A number in a column of dates stays a number, a Julian day or seconds since 1970: who asks for a date gets one.
    pub(crate) fn integer(self, value: i64) -> Meaning<'static> {
        match (self, value) {
            (Self::Boolean, 0 | 1) => Meaning::Value(ValueRef::Bool(value == 1)),
            (Self::Decimal, _) => Meaning::Decimal(value.to_string()),
            (Self::Json, _) => Meaning::Json(value.to_string()),
            _ => Meaning::Value(ValueRef::I64(value)),
        }
    }

    /// What a floating-point number means.
    pub(crate) fn real(self, value: f64) -> Meaning<'static> {
        match self {
            Self::Decimal => Meaning::Decimal(decimal_text(value)),
            Self::Json if value.is_finite() => Meaning::Json(decimal_text(value)),
            _ => Meaning::Value(ValueRef::F64(value)),
        }
    }

    /// What a text means.
    pub(crate) fn text(self, text: &[u8]) -> Meaning<'_> {
        let value = match self {
            Self::Date => datetime::read_date(text).map(ValueRef::Date),
            Self::Time => datetime::read_time(text).map(ValueRef::Time),
            Self::Timestamp => datetime::read_timestamp(text).map(timestamp_as_told),
            Self::TimestampTz => datetime::read_timestamp(text).map(|read| ValueRef::TimestampTz(read.timestamp)),
            Self::Uuid => uuid_text(text).map(ValueRef::Uuid),
            Self::Json => return Meaning::Text(Kind::JSON, text),
            Self::Decimal if is_decimal(text) => return Meaning::Text(Kind::DECIMAL, text),
            Self::Stored(_) | Self::Boolean | Self::Decimal => None,
        };
        value.map_or(Meaning::Text(Kind::TEXT, text), Meaning::Value)
    }

    /// What a blob means, other than [`BinaryJson`](crate::binary_json::BinaryJson).
    pub(crate) fn blob(self, blob: &[u8]) -> Meaning<'_> {
        match (self, blob.try_into()) {
            (Self::Uuid, Ok(uuid)) => Meaning::Value(ValueRef::Uuid(uuid)),
            _ => Meaning::Value(ValueRef::Bytes(blob)),
        }
    }
}

/// What a stored value means under a declared type.
#[derive(Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    /// This value.
    Value(ValueRef<'a>),
    /// Text of this kind, of which nobody knows yet whether it is UTF-8.
    Text(Kind, &'a [u8]),
    /// A decimal number, made of a stored number.
    Decimal(String),
    /// A JSON number, made of a stored number.
    Json(String),
}

/// The affinity's kind, by the rules of <https://sqlite.org/datatype3.html>, section 3.1. NUMERIC affinity prefers none.
///
/// Integers have the width that the type's name says, although SQLite stores larger ones too: who reads or checks a column
/// goes by what it is meant for.
fn affinity(upper: &str) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    if has(&["SMALLINT", "TINYINT", "INT2"]) {
        Kind::I16
    } else if has(&["BIG", "INT8"]) && has(&["INT"]) {
        Kind::I64
    } else if has(&["INT"]) {
        Kind::I32
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Kind::TEXT
    } else if has(&["BLOB"]) {
        Kind::BYTES
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Kind::F64
    } else {
        Kind::NULL
    }
}

fn timestamp_as_told(read: ReadTimestamp) -> ValueRef<'static> {
    if read.has_offset { ValueRef::TimestampTz(read.timestamp) } else { ValueRef::Timestamp(read.timestamp) }
}

fn uuid_text(text: &[u8]) -> Option<[u8; 16]> {
    const WITH_HYPHENS: usize = 36;
    if text.len() != WITH_HYPHENS {
        return None;
    }
    Uuid::try_parse_ascii(text).ok().map(Uuid::into_bytes)
}

/// The shortest text that reads back as the same number.
fn decimal_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-7..1e18).contains(&magnitude) { value.to_string() } else { format!("{value:e}") }
}

/// Whether a text is a decimal number as [`Kind::DECIMAL`] has it.
fn is_decimal(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (len > 0).then(|| &text[len..])
    }
    fn number(text: &[u8]) -> Option<&[u8]> {
        let mut rest = digits(text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text))?;
        if let Some(fraction) = rest.strip_prefix(b".") {
            rest = digits(fraction)?;
        }
        if let Some(exponent) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
            rest = digits(exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent))?;
        }
        Some(rest)
    }
    matches!(text, b"NaN" | b"Infinity" | b"-Infinity") || number(text).is_some_and(<[u8]>::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn types_are_recognized_in_any_spelling() {
        for (declared, expected) in [
            ("BOOLEAN", DeclaredType::Boolean),
            ("bool", DeclaredType::Boolean),
            ("Date", DeclaredType::Date),
            ("time(6)", DeclaredType::Time),
            ("DATETIME", DeclaredType::Timestamp),
            ("timestamp without time zone", DeclaredType::Timestamp),
            ("TIMESTAMP  WITH\tTIME ZONE", DeclaredType::TimestampTz),
            ("timestamptz", DeclaredType::TimestampTz),
            ("json", DeclaredType::Json),
            ("Jsonb", DeclaredType::Json),
            ("UUID", DeclaredType::Uuid),
            ("decimal(10, 2)", DeclaredType::Decimal),
            ("DECIMAL TEXT", DeclaredType::Decimal),
            ("NUMERIC", DeclaredType::Decimal),
            ("VARCHAR(80)", DeclaredType::Stored(Kind::TEXT)),
            ("unsigned big int", DeclaredType::Stored(Kind::I64)),
            ("bigint", DeclaredType::Stored(Kind::I64)),
            ("INTEGER", DeclaredType::Stored(Kind::I32)),
            ("smallint", DeclaredType::Stored(Kind::I16)),
            ("double precision", DeclaredType::Stored(Kind::F64)),
            ("BLOB", DeclaredType::Stored(Kind::BYTES)),
            ("UPDATE", DeclaredType::Stored(Kind::NULL)),
            ("(", DeclaredType::Stored(Kind::NULL)),
            ("", DeclaredType::Stored(Kind::NULL)),
        ] {
            assert_eq!(DeclaredType::parse(declared), expected, "{declared}");
        }
    }

    #[test]
    fn values_without_the_form_of_their_type_stay_what_they_are() {
        use DeclaredType::{Boolean, Date, Decimal, Json, Time, Timestamp, Uuid};
        for (declared, text) in [
            (Boolean, "true"),
            (Date, "yesterday"),
            (Date, "2024-01-01 00:00"),
            (Time, "noon"),
            (Timestamp, "12:00"),
            (Uuid, "67e5504410b1426f9247bb680e5fe0c8"),
            (Decimal, "1,5"),
            (Decimal, "0x10"),
            (Decimal, "1."),
            (Decimal, "inf"),
            (Decimal, ""),
        ] {
            assert_eq!(declared.text(text.as_bytes()), Meaning::Text(Kind::TEXT, text.as_bytes()), "{text}");
        }
        assert_eq!(Boolean.integer(2), Meaning::Value(ValueRef::I64(2)));
        assert_eq!(Timestamp.integer(0), Meaning::Value(ValueRef::I64(0)));
        assert_eq!(Date.real(2_460_000.5), Meaning::Value(ValueRef::F64(2_460_000.5)));
        assert_eq!(Uuid.blob(b"short"), Meaning::Value(ValueRef::Bytes(b"short")));
        assert_eq!(Json.real(f64::INFINITY), Meaning::Value(ValueRef::F64(f64::INFINITY)));
    }

    #[test]
    fn values_with_the_form_of_their_type_are_read_as_it() {
        use DeclaredType::{Boolean, Decimal, Json, TimestampTz, Uuid};
        assert_eq!(Boolean.integer(1), Meaning::Value(ValueRef::Bool(true)));
        assert_eq!(Decimal.integer(-5), Meaning::Decimal("-5".into()));
        assert_eq!(Decimal.real(0.1), Meaning::Decimal("0.1".into()));
        assert_eq!(Decimal.real(12.0), Meaning::Decimal("12".into()));
        assert_eq!(Decimal.real(1e300), Meaning::Decimal("1e300".into()));
        assert_eq!(Decimal.real(f64::NEG_INFINITY), Meaning::Decimal("-Infinity".into()));
        assert_eq!(Decimal.text(b"-1.50E+3"), Meaning::Text(Kind::DECIMAL, b"-1.50E+3"));
        assert_eq!(Json.text(b"{"), Meaning::Text(Kind::JSON, b"{"));
        assert_eq!(Json.integer(7), Meaning::Json("7".into()));
        let bytes = *b"0123456789abcdef";
        assert_eq!(Uuid.blob(&bytes), Meaning::Value(ValueRef::Uuid(bytes)));
        assert_eq!(Uuid.text(b"30313233-3435-3637-3839-616263646566"), Meaning::Value(ValueRef::Uuid(bytes)),);
        let epoch = Timestamp { seconds: 0, nanoseconds: 0 };
        assert_eq!(TimestampTz.text(b"1970-01-01 00:00:00"), Meaning::Value(ValueRef::TimestampTz(epoch)));
    }

    proptest! {
        #[test]
        fn the_text_of_a_number_reads_back_as_the_same(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let text = decimal_text(value);
            prop_assert!(is_decimal(text.as_bytes()), "{text}");
            prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        }
    }
}
