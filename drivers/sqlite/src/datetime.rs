//! Dates and times as SQLite writes them: text, which its own functions understand.
//!
//! The forms are those of <https://sqlite.org/lang_datefunc.html>, "Time Values": `YYYY-MM-DD`, `HH:MM`, `HH:MM:SS`,
//! `HH:MM:SS.SSS`, both together with a space or `T` between, and `Z` or `[+-]HH:MM` at the end. The years are 0000 to
//! 9999.

use chrono::{Datelike, NaiveDate};
use montrs_driver_sdk::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;
/// 1970-01-01, counted from the first day of the year 1.
const EPOCH_FROM_CE: i64 = 719_163;

/// Why a date or time has no form in SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// The infinities of dates and timestamps.
    Infinite,
    /// A year before 0000 or after 9999.
    Year,
    /// A time after 24:00, or a fraction of a second or more.
    Time,
}

/// A timestamp that was read, and whether its text tells the offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadTimestamp {
    /// In UTC where there is an offset.
    pub(crate) timestamp: Timestamp,
    pub(crate) has_offset: bool,
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01.
pub(crate) fn read_date(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor(text);
    let date = cursor.date()?;
    cursor.end().then_some(date)
}

/// Reads `HH:MM[:SS[.fraction]]`, up to 24:00, as nanoseconds since midnight.
pub(crate) fn read_time(text: &[u8]) -> Option<u64> {
    let mut cursor = Cursor(text);
    let time = cursor.time()?;
    cursor.end().then_some(time)
}

/// Reads `YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]][Z|(+|-)HH:MM]]`.
pub(crate) fn read_timestamp(text: &[u8]) -> Option<ReadTimestamp> {
    let mut cursor = Cursor(text);
    let midnight = cursor.date()? * SECONDS_A_DAY;
    if cursor.end() {
        return Some(ReadTimestamp { timestamp: Timestamp { seconds: midnight, nanoseconds: 0 }, has_offset: false });
    }
    if !(cursor.skip(b' ') || cursor.skip(b'T') || cursor.skip(b't')) {
        return None;
    }
    let time = cursor.time()?;
    let offset = cursor.offset()?;
    let (seconds, nanoseconds) = (time / NANOSECONDS_A_SECOND, time % NANOSECONDS_A_SECOND);
    if !cursor.end() || seconds >= SECONDS_A_DAY as u64 {
        return None;
    }
    Some(ReadTimestamp {
        timestamp: Timestamp {
            seconds: midnight + seconds as i64 - offset.unwrap_or(0),
            nanoseconds: nanoseconds as u32,
        },
        has_offset: offset.is_some(),
    })
}

/// Writes days since 1970-01-01 as `YYYY-MM-DD`.
pub(crate) fn write_date(days: i64) -> Result<String, Unwritable> {
    if days == i64::MAX || days == i64::MIN {
        return Err(Unwritable::Infinite);
    }
    let date = days
        .checked_add(EPOCH_FROM_CE)
        .and_then(|days| i32::try_from(days).ok())
        .and_then(NaiveDate::from_num_days_from_ce_opt)
        .filter(|date| (0..=9999).contains(&date.year()))
        .ok_or(Unwritable::Year)?;
    Ok(format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}

/// Writes nanoseconds since midnight as `HH:MM:SS[.fraction]`. The fraction has no zeros at its end, so that equal times
/// are equal texts, and texts sort as times do.
pub(crate) fn write_time(nanoseconds: u64) -> Result<String, Unwritable> {
    let (seconds, fraction) = (nanoseconds / NANOSECONDS_A_SECOND, nanoseconds % NANOSECONDS_A_SECOND);
    if nanoseconds > SECONDS_A_DAY as u64 * NANOSECONDS_A_SECOND {
        return Err(Unwritable::Time);
    }
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        text.push_str(format!(".{fraction:09}").trim_end_matches('0'));
    }
    Ok(text)
}

