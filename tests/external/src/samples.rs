//! One of everything that crosses.

use montrs_driver_sdk::{
    Array, Batch, Column, Dimension, Error, ErrorKind, Kind, Nullability, Result, Timestamp, ValueRef,
};

/// Writes a row with a value of every kind.
pub(crate) fn every_kind(batch: &mut Batch) -> Result<Vec<Column>> {
    let elements = [ValueRef::I32(1), ValueRef::Null, ValueRef::I32(3)];
    let array = Array::encode(&[Dimension { len: 3, lower_bound: 1 }], elements.into_iter())?;
    let array = Array::parse(&array).map_err(|error| Error::protocol(error.to_string()))?;
    let values = [
        ValueRef::Null,
        ValueRef::Bool(true),
        ValueRef::I16(-7),
        ValueRef::I32(i32::MIN),
        ValueRef::I64(i64::MAX),
        ValueRef::F32(-0.5),
        ValueRef::F64(1e300),
        ValueRef::Decimal("-12.30"),
        ValueRef::Text("grüße"),
        ValueRef::Bytes(&[0, 255]),
        ValueRef::Date(-1),
        ValueRef::Time(86_399_000_000_001),
        ValueRef::Timestamp(Timestamp { seconds: -1, nanoseconds: 999_999_999 }),
        ValueRef::TimestampTz(Timestamp { seconds: 1, nanoseconds: 2 }),
        ValueRef::Interval { months: -1, days: 2, microseconds: -3 },
        ValueRef::Uuid([9; 16]),
        ValueRef::Json("{\"a\": 1}"),
        ValueRef::Array(array),
        ValueRef::OtherText("(1,2)"),
        ValueRef::OtherBytes(&[1, 2, 3]),
    ];
    batch.clear(values.len());
    for value in values {
        batch.push(value)?;
    }
    batch.end_row();
    Ok(values.iter().map(|value| column(value.kind())).collect())
}

/// A column with every field set.
pub(crate) fn column(kind: Kind) -> Column {
    Column {
        type_name: format!("type {}", kind.0).into(),
        table: "a table".into(),
        origin: "an origin".into(),
        type_code: 1000 + u32::from(kind.0),
        kind,
        nullability: Nullability::NOT_NULL,
        ..Column::named(format!("{kind:?}"))
    }
}

/// An error with every field set.
pub(crate) fn error() -> Error {
    let mut error = Error::new(ErrorKind::UNIQUE_VIOLATION, "the message")
        .with_detail("the detail")
        .with_hint("The hint.")
        .with_position(2);
    let record = error.record_mut();
    record.native_code = -2067;
    record.sqlstate = "23505".into();
    record.schema = "the schema".into();
    record.table = "the table".into();
    record.column = "the column".into();
    record.constraint = "the constraint".into();
    record.is_retryable = true;
    record.may_have_executed = true;
    error
}
