//! Dates and times: PostgreSQL counts from 2000-01-01, in days or microseconds; the boundary from 1970-01-01, in days, or
//! in seconds and nanoseconds.
//!
//! Nanoseconds that are no whole microsecond are cut off towards the past: PostgreSQL stores microseconds.

use montrs_driver_sdk::Timestamp;
use std::fmt::Write;

/// From 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_SECONDS: i64 = EPOCH_DAYS * 86_400;
const MICROS: i64 = 1_000_000;

/// The value does not fit PostgreSQL's type.
#[derive(Debug, PartialEq)]
pub(crate) struct OutOfRange;

pub(crate) fn date_from_postgres(days: i32) -> i64 {
    match days {
        i32::MAX => i64::MAX,
        i32::MIN => i64::MIN,
        days => i64::from(days) + EPOCH_DAYS,
    }
}

pub(crate) fn date_to_postgres(days: i64) -> Result<i32, OutOfRange> {
    match days {
        i64::MAX => Ok(i32::MAX),
        i64::MIN => Ok(i32::MIN),
        days => {
            let days = days.checked_sub(EPOCH_DAYS).and_then(|days| i32::try_from(days).ok()).ok_or(OutOfRange)?;
            if days == i32::MAX || days == i32::MIN { Err(OutOfRange) } else { Ok(days) }
        }
    }
}

pub(crate) fn timestamp_from_postgres(micros: i64) -> Timestamp {
    match micros {
        i64::MAX | i64::MIN => Timestamp { seconds: micros, nanoseconds: 0 },
        micros => Timestamp {
            seconds: micros.div_euclid(MICROS) + EPOCH_SECONDS,
            nanoseconds: micros.rem_euclid(MICROS) as u32 * 1000,
        },
    }
}

pub(crate) fn timestamp_to_postgres(timestamp: Timestamp) -> Result<i64, OutOfRange> {
    match timestamp.seconds {
        infinity @ (i64::MAX | i64::MIN) => Ok(infinity),
        seconds => {
            let micros = seconds.checked_sub(EPOCH_SECONDS).and_then(|seconds| seconds.checked_mul(MICROS));
            let micros = micros.and_then(|micros| micros.checked_add(i64::from(timestamp.nanoseconds / 1000)));
            micros.filter(|micros| !matches!(*micros, i64::MAX | i64::MIN)).ok_or(OutOfRange)
        }
    }
}

/// As PostgreSQL reads it: `2024-02-29`, `0044-03-15 BC`, `infinity`.
pub(crate) fn write_date(days: i64, out: &mut String) {
    if let Some(infinity) = infinity(days) {
        return out.push_str(infinity);
    }
    let era = write_day(days, out);
    out.push_str(era);
}

/// As PostgreSQL reads it: `23:59:59.5`.
pub(crate) fn write_time(nanoseconds: u64, out: &mut String) {
    let (seconds, micros) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 / 1000);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if micros > 0 {
        let _ = write!(out, ".{micros:06}");
    }
}

/// As PostgreSQL reads it: `2024-02-29 23:59:59.5`, with the zone behind it.
pub(crate) fn write_timestamp(timestamp: Timestamp, zone: &str, out: &mut String) {
    if let Some(infinity) = infinity(timestamp.seconds) {
        return out.push_str(infinity);
    }
    let era = write_day(timestamp.seconds.div_euclid(86_400), out);
    out.push(' ');
    let seconds = timestamp.seconds.rem_euclid(86_400) as u64;
    write_time(seconds * 1_000_000_000 + u64::from(timestamp.nanoseconds), out);
    out.push_str(zone);
    out.push_str(era);
}

fn infinity(number: i64) -> Option<&'static str> {
    match number {
        i64::MAX => Some("infinity"),
        i64::MIN => Some("-infinity"),
        _ => None,
    }
}

/// Writes a day of the proleptic Gregorian calendar, and returns what is to follow it.
///
/// The algorithm is Howard Hinnant's `civil_from_days`.
fn write_day(days: i64, out: &mut String) -> &'static str {
    let days = i128::from(days) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    let (year, suffix) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    suffix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(days: i64) -> String {
        let mut out = String::new();
        write_date(days, &mut out);
        out
    }

    #[test]
    fn days_have_their_names() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_782, "2024-02-29"),
            (-719_162, "0001-01-01"),
            (-719_163, "0001-12-31 BC"),
            (-735_160, "0044-03-15 BC"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn a_timestamp_has_its_zone_before_its_era() {
        let mut out = String::new();
        write_timestamp(Timestamp { seconds: -62_135_596_801, nanoseconds: 500_000_999 }, "+00", &mut out);
        assert_eq!(out, "0001-12-31 23:59:59.500000+00 BC");
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(date_to_postgres(i64::MAX), Ok(i32::MAX));
        assert_eq!(date_to_postgres(i64::from(i32::MAX) + EPOCH_DAYS), Err(OutOfRange));
        assert_eq!(timestamp_to_postgres(Timestamp { seconds: i64::MAX - 1, nanoseconds: 0 }), Err(OutOfRange));
        assert_eq!(timestamp_to_postgres(Timestamp { seconds: i64::MIN, nanoseconds: 0 }), Ok(i64::MIN));
        assert_eq!(timestamp_from_postgres(-1), Timestamp { seconds: EPOCH_SECONDS - 1, nanoseconds: 999_999_000 });
    }

    proptest! {
        #[test]
        fn what_postgres_sends_goes_back_unchanged(days in any::<i32>(), micros in any::<i64>()) {
            prop_assert_eq!(date_to_postgres(date_from_postgres(days)), Ok(days));
            prop_assert_eq!(timestamp_to_postgres(timestamp_from_postgres(micros)), Ok(micros));
        }

        #[test]
        fn any_number_is_written(days in any::<i64>(), nanoseconds in any::<u32>()) {
            let mut out = date(days);
            write_timestamp(Timestamp { seconds: days, nanoseconds }, "", &mut out);
            write_time(days as u64, &mut out);
        }
    }
}