/// Writes `YYYY-MM-DD HH:MM:SS[.fraction]`.
pub(crate) fn write_timestamp(timestamp: Timestamp) -> Result<String, Unwritable> {
    let Timestamp { seconds, nanoseconds } = timestamp;
    if seconds == i64::MAX || seconds == i64::MIN {
        return Err(Unwritable::Infinite);
    }
    if u64::from(nanoseconds) >= NANOSECONDS_A_SECOND {
        return Err(Unwritable::Time);
    }
    let (date, second) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY) as u64);
    let mut text = write_date(date)?;
    text.push(' ');
    text.push_str(&write_time(second * NANOSECONDS_A_SECOND + u64::from(nanoseconds))?);
    Ok(text)
}

/// Text that is being read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn end(&self) -> bool {
        self.0.is_empty()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits
            .iter()
            .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    fn after(&mut self, byte: u8, digits: usize) -> Option<u32> {
        if self.skip(byte) { self.digits(digits) } else { None }
    }

    fn date(&mut self) -> Option<i64> {
        let (year, month, day) = (self.digits(4)?, self.after(b'-', 2)?, self.after(b'-', 2)?);
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        Some(i64::from(date.num_days_from_ce()) - EPOCH_FROM_CE)
    }

    fn time(&mut self) -> Option<u64> {
        let (hour, minute) = (self.digits(2)?, self.after(b':', 2)?);
        let second = if self.0.first() == Some(&b':') { self.after(b':', 2)? } else { 0 };
        let fraction = if self.skip(b'.') { self.fraction()? } else { 0 };
        let is_midnight = hour == 24 && minute == 0 && second == 0 && fraction == 0;
        if !(hour < 24 && minute < 60 && second < 60 || is_midnight) {
            return None;
        }
        Some(u64::from((hour * 60 + minute) * 60 + second) * NANOSECONDS_A_SECOND + fraction)
    }

    /// Digits as nanoseconds. What is finer than that cannot be given exactly, so it is not read.
    fn fraction(&mut self) -> Option<u64> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        let (exact, finer) = digits.split_at(len.min(9));
        if len == 0 || finer.iter().any(|digit| *digit != b'0') {
            return None;
        }
        self.0 = rest;
        let number = exact.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        Some(number * 10u64.pow(9 - exact.len() as u32))
    }

    /// The offset from UTC in seconds, `Some(None)` where none is told.
    #[allow(clippy::option_option, reason = "a wrong offset and a missing one are different things")]
    fn offset(&mut self) -> Option<Option<i64>> {
        while self.skip(b' ') {}
        if self.end() {
            return Some(None);
        }
        if self.skip(b'Z') || self.skip(b'z') {
            return Some(Some(0));
        }
        let sign = if self.skip(b'+') {
            1
        } else if self.skip(b'-') {
            -1
        } else {
            return None;
        };
        let (hours, minutes) = (self.digits(2)?, self.after(b':', 2)?);
        (hours <= 14 && minutes < 60).then_some(Some(sign * i64::from(hours * 3600 + minutes * 60)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(seconds: i64, nanoseconds: u32) -> Option<ReadTimestamp> {
        Some(ReadTimestamp { timestamp: Timestamp { seconds, nanoseconds }, has_offset: false })
    }

    fn utc(seconds: i64, nanoseconds: u32) -> Option<ReadTimestamp> {
        Some(ReadTimestamp { timestamp: Timestamp { seconds, nanoseconds }, has_offset: true })
    }

    #[test]
    fn all_forms_of_sqlite_are_read() {
        assert_eq!(read_date(b"1970-01-01"), Some(0));
        assert_eq!(read_date(b"0000-01-01"), Some(-719_528));
        assert_eq!(read_time(b"12:34"), Some(45_240_000_000_000));
        assert_eq!(read_time(b"00:00:00.000000001"), Some(1));
        assert_eq!(read_time(b"00:00:00.50000000000"), Some(500_000_000));
        assert_eq!(read_time(b"24:00"), Some(86_400_000_000_000));
        assert_eq!(read_timestamp(b"1970-01-02"), naive(86_400, 0));
        assert_eq!(read_timestamp(b"1970-01-01 00:01"), naive(60, 0));
        assert_eq!(read_timestamp(b"1970-01-01T00:00:01.25"), naive(1, 250_000_000));
        assert_eq!(read_timestamp(b"1970-01-01t00:00:00Z"), utc(0, 0));
        assert_eq!(read_timestamp(b"1970-01-01 00:00:00.5 +02:00"), utc(-7200, 500_000_000));
        assert_eq!(read_timestamp(b"1969-12-31 23:59:59.999999999-00:01"), utc(59, 999_999_999));
    }

    #[test]
    fn what_is_no_date_or_cannot_be_exact_is_not_read() {
        for text in ["2023-02-29", "2023-2-01", "2023-01-01 ", "10000-01-01", "-001-01-01", "", "2023-01-01x"] {
            assert_eq!(read_date(text.as_bytes()), None, "{text}");
            assert_eq!(read_timestamp(text.as_bytes()), None, "{text}");
        }
        for text in ["24:00:01", "12:60", "12", "12:00:60", "1:00", "12:00:00.", "00:00:00.0000000001", "12:00Z"] {
            assert_eq!(read_time(text.as_bytes()), None, "{text}");
        }
        for text in ["2023-01-01 24:00", "2023-01-01 12:00 +2", "2023-01-01 12:00+15:00", "2023-01-01 12:00 UTC"] {
            assert_eq!(read_timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_sqlite_cannot_write_is_refused() {
        assert_eq!(write_date(i64::MAX), Err(Unwritable::Infinite));
        assert_eq!(write_date(i64::MIN), Err(Unwritable::Infinite));
        assert_eq!(write_date(i64::MAX - 1), Err(Unwritable::Year));
        assert_eq!(write_date(-719_529), Err(Unwritable::Year));
        assert_eq!(write_date(2_932_897), Err(Unwritable::Year));
        assert_eq!(write_date(2_932_896).unwrap(), "9999-12-31");
        assert_eq!(write_time(86_400_000_000_001), Err(Unwritable::Time));
        assert_eq!(write_time(86_400_000_000_000).unwrap(), "24:00:00");
        assert_eq!(write_timestamp(Timestamp { seconds: i64::MIN, nanoseconds: 0 }), Err(Unwritable::Infinite));
        assert_eq!(write_timestamp(Timestamp { seconds: 0, nanoseconds: 1_000_000_000 }), Err(Unwritable::Time));
    }

    proptest! {
        #[test]
        fn every_date_reads_back(days in -719_528..=2_932_896i64) {
            prop_assert_eq!(read_date(write_date(days).unwrap().as_bytes()), Some(days));
        }

        #[test]
        fn every_time_reads_back_and_sorts_as_text(a in 0..=86_400_000_000_000u64, b in 0..=86_400_000_000_000u64) {
            let (text_a, text_b) = (write_time(a).unwrap(), write_time(b).unwrap());
            prop_assert_eq!(read_time(text_a.as_bytes()), Some(a));
            prop_assert_eq!(a.cmp(&b), text_a.cmp(&text_b));
        }

        #[test]
        fn every_timestamp_reads_back(seconds in -62_167_219_200..=253_402_300_799i64, nanoseconds in 0..1_000_000_000u32) {
            let text = write_timestamp(Timestamp { seconds, nanoseconds }).unwrap();
            prop_assert_eq!(read_timestamp(text.as_bytes()), naive(seconds, nanoseconds));
            prop_assert_eq!(read_timestamp(format!("{text}+00:00").as_bytes()), utc(seconds, nanoseconds));
        }

        #[test]
        fn any_bytes_are_read_or_not(text in "[0-9:. TZ+-]{0,40}") {
            let _ = (read_date(text.as_bytes()), read_time(text.as_bytes()), read_timestamp(text.as_bytes()));
        }
    }
}
