//! Values as the text that they have inside of others: the literals of rows, `(1,"a b",)`, and of arrays, `{1,NULL,"a b"}`.

use crate::{Decode, DecodeError, EncodeError, Interval, interval::printed};
use montrs_driver_abi::{Array, ValueRef};
use std::fmt::Write;

/// The text of a value; nothing for NULL.
///
/// # Errors
///
/// For what has no text that reads back: bytes of an unknown type, arrays of several dimensions, dates outside of the years 1
/// to 9999.
pub(crate) fn text(value: ValueRef<'_>) -> Result<Option<String>, EncodeError> {
    Ok(Some(match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Bool(v) => if v { "t" } else { "f" }.into(),
        ValueRef::I16(v) => v.to_string(),
        ValueRef::I32(v) => v.to_string(),
        ValueRef::I64(v) => v.to_string(),
        ValueRef::F32(v) => float(v.is_finite(), v.into(), v),
        ValueRef::F64(v) => float(v.is_finite(), v, v),
        ValueRef::Bytes(bytes) => bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // Writing to a string does not fail.
            text
        }),
        ValueRef::OtherBytes(_) => return Err(EncodeError::new("bytes of a type that has no form of its own here")),
        ValueRef::Interval { months, days, microseconds } => printed::write(Interval { months, days, microseconds }),
        ValueRef::Array(array) => array_text(array)?,
        ValueRef::Date(_) | ValueRef::Timestamp(_) | ValueRef::TimestampTz(_) => dated(&string(value)?)?,
        other => string(other)?,
    }))
}

fn float(is_finite: bool, wide: f64, shown: impl std::fmt::Display) -> String {
    match is_finite {
        true => shown.to_string(),
        false if wide.is_nan() => "NaN".into(),
        false if wide > 0.0 => "Infinity".into(),
        false => "-Infinity".into(),
    }
}

fn string(value: ValueRef<'_>) -> Result<String, EncodeError> {
    String::decode(value).map_err(|error| EncodeError::new(error.to_string()))
}

/// Other years are written in different ways.
fn dated(text: &str) -> Result<String, EncodeError> {
    let has_sign = text.starts_with('+') || text.starts_with('-') && !text.ends_with("infinity");
    if has_sign || text.starts_with("0000") {
        return Err(EncodeError::new(format!("{text} is not in the years 1 to 9999")));
    }
    Ok(text.into())
}

fn array_text(array: Array<'_>) -> Result<String, EncodeError> {
    if array.dimensions().len() > 1 {
        return Err(EncodeError::new("an array of several dimensions, inside of another value"));
    }
    let mut out = String::from("{");
    for index in 0..array.len() {
        if index > 0 {
            out.push(',');
        }
        match text(array.get(index).map_err(|error| EncodeError::new(error.to_string()))?)? {
            None => out.push_str("NULL"),
            Some(element) => {
                let is_special = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '{' | '}' | ',');
                let is_bare = !element.is_empty() && !element.eq_ignore_ascii_case("NULL");
                quoted(&element, is_bare && !element.contains(is_special), "\\\"", "\\\\", &mut out);
            }
        }
    }
    out.push('}');
    Ok(out)
}

/// The literal of a row.
#[derive(Debug, Default)]
pub(crate) struct Row(String);

impl Row {
    /// Adds a field, which has this text or is NULL.
    pub(crate) fn push(&mut self, field: Option<&str>) {
        self.0.push(if self.0.is_empty() { '(' } else { ',' });
        if let Some(field) = field {
            let is_special = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '(' | ')' | ',');
            quoted(field, !field.is_empty() && !field.contains(is_special), "\"\"", "\\\\", &mut self.0);
        }
    }

    /// The text.
    pub(crate) fn finish(mut self) -> String {
        self.0.push(')');
        self.0
    }
}

