//! The values of `--param` and `--named`, as the statement expects them.

use crate::{failure::Failure, parameter};
use montrs_orm::{Connection, DbErrorKind, Kind, ParameterInfo, RuntimeSql, Value};

/// Values to bind.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Values {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Vec<(String, Value)>,
}

/// What the database tells of a parameter.
#[derive(Clone, Debug)]
struct Expected {
    name: String,
    /// Empty where it is not known.
    type_name: String,
    /// [`Kind::NULL`] where it is not known.
    kind: Kind,
}

static UNKNOWN: Expected = Expected { name: String::new(), type_name: String::new(), kind: Kind::NULL };

/// Asks the database what the statement expects, and reads the values so.
pub(crate) async fn read(
    connection: &mut Connection,
    sql: &str,
    positional: &[String],
    named: &[(String, String)],
) -> Result<Values, Failure> {
    if positional.is_empty() && named.is_empty() {
        return Ok(Values::default());
    }
    let expected = match connection.query(RuntimeSql(sql)).describe().await {
        Ok(info) => info.parameters().iter().map(Expected::of).collect(),
        // Not every driver can tell. Whether the values fit is then seen when the statement is run.
        Err(error) if error.kind() == DbErrorKind::Unsupported => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    read_as(&expected, positional, named)
}

/// How many values there must be is the database's to judge.
fn read_as(expected: &[Expected], positional: &[String], named: &[(String, String)]) -> Result<Values, Failure> {
    let mut values = Values::default();
    for (index, text) in positional.iter().enumerate() {
        let option = format!("--param number {}", index + 1);
        values.positional.push(value(&option, text, expected.get(index).unwrap_or(&UNKNOWN))?);
    }
    for (name, text) in named {
        let expected = expected.iter().find(|expected| expected.name == *name).unwrap_or(&UNKNOWN);
        values.named.push((name.clone(), value(&format!("--named {name}"), text, expected)?));
    }
    Ok(values)
}

fn value(option: &str, text: &str, expected: &Expected) -> Result<Value, Failure> {
    parameter::read(text, expected.kind).map_err(|unfit| {
        let of_type = match expected.type_name.as_str() {
            "" => String::new(),
            type_name => format!(" (type {type_name})"),
        };
        let message = format!("{option} does not fit: the statement expects {}{of_type}, not {text:?}", unfit.noun);
        Failure::usage("CLI_PARAMETER", message)
            .explained("Each value is read as the type that the statement expects for its parameter.")
            .fixed_by(format!("Write the value as {}.", unfit.form))
            .fixed_by("Or change what is expected with a CAST in the SQL.")
    })
}

impl Expected {
    fn of(parameter: &ParameterInfo) -> Self {
        Self {
            name: parameter.name().unwrap_or_default().to_owned(),
            type_name: parameter.type_name().to_owned(),
            kind: parameter.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(name: &str, type_name: &str, kind: Kind) -> Expected {
        Expected { name: name.into(), type_name: type_name.into(), kind }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_value_takes_the_type_of_its_parameter() {
        let expected = [expected("", "int4", Kind::I32), expected("", "text", Kind::TEXT)];
        let values = read_as(&expected, &texts(&["1", "2", "3"]), &[]).unwrap();
        assert_eq!(values.positional, [Value::I32(1), Value::Text("2".into()), Value::I64(3)]);
    }

    #[test]
    fn a_named_value_takes_the_type_of_that_name() {
        let expected = [expected("a", "", Kind::NULL), expected("b", "text", Kind::TEXT)];
        let named = [("b".into(), "1".into()), ("a".into(), "1".into()), ("c".into(), "x".into())];
        let values = read_as(&expected, &[], &named).unwrap();
        let wanted = [("b", Value::Text("1".into())), ("a", Value::I64(1)), ("c", Value::Text("x".into()))];
        assert_eq!(values.named, wanted.map(|(name, value)| (name.to_string(), value)));
    }

    #[test]
    fn a_value_that_does_not_fit_is_named_with_its_option_and_the_type() {
        let expected = [expected("", "", Kind::NULL), expected("", "int2", Kind::I16)];
        let failure = read_as(&expected, &texts(&["x", "40000"]), &[]).unwrap_err();
        let Failure::Own(problem) = failure else { panic!("{failure:?}") };
        for part in ["--param number 2", "a whole number", "int2", "\"40000\""] {
            assert!(problem.message.contains(part), "{}", problem.message);
        }
    }
}
