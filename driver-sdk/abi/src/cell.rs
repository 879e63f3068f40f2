//! One value on the wire: sixteen bytes, and a place in one of two heaps for what does not fit.

use crate::{Array, BatchError, DriverError, ErrorKind};
use abi_stable::{
    StableAbi,
    std_types::{RString, RVec},
};
use std::{fmt, ops::Range};

/// What a cell holds, and how. An open set: a reader treats an unknown kind as an error of that one value.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }

        impl fmt::Debug for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($number => f.write_str(stringify!($name)),)*
                    other => write!(f, "Kind({other})"),
                }
            }
        }
    };
}

kinds! {
    /// NULL; as the kind of a column or parameter: not known.
    NULL = 0,
    /// `value` is 0 or 1.
    BOOL = 1,
    /// `value` is the number, sign-extended.
    I16 = 2,
    /// `value` is the number, sign-extended.
    I32 = 3,
    /// `value` is the number.
    I64 = 4,
    /// `value` holds the IEEE 754 bits, zero-extended.
    F32 = 5,
    /// `value` holds the IEEE 754 bits.
    F64 = 6,
    /// A decimal number as text: digits, at most one point, a sign, an exponent; or `NaN`, `Infinity`, `-Infinity`.
    DECIMAL = 7,
    /// Text.
    TEXT = 8,
    /// Bytes.
    BYTES = 9,
    /// `value` is the days since 1970-01-01 in the proleptic Gregorian calendar; `i64::MAX` and `i64::MIN` are the
    /// infinities.
    DATE = 10,
    /// `value` is the nanoseconds since midnight, up to and including 24:00.
    TIME = 11,
    /// A local date and time: `value` is the seconds since 1970-01-01 00:00, `extra` the nanoseconds after them;
    /// `i64::MAX` and `i64::MIN` are the infinities.
    TIMESTAMP = 12,
    /// An instant; like `TIMESTAMP`, in UTC.
    TIMESTAMP_TZ = 13,
    /// Sixteen bytes in the heap of bytes, little-endian: months (i32), days (i32), microseconds (i64).
    INTERVAL = 14,
    /// Sixteen bytes in the heap of bytes, in network order.
    UUID = 15,
    /// A JSON text.
    JSON = 16,
    /// An array, as [`Array`](crate::Array) has it, in the heap of bytes.
    ARRAY = 17,
    /// What has no kind of its own, as the database's text for it; the column names the type.
    OTHER_TEXT = 18,
    /// What has no kind of its own, as the database's bytes for it; the column names the type.
    OTHER_BYTES = 19,
}

/// One value of a row or one parameter.
///
/// Text kinds have their text in the heap of text, byte kinds have theirs in the heap of bytes: `value` is the offset
/// and `extra` the length. The two heaps are apart so that one check for UTF-8 covers all text of a batch.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Cell {
    kind: Kind,
    reserved: [u8; 3],
    extra: u32,
    value: u64,
}

/// A date and time, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00; `i64::MAX` and `i64::MIN` are the infinities.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// A value, borrowed from where it lies. The variants are those of [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is documented at the constant of its name in Kind")]
pub enum ValueRef<'a> {
    Null,
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
    Date(i64),
    Time(u64),
    Timestamp(Timestamp),
    TimestampTz(Timestamp),
    Interval { months: i32, days: i32, microseconds: i64 },
    Uuid([u8; 16]),
    Json(&'a str),
    Array(Array<'a>),
    OtherText(&'a str),
    OtherBytes(&'a [u8]),
}

impl ValueRef<'_> {
    /// The kind of the value.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::NULL,
            Self::Bool(_) => Kind::BOOL,
            Self::I16(_) => Kind::I16,
            Self::I32(_) => Kind::I32,
            Self::I64(_) => Kind::I64,
            Self::F32(_) => Kind::F32,
            Self::F64(_) => Kind::F64,
            Self::Decimal(_) => Kind::DECIMAL,
            Self::Text(_) => Kind::TEXT,
            Self::Bytes(_) => Kind::BYTES,
            Self::Date(_) => Kind::DATE,
            Self::Time(_) => Kind::TIME,
            Self::Timestamp(_) => Kind::TIMESTAMP,
            Self::TimestampTz(_) => Kind::TIMESTAMP_TZ,
            Self::Interval { .. } => Kind::INTERVAL,
            Self::Uuid(_) => Kind::UUID,
            Self::Json(_) => Kind::JSON,
            Self::Array(_) => Kind::ARRAY,
            Self::OtherText(_) => Kind::OTHER_TEXT,
            Self::OtherBytes(_) => Kind::OTHER_BYTES,
        }
    }
}

impl Kind {
    fn is_in_text_heap(self) -> bool {
        matches!(self, Self::DECIMAL | Self::TEXT | Self::JSON | Self::OTHER_TEXT)
    }
}