fn quoted(text: &str, is_bare: bool, quotation_mark: &str, backslash: &str, out: &mut String) {
    if is_bare {
        return out.push_str(text);
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str(quotation_mark),
            '\\' => out.push_str(backslash),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Reads the literal of a row: the texts of its fields, nothing for NULL.
pub(crate) fn row(text: &str) -> Result<Vec<Option<String>>, DecodeError> {
    let body = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    body.and_then(|body| items(body, |item| item.is_empty()))
        .ok_or_else(|| DecodeError::new(format!("{text:?} is not a row of values, such as (1,\"a b\",)")))
}

/// Reads the literal of an array of one dimension, whatever index its elements begin with.
pub(crate) fn array(text: &str) -> Result<Vec<Option<String>>, DecodeError> {
    let literal = if text.starts_with('[') { text.split_once('=').map_or(text, |(_, literal)| literal) } else { text };
    let body = literal.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|body| !body.starts_with('{'));
    match body {
        Some("") => Ok(Vec::new()),
        body => body.and_then(|body| items(body, |item| item == "NULL")).ok_or_else(|| {
            DecodeError::new(format!("{text:?} is not an array of one dimension, such as {{1,\"a b\"}}"))
        }),
    }
}

/// Splits at commas outside of quotation marks. Where nothing was quoted, `is_null` tells NULL. A backslash stands before a
/// character that is meant as it is; so does, between quotation marks, a second quotation mark.
fn items(body: &str, is_null: impl Fn(&str) -> bool) -> Option<Vec<Option<String>>> {
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = body.chars().peekable();
    loop {
        match characters.next() {
            Some('\\') => item.push(characters.next()?),
            Some('"') if is_quoted && characters.next_if_eq(&'"').is_some() => item.push('"'),
            Some('"') => (is_quoted, was_quoted) = (!is_quoted, true),
            Some(character) if is_quoted || character != ',' => item.push(character),
            end => {
                let item = std::mem::take(&mut item);
                items.push((was_quoted || !is_null(&item)).then_some(item));
                was_quoted = false;
                if end.is_none() {
                    return (!is_quoted).then_some(items);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_abi::{Dimension, Timestamp};

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn rows_are_written_as_databases_print_them() {
        let mut written = Row::default();
        for field in [Some("1"), None, Some(""), Some("a b"), Some("a\"b\\c"), Some("(,)"), Some("NULL"), Some("ä")] {
            written.push(field);
        }
        let text = written.finish();
        assert_eq!(text, r#"(1,,"","a b","a""b\\c","(,)",NULL,ä)"#);
        let fields = [some("1"), None, some(""), some("a b"), some("a\"b\\c"), some("(,)"), some("NULL"), some("ä")];
        assert_eq!(row(&text).unwrap(), fields);
        assert_eq!(row("()").unwrap(), [None]);
        assert_eq!(row(r#"(a\,b,"x"y"z")"#).unwrap(), [some("a,b"), some("xyz")], "as people may write it");
    }

    #[test]
    fn arrays_read_back() {
        let elements = [
            ValueRef::Text("a b"),
            ValueRef::Null,
            ValueRef::Text("null"),
            ValueRef::Text(""),
            ValueRef::Text("{\"\\,"),
            ValueRef::I32(-1),
        ];
        let dimension = [Dimension { len: 6, lower_bound: 1 }];
        let encoded = Array::encode(&dimension, elements.into_iter()).unwrap();
        let written = text(ValueRef::Array(Array::parse(&encoded).unwrap())).unwrap().unwrap();
        assert_eq!(written, r#"{"a b",NULL,"null","","{\"\\,",-1}"#);
        let read = [some("a b"), None, some("null"), some(""), some("{\"\\,"), some("-1")];
        assert_eq!(array(&written).unwrap(), read);
        assert_eq!(array("{}").unwrap(), []);
        assert_eq!(array("[0:1]={a,b}").unwrap(), [some("a"), some("b")]);
        for wrong in ["", "{", "1", "{{1},{2}}", "{\"a}", "{a\\}", "[0:1]"] {
            assert!(array(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for wrong in ["", "(", ")", "1", "(1", "1)", "(\"a)", "(a\\)"] {
            assert!(row(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scalars_have_the_text_that_is_read_as_them() {
        let at = |seconds| Timestamp { seconds, nanoseconds: 500_000_000 };
        for (value, expected) in [
            (ValueRef::Bool(true), "t"),
            (ValueRef::F32(0.1), "0.1"),
            (ValueRef::F64(f64::NEG_INFINITY), "-Infinity"),
            (ValueRef::F32(f32::NAN), "NaN"),
            (ValueRef::Bytes(&[0, 255]), "\\x00ff"),
            (ValueRef::TimestampTz(at(0)), "1970-01-01 00:00:00.5+00:00"),
            (ValueRef::Date(i64::MIN), "-infinity"),
            (ValueRef::Interval { months: 14, days: -3, microseconds: -4_500_000 }, "14 mons -3 days -00:00:04.500000"),
        ] {
            assert_eq!(text(value).unwrap().as_deref(), Some(expected));
        }
        assert_eq!(text(ValueRef::Null).unwrap(), None);
        for value in [ValueRef::Date(-719_528), ValueRef::Timestamp(at(253_402_300_800)), ValueRef::OtherBytes(&[])] {
            assert!(text(value).is_err(), "{value:?}");
        }
        let twice = [Dimension { len: 1, lower_bound: 1 }; 2];
        let encoded = Array::encode(&twice, [ValueRef::I32(1)].into_iter()).unwrap();
        assert!(text(ValueRef::Array(Array::parse(&encoded).unwrap())).is_err());
    }
}
