//! Rows as JSON: an array of objects, streamed.

use crate::{calendar, failure::Failure, rows::RowWriter, value_text};
use montrs_orm::{Array, DbError, ValueRef};
use serde_json::value::RawValue;
use std::{collections::HashSet, io::Write};

/// Writes each row as it comes. After an error the array is left open, so that nobody takes a part for the whole.
pub(crate) struct JsonWriter<W> {
    output: W,
    /// The names of the columns as JSON strings.
    names: Vec<String>,
    rows: u64,
}

impl<W: Write> JsonWriter<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output, names: Vec::new(), rows: 0 }
    }
}

impl<W: Write> RowWriter for JsonWriter<W> {
    fn begin(&mut self, names: &[&str]) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(duplicate(twice));
        }
        self.names = names.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        Ok(self.output.write_all(b"[")?)
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> Result<(), Failure> {
        let output = &mut self.output;
        output.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
        self.rows += 1;
        for (index, (name, value)) in self.names.iter().zip(values).enumerate() {
            write!(output, "{}{name}:", if index == 0 { '{' } else { ',' })?;
            write_value(output, *value)?;
        }
        Ok(output.write_all(b"}")?)
    }

    fn end(&mut self) -> Result<(), Failure> {
        Ok(self.output.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?)
    }

    fn done(&mut self, rows_affected: u64, last_insert_id: Option<i64>) -> Result<(), Failure> {
        let last_insert_id = last_insert_id.map_or_else(|| "null".into(), |id| id.to_string());
        Ok(writeln!(self.output, "{{\"rows_affected\":{rows_affected},\"last_insert_id\":{last_insert_id}}}")?)
    }
}

fn duplicate(name: &str) -> Failure {
    Failure::usage("CLI_DUPLICATE_COLUMN", format!("the result has more than one column {name:?}"))
        .explained("A row is printed as a JSON object, which cannot have one name twice. The statement itself was run.")
        .fixed_by("Give one of the columns another name with AS.")
        .fixed_by("Or print the rows with --format table or --format csv.")
}

/// The value as a JSON text.
pub(crate) fn text(value: ValueRef<'_>) -> Result<String, Failure> {
    let mut out = Vec::new();
    write_value(&mut out, value)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Integers are numbers to the last digit; what has no exact form in JSON is a string.
fn write_value(output: &mut impl Write, value: ValueRef<'_>) -> Result<(), Failure> {
    match value {
        ValueRef::Null => output.write_all(b"null")?,
        ValueRef::Bool(v) => write!(output, "{v}")?,
        ValueRef::I16(v) => write!(output, "{v}")?,
        ValueRef::I32(v) => write!(output, "{v}")?,
        ValueRef::I64(v) => write!(output, "{v}")?,
        ValueRef::F32(v) if v.is_finite() => serde_json::to_writer(output, &v)?,
        ValueRef::F64(v) if v.is_finite() => serde_json::to_writer(output, &v)?,
        ValueRef::Json(v) => write_json(output, v)?,
        ValueRef::Array(v) => write_array(output, v)?,
        // With a `T`, as programs expect it.
        ValueRef::Timestamp(_) | ValueRef::TimestampTz(_) => {
            serde_json::to_writer(output, &calendar::text(value).replacen(' ', "T", 1))?;
        }
        other => match value_text::text(other)? {
            Some(text) => serde_json::to_writer(output, &text)?,
            None => output.write_all(b"null")?,
        },
    }
    Ok(())
}

/// JSON of the database's is passed on as it is, unless it is none: then it is a string.
fn write_json(output: &mut impl Write, text: &str) -> Result<(), Failure> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => Ok(output.write_all(json.get().as_bytes())?),
        Err(_) => Ok(serde_json::to_writer(output, text)?),
    }
}

