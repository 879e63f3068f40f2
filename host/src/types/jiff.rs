//! Dates, times and durations of `jiff`.
//!
//! Not `Zoned`: databases keep an instant, and not the zone that it was told in. Not `Span`: its units have one sign, and those
//! of an [`Interval`] one each.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Interval, calendar::read};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::Offset,
};
use montrs_driver_abi::{self as abi, ValueRef};

const SECONDS_A_DAY: i64 = 86_400;
const MIDNIGHT: Time = Time::midnight();

/// A civil date and time as if it were UTC: seconds since 1970-01-01 00:00, counted down before it, and nanoseconds.
fn timestamp_of(at: DateTime) -> abi::Timestamp {
    let since = at.duration_since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));
    split(since.as_secs(), since.subsec_nanos())
}

/// The nanoseconds after the second, where they may be counted down from it.
fn split(seconds: i64, nanoseconds: i32) -> abi::Timestamp {
    match u32::try_from(nanoseconds) {
        Ok(nanoseconds) => abi::Timestamp { seconds, nanoseconds },
        Err(_) => abi::Timestamp { seconds: seconds - 1, nanoseconds: (nanoseconds + 1_000_000_000) as u32 },
    }
}

fn civil_of(at: abi::Timestamp) -> Option<DateTime> {
    let since = SignedDuration::new(at.seconds, i32::try_from(at.nanoseconds).ok()?);
    jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since).ok()
}

impl Encode for Date {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let days = timestamp_of(self.to_datetime(MIDNIGHT)).seconds / SECONDS_A_DAY;
        Ok(Encoded::Borrowed(ValueRef::Date(days)))
    }
}

impl Decode<'_> for Date {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let seconds = read::date(value)?.checked_mul(SECONDS_A_DAY);
        let date = seconds.and_then(|seconds| civil_of(abi::Timestamp { seconds, nanoseconds: 0 }));
        Ok(date.ok_or_else(|| read::out_of_range("civil::Date"))?.date())
    }
}

impl Encode for Time {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let nanoseconds = self.duration_since(MIDNIGHT).as_nanos();
        // A time is not before midnight.
        Ok(Encoded::Borrowed(ValueRef::Time(nanoseconds as u64)))
    }
}

impl Decode<'_> for Time {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        // Less than a day, so nothing wraps.
        Ok(MIDNIGHT.wrapping_add(std::time::Duration::from_nanos(read::time(value)?)))
    }
}

impl Encode for DateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Timestamp(timestamp_of(*self))))
    }
}

impl Decode<'_> for DateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        civil_of(read::timestamp(value)?).ok_or_else(|| read::out_of_range("civil::DateTime"))
    }
}

impl Encode for Timestamp {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::TimestampTz(timestamp_of(Offset::UTC.to_datetime(*self)))))
    }
}

impl Decode<'_> for Timestamp {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let at = civil_of(read::instant(value)?).and_then(|at| Offset::UTC.to_timestamp(at).ok());
        at.ok_or_else(|| read::out_of_range("Timestamp"))
    }
}

/// An interval of microseconds. One with days is read too, a day taken as 24 hours.
impl Encode for SignedDuration {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Owned(Interval::of_nanoseconds(self.as_nanos())?.into()))
    }
}

impl Decode<'_> for SignedDuration {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let microseconds = i64::try_from(Interval::microseconds_of(value)?);
        microseconds.map(SignedDuration::from_micros).map_err(|_| read::out_of_range("SignedDuration"))
    }
}
