//! Values of PostgreSQL's types, and whether they come back as they were sent.

#![allow(dead_code, reason = "each test executable uses some of it")]

use montrs_orm::{Array, Database, Dimension, RuntimeSql, Value};

pub(crate) fn other(text: &str) -> Value {
    Value::OtherText(text.into())
}

pub(crate) fn decimal(text: &str) -> Value {
    Value::Decimal(text.into())
}

pub(crate) fn array(dimensions: &[(u32, i32)], elements: &[Value]) -> Value {
    let dimensions: Vec<Dimension> =
        dimensions.iter().map(|(len, lower_bound)| Dimension { len: *len, lower_bound: *lower_bound }).collect();
    let elements = elements.iter().map(|element| element.as_ref().expect("a value"));
    Value::Array(Array::encode(&dimensions, elements).expect("an array"))
}

/// Reads a literal of the type, and sends the value back.
pub(crate) async fn check(db: &Database, type_name: &str, literal: &str, expected: Value) {
    let mut shown = None;
    let sql = format!("SELECT '{literal}'::{type_name}");
    db.query(RuntimeSql(sql))
        .for_each(|row| {
            shown = Some(row.get::<Value>(0)?);
            Ok(())
        })
        .await
        .unwrap_or_else(|error| panic!("{literal}::{type_name}: {error}"));
    assert_eq!(shown, Some(expected.clone()), "{literal}::{type_name}");
    let sql = format!("SELECT $1::{type_name}::text = '{literal}'::{type_name}::text, $1::{type_name}");
    let (is_same, value): (bool, Value) = db
        .query(RuntimeSql(sql))
        .bind(&expected)
        .fetch_one()
        .await
        .unwrap_or_else(|error| panic!("$1::{type_name} = {expected:?}: {error}"));
    assert!(is_same, "{literal}::{type_name} changed on its way");
    assert_eq!(value, expected, "{literal}::{type_name}");
}
