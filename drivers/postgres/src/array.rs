//! Arrays, in the binary form and as the server prints them.

use crate::{
    decode::{self, unreadable, utf8},
    message::{Body, garbage},
    types::Reader,
};
use montrs_driver_sdk::{Array, Dimension, Kind, Result, ValueRef};
use std::borrow::Cow;

/// PostgreSQL's limit.
const MAX_DIMENSIONS: usize = 6;

/// Reads the binary form.
pub(crate) fn from_binary(bytes: &[u8], reader: Reader) -> Result<Vec<u8>> {
    let mut body = Body::new(bytes);
    let count = usize::try_from(body.i32()?).ok().filter(|count| *count <= MAX_DIMENSIONS);
    let count = count.ok_or_else(|| garbage("an array with too many dimensions"))?;
    // Whether there are NULLs, and the type of the elements, which is known.
    body.bytes(8)?;
    let mut dimensions = Vec::with_capacity(count);
    for _ in 0..count {
        let len = u32::try_from(body.i32()?).map_err(|_| garbage("an array of negative length"))?;
        dimensions.push(Dimension { len, lower_bound: body.i32()? });
    }
    let mut elements = Vec::new();
    while !body.rest().is_empty() {
        elements.push(match body.value()? {
            None => ValueRef::Null,
            Some(bytes) => decode::value(reader, bytes)?,
        });
    }
    Array::encode(&dimensions, elements.into_iter()).map_err(|_| garbage("an array that is not as long as it says"))
}

/// Reads what the server prints: `{1,NULL,"a b"}`, `[0:1]={1,2}`, `{{1,2},{3,4}}`. All elements are of one kind.
pub(crate) fn from_text(bytes: &[u8], delimiter: u8, kind: Kind) -> Result<Vec<u8>> {
    let text = utf8(bytes)?;
    let (bounds, body) = match text.split_once('=').filter(|_| text.starts_with('[')) {
        Some((bounds, body)) => (lower_bounds(bounds).ok_or_else(|| unreadable("its bounds"))?, body),
        None => (Vec::new(), text),
    };
    let mut printed = Printed { rest: body, delimiter: delimiter.into(), lens: Vec::new(), elements: Vec::new() };
    printed.level(0).filter(|()| printed.rest.is_empty()).ok_or_else(|| unreadable("its braces do not match"))?;
    let Printed { mut lens, elements, .. } = printed;
    if elements.is_empty() {
        lens.clear();
    }
    let dimensions: Vec<Dimension> = lens
        .iter()
        .enumerate()
        .map(|(index, len)| Dimension { len: *len, lower_bound: bounds.get(index).copied().unwrap_or(1) })
        .collect();
    let values = elements.iter().map(|element| match element {
        None => ValueRef::Null,
        Some(text) => text_value(kind, text),
    });
    Array::encode(&dimensions, values).map_err(|_| unreadable("its rows have different lengths"))
}

/// A value of one of the kinds that are text.
pub(crate) fn text_value(kind: Kind, text: &str) -> ValueRef<'_> {
    match kind {
        Kind::DECIMAL => ValueRef::Decimal(text),
        Kind::JSON => ValueRef::Json(text),
        Kind::OTHER_TEXT => ValueRef::OtherText(text),
        _ => ValueRef::Text(text),
    }
}

/// `[1:2][-3:4]`
fn lower_bounds(text: &str) -> Option<Vec<i32>> {
    let bounds = text.strip_prefix('[')?.strip_suffix(']')?;
    bounds.split("][").map(|bound| bound.split_once(':')?.0.parse().ok()).collect()
}

struct Printed<'a> {
    rest: &'a str,
    delimiter: char,
    /// The length of each dimension, outermost first.
    lens: Vec<u32>,
    elements: Vec<Option<Cow<'a, str>>>,
}

