//! Dates, times and intervals as ISO 8601 has them.

use montrs_orm::{Decode, ValueRef};

const MICROSECONDS_A_SECOND: u64 = 1_000_000;

/// A date, a time, a date and time such as `2024-02-29 23:59:59`, or an instant such as `2024-02-29 23:59:59Z`.
pub(crate) fn text(value: ValueRef<'_>) -> String {
    let text = String::decode(value).unwrap_or_else(|error| error.to_string());
    text.strip_suffix("+00:00").map_or(text.clone(), |text| format!("{text}Z"))
}

/// An interval, such as `P1Y2M3DT4H5M6.5S`. Each part has its own sign, because a month and a day have no fixed length.
pub(crate) fn interval(months: i32, days: i32, microseconds: i64) -> String {
    let mut out = String::from("P");
    let mut part = |number: i64, unit: char| {
        if number != 0 {
            out.push_str(&format!("{number}{unit}"));
        }
    };
    part((months / 12).into(), 'Y');
    part((months % 12).into(), 'M');
    part(days.into(), 'D');
    if microseconds != 0 || out.len() == 1 {
        out.push('T');
        let sign = if microseconds < 0 { "-" } else { "" };
        let (seconds, fraction) =
            (microseconds.unsigned_abs() / MICROSECONDS_A_SECOND, microseconds.unsigned_abs() % MICROSECONDS_A_SECOND);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        for (number, unit) in [(hours, 'H'), (minutes, 'M')] {
            if number != 0 {
                out.push_str(&format!("{sign}{number}{unit}"));
            }
        }
        if seconds != 0 || fraction != 0 || microseconds == 0 {
            out.push_str(&format!("{sign}{seconds}{}S", decimals(fraction * 1000)));
        }
    }
    out
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

    #[test]
    fn intervals_keep_the_sign_of_each_part() {
        for (months, days, microseconds, text) in [
            (0, 0, 0, "PT0S"),
            (14, 3, 14_706_500_000, "P1Y2M3DT4H5M6.5S"),
            (-1, 2, -3_600_000_000, "P-1M2DT-1H"),
            (0, 0, -500_000, "PT-0.5S"),
            (0, 1, 0, "P1D"),
            (i32::MIN, i32::MIN, i64::MIN, "P-178956970Y-8M-2147483648DT-2562047788H-54.775808S"),
        ] {
            assert_eq!(interval(months, days, microseconds), text);
        }
    }
}
