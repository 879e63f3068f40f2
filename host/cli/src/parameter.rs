//! From the text of `--param` to a value.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use montrs_orm::{Encode, Encoded, Kind, Value};
use serde_json::value::RawValue;

/// What a text is not.
#[derive(Debug, PartialEq)]
pub(crate) struct Unfit {
    /// What is expected, in words.
    pub(crate) noun: &'static str,
    /// How it is written, for "write the value as …".
    pub(crate) form: &'static str,
}

/// Reads the text as a value of this kind; as what it looks like where the kind is not known.
pub(crate) fn read(text: &str, kind: Kind) -> Result<Value, Unfit> {
    let null = text == "null" && !matches!(kind, Kind::TEXT | Kind::JSON);
    if null {
        return Ok(Value::Null);
    }
    let value = match kind {
        Kind::NULL => Some(scalar(text)),
        Kind::BOOL => boolean(text).map(Value::Bool),
        Kind::I16 => text.parse().ok().map(Value::I16),
        Kind::I32 => text.parse().ok().map(Value::I32),
        Kind::I64 => text.parse().ok().map(Value::I64),
        Kind::F32 => text.parse().ok().filter(|v: &f32| !v.is_infinite() || is_infinity(text)).map(Value::F32),
        Kind::F64 => float(text).map(Value::F64),
        Kind::DECIMAL => is_decimal(text).then(|| Value::Decimal(text.into())),
        Kind::TEXT => Some(Value::Text(text.into())),
        Kind::BYTES => bytes(text).map(Value::Bytes),
        Kind::DATE => date(text),
        Kind::TIME => text.parse().ok().and_then(|time: NaiveTime| encoded(&time)),
        Kind::TIMESTAMP => timestamp(text),
        Kind::TIMESTAMP_TZ => timestamp_tz(text),
        Kind::UUID => uuid::Uuid::parse_str(text).ok().map(|uuid| Value::Uuid(uuid.into_bytes())),
        Kind::JSON => serde_json::from_str::<&RawValue>(text).ok().map(|json| Value::Json(json.get().into())),
        // Intervals, arrays and what has no kind of its own have a text form of the database's, which it reads itself.
        _ => Some(Value::OtherText(text.into())),
    };
    value.ok_or_else(|| expected(kind))
}

/// A JSON number, boolean, null or string; anything else is text.
fn scalar(text: &str) -> Value {
    let as_text = || Value::Text(text.into());
    // JSON allows white space around a value; here it means that text is meant.
    if text.trim() != text {
        return as_text();
    }
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Bool(v)) => Value::Bool(v),
        Ok(serde_json::Value::String(v)) => Value::Text(v),
        Ok(serde_json::Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(v), _) => Value::I64(v),
            // An integer that is too large must not become another one.
            (None, _) if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && text != "-0" => {
                Value::Decimal(text.into())
            }
            (None, Some(v)) => Value::F64(v),
            (None, None) => as_text(),
        },
        _ => as_text(),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A number that is too large is not infinite.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| !v.is_infinite() || is_infinity(text))
}

fn is_infinity(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).starts_with(['i', 'I'])
}

