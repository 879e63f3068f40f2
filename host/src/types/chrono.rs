//! Dates and times of `chrono`.
//!
//! Text and numbers are read too, since some databases have no types for dates, or none for the results of functions:
//!
//! - text in the forms of ISO 8601 with a blank or `T` between date and time;
//! - a floating-point number from 0 to below 5373484.5 as a Julian day, to the millisecond;
//! - other numbers as seconds since 1970-01-01 00:00:00 UTC, where they lie in the years -4713 to 9999. An integer that would
//!   be a Julian day as well, which are those of the first 63 days of 1970, is refused: nobody knows what it means.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded};
use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc};
use montrs_driver_abi::{Timestamp, ValueRef};
use std::ops::RangeInclusive;

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
            ValueRef::I64(_) | ValueRef::F64(_) => {
                let at = instant_of_number(value)?.naive_utc();
                if at.time() == NaiveTime::MIN {
                    return Ok(at.date());
                }
                Err(DecodeError::new(format!(
                    "its number stands for {at}, which is more than a date: use NaiveDateTime"
                )))
            }
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
            ValueRef::Text(text) => match date_and_time(text)? {
                (at, None) => Ok(at),
                (_, Some(_)) => Err(DecodeError::new(format!("{text:?} has an offset from UTC: use DateTime<Utc>"))),
            },
            ValueRef::I64(_) | ValueRef::F64(_) => Ok(instant_of_number(value)?.naive_utc()),
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
            ValueRef::Text(text) => match date_and_time(text)? {
                (at, Some(offset)) => at
                    .checked_sub_offset(offset)
                    .map(|at| at.and_utc())
                    .ok_or_else(|| out_of_range("a date and time of chrono")),
                (_, None) => Err(DecodeError::new(format!(
                    "{text:?} has no offset from UTC: use NaiveDateTime, and say which zone is meant"
                ))),
            },
            ValueRef::I64(_) | ValueRef::F64(_) => instant_of_number(value),
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

/// Reads `date[( |T)time[offset]]`; without a time it is midnight.
fn date_and_time(text: &str) -> Result<(NaiveDateTime, Option<FixedOffset>), DecodeError> {
    let wrong = |error| not_a("date and time", text, error);
    let (date, rest) = text.split_once([' ', 'T', 't']).unwrap_or((text, "00:00"));
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
    let date: NaiveDate = date.parse().map_err(wrong)?;
    let time: NaiveTime = time.trim_end().parse().map_err(wrong)?;
    let offset = match offset {
        "" => None,
        "Z" | "z" => Some(Utc.fix()),
        offset => Some(offset.parse().map_err(wrong)?),
    };
    Ok((date.and_time(time), offset))
}

/// Julian days are counted from noon on the 24th of November of the year -4713. This is 1970-01-01, in milliseconds since.
const EPOCH_MS: i64 = 210_866_760_000_000;
const LAST_JULIAN_DAY: i64 = 5_373_484;
const MILLISECONDS_A_DAY: f64 = 86_400_000.0;
/// Seconds since 1970, from Julian day 0 to the end of the year 9999.
const UNIX_SECONDS: RangeInclusive<i64> = -210_866_760_000..=253_402_300_799;

/// What a number in the place of a date stands for.
fn instant_of_number(number: ValueRef<'_>) -> Result<DateTime<Utc>, DecodeError> {
    let since_julian_day_0 = |ms: f64| DateTime::from_timestamp_millis((ms + 0.5) as i64 - EPOCH_MS);
    let instant = match number {
        ValueRef::I64(number @ 0..=LAST_JULIAN_DAY) => {
            return Err(DecodeError::new(format!(
                "{number} may be a Julian day or seconds since 1970: read it as i64, or let SQL make a date of it"
            )));
        }
        ValueRef::I64(seconds) if UNIX_SECONDS.contains(&seconds) => DateTime::from_timestamp(seconds, 0),
        ValueRef::F64(day) if (0.0..LAST_JULIAN_DAY as f64 + 0.5).contains(&day) => {
            since_julian_day_0(day * MILLISECONDS_A_DAY)
        }
        ValueRef::F64(seconds) if (*UNIX_SECONDS.start() as f64..=*UNIX_SECONDS.end() as f64).contains(&seconds) => {
            since_julian_day_0(seconds * 1000.0 + EPOCH_MS as f64)
        }
        _ => None,
    };
    instant.ok_or_else(|| {
        DecodeError::new("its number is neither a Julian day nor seconds since 1970 up to the year 9999")
    })
}
