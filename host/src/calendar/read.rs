//! Dates and times of values, whatever crate's types they then become.
//!
//! Text and numbers are read too, since some databases have no types for dates, or none for the results of functions:
//!
//! - text in the forms of ISO 8601: `2024-02-29`, `23:59`, `23:59:59.5`, both with a blank or `T` between, and at the end `Z`,
//!   `+01`, `+01:00`, `+0100` or `+01:00:00`, before which a blank may stand; years of more than four digits have a sign;
//! - a floating-point number from 0 to below 5373484.5 as a Julian day, to the millisecond;
//! - other numbers as seconds since 1970-01-01 00:00:00 UTC, where they lie in the years -4713 to 9999. An integer that would
//!   be a Julian day as well, which are those of the first 63 days of 1970, is refused: nobody knows what it means.

use super::{NANOSECONDS_A_SECOND, SECONDS_A_DAY, number};
use crate::{DecodeError, calendar};
use montrs_driver_abi::{Timestamp, ValueRef};

/// Days since 1970-01-01.
pub(crate) fn date(value: ValueRef<'_>) -> Result<i64, DecodeError> {
    match value {
        ValueRef::Date(i64::MIN | i64::MAX) => Err(infinite()),
        ValueRef::Date(days) => Ok(days),
        ValueRef::Text(text) => whole(text, Text::date).ok_or_else(|| not_a("date", text)),
        ValueRef::I64(_) | ValueRef::F64(_) => {
            let at = timestamp(value)?;
            if at.seconds % SECONDS_A_DAY == 0 && at.nanoseconds == 0 {
                return Ok(at.seconds.div_euclid(SECONDS_A_DAY));
            }
            let at = calendar::timestamp(at);
            Err(DecodeError::new(format!("its number stands for {at}, which is more than a date: use a date and time")))
        }
        other => Err(DecodeError::unexpected(other)),
    }
}

/// Nanoseconds since midnight, less than a day.
pub(crate) fn time(value: ValueRef<'_>) -> Result<u64, DecodeError> {
    let nanoseconds = match value {
        ValueRef::Time(nanoseconds) => nanoseconds,
        ValueRef::Text(text) => whole(text, Text::time).ok_or_else(|| not_a("time", text))?,
        other => return Err(DecodeError::unexpected(other)),
    };
    if nanoseconds >= SECONDS_A_DAY.unsigned_abs() * NANOSECONDS_A_SECOND {
        return Err(DecodeError::new("it is 24:00, the end of the day: read it as String or Value"));
    }
    Ok(nanoseconds)
}

/// A date and time without time zone.
pub(crate) fn timestamp(value: ValueRef<'_>) -> Result<Timestamp, DecodeError> {
    match value {
        ValueRef::Timestamp(at) => finite(at),
        ValueRef::Text(text) => match whole(text, Text::timestamp) {
            Some((at, None)) => Ok(at),
            Some((_, Some(_))) => Err(DecodeError::new(format!(
                "{text:?} has an offset from UTC: use a type of instants, such as DateTime<Utc>"
            ))),
            None => Err(not_a("date and time", text)),
        },
        ValueRef::I64(number) => number::integer(number),
        ValueRef::F64(number) => number::float(number),
        other => Err(DecodeError::unexpected(other)),
    }
}

/// An instant.
pub(crate) fn instant(value: ValueRef<'_>) -> Result<Timestamp, DecodeError> {
    match value {
        ValueRef::TimestampTz(at) => finite(at),
        ValueRef::Timestamp(_) => Err(DecodeError::of_kind(
            "it is a date and time without time zone: read it as such, as NaiveDateTime is one, and say which zone is meant",
        )),
        ValueRef::Text(text) => match whole(text, Text::timestamp) {
            Some((at, Some(offset))) => Ok(Timestamp { seconds: at.seconds - offset, ..at }),
            Some((_, None)) => Err(DecodeError::new(format!(
                "{text:?} has no offset from UTC: use a type without zone, such as NaiveDateTime, and say which zone is meant"
            ))),
            None => Err(not_a("date and time with offset from UTC", text)),
        },
        ValueRef::I64(number) => number::integer(number),
        ValueRef::F64(number) => number::float(number),
        other => Err(DecodeError::unexpected(other)),
    }
}

