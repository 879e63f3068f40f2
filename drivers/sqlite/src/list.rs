//! Lists: an array that is bound to the placeholder of `x IN ($1)`.
//!
//! SQLite has no arrays. A statement with a list is compiled once more as `x IN (SELECT value FROM json_each($1))`, for
//! lists of every length, and the list is bound as JSON.

use crate::{
    datetime,
    error::Fault,
    registry::{Name, Token},
    session::Session,
    sql::{self, Token as Word},
};
use montrs_driver_sdk::{Array, Error, ErrorKind, Params, Result, ValueRef};
use std::{ffi::c_int, fmt::Write, ops::Range, sync::Arc};
use uuid::Uuid;

/// The statement for lists that was made of another one, and the parameters that they are bound to.
pub(crate) type WithLists = (Vec<c_int>, Arc<Token>);

pub(crate) const TOO_MANY_HINT: &str = "bind one list to `IN ($1)`, and insert many rows with execute_many";

impl Session {
    /// The statement to be run instead of this one when lists are among the values.
    pub(crate) fn for_lists(&mut self, name: Name, values: &Params<'_>) -> Result<Option<Arc<Token>>> {
        let prepared = self.registry.get(name)?;
        let is_list = |index: usize| matches!(values.get(index), Ok(ValueRef::Array(_)));
        if !values.has_arrays() {
            return Ok(None);
        }
        let targets = prepared.placeholders.assign(values)?;
        let lists: Vec<c_int> = targets.iter().filter(|(_, index)| is_list(*index)).map(|target| target.0).collect();
        if let Some((_, token)) = prepared.with_lists.as_ref().filter(|(known, _)| *known == lists) {
            return Ok(Some(token.clone()));
        }
        let texts: Vec<String> = lists.iter().map(|parameter| prepared.placeholders.text(*parameter)).collect();
        let Some(sql) = with_lists(&prepared.statement.sql(), &texts) else { return Ok(None) };
        let token = Arc::new(self.prepare(&sql).map_err(|mut error| {
            // Of a text that nobody has written.
            error.record_mut().position = None.into();
            error
        })?);
        self.registry.get(token.name())?.lists = lists.clone();
        self.registry.get(name)?.with_lists = Some((lists, token.clone()));
        Ok(Some(token))
    }
}

/// The text with `SELECT value FROM json_each(…)` around each of the placeholders that stand alone in the parentheses of
/// an `IN`. `None` where one of them never does.
fn with_lists(sql: &str, placeholders: &[String]) -> Option<String> {
    let tokens: Vec<_> = sql::tokens(sql).filter(|(token, ..)| *token != Word::Space).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, window) in tokens.windows(4).enumerate() {
        let [(Word::Word, keyword, _), (Word::Open, ..), (Word::Placeholder, text, at), (Word::Close, ..)] = window
        else {
            continue;
        };
        // `t.in (…)` would be no `IN`.
        let is_after_dot = index.checked_sub(1).is_some_and(|before| tokens[before].1 == ".");
        if keyword.eq_ignore_ascii_case("IN") && !is_after_dot && placeholders.iter().any(|known| known == text) {
            found.push(*at..at + text.len());
        }
    }
    let is_found = |placeholder: &String| found.iter().any(|range| sql[range.clone()] == **placeholder);
    if !placeholders.iter().all(is_found) {
        return None;
    }
    let (mut out, mut copied) = (String::new(), 0);
    for range in found {
        let (before, placeholder) = (&sql[copied..range.start], &sql[range.clone()]);
        out.extend([before, "SELECT value FROM json_each(", placeholder, ")"]);
        copied = range.end;
    }
    Some(out + &sql[copied..])
}

/// A list as JSON, whose values SQLite reads as those that would be bound one by one.
pub(crate) fn json(list: Array<'_>) -> Result<String, Fault> {
    let refuse = |what: &str, hint: &str| {
        let error = Error::new(ErrorKind::ENCODE, format!("{what} cannot be in a list for SQLite's IN"));
        Err(Fault::Error(error.with_hint(hint)))
    };
    let mut out = String::from("[");
    for index in 0..list.len() {
        if index > 0 {
            out.push(',');
        }
        let value = list.get(index).map_err(|error| Error::protocol(error.to_string()))?;
        // Writing to a string does not fail.
        let _ = match value {
            ValueRef::Null => write!(out, "null"),
            ValueRef::Bool(value) => write!(out, "{value}"),
            ValueRef::I16(value) => write!(out, "{value}"),
            ValueRef::I32(value) => write!(out, "{value}"),
            ValueRef::I64(value) => write!(out, "{value}"),
            ValueRef::F32(value) if value.is_finite() => write!(out, "{:?}", f64::from(value)),
            ValueRef::F64(value) if value.is_finite() => write!(out, "{value:?}"),
            ValueRef::Decimal(text) | ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::OtherText(text) => {
                if text.contains('\0') {
                    return refuse("a text with a NUL character", "leave it out, and compare with `=`");
                }
                string(text, &mut out)
            }
            ValueRef::Uuid(value) => string(&Uuid::from_bytes(value).hyphenated().to_string(), &mut out),
            ValueRef::Date(days) => string(&date(datetime::write_date(days))?, &mut out),
            ValueRef::Time(nanoseconds) => string(&date(datetime::write_time(nanoseconds))?, &mut out),
            ValueRef::Timestamp(timestamp) => string(&date(datetime::write_timestamp(timestamp))?, &mut out),
            ValueRef::TimestampTz(timestamp) => {
                string(&(date(datetime::write_timestamp(timestamp))? + "+00:00"), &mut out)
            }
            ValueRef::Bytes(_) | ValueRef::OtherBytes(_) => {
                return refuse("a value of bytes", "compare `hex(column) IN ($1)` with texts");
            }
            _ => return refuse("such a value", "lists are of numbers, texts, dates or UUIDs"),
        };
    }
    out.push(']');
    Ok(out)
}

fn date<E>(written: Result<String, E>) -> Result<String, Fault> {
    written.map_err(|_| Fault::Error(Error::new(ErrorKind::ENCODE, "a date or time in a list is none that SQLite has")))
}

fn string(text: &str, out: &mut String) -> std::fmt::Result {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => write!(out, "\\u{:04x}", u32::from(character))?,
            _ => out.push(character),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::with_lists;

    #[test]
    fn a_list_is_a_table_where_it_stands_alone_in_an_in() {
        let of = |sql: &str, placeholders: &[&str]| {
            with_lists(sql, &placeholders.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            of("SELECT 'IN ($1)' WHERE a IN ($1) AND b not in( :x ) AND c IN ($2)", &["$1", ":x"]).unwrap(),
            "SELECT 'IN ($1)' WHERE a IN (SELECT value FROM json_each($1)) AND b not in( SELECT value FROM json_each(:x) ) \
             AND c IN ($2)"
        );
        for sql in ["a IN ($1, $2)", "a = $1", "a IN ($2)", "\"IN\" ($1)", "t.in ($1)", "IN", ""] {
            assert_eq!(of(sql, &["$1"]), None, "{sql}");
        }
        assert_eq!(of("a IN ($1) AND b = $2", &["$1", "$2"]), None);
    }
}
