//! Lengths of time: what databases call an interval, and `std::time::Duration`.

pub(crate) mod printed;

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded};
use montrs_driver_abi::ValueRef;
use std::{fmt, str::FromStr, time::Duration};

const MICROSECONDS_A_SECOND: i64 = 1_000_000;
pub(crate) const MICROSECONDS_A_DAY: i128 = 86_400_000_000;

/// A length of time in months, days and microseconds, which are not multiples of each other: a month has 28 to 31 days, and
/// a day 23 to 25 hours.
///
/// Its text, which is what a database without intervals holds, is that of ISO 8601 in these three units: `P14M3DT-4.5S` is
/// 14 months and 3 days less 4.5 seconds. Years, weeks, hours and minutes are read too. A column of text may also hold it as
/// databases with intervals print it, `1 year 2 mons 3 days -00:00:04.5`.
///
/// ```
/// use montrs_orm::Interval;
///
/// let interval: Interval = "P1Y2M3DT4H0.5S".parse()?;
/// assert_eq!(interval, Interval { months: 14, days: 3, microseconds: 14_400_500_000 });
/// assert_eq!(interval.to_string(), "P14M3DT14400.5S");
/// # Ok::<(), montrs_orm::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub microseconds: i64,
}

impl Interval {
    /// An interval of nanoseconds alone.
    pub(crate) fn of_nanoseconds(nanoseconds: i128) -> Result<Self, EncodeError> {
        if nanoseconds % 1000 != 0 {
            let message = "a duration with a fraction of a microsecond, and databases count no less: round it before";
            return Err(EncodeError::new(message));
        }
        match i64::try_from(nanoseconds / 1000) {
            Ok(microseconds) => Ok(Self { microseconds, ..Self::default() }),
            Err(_) => Err(EncodeError::new("a duration of more microseconds than 64 bits can count")),
        }
    }

    /// The microseconds of a value that is a length of time, a day taken as 24 hours.
    pub(crate) fn microseconds_of(value: ValueRef<'_>) -> Result<i128, DecodeError> {
        let Self { months, days, microseconds } = Self::decode(value)?;
        if months != 0 {
            return Err(DecodeError::new(format!("{months} months have no fixed length: read it as Interval")));
        }
        Ok(i128::from(days) * MICROSECONDS_A_DAY + i128::from(microseconds))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { months, days, microseconds } = *self;
        f.write_str("P")?;
        if months != 0 {
            write!(f, "{months}M")?;
        }
        if days != 0 {
            write!(f, "{days}D")?;
        }
        if microseconds != 0 || (months, days) == (0, 0) {
            let sign = if microseconds < 0 { "-" } else { "" };
            let (whole, rest) = (microseconds / MICROSECONDS_A_SECOND, microseconds % MICROSECONDS_A_SECOND);
            write!(f, "T{sign}{}", whole.unsigned_abs())?;
            if rest != 0 {
                f.write_str(format!(".{:06}", rest.unsigned_abs()).trim_end_matches('0'))?;
            }
            f.write_str("S")?;
        }
        Ok(())
    }
}

impl FromStr for Interval {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        parse(text).ok_or_else(|| {
            DecodeError::new(format!(
                "{text:?} is not an interval of months, days and microseconds, such as P14M3DT4.5S"
            ))
        })
    }
}

/// Reads `P[nY][nM][nW][nD][T[nH][nM][n.nS]]`.
fn parse(text: &str) -> Option<Interval> {
    const UNITS: [&str; 2] = ["YMWD", "HMS"];
    let (date, time) = match text.strip_prefix('P')? {
        body if body.is_empty() || body.ends_with('T') => return None,
        body => body.split_once('T').unwrap_or((body, "")),
    };
    // Months, days, microseconds.
    let mut sums = [0i128; 3];
    for (part, mut units) in [(date, UNITS[0]), (time, UNITS[1])] {
        let is_time = units == UNITS[1];
        let mut rest = part;
        while !rest.is_empty() {
            let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
            let unit = after.chars().next()?;
            // Each unit once, in this order.
            units = &units[units.find(unit)? + 1..];
            rest = &after[1..];
            let (sum, size) = match (unit, is_time) {
                ('Y', _) => (0, 12),
                ('M', false) => (0, 1),
                ('W', _) => (1, 7),
                ('D', _) => (1, 1),
                ('H', _) => (2, 3_600_000_000),
                ('M', true) => (2, 60_000_000),
                _ => (2, MICROSECONDS_A_SECOND.into()),
            };
            sums[sum] += if unit == 'S' { microseconds(number)? } else { i128::from(integer(number)?) * size };
        }
    }
    let [months, days, microseconds] = sums;
    Some(Interval {
        months: months.try_into().ok()?,
        days: days.try_into().ok()?,
        microseconds: microseconds.try_into().ok()?,
    })
}

fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Seconds with at most six decimals.
fn microseconds(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
    let whole_microseconds = i128::from(integer(whole)?) * i128::from(MICROSECONDS_A_SECOND);
    Some(if whole.starts_with('-') { whole_microseconds - fraction } else { whole_microseconds + fraction })
}

impl Encode for Interval {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let Self { months, days, microseconds } = *self;
        Ok(Encoded::Borrowed(ValueRef::Interval { months, days, microseconds }))
    }
}

impl Decode<'_> for Interval {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::Interval { months, days, microseconds } => Ok(Self { months, days, microseconds }),
            ValueRef::Text(text) => printed::read(text).map_or_else(|| text.parse(), Ok),
            other => Err(DecodeError::unexpected(other)),
        }
    }
}

/// An interval of microseconds. One with days is read too, a day taken as 24 hours.
impl Encode for Duration {
    fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
        let nanoseconds = i128::try_from(self.as_nanos()).unwrap_or(i128::MAX);
        Ok(Encoded::Owned(Interval::of_nanoseconds(nanoseconds)?.into()))
    }
}

impl Decode<'_> for Duration {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let microseconds = Interval::microseconds_of(value)?;
        match u64::try_from(microseconds) {
            Ok(microseconds) => Ok(Self::from_micros(microseconds)),
            Err(_) => {
                Err(DecodeError::new(format!("{microseconds} microseconds are no Duration, which is not negative")))
            }
        }
    }
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
            (interval(0, 0, 0), "PT0S"),
            (interval(14, 3, -4_500_000), "P14M3DT-4.5S"),
            (interval(-1, 0, 0), "P-1M"),
            (interval(0, -1, 1), "P-1DT0.000001S"),
            (interval(0, 0, -1), "PT-0.000001S"),
            (interval(i32::MIN, i32::MAX, i64::MIN), "P-2147483648M2147483647DT-9223372036854.775808S"),
        ] {
            assert_eq!(interval.to_string(), text);
            assert_eq!(text.parse(), Ok(interval));
        }
    }

    #[test]
    fn all_units_are_read_and_nothing_else() {
        assert_eq!("P1Y2M3W4DT5H6M7.89S".parse(), Ok(interval(14, 25, 18_367_890_000)));
        assert_eq!("P-1YT-1H".parse(), Ok(interval(-12, 0, -3_600_000_000)));
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "1D",
            "P1",
            "P1M1Y",
            "P1D1D",
            "P1H",
            "PT1D",
            "PT1.S",
            "PT.5S",
            "PT1.1234567S",
            "P+1D",
            "P1.5D",
            "PT1.5M",
            "P2147483648M",
            "P99999999999999999999D",
            "PT9223372036855S",
            "P1Dx",
            "1 day",
            "Pé",
        ] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_has_no_months_and_no_sign() {
        let read = |months, days, microseconds| Duration::decode(ValueRef::Interval { months, days, microseconds });
        assert_eq!(read(0, 1, 5), Ok(Duration::from_micros(86_400_000_005)));
        assert_eq!(read(0, 1, -1), Ok(Duration::from_micros(86_399_999_999)));
        assert!(read(1, 0, 0).unwrap_err().to_string().contains("Interval"));
        assert!(read(0, 0, -1).is_err());
        assert!(Duration::from_nanos(1).encode().unwrap_err().to_string().contains("round"));
        assert!(Duration::MAX.encode().is_err());
    }
}