/// An array inside an array for each further dimension.
fn write_array(output: &mut impl Write, array: Array<'_>) -> Result<(), Failure> {
    let lengths: Vec<usize> = array.dimensions().map(|dimension| dimension.len as usize).collect();
    if array.is_empty() {
        return Ok(output.write_all(b"[]")?);
    }
    for index in 0..array.len() {
        // How many dimensions begin at this element, and how many end with it.
        let mut span = 1;
        let spans = lengths.iter().rev().map(|length| {
            span *= length;
            span
        });
        let (mut begin, mut end) = (0, 0);
        for span in spans {
            begin += usize::from(index % span == 0);
            end += usize::from((index + 1) % span == 0);
        }
        if index > 0 {
            output.write_all(b",")?;
        }
        output.write_all("[".repeat(begin).as_bytes())?;
        let element = array.get(index).map_err(|error| DbError::decode(error.to_string()))?;
        write_value(output, element)?;
        output.write_all("]".repeat(end).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_orm::Dimension;

    fn written(write: impl FnOnce(&mut JsonWriter<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        write(&mut JsonWriter::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_objects_in_an_array() {
        let text = written(|writer| {
            writer.begin(&["n", "a \"b\""]).unwrap();
            writer.row(&[ValueRef::I64(i64::MAX), ValueRef::Text("x\n")]).unwrap();
            writer.row(&[ValueRef::Null, ValueRef::Decimal("1.10")]).unwrap();
            writer.end().unwrap();
        });
        assert_eq!(
            text,
            "[\n{\"n\":9223372036854775807,\"a \\\"b\\\"\":\"x\\n\"},\n{\"n\":null,\"a \\\"b\\\"\":\"1.10\"}\n]\n"
        );
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        let text = written(|writer| {
            writer.begin(&["n"]).unwrap();
            writer.end().unwrap();
        });
        assert_eq!(text, "[]\n");
    }

    #[test]
    fn what_a_statement_did_is_an_object() {
        assert_eq!(written(|writer| writer.done(3, Some(5)).unwrap()), "{\"rows_affected\":3,\"last_insert_id\":5}\n");
        assert!(written(|writer| writer.done(0, None).unwrap()).contains("\"last_insert_id\":null"));
    }

    #[test]
    fn two_columns_of_one_name_are_refused_before_anything_is_printed() {
        let text = written(|writer| {
            let Err(Failure::Own(problem)) = writer.begin(&["a", "b", "a"]) else { panic!("it was not refused") };
            assert!(problem.message.contains("\"a\"") && problem.fixes[0].contains("AS"));
        });
        assert_eq!(text, "");
    }

    #[test]
    fn values_keep_their_exact_form() {
        for (value, expected) in [
            (ValueRef::F64(5.0), "5.0"),
            (ValueRef::F32(0.1), "0.1"),
            (ValueRef::F64(f64::NAN), "\"NaN\""),
            (ValueRef::F32(f32::INFINITY), "\"Infinity\""),
            (
                ValueRef::Json(" {\"a\":1.000, \"b\":123456789012345678901234567890} "),
                "{\"a\":1.000, \"b\":123456789012345678901234567890}",
            ),
            (ValueRef::Json("not json"), "\"not json\""),
            (ValueRef::Bytes(&[0xab]), "\"\\\\xab\""),
            (ValueRef::Date(0), "\"1970-01-01\""),
            (ValueRef::Bool(false), "false"),
        ] {
            assert_eq!(text(value).unwrap(), expected);
        }
    }

    #[test]
    fn arrays_nest_by_their_dimensions() {
        let encode = |lengths: &[u32], elements: &[ValueRef<'_>]| {
            let dimensions: Vec<_> = lengths.iter().map(|len| Dimension { len: *len, lower_bound: 1 }).collect();
            let array = Array::encode(&dimensions, elements.iter().copied()).unwrap();
            text(ValueRef::Array(Array::parse(&array).unwrap())).unwrap()
        };
        let numbers: Vec<_> = (1..=6).map(ValueRef::I32).collect();
        assert_eq!(encode(&[], &[]), "[]");
        assert_eq!(encode(&[1], &[ValueRef::Text("a")]), "[\"a\"]");
        assert_eq!(encode(&[2, 3], &numbers), "[[1,2,3],[4,5,6]]");
        assert_eq!(encode(&[3, 1, 2], &numbers), "[[[1,2]],[[3,4]],[[5,6]]]");
    }

    #[test]
    fn deeply_nested_json_does_not_exhaust_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert!(text(ValueRef::Json(&deep)).is_ok());
        let closed = format!("{deep}{}", "]".repeat(1_000_000));
        assert_eq!(text(ValueRef::Json(&closed)).unwrap().len(), closed.len());
    }
}
