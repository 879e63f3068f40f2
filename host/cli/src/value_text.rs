//! A value as text, for tables and CSV.

use crate::{calendar, failure::Failure, json};
use montrs_orm::ValueRef;
use std::{borrow::Cow, fmt::Write};

/// The value as text; `None` for NULL.
pub(crate) fn text(value: ValueRef<'_>) -> Result<Option<Cow<'_, str>>, Failure> {
    Ok(Some(match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Decimal(v) | ValueRef::Text(v) | ValueRef::Json(v) | ValueRef::OtherText(v) => Cow::Borrowed(v),
        ValueRef::Array(_) => json::text(value)?.into(),
        ValueRef::Bool(v) => v.to_string().into(),
        ValueRef::I16(v) => v.to_string().into(),
        ValueRef::I32(v) => v.to_string().into(),
        ValueRef::I64(v) => v.to_string().into(),
        ValueRef::F32(v) => float(v.into(), || format!("{v:?}")).into(),
        ValueRef::F64(v) => float(v, || format!("{v:?}")).into(),
        ValueRef::Bytes(v) | ValueRef::OtherBytes(v) => hex(v).into(),
        // With a blank, as the databases' own tools print it.
        ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_) | ValueRef::TimestampTz(_) => {
            calendar::text(value).into()
        }
        ValueRef::Interval { months, days, microseconds } => calendar::interval(months, days, microseconds).into(),
        ValueRef::Uuid(v) => uuid::Uuid::from_bytes(v).to_string().into(),
    }))
}

/// Whether the value is a number.
pub(crate) fn is_number(value: ValueRef<'_>) -> bool {
    matches!(
        value,
        ValueRef::I16(_)
            | ValueRef::I32(_)
            | ValueRef::I64(_)
            | ValueRef::F32(_)
            | ValueRef::F64(_)
            | ValueRef::Decimal(_)
    )
}

/// `finite` makes the shortest text that reads back as the same number, with an exponent where it is long otherwise.
fn float(value: f64, finite: impl FnOnce() -> String) -> String {
    match value {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => finite(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 + bytes.len() * 2);
    out.push_str("\\x");
    for byte in bytes {
        // Into a string, it cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_orm::{Array, Dimension, Timestamp};

    #[test]
    fn every_kind_has_a_text() {
        let array =
            Array::encode(&[Dimension { len: 2, lower_bound: 1 }], [ValueRef::I32(1), ValueRef::Null].into_iter());
        let array = array.unwrap();
        let at = Timestamp { seconds: 1_709_251_199, nanoseconds: 120_000_000 };
        for (value, expected) in [
            (ValueRef::Bool(true), "true"),
            (ValueRef::I16(-7), "-7"),
            (ValueRef::I32(7), "7"),
            (ValueRef::I64(i64::MIN), "-9223372036854775808"),
            (ValueRef::F32(0.1), "0.1"),
            (ValueRef::F64(5.0), "5.0"),
            (ValueRef::F64(1e300), "1e300"),
            (ValueRef::F64(f64::NAN), "NaN"),
            (ValueRef::F32(f32::NEG_INFINITY), "-Infinity"),
            (ValueRef::Decimal("12.30"), "12.30"),
            (ValueRef::Text("a\nb"), "a\nb"),
            (ValueRef::Bytes(&[0, 255]), "\\x00ff"),
            (ValueRef::Date(19_782), "2024-02-29"),
            (ValueRef::Time(0), "00:00:00"),
            (ValueRef::Timestamp(at), "2024-02-29 23:59:59.12"),
            (ValueRef::TimestampTz(at), "2024-02-29 23:59:59.12Z"),
            (ValueRef::Interval { months: 1, days: 0, microseconds: 0 }, "P1M"),
            (ValueRef::Uuid([255; 16]), "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            (ValueRef::Json("{ }"), "{ }"),
            (ValueRef::Array(Array::parse(&array).unwrap()), "[1,null]"),
            (ValueRef::OtherText("(1,2)"), "(1,2)"),
            (ValueRef::OtherBytes(&[1]), "\\x01"),
        ] {
            assert_eq!(text(value).unwrap().as_deref(), Some(expected));
        }
        assert_eq!(text(ValueRef::Null).unwrap(), None);
    }
}