/// Digits with at most one point, a sign, an exponent; or a word that the database judges.
fn is_decimal(text: &str) -> bool {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return true;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (number, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    digits(&format!("{whole}{fraction}")) && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.strip_prefix("\\x")?.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

fn infinity(text: &str) -> Option<i64> {
    match text {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        _ => None,
    }
}

fn date(text: &str) -> Option<Value> {
    if let Some(days) = infinity(text) {
        return Some(Value::Date(days));
    }
    encoded(&text.parse::<NaiveDate>().ok()?)
}

fn timestamp(text: &str) -> Option<Value> {
    if let Some(seconds) = infinity(text) {
        return Some(Value::Timestamp(montrs_orm::Timestamp { seconds, nanoseconds: 0 }));
    }
    encoded(&text.replacen(' ', "T", 1).parse::<NaiveDateTime>().ok()?)
}

fn timestamp_tz(text: &str) -> Option<Value> {
    if let Some(seconds) = infinity(text) {
        return Some(Value::TimestampTz(montrs_orm::Timestamp { seconds, nanoseconds: 0 }));
    }
    encoded(&DateTime::<FixedOffset>::parse_from_rfc3339(&text.replacen(' ', "T", 1)).ok()?)
}

fn encoded(value: &impl Encode) -> Option<Value> {
    match value.encode().ok()? {
        Encoded::Borrowed(value) => Some(value.into()),
        Encoded::Owned(value) => Some(value),
    }
}

fn expected(kind: Kind) -> Unfit {
    let (noun, form) = match kind {
        Kind::BOOL => ("a boolean", "true or false"),
        Kind::I16 => ("a whole number of 16 bits", "digits, from -32768 to 32767"),
        Kind::I32 => ("a whole number of 32 bits", "digits, from -2147483648 to 2147483647"),
        Kind::I64 => ("a whole number of 64 bits", "digits, from -9223372036854775808 to 9223372036854775807"),
        Kind::F32 | Kind::F64 => ("a floating-point number", "a number such as -1.5 or 6e23"),
        Kind::DECIMAL => ("a decimal number", "a number such as -12.50"),
        Kind::BYTES => ("bytes", "\\x and two hexadecimal digits for each byte, such as \\x00ff"),
        Kind::DATE => ("a date", "year, month and day, such as 2024-02-29"),
        Kind::TIME => ("a time of day", "hours, minutes and seconds, such as 23:59:59.5"),
        Kind::TIMESTAMP => ("a date and time without time zone", "a date and a time, such as 2024-02-29T23:59:59"),
        Kind::TIMESTAMP_TZ => (
            "a date and time with time zone",
            "a date, a time and a zone, such as 2024-02-29T23:59:59Z or 2024-02-29T23:59:59+01:00",
        ),
        Kind::UUID => ("a UUID", "a UUID, such as 67e55044-10b1-426f-9247-bb680e5fe0c8"),
        Kind::JSON => ("JSON", "JSON; text is \"in quotation marks\""),
        _ => ("a value of another type", "the database has it"),
    };
    Unfit { noun, form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_orm::Timestamp;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn without_a_type_a_json_scalar_is_what_it_is_and_the_rest_is_text() {
        for (given, value) in [
            ("1", Value::I64(1)),
            ("-9223372036854775808", Value::I64(i64::MIN)),
            ("9223372036854775808", Value::Decimal("9223372036854775808".into())),
            ("1.5", Value::F64(1.5)),
            ("-0", Value::F64(-0.0)),
            ("1e400", text("1e400")),
            ("true", Value::Bool(true)),
            ("null", Value::Null),
            ("\"1\"", text("1")),
            ("\"\\u0041\"", text("A")),
            ("Ada", text("Ada")),
            ("", text("")),
            (" 1", text(" 1")),
            ("007", text("007")),
            ("NULL", text("NULL")),
            ("[1]", text("[1]")),
            ("{}", text("{}")),
            ("2024-02-29", text("2024-02-29")),
        ] {
            assert_eq!(read(given, Kind::NULL), Ok(value), "{given}");
        }
    }

    #[test]
    fn a_value_takes_the_expected_type() {
        let noon = Timestamp { seconds: 43_200, nanoseconds: 500_000_000 };
        for (given, kind, value) in [
            ("YES", Kind::BOOL, Value::Bool(true)),
            ("-1", Kind::I16, Value::I16(-1)),
            ("1", Kind::I64, Value::I64(1)),
            ("inf", Kind::F64, Value::F64(f64::INFINITY)),
            ("0.1", Kind::F32, Value::F32(0.1)),
            ("-12.30e-4", Kind::DECIMAL, Value::Decimal("-12.30e-4".into())),
            ("1", Kind::TEXT, text("1")),
            ("null", Kind::TEXT, text("null")),
            ("null", Kind::I64, Value::Null),
            ("null", Kind::JSON, Value::Json("null".into())),
            ("\\x00fF", Kind::BYTES, Value::Bytes(vec![0, 255])),
            ("1970-01-02", Kind::DATE, Value::Date(1)),
            ("-infinity", Kind::DATE, Value::Date(i64::MIN)),
            ("00:00:01.5", Kind::TIME, Value::Time(1_500_000_000)),
            ("1970-01-01 12:00:00.5", Kind::TIMESTAMP, Value::Timestamp(noon)),
            ("1970-01-01T13:00:00.5+01:00", Kind::TIMESTAMP_TZ, Value::TimestampTz(noon)),
            ("00000000-0000-0000-0000-0000000000ff", Kind::UUID, {
                let mut uuid = [0; 16];
                uuid[15] = 255;
                Value::Uuid(uuid)
            }),
            ("{\"a\": 1.00}", Kind::JSON, Value::Json("{\"a\": 1.00}".into())),
            ("1 day", Kind::INTERVAL, Value::OtherText("1 day".into())),
            ("{1,2}", Kind::ARRAY, Value::OtherText("{1,2}".into())),
        ] {
            assert_eq!(read(given, kind), Ok(value), "{given} as {kind:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (given, kind) in [
            ("maybe", Kind::BOOL),
            ("32768", Kind::I16),
            ("1.5", Kind::I64),
            ("", Kind::I32),
            ("1e999", Kind::F64),
            ("1e99", Kind::F32),
            (".", Kind::DECIMAL),
            ("1.2.3", Kind::DECIMAL),
            ("1e", Kind::DECIMAL),
            ("-", Kind::DECIMAL),
            ("00ff", Kind::BYTES),
            ("\\x0", Kind::BYTES),
            ("\\x+1", Kind::BYTES),
            ("\\xäö", Kind::BYTES),
            ("2023-02-29", Kind::DATE),
            ("25:00:00", Kind::TIME),
            ("2024-02-29", Kind::TIMESTAMP),
            ("2024-02-29T00:00:00", Kind::TIMESTAMP_TZ),
            ("67e55044", Kind::UUID),
            ("{", Kind::JSON),
            ("text", Kind::JSON),
        ] {
            let unfit = read(given, kind).unwrap_err();
            assert!(!unfit.noun.is_empty() && !unfit.form.is_empty());
        }
    }
}