impl Printed<'_> {
    /// Reads what is between two braces at this depth.
    fn level(&mut self, depth: usize) -> Option<()> {
        self.take('{')?;
        if depth == self.lens.len() {
            if depth == MAX_DIMENSIONS {
                return None;
            }
            self.lens.push(0);
        }
        let mut len = 0u32;
        if !self.rest.starts_with('}') {
            loop {
                match self.rest.starts_with('{') {
                    true => self.level(depth + 1)?,
                    false => self.element()?,
                }
                len = len.checked_add(1)?;
                if self.take(self.delimiter).is_none() {
                    break;
                }
            }
        }
        self.lens[depth] = len;
        self.take('}')
    }

    fn element(&mut self) -> Option<()> {
        let element = if self.take('"').is_some() {
            Some(self.quoted()?)
        } else {
            let end = self.rest.find([self.delimiter, '}'])?;
            let (element, rest) = self.rest.split_at(end);
            self.rest = rest;
            (element != "NULL").then_some(element.into())
        };
        self.elements.push(element);
        Some(())
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }
}

impl<'a> Printed<'a> {
    /// Reads up to the closing quotation mark; a backslash stands before a character that is meant as it is.
    fn quoted(&mut self) -> Option<Cow<'a, str>> {
        let mut value = Cow::Borrowed("");
        loop {
            let end = self.rest.find(['"', '\\'])?;
            let (part, rest) = self.rest.split_at(end);
            // Borrowed where nothing is escaped.
            match value.is_empty() {
                true => value = part.into(),
                false => value.to_mut().push_str(part),
            }
            if let Some(rest) = rest.strip_prefix('"') {
                self.rest = rest;
                return Some(value);
            }
            let mut rest = rest.chars();
            rest.next();
            value.to_mut().push(rest.next()?);
            self.rest = rest.as_str();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lengths and lower bounds, and elements.
    type Read = (Vec<(u32, i32)>, Vec<Option<String>>);

    fn read(text: &str) -> Option<Read> {
        let encoded = from_text(text.as_bytes(), b',', Kind::TEXT).ok()?;
        let array = Array::parse(&encoded).unwrap();
        let elements = (0..array.len()).map(|index| match array.get(index).unwrap() {
            ValueRef::Null => None,
            ValueRef::Text(text) => Some(text.to_owned()),
            other => panic!("{other:?}"),
        });
        Some((array.dimensions().map(|d| (d.len, d.lower_bound)).collect(), elements.collect()))
    }

    #[test]
    fn printed_arrays_are_read() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("{}"), Some((vec![], vec![])));
        assert_eq!(read("{1,NULL,\"NULL\"}"), Some((vec![(3, 1)], vec![some("1"), None, some("NULL")])));
        assert_eq!(read(r#"{"a\"b\\c,}","",ä}"#), Some((vec![(3, 1)], vec![some("a\"b\\c,}"), some(""), some("ä")])));
        let square = [some("1"), some("2"), some("3"), some("4")];
        assert_eq!(read("{{1,2},{3,4}}"), Some((vec![(2, 1), (2, 1)], square.to_vec())));
        assert_eq!(read("[0:1][-3:-2]={{1,2},{3,4}}"), Some((vec![(2, 0), (2, -3)], square.to_vec())));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for text in
            ["", "{", "}", "{1", "{1}}", "{1}x", "{{1},{2,3}}", "{\"", "{\"\\", "[=", "[a:b]={1}", "{{{{{{{1}}}}}}}"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_binary_form_is_read() {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 255, 255, 255, 255];
        bytes.extend([0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255]);
        let encoded = from_binary(&bytes, Reader::Int4).unwrap();
        let array = Array::parse(&encoded).unwrap();
        assert!(array.dimensions().eq([Dimension { len: 2, lower_bound: -1 }]));
        assert_eq!((array.get(0), array.get(1)), (Ok(ValueRef::I32(7)), Ok(ValueRef::Null)));
        for end in 0..bytes.len() {
            assert!(from_binary(&bytes[..end], Reader::Int4).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}", braces in r#"[{}",\\a\[\]=:0-9NULL]{0,40}"#) {
            read(&text);
            read(&braces);
        }
    }
}
