//! The binary form of `numeric`: digits to the base of 10,000.

use bytes::{BufMut, BytesMut};

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
/// PostgreSQL's limits before and after the point.
const MAX_BEFORE: usize = 131_072;
const MAX_AFTER: usize = 16_383;
/// Decimal digits in one digit of the binary form.
const WIDTH: usize = 4;

/// Appends the number that a text has; `None` where it is none, or too long. There are no exponents: nothing that crosses
/// as a decimal has one.
pub(crate) fn write(text: &str, out: &mut BytesMut) -> Option<()> {
    let (sign, digits) = match text.as_bytes() {
        b"NaN" => return special(NAN, out),
        b"Infinity" => return special(INFINITY, out),
        b"-Infinity" => return special(NEGATIVE_INFINITY, out),
        [b'-', ..] => (NEGATIVE, &text[1..]),
        [b'+', ..] => (POSITIVE, &text[1..]),
        _ => (POSITIVE, text),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.len() + after.len() == 0 || !is_number(before) || !is_number(after) {
        return None;
    }
    let before = before.trim_start_matches('0');
    if before.len() > MAX_BEFORE || after.len() > MAX_AFTER {
        return None;
    }
    let start = out.len();
    out.put_bytes(0, 8);
    let first = out.len();
    let mut weight = before.len().div_ceil(WIDTH) as i32 - 1;
    // Groups are counted from the point to both sides, so the first one may be short on its left, and the last one on its right.
    let (short, groups) = before.as_bytes().split_at(before.len() % WIDTH);
    let whole =
        (!short.is_empty()).then_some(short).into_iter().chain(groups.chunks(WIDTH)).map(|group| digit(group, 0));
    let part = after.as_bytes().chunks(WIDTH).map(|group| digit(group, WIDTH - group.len()));
    for digit in whole.chain(part) {
        if digit == 0 && out.len() == first {
            weight -= 1;
        } else {
            out.put_u16(digit);
        }
    }
    while out.len() > first && out[out.len() - 2..] == [0, 0] {
        out.truncate(out.len() - 2);
    }
    let count = ((out.len() - first) / 2) as u16;
    // Zero has no sign.
    let (sign, weight) = if count == 0 { (POSITIVE, 0) } else { (sign, weight) };
    let mut head = &mut out[start..first];
    head.put_u16(count);
    // Within the limits it fits.
    head.put_i16(weight as i16);
    head.put_u16(sign);
    head.put_u16(after.len() as u16);
    Some(())
}

/// The value of a group of decimal digits, and of zeros behind it.
fn digit(group: &[u8], zeros: usize) -> u16 {
    let zeros = std::iter::repeat_n(&b'0', zeros);
    group.iter().chain(zeros).fold(0, |value, byte| value * 10 + u16::from(byte - b'0'))
}

fn special(sign: u16, out: &mut BytesMut) -> Option<()> {
    out.put_u16(0);
    out.put_i16(0);
    out.put_u16(sign);
    out.put_u16(0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> Option<Vec<u16>> {
        let mut out = BytesMut::new();
        write(text, &mut out)?;
        Some(out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
    }

    #[test]
    fn numbers_are_written_as_the_server_has_them() {
        for (text, expected) in [
            ("0", &[0, 0, 0, 0][..]),
            ("-0.00", &[0, 0, 0, 2]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-12345.6", &[3, 1, NEGATIVE, 1, 1, 2345, 6000]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("0.00001234", &[1, -2_i16 as u16, 0, 8, 1234]),
            (".5", &[1, -1_i16 as u16, 0, 1, 5000]),
            ("+007.", &[1, 0, 0, 0, 7]),
            ("NaN", &[0, 0, NAN, 0]),
            ("-Infinity", &[0, 0, NEGATIVE_INFINITY, 0]),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1e5", "1 ", "--1", "1.2.3", "infinity", "٣"] {
            assert_eq!(written(text), None, "{text}");
        }
        assert_eq!(written(&format!("0.{}", "0".repeat(MAX_AFTER + 1))), None);
        assert!(written(&"9".repeat(MAX_BEFORE)).is_some());
        assert_eq!(written(&"9".repeat(MAX_BEFORE + 1)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_written_or_refused(text in "[-+0-9.eNaI]{0,12}|\\PC{0,8}") {
            written(&text);
        }
    }
}