/// What becomes of a value: see [`RowBatch::with_value`] and [`Params::with_value`].
///
/// The compiler sees together what kind the value is of and what becomes of it, and nothing is left to do for a number that is
/// taken as a number; if the method is `#[inline(always)]`, which a closure cannot be.
///
/// [`RowBatch::with_value`]: crate::RowBatch::with_value
/// [`Params::with_value`]: crate::Params::with_value
pub trait UseValue<'a> {
    /// What it ends with.
    type Output;

    /// Takes the value, or why there is none.
    fn use_value(self, value: Result<ValueRef<'a>, BatchError>) -> Self::Output;
}

impl Cell {
    /// NULL.
    pub const NULL: Self = Self::scalar(Kind::NULL, 0);

    pub(crate) const SIZE: usize = size_of::<Self>();

    pub(crate) const fn scalar(kind: Kind, value: u64) -> Self {
        Self { kind, reserved: [0; 3], extra: 0, value }
    }

    #[inline]
    fn in_heap(kind: Kind, offset: usize, len: usize) -> Result<Self, DriverError> {
        match u32::try_from(len) {
            Ok(extra) => Ok(Self { kind, reserved: [0; 3], extra, value: offset as u64 }),
            Err(_) => Err(too_large(len)),
        }
    }

    /// What the cell holds.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn to_le_bytes(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[0] = self.kind.0;
        out[4..8].copy_from_slice(&self.extra.to_le_bytes());
        out[8..].copy_from_slice(&self.value.to_le_bytes());
        out
    }

    pub(crate) fn from_le_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let [kind, _, _, _, e0, e1, e2, e3, v0, v1, v2, v3, v4, v5, v6, v7] = *bytes;
        Self {
            kind: Kind(kind),
            reserved: [0; 3],
            extra: u32::from_le_bytes([e0, e1, e2, e3]),
            value: u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]),
        }
    }

    /// The cell's bytes in the heap of text, when it is of a kind that has some there.
    pub(crate) fn in_text_heap<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.kind.is_in_text_heap() { text.get(self.place()?) } else { None }
    }

    /// Reads the cell, checking its place in the heaps.
    pub(crate) fn read<'a>(&self, text: &'a str, bytes: &'a [u8]) -> Result<ValueRef<'a>, BatchError> {
        let timestamp = || Timestamp { seconds: self.value as i64, nanoseconds: self.extra };
        let block = || self.place().and_then(|place| bytes.get(place)).ok_or(BatchError::OutsideHeap);
        Ok(match self.kind {
            Kind::NULL => ValueRef::Null,
            Kind::BOOL => ValueRef::Bool(self.value != 0),
            Kind::I16 => ValueRef::I16(self.value as i16),
            Kind::I32 => ValueRef::I32(self.value as i32),
            Kind::I64 => ValueRef::I64(self.value as i64),
            Kind::F32 => ValueRef::F32(f32::from_bits(self.value as u32)),
            Kind::F64 => ValueRef::F64(f64::from_bits(self.value)),
            Kind::DECIMAL => ValueRef::Decimal(self.text(text)?),
            Kind::TEXT => ValueRef::Text(self.text(text)?),
            Kind::JSON => ValueRef::Json(self.text(text)?),
            Kind::OTHER_TEXT => ValueRef::OtherText(self.text(text)?),
            Kind::DATE => ValueRef::Date(self.value as i64),
            Kind::TIME => ValueRef::Time(self.value),
            Kind::TIMESTAMP => ValueRef::Timestamp(timestamp()),
            Kind::TIMESTAMP_TZ => ValueRef::TimestampTz(timestamp()),
            Kind::BYTES => ValueRef::Bytes(block()?),
            Kind::OTHER_BYTES => ValueRef::OtherBytes(block()?),
            Kind::UUID => ValueRef::Uuid(block()?.try_into().map_err(|_| BatchError::WrongLength)?),
            Kind::INTERVAL => {
                let block: &[u8; 16] = block()?.try_into().map_err(|_| BatchError::WrongLength)?;
                let [m0, m1, m2, m3, d0, d1, d2, d3, time @ ..] = *block;
                ValueRef::Interval {
                    months: i32::from_le_bytes([m0, m1, m2, m3]),
                    days: i32::from_le_bytes([d0, d1, d2, d3]),
                    microseconds: i64::from_le_bytes(time),
                }
            }
            Kind::ARRAY => ValueRef::Array(Array::parse(block()?).map_err(BatchError::Array)?),
            other => return Err(BatchError::UnknownKind(other)),
        })
    }

    /// Gives what [`read`](Self::read) answers to `user`: for the kinds that make up most of all values, in place.
    #[inline(always)]
    pub(crate) fn with_value<'a, U: UseValue<'a>>(&self, text: &'a str, bytes: &'a [u8], user: U) -> U::Output {
        match self.kind {
            Kind::NULL => return user.use_value(Ok(ValueRef::Null)),
            Kind::I64 => return user.use_value(Ok(ValueRef::I64(self.value as i64))),
            Kind::F64 => return user.use_value(Ok(ValueRef::F64(f64::from_bits(self.value)))),
            Kind::TEXT => {
                if let Ok(text) = self.text(text) {
                    return user.use_value(Ok(ValueRef::Text(text)));
                }
            }
            _ => {}
        }
        user.use_value(self.read(text, bytes))
    }

    /// The cell's text, which lies in the heap.
    #[inline(always)] // It is a part of reading each text.
    fn text<'a>(&self, heap: &'a str) -> Result<&'a str, BatchError> {
        self.place().and_then(|place| heap.get(place)).ok_or(BatchError::OutsideHeap)
    }

    /// The cell's place in its heap.
    #[inline]
    fn place(&self) -> Option<Range<usize>> {
        let start = usize::try_from(self.value).ok()?;
        Some(start..start.checked_add(self.extra as usize)?)
    }
}

