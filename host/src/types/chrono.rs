//! Dates, times and durations of `chrono`.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Interval, calendar::read};
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use montrs_driver_abi::{Timestamp, ValueRef};

const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;

impl Encode for NaiveDate {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Date(self.to_epoch_days().into())))
    }
}

impl Decode<'_> for NaiveDate {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let days = i32::try_from(read::date(value)?).ok();
        days.and_then(NaiveDate::from_epoch_days).ok_or_else(|| read::out_of_range("NaiveDate"))
    }
}

impl Encode for NaiveTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        if u64::from(self.nanosecond()) >= NANOSECONDS_A_SECOND {
            return Err(leap_second(self));
        }
        let seconds = u64::from(self.num_seconds_from_midnight());
        Ok(Encoded::Borrowed(ValueRef::Time(seconds * NANOSECONDS_A_SECOND + u64::from(self.nanosecond()))))
    }
}

impl Decode<'_> for NaiveTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let nanoseconds = read::time(value)?;
        let (seconds, fraction) = (nanoseconds / NANOSECONDS_A_SECOND, nanoseconds % NANOSECONDS_A_SECOND);
        NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, fraction as u32)
            .ok_or_else(|| read::out_of_range("NaiveTime"))
    }
}

fn timestamp_of(value: NaiveDateTime) -> Result<Timestamp, EncodeError> {
    let value = value.and_utc();
    if u64::from(value.timestamp_subsec_nanos()) >= NANOSECONDS_A_SECOND {
        return Err(leap_second(&value));
    }
    Ok(Timestamp { seconds: value.timestamp(), nanoseconds: value.timestamp_subsec_nanos() })
}

fn leap_second(at: &dyn std::fmt::Display) -> EncodeError {
    EncodeError::new(format!("{at} lies in a leap second, which databases do not have"))
}

fn utc_of(at: Timestamp) -> Result<DateTime<Utc>, DecodeError> {
    DateTime::from_timestamp(at.seconds, at.nanoseconds).ok_or_else(|| read::out_of_range("DateTime"))
}

impl Encode for NaiveDateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Timestamp(timestamp_of(*self)?)))
    }
}

impl Decode<'_> for NaiveDateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        Ok(utc_of(read::timestamp(value)?)?.naive_utc())
    }
}

impl<Tz: TimeZone> Encode for DateTime<Tz> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::TimestampTz(timestamp_of(self.naive_utc())?)))
    }
}

impl Decode<'_> for DateTime<Utc> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        utc_of(read::instant(value)?)
    }
}

impl Decode<'_> for DateTime<FixedOffset> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        DateTime::<Utc>::decode(value).map(|value| value.fixed_offset())
    }
}

impl Decode<'_> for DateTime<Local> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        DateTime::<Utc>::decode(value).map(|value| value.with_timezone(&Local))
    }
}

/// An interval of microseconds. One with days is read too, a day taken as 24 hours.
impl Encode for TimeDelta {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let nanoseconds = i128::from(self.num_seconds()) * 1_000_000_000 + i128::from(self.subsec_nanos());
        Ok(Encoded::Owned(Interval::of_nanoseconds(nanoseconds)?.into()))
    }
}

impl Decode<'_> for TimeDelta {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let microseconds = i64::try_from(Interval::microseconds_of(value)?);
        microseconds.map(TimeDelta::microseconds).map_err(|_| read::out_of_range("TimeDelta"))
    }
}
