//! Numbers in the place of dates: Julian days, or seconds since 1970.

use super::SECONDS_A_DAY;
use crate::DecodeError;
use montrs_driver_abi::Timestamp;
use std::ops::RangeInclusive;

/// Julian days are counted from noon on the 24th of November of the year -4713. This is 1970-01-01, in milliseconds since.
const EPOCH_MS: i64 = 210_866_760_000_000;
const LAST_JULIAN_DAY: i64 = 5_373_484;
const MILLISECONDS_A_DAY: f64 = SECONDS_A_DAY as f64 * 1000.0;
/// Seconds since 1970, from Julian day 0 to the end of the year 9999.
const UNIX_SECONDS: RangeInclusive<i64> = -210_866_760_000..=253_402_300_799;

/// What an integer stands for.
pub(super) fn integer(number: i64) -> Result<Timestamp, DecodeError> {
    match number {
        0..=LAST_JULIAN_DAY => Err(DecodeError::new(format!(
            "{number} may be a Julian day or seconds since 1970: read it as i64, or let SQL make a date of it"
        ))),
        seconds if UNIX_SECONDS.contains(&seconds) => Ok(Timestamp { seconds, nanoseconds: 0 }),
        _ => Err(neither()),
    }
}

/// What a floating-point number stands for, to the millisecond.
pub(super) fn float(number: f64) -> Result<Timestamp, DecodeError> {
    let since_julian_day_0 = if (0.0..LAST_JULIAN_DAY as f64 + 0.5).contains(&number) {
        number * MILLISECONDS_A_DAY
    } else if (*UNIX_SECONDS.start() as f64..=*UNIX_SECONDS.end() as f64).contains(&number) {
        number * 1000.0 + EPOCH_MS as f64
    } else {
        return Err(neither());
    };
    let milliseconds = (since_julian_day_0 + 0.5) as i64 - EPOCH_MS;
    let nanoseconds = milliseconds.rem_euclid(1000) as u32 * 1_000_000;
    Ok(Timestamp { seconds: milliseconds.div_euclid(1000), nanoseconds })
}

#[cold]
fn neither() -> DecodeError {
    DecodeError::new("its number is neither a Julian day nor seconds since 1970 up to the year 9999")
}
