//! Dates and times of `chrono`.
//!
//! Text is read too, in the forms of ISO 8601 with a blank or `T` between date and time: the results of date functions
//! have no declared type in some databases.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded};
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use montrs_driver_abi::{Timestamp, ValueRef};

const NANOS_A_SECOND: u64 = 1_000_000_000;

impl Encode for NaiveDate {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Date(self.to_epoch_days().into())))
    }
}

impl Decode<'_> for NaiveDate {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Date(days) => {
                i32::try_from(days).ok().and_then(NaiveDate::from_epoch_days).ok_or_else(|| out_of_range("NaiveDate"))
            }
            ValueRef::Text(text) => text.parse().map_err(|error| not_a("date", text, error)),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

impl Encode for NaiveTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        if u64::from(self.nanosecond()) >= NANOS_A_SECOND {
            return Err(EncodeError::new(format!("{self} lies in a leap second, which databases do not have")));
        }
        let seconds = u64::from(self.num_seconds_from_midnight());
        Ok(Encoded::Borrowed(ValueRef::Time(seconds * NANOS_A_SECOND + u64::from(self.nanosecond()))))
    }
}

impl Decode<'_> for NaiveTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Time(nanos) => u32::try_from(nanos / NANOS_A_SECOND)
                .ok()
                .and_then(|seconds| {
                    NaiveTime::from_num_seconds_from_midnight_opt(seconds, (nanos % NANOS_A_SECOND) as u32)
                })
                .ok_or_else(|| out_of_range("NaiveTime")),
            ValueRef::Text(text) => text.parse().map_err(|error| not_a("time", text, error)),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

fn timestamp_of(value: NaiveDateTime) -> Result<Timestamp, EncodeError> {
    let value = value.and_utc();
    if u64::from(value.timestamp_subsec_nanos()) >= NANOS_A_SECOND {
        return Err(EncodeError::new(format!("{value} lies in a leap second, which databases do not have")));
    }
    Ok(Timestamp { seconds: value.timestamp(), nanoseconds: value.timestamp_subsec_nanos() })
}

fn utc_of(value: Timestamp) -> Result<DateTime<Utc>, DecodeError> {
    DateTime::from_timestamp(value.seconds, value.nanoseconds).ok_or_else(|| out_of_range("a date and time of chrono"))
}

impl Encode for NaiveDateTime {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::Timestamp(timestamp_of(*self)?)))
    }
}

impl Decode<'_> for NaiveDateTime {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Timestamp(v) => Ok(utc_of(v)?.naive_utc()),
            ValueRef::Text(text) => text
                .parse()
                .or_else(|error| text.replacen(' ', "T", 1).parse().map_err(|_| error))
                .map_err(|error| not_a("date and time", text, error)),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

impl<Tz: TimeZone> Encode for DateTime<Tz> {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        Ok(Encoded::Borrowed(ValueRef::TimestampTz(timestamp_of(self.naive_utc())?)))
    }
}

impl Decode<'_> for DateTime<Utc> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::TimestampTz(v) => utc_of(v),
            ValueRef::Timestamp(_) => Err(DecodeError::of_kind(
                "it is a date and time without time zone: read it as NaiveDateTime, and say which zone is meant",
            )),
            ValueRef::Text(text) => DateTime::<FixedOffset>::parse_from_rfc3339(text)
                .map(|value| value.to_utc())
                .map_err(|error| not_a("date and time with time zone", text, error)),
            other => Err(DecodeError::unexpected(other)),
        }
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

fn out_of_range(what: &str) -> DecodeError {
    DecodeError::new(format!("its value is outside the range of {what}, or infinite"))
}

fn not_a(what: &str, text: &str, error: chrono::ParseError) -> DecodeError {
    DecodeError::new(format!("{text:?} is not a {what}: {error}"))
}