#[cold]
fn too_large(len: usize) -> DriverError {
    DriverError::new(ErrorKind::TOO_LARGE, format!("a value of {len} bytes; 4294967295 is the most"))
}

/// A heap that text is appended to.
pub trait TextHeap {
    #[doc(hidden)]
    fn append(&mut self, text: &str) -> usize;
}

impl TextHeap for RVec<u8> {
    fn append(&mut self, text: &str) -> usize {
        let offset = self.len();
        self.extend_from_copy_slice(text.as_bytes());
        offset
    }
}

impl TextHeap for RString {
    fn append(&mut self, text: &str) -> usize {
        let offset = self.len();
        self.push_str(text);
        offset
    }
}

/// Appends a value to the heaps and makes the cell for it.
///
/// # Errors
///
/// [`ErrorKind::TOO_LARGE`] for a value of 4 GiB or more.
#[inline(always)] // Where the kind is known, nothing is left of the match.
pub fn write_value(value: ValueRef<'_>, text: &mut impl TextHeap, bytes: &mut RVec<u8>) -> Result<Cell, DriverError> {
    let kind = value.kind();
    let mut block = |block: &[u8]| {
        let offset = bytes.len();
        bytes.extend_from_copy_slice(block);
        Cell::in_heap(kind, offset, block.len())
    };
    Ok(match value {
        ValueRef::Null => Cell::NULL,
        ValueRef::Bool(v) => Cell::scalar(kind, v.into()),
        ValueRef::I16(v) => Cell::scalar(kind, i64::from(v) as u64),
        ValueRef::I32(v) => Cell::scalar(kind, i64::from(v) as u64),
        ValueRef::I64(v) => Cell::scalar(kind, v as u64),
        ValueRef::F32(v) => Cell::scalar(kind, v.to_bits().into()),
        ValueRef::F64(v) => Cell::scalar(kind, v.to_bits()),
        ValueRef::Date(v) => Cell::scalar(kind, v as u64),
        ValueRef::Time(v) => Cell::scalar(kind, v),
        ValueRef::Timestamp(v) | ValueRef::TimestampTz(v) => {
            Cell { extra: v.nanoseconds, ..Cell::scalar(kind, v.seconds as u64) }
        }
        ValueRef::Decimal(v) | ValueRef::Text(v) | ValueRef::Json(v) | ValueRef::OtherText(v) => {
            Cell::in_heap(kind, text.append(v), v.len())?
        }
        ValueRef::Bytes(v) | ValueRef::OtherBytes(v) => block(v)?,
        ValueRef::Uuid(v) => block(&v)?,
        ValueRef::Interval { months, days, microseconds } => {
            let mut out = [0; 16];
            out[..4].copy_from_slice(&months.to_le_bytes());
            out[4..8].copy_from_slice(&days.to_le_bytes());
            out[8..].copy_from_slice(&microseconds.to_le_bytes());
            block(&out)?
        }
        ValueRef::Array(v) => block(v.as_bytes())?,
    })
}

/// Appends bytes that are meant to be text, without looking at them; see [`Batch::push_unchecked_text`].
///
/// [`Batch::push_unchecked_text`]: crate::Batch::push_unchecked_text
#[inline]
pub(crate) fn write_unchecked_text(kind: Kind, value: &[u8], text: &mut RVec<u8>) -> Result<Cell, DriverError> {
    let offset = text.len();
    text.extend_from_copy_slice(value);
    Cell::in_heap(kind, offset, value.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn a_cell_is_sixteen_bytes_with_its_value_last() {
        assert_eq!((size_of::<Cell>(), align_of::<Cell>()), (16, 8));
        assert_eq!(offset_of!(Cell, kind), 0);
        assert_eq!(offset_of!(Cell, extra), 4);
        assert_eq!(offset_of!(Cell, value), 8);
    }
}
