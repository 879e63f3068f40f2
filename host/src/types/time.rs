//! Dates, times and durations of `time`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Interval, calendar::read};
use montrs_driver_abi::{Timestamp, ValueRef};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcDateTime};

const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;
const EPOCH: Date = UtcDateTime::UNIX_EPOCH.date();

impl Encode for Date {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Date((*self - EPOCH).whole_days())))
    }
}

impl Decode<'_> for Date {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let days = read::date(value)?.checked_add(EPOCH.to_julian_day().into());
        let date = days.and_then(|days| Date::from_julian_day(days.try_into().ok()?).ok());
        date.ok_or_else(|| read::out_of_range("Date"))
    }
}

impl Encode for Time {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let (hour, minute, second, nanosecond) = self.as_hms_nano();
        let seconds = (u64::from(hour) * 60 + u64::from(minute)) * 60 + u64::from(second);
        Ok(Encoded::Borrowed(ValueRef::Time(seconds * NANOSECONDS_A_SECOND + u64::from(nanosecond))))
    }
}

impl Decode<'_> for Time {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        // Less than a day, so nothing wraps.
        Ok(Time::MIDNIGHT + std::time::Duration::from_nanos(read::time(value)?))
    }
}

fn timestamp_of(at: UtcDateTime) -> Timestamp {
    Timestamp { seconds: at.unix_timestamp(), nanoseconds: at.nanosecond() }
}

fn utc_of(at: Timestamp) -> Result<UtcDateTime, DecodeError> {
    UtcDateTime::from_unix_timestamp(at.seconds)
        .and_then(|second| second.replace_nanosecond(at.nanoseconds))
        .map_err(|_| read::out_of_range("a date and time of the crate time"))
}

impl Encode for PrimitiveDateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Timestamp(timestamp_of(self.as_utc()))))
    }
}

impl Decode<'_> for PrimitiveDateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let at = utc_of(read::timestamp(value)?)?;
        Ok(PrimitiveDateTime::new(at.date(), at.time()))
    }
}

impl Encode for UtcDateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::TimestampTz(timestamp_of(*self))))
    }
}

impl Decode<'_> for UtcDateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        utc_of(read::instant(value)?)
    }
}

impl Encode for OffsetDateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let at = Timestamp { seconds: self.unix_timestamp(), nanoseconds: self.nanosecond() };
        Ok(Encoded::Borrowed(ValueRef::TimestampTz(at)))
    }
}

/// In UTC.
impl Decode<'_> for OffsetDateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        UtcDateTime::decode(value).map(Into::into)
    }
}

/// An interval of microseconds. One with days is read too, a day taken as 24 hours.
impl Encode for Duration {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Owned(Interval::of_nanoseconds(self.whole_nanoseconds())?.into()))
    }
}

impl Decode<'_> for Duration {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let microseconds = i64::try_from(Interval::microseconds_of(value)?);
        microseconds.map(Duration::microseconds).map_err(|_| read::out_of_range("Duration"))
    }
}
