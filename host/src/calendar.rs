//! The text of dates and times, in the forms of ISO 8601 with a blank between date and time.
//!
//! By hand, because databases have dates that chrono has not: it ends in the year 262142, and what a driver sends can be
//! any number.

#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod number;
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
pub(crate) mod read;

use montrs_driver_abi::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
const NANOSECONDS_A_SECOND: u64 = 1_000_000_000;

/// Days since 1970-01-01, such as `2024-02-29`.
pub(crate) fn date(days: i64) -> String {
    infinity(days).map_or_else(|| day(days), str::to_owned)
}

/// Nanoseconds since midnight, such as `23:59:59.5`.
pub(crate) fn time(nanoseconds: u64) -> String {
    clock(nanoseconds / NANOSECONDS_A_SECOND, nanoseconds % NANOSECONDS_A_SECOND)
}

/// A date and time, such as `2024-02-29 23:59:59`.
pub(crate) fn timestamp(at: Timestamp) -> String {
    infinity(at.seconds).map_or_else(|| instant(at), str::to_owned)
}

/// An instant, such as `2024-02-29 23:59:59+00:00`.
pub(crate) fn timestamp_tz(at: Timestamp) -> String {
    infinity(at.seconds).map_or_else(|| instant(at) + "+00:00", str::to_owned)
}

fn infinity(number: i64) -> Option<&'static str> {
    match number {
        i64::MAX => Some("infinity"),
        i64::MIN => Some("-infinity"),
        _ => None,
    }
}

fn instant(at: Timestamp) -> String {
    let second_of_day = at.seconds.rem_euclid(SECONDS_A_DAY).unsigned_abs();
    format!("{} {}", day(at.seconds.div_euclid(SECONDS_A_DAY)), clock(second_of_day, at.nanoseconds.into()))
}

/// Year, month and day in the proleptic Gregorian calendar, by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>): a year begins in March, so that the leap day is its last.
fn day(days: i64) -> String {
    let days = i128::from(days) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i128::from(month <= 2);
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:+05}-{month:02}-{day:02}"),
    }
}

fn clock(seconds: u64, nanoseconds: u64) -> String {
    format!("{:02}:{:02}:{:02}{}", seconds / 3600, seconds / 60 % 60, seconds % 60, decimals(nanoseconds))
}

/// A fraction of a second with its point, as short as it can be; nothing for none.
fn decimals(nanoseconds: u64) -> String {
    match nanoseconds {
        0 => String::new(),
        _ => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "chrono")]
    #[test]
    fn dates_are_those_of_chrono() {
        use chrono::{Days, NaiveDate};
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for days in (0..2_000_000).step_by(97) {
            let later = epoch.checked_add_days(Days::new(days)).unwrap();
            let earlier = epoch.checked_sub_days(Days::new(days)).unwrap();
            assert_eq!(date(days as i64), later.to_string());
            assert_eq!(date(-(days as i64)), earlier.to_string());
        }
    }

    #[test]
    fn any_number_is_a_date() {
        assert_eq!(date(i64::MAX), "infinity");
        assert_eq!(date(i64::MIN), "-infinity");
        assert_eq!(date(106_751_991), "+294247-01-10");
        for days in [i64::MAX - 1, i64::MIN + 1] {
            assert!(date(days).len() > 10);
        }
    }

    #[test]
    fn times_end_with_the_day() {
        assert_eq!(time(0), "00:00:00");
        assert_eq!(time(86_399_999_999_999), "23:59:59.999999999");
        assert_eq!(time(86_400_000_000_000), "24:00:00");
        assert_eq!(time(1_500_000_000), "00:00:01.5");
    }

    #[test]
    fn timestamps_before_1970_count_forwards() {
        let at = Timestamp { seconds: -1, nanoseconds: 250_000_000 };
        assert_eq!(timestamp(at), "1969-12-31 23:59:59.25");
        assert_eq!(timestamp_tz(at), "1969-12-31 23:59:59.25+00:00");
        assert_eq!(timestamp(Timestamp { seconds: i64::MIN, nanoseconds: 0 }), "-infinity");
        assert_eq!(timestamp_tz(Timestamp { seconds: i64::MAX, nanoseconds: 0 }), "infinity");
        timestamp(Timestamp { seconds: i64::MAX - 1, nanoseconds: u32::MAX });
    }
}