fn finite(at: Timestamp) -> Result<Timestamp, DecodeError> {
    if matches!(at.seconds, i64::MIN | i64::MAX) { Err(infinite()) } else { Ok(at) }
}

/// The value has a date that the Rust type cannot hold.
#[cold]
pub(crate) fn out_of_range(what: &str) -> DecodeError {
    DecodeError::new(format!("its value is outside the range of {what}: read it as String or Value"))
}

#[cold]
fn infinite() -> DecodeError {
    DecodeError::new("it is infinite: read it as String or Value")
}

#[cold]
fn not_a(what: &str, text: &str) -> DecodeError {
    DecodeError::new(format!("{text:?} is not a {what}"))
}

/// Reads all of a text.
fn whole<'a, T>(text: &'a str, read: impl FnOnce(&mut Text<'a>) -> Option<T>) -> Option<T> {
    let mut text = Text(text.as_bytes());
    read(&mut text).filter(|_| text.0.is_empty())
}

/// What of a text is left to be read.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn skip(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// A number of so many digits.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(len.min(*digits.end()));
        self.0 = rest;
        digits.contains(&number.len()).then(|| number.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    fn after(&mut self, byte: u8) -> Option<i64> {
        if self.skip(byte) { self.number(2..=2) } else { None }
    }

    fn date(&mut self) -> Option<i64> {
        let year = match (self.skip(b'-'), self.skip(b'+')) {
            (true, _) => -self.number(4..=6)?,
            (_, true) => self.number(4..=6)?,
            _ => self.number(4..=4)?,
        };
        let (month, day) = (self.after(b'-')?, self.after(b'-')?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=last).contains(&day).then(|| days_of(year, month, day))
    }

    fn time(&mut self) -> Option<u64> {
        let (hour, minute) = (self.number(2..=2)?, self.after(b':')?);
        let second = if self.0.first() == Some(&b':') { self.after(b':')? } else { 0 };
        let fraction = if self.skip(b'.') { self.fraction()? } else { 0 };
        let is_within = hour < 24 && minute < 60 && second < 60;
        let is_end = (hour, minute, second, fraction) == (24, 0, 0, 0);
        let seconds = ((hour * 60 + minute) * 60 + second).unsigned_abs();
        (is_within || is_end).then_some(seconds * NANOSECONDS_A_SECOND + fraction)
    }

    /// Nanoseconds. What is finer cannot be given exactly, so it is not read.
    fn fraction(&mut self) -> Option<u64> {
        let len = self.0.len();
        let number = self.number(1..=9)?;
        let read = len - self.0.len();
        while self.skip(b'0') {}
        Some(number.unsigned_abs() * 10u64.pow(9 - read as u32))
    }

    /// A date and time as it is written, and the seconds that its zone is ahead of UTC. A date alone is its midnight.
    fn timestamp(&mut self) -> Option<(Timestamp, Option<i64>)> {
        let midnight = self.date()? * SECONDS_A_DAY;
        if self.0.is_empty() {
            return Some((Timestamp { seconds: midnight, nanoseconds: 0 }, None));
        }
        if !(self.skip(b' ') || self.skip(b'T') || self.skip(b't')) {
            return None;
        }
        let time = self.time().filter(|time| *time < SECONDS_A_DAY.unsigned_abs() * NANOSECONDS_A_SECOND)?;
        let seconds = midnight + (time / NANOSECONDS_A_SECOND) as i64;
        Some((Timestamp { seconds, nanoseconds: (time % NANOSECONDS_A_SECOND) as u32 }, self.offset()?))
    }

    #[expect(clippy::option_option, reason = "a wrong offset and a missing one are different things")]
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        while self.skip(b' ') {}
        if self.skip(b'Z') || self.skip(b'z') {
            return Some(Some(0));
        }
        let sign = match (self.skip(b'+'), self.skip(b'-')) {
            (true, _) => 1,
            (_, true) => -1,
            _ => return None,
        };
        let hours = self.number(2..=2)?;
        let minutes = if self.skip(b':') || !self.0.is_empty() { self.number(2..=2)? } else { 0 };
        // Zones had them before there was a standard time.
        let seconds = if self.skip(b':') { self.number(2..=2)? } else { 0 };
        let is_within = hours < 24 && minutes < 60 && seconds < 60;
        is_within.then_some(Some(sign * (hours * 3600 + minutes * 60 + seconds)))
    }
}

/// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar;

    #[test]
    fn what_is_written_reads_back() {
        for days in (-300_000_000..300_000_000).step_by(99_991) {
            assert_eq!(date(ValueRef::Text(&calendar::date(days))), Ok(days));
            let at = Timestamp { seconds: days * 86_399, nanoseconds: (days & 0xfff_ffff) as u32 };
            assert_eq!(timestamp(ValueRef::Text(&calendar::timestamp(at))), Ok(at));
            assert_eq!(instant(ValueRef::Text(&calendar::timestamp_tz(at))), Ok(at));
        }
        assert_eq!(time(ValueRef::Text(&calendar::time(86_399_000_000_001))), Ok(86_399_000_000_001));
    }

    #[test]
    fn all_forms_are_read() {
        let at = |text| instant(ValueRef::Text(text)).map(|at| (at.seconds, at.nanoseconds));
        assert_eq!(at("1970-01-01T00:00:01.250000000000Z"), Ok((1, 250_000_000)));
        assert_eq!(at("1970-01-01 00:01+00"), Ok((60, 0)));
        assert_eq!(at("1970-01-01 00:00:00+0100"), Ok((-3600, 0)));
        assert_eq!(at("1970-01-01t00:00:00-01:30"), Ok((5400, 0)));
        assert_eq!(at("1970-01-01 01:00 +01:00"), Ok((0, 0)));
        assert_eq!(at("1970-01-01 00:00:00-00:19:32"), Ok((1172, 0)));
        assert_eq!(time(ValueRef::Text("12:34")), Ok(45_240_000_000_000));
        assert_eq!(timestamp(ValueRef::Text("1970-01-02")).map(|at| at.seconds), Ok(86_400));
        // Midnight is half a Julian day.
        assert_eq!(date(ValueRef::F64(2_440_587.5)), Ok(0));
        assert_eq!(date(ValueRef::I64(-86_400)), Ok(-1));
        assert_eq!(
            at("1969-12-31 23:59:59.75Z").ok(),
            instant(ValueRef::F64(-0.25)).ok().map(|at| (at.seconds, at.nanoseconds))
        );
        assert!(instant(ValueRef::F64(f64::NAN)).is_err() && instant(ValueRef::I64(i64::MAX)).is_err());
    }

    #[test]
    fn what_is_none_or_means_something_else_is_refused() {
        for text in
            ["2023-02-29", "2100-02-29", "2023-13-01", "2023-01-32", "2023-00-01", "2023-1-1", "123-01-01", "1-", "é"]
        {
            assert!(date(ValueRef::Text(text)).is_err(), "{text}");
        }
        for text in ["24:00", "12", "12:60", "1:00", "12:00:60", "12:00:00.", "12:00:00.0000000001", "12:00Z"] {
            assert!(time(ValueRef::Text(text)).is_err(), "{text}");
        }
        for text in ["2023-01", "2023-01-01 24:00", "2023-01-01 12:00+00", "2023-01-01_12:00"] {
            assert!(timestamp(ValueRef::Text(text)).is_err(), "{text}");
        }
        for text in [
            "2023-01-01 12:00",
            "2023-01-01",
            "2023-01-01 12:00 ",
            "2023-01-01 12:00+1",
            "2023-01-01 12:00+24",
            "2023-01-01 12:00+00:6",
            "2023-01-01 12:00+00:00:60",
        ] {
            assert!(instant(ValueRef::Text(text)).is_err(), "{text}");
        }
        let infinite = Timestamp { seconds: i64::MAX, nanoseconds: 0 };
        assert!(instant(ValueRef::TimestampTz(infinite)).unwrap_err().to_string().contains("infinite"));
        assert!(date(ValueRef::Date(i64::MIN)).unwrap_err().to_string().contains("infinite"));
        assert!(instant(ValueRef::Timestamp(infinite)).unwrap_err().to_string().contains("zone"));
    }
}
