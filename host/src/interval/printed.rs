//! Intervals as databases that have them print them: `1 year 2 mons -3 days +04:05:06.5`.

use super::Interval;

/// Writes an interval so that such a database reads it as a literal.
pub(crate) fn write(Interval { months, days, microseconds }: Interval) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let (seconds, fraction) = (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{months} mons {days} days {sign}{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}")
}

/// Reads such a text.
pub(super) fn read(text: &str) -> Option<Interval> {
    let (date, time) = match text.rsplit_once(' ') {
        Some((date, time)) if time.contains(':') => (date, clock(time)?),
        None if text.contains(':') => ("", clock(text)?),
        _ if text.is_empty() => return None,
        _ => (text, 0),
    };
    let (mut months, mut days) = (0i64, 0i64);
    let mut words = date.split_ascii_whitespace();
    while let Some(number) = words.next() {
        let number = i64::from(number.parse::<i32>().ok()?);
        match words.next()? {
            "year" | "years" => months += number * 12,
            "mon" | "mons" => months += number,
            "day" | "days" => days += number,
            _ => return None,
        }
    }
    Some(Interval { months: months.try_into().ok()?, days: days.try_into().ok()?, microseconds: time })
}

/// Hours, minutes and seconds, in microseconds.
fn clock(text: &str) -> Option<i64> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, rest) = unsigned.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    if fraction.len() > 6 {
        return None;
    }
    let minutes = number(hours)? * 60 + number(minutes)?;
    let microseconds = (minutes * 60 + number(seconds)?) * 1_000_000 + number(&format!("{fraction:0<6}"))?;
    i64::try_from(if is_negative { -microseconds } else { microseconds }).ok()
}

fn number(digits: &str) -> Option<i128> {
    const MOST_DIGITS: usize = 18;
    let is_number = digits.len() <= MOST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(months: i32, days: i32, microseconds: i64) -> Interval {
        Interval { months, days, microseconds }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (interval, text) in [
            (interval(0, 0, 0), "0 mons 0 days 00:00:00.000000"),
            (interval(14, -3, -4_500_000), "14 mons -3 days -00:00:04.500000"),
            (interval(i32::MIN, i32::MAX, i64::MIN), "-2147483648 mons 2147483647 days -2562047788:00:54.775808"),
        ] {
            assert_eq!(write(interval), text);
            assert_eq!(read(text), Some(interval));
        }
    }

    #[test]
    fn what_databases_print_is_read_and_nothing_else() {
        for (text, expected) in [
            ("1 year 2 mons -3 days +04:05:06.5", interval(14, -3, 14_706_500_000)),
            ("-1 years -1 mons", interval(-13, 0, 0)),
            ("1 day", interval(0, 1, 0)),
            ("00:00:00", interval(0, 0, 0)),
            ("-00:00:00.000001", interval(0, 0, -1)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in ["", "1", "day", "1 days 2", "1 week", "1:2", "--1:00:00", "1:-1:00", "1:00:00.1234567", "1:00:+1"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        for text in ["9999999999 mons", "200000000 years", "9999999999999999999:00:00", "3000000000:00:00", "1:1:é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
