//! A statement's text: as it was written, and as the server takes it.
//!
//! The server knows `$1` only. Here `:name` becomes the next number after the largest one that was written, the same for
//! the same name. Positions in errors are those of the text as it was written.
//!
//! `x IN ($1)` becomes `x = ANY ($1)` once a list is bound there: one statement for lists of every length.

mod assign;
mod placeholders;

use crate::{
    script::first_statement,
    token::{Token, tokens},
};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use placeholders::{List, Placeholder, number, placeholders};
use std::{ops::Range, sync::Arc};

/// The text of a statement.
#[derive(Debug)]
pub(crate) struct Text {
    written: Arc<str>,
    has_escapes: bool,
    /// The same as `written` where there is nothing to replace.
    sent: Arc<str>,
    edits: Vec<Edit>,
    /// The largest `$1` that was written.
    numbers: usize,
    /// The smallest number below it that was not.
    unused: Option<usize>,
    /// The names in the order in which they appear.
    names: Vec<Box<str>>,
    /// The parameters, from 0, that stand alone in the parentheses of an `IN`.
    in_lists: Vec<usize>,
}

/// What was replaced, as offsets of bytes.
#[derive(Debug)]
struct Edit {
    written: Range<usize>,
    sent: Range<usize>,
}

/// A text with replacements, as it grows.
struct Rewriting<'a> {
    written: &'a str,
    copied: usize,
    sent: String,
    edits: Vec<Edit>,
}

impl Rewriting<'_> {
    fn replace(&mut self, range: Range<usize>, by: &str) {
        self.sent.push_str(&self.written[self.copied..range.start]);
        let start = self.sent.len();
        self.sent.push_str(by);
        self.copied = range.end;
        self.edits.push(Edit { written: range, sent: start..self.sent.len() });
    }
}

impl Text {
    /// Reads a text. `has_escapes` says that backslashes are escapes in every string.
    pub(crate) fn new(written: Arc<str>, has_escapes: bool) -> Self {
        Self::read(written, has_escapes, &[])
    }

    /// The same text for lists that are bound to these parameters, from 0.
    pub(crate) fn with_lists(&self, lists: &[usize]) -> Self {
        Self::read(self.written.clone(), self.has_escapes, lists)
    }

    fn read(written: Arc<str>, has_escapes: bool, lists: &[usize]) -> Self {
        let placeholders = placeholders(&written, has_escapes);
        let counted = placeholders.iter().filter_map(|placeholder| number(placeholder.text));
        let mut counted: Vec<usize> = counted.filter(|number| *number > 0).collect();
        counted.sort_unstable();
        counted.dedup();
        let numbers = counted.last().copied().unwrap_or(0);
        let unused = (1..).zip(counted).find(|(number, counted)| number != counted).map(|(number, _)| number);
        let (mut names, mut in_lists) = (Vec::<Box<str>>::new(), Vec::new());
        let mut rewriting = Rewriting { written: &written, copied: 0, sent: String::new(), edits: Vec::new() };
        for Placeholder { text, at, list } in placeholders {
            let name = text.strip_prefix(':');
            let parameter = match name {
                None => number(text).and_then(|number| number.checked_sub(1)).unwrap_or(usize::MAX),
                Some(name) => {
                    let known = names.iter().position(|known| **known == *name);
                    numbers.saturating_add(known.unwrap_or_else(|| {
                        names.push(name.into());
                        names.len() - 1
                    }))
                }
            };
            if let Some(List { keywords, is_negated }) = list {
                in_lists.push(parameter);
                if lists.contains(&parameter) {
                    // As an operator of any name it binds as tight as IN does, or tighter where that is the same.
                    let by = if is_negated { "OPERATOR(<>) ALL" } else { "OPERATOR(=) ANY" };
                    rewriting.replace(keywords, by);
                }
            }
            if name.is_some() {
                rewriting.replace(at..at + text.len(), &format!("${}", parameter.saturating_add(1)));
            }
        }
        let Rewriting { copied, sent, edits, .. } = rewriting;
        let sent = if edits.is_empty() { written.clone() } else { (sent + &written[copied..]).into() };
        in_lists.sort_unstable();
        in_lists.dedup();
        Self { written, has_escapes, sent, edits, numbers, unused, names, in_lists }
    }

    /// The parameters, from 0, that stand alone in the parentheses of an `IN`.
    pub(crate) fn in_lists(&self) -> &[usize] {
        &self.in_lists
    }

    /// Sees to it that the server can count the parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PARAMETERS`] when there are too many.
    pub(crate) fn check(&self) -> Result<()> {
        const MOST: usize = u16::MAX as usize;
        let count = self.numbers.saturating_add(self.names.len());
        if count <= MOST {
            return Ok(());
        }
        Err(parameters(format!("the statement has {count} parameters; {MOST} is the most"))
            .with_hint("bind one list to `IN ($1)`, and insert many rows with execute_many"))
    }

    /// As the server takes it.
    pub(crate) fn sent(&self) -> &Arc<str> {
        &self.sent
    }

    /// The name of the parameter at this index, from 0; empty for a numbered one.
    pub(crate) fn name(&self, index: usize) -> &str {
        index.checked_sub(self.numbers).and_then(|index| self.names.get(index)).map_or("", |name| name)
    }

    /// An error of the text that was sent, as one of the text that was written.
    #[cold]
    pub(crate) fn as_written(&self, mut error: Error) -> Error {
        let record = error.record_mut();
        // What has placeholders of its own, such as PREPARE, may leave one out; a statement may not, whose types are not told.
        if let Some(unused) = self.unused.filter(|_| record.sqlstate == "42P18") {
            record.kind = ErrorKind::PARAMETERS;
            record.detail = std::mem::take(&mut record.message);
            record.message = format!("the statement has ${} and not ${unused}", self.numbers).into();
            record.hint = "number the placeholders from `$1` on, without a gap".into();
        }
        let mut error = self.advised(error);
        if self.edits.is_empty() {
            return error;
        }
        let record = error.record_mut();
        let position = record.position.into_option().map(|sent| self.offset_as_written(sent as usize));
        record.position = position.and_then(|offset| u32::try_from(offset).ok()).into();
        record.message = self.with_names(&record.message).into();
        error
    }

    /// Adds what this text tells of an error that the server reports without a place, or without what helps.
    fn advised(&self, mut error: Error) -> Error {
        let record = error.record_mut();
        match record.kind {
            ErrorKind::SYNTAX if record.hint.is_empty() => {
                let mut tokens = tokens(&self.sent, self.has_escapes);
                if tokens.any(|(token, text, _)| token == Token::Other && text == "?") {
                    record.hint =
                        "write `$1`, `$2`, … or `:name` for parameters: `?` is an operator of PostgreSQL".into();
                }
            }
            ErrorKind::MULTIPLE_STATEMENTS if record.position.is_none() => {
                let start = |text: &str| first_statement(text, self.has_escapes).ok().flatten();
                let second =
                    start(&self.sent).and_then(|first| Some(first.end + start(self.sent.get(first.end..)?)?.start));
                record.position = second.and_then(|offset| u32::try_from(offset).ok()).into();
            }
            ErrorKind::DATA => {
                // What the server was doing, in English: `unnamed portal parameter $1`, with its value where it is set so.
                let context = record.extra.iter().find(|pair| pair.0 == "where");
                let number = context.and_then(|context| {
                    let (_, rest) = context.1.lines().find_map(|line| line.split_once("portal parameter $"))?;
                    Some(rest.split(|c: char| !c.is_ascii_digit()).next()?.to_owned())
                });
                if let Some(number) = number {
                    record.message = format!("the parameter ${number}: {}", record.message).into();
                }
            }
            _ => {}
        }
        error
    }

    fn offset_as_written(&self, sent: usize) -> usize {
        match self.edits.iter().rev().find(|edit| edit.sent.start <= sent) {
            Some(edit) if sent < edit.sent.end => edit.written.start,
            Some(edit) => (sent - edit.sent.end + edit.written.end).min(self.written.len()),
            None => sent,
        }
    }

    /// A message with the names of parameters where it has their numbers.
    fn with_names(&self, message: &str) -> String {
        const BEFORE: &str = "parameter $";
        let mut pieces = message.split(BEFORE);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (digits, rest) = piece.split_at(piece.bytes().take_while(u8::is_ascii_digit).count());
            let index = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            match index.map_or("", |index| self.name(index)) {
                "" => out.extend([BEFORE, piece]),
                name => out.extend([BEFORE.trim_end_matches('$'), ":", name, rest]),
            }
        }
        out
    }
}

fn parameters(message: String) -> Error {
    Error::new(ErrorKind::PARAMETERS, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use montrs_driver_sdk::{ParamBuffer, ValueRef};
    use proptest::prelude::*;

    fn text(sql: &str) -> Text {
        Text::new(sql.into(), false)
    }

    fn assigned(sql: &str, names: &[&str]) -> Result<Option<Vec<usize>>> {
        let mut buffer = ParamBuffer::default();
        for name in names {
            match *name {
                "" => buffer.push(ValueRef::I32(1)).unwrap(),
                name => buffer.push_named(name, ValueRef::I32(1)).unwrap(),
            }
        }
        let text = text(sql);
        text.assign(&buffer.as_params(), text.numbers + text.names.len())
    }

    #[test]
    fn names_become_numbers_after_those_that_were_written() {
        for (written, sent) in [
            ("SELECT :b, :a, :b", "SELECT $1, $2, $1"),
            ("SELECT :b + $2 || :größe", "SELECT $3 + $2 || $4"),
            ("SELECT a[:n], a[(:n)], ARRAY[:n, :m], ARRAY[[:m]]", "SELECT a[:n], a[($1)], ARRAY[$1, $2], ARRAY[[$2]]"),
            ("SELECT (a)[:n], ':a'", "SELECT (a)[:n], ':a'"),
            ("IN(:ids)::x", "IN($1)::x"),
        ] {
            assert_eq!(&**text(written).sent(), sent);
        }
        let plain = text("SELECT $1::int");
        assert!(Arc::ptr_eq(plain.sent(), &plain.written));
    }

    #[test]
    fn lists_are_compared_with_any() {
        for (written, lists, sent) in [
            ("a IN ($1)", &[0][..], "a OPERATOR(=) ANY ($1)"),
            ("a not  in(:ids) OR b IN ( :ids )", &[0], "a OPERATOR(<>) ALL($1) OR b OPERATOR(=) ANY ( $1 )"),
            ("a IN ($1) AND b IN ($2)", &[1], "a IN ($1) AND b OPERATOR(=) ANY ($2)"),
            ("a IN (/* all */ $1)", &[0], "a OPERATOR(=) ANY (/* all */ $1)"),
            ("a IN ($1, $2), IN(), f($1), IN ($1 + 1), \"IN\" ($1), IN", &[0, 1], ""),
        ] {
            let text = text(written);
            let sent = if sent.is_empty() { written } else { sent };
            assert_eq!(&**text.with_lists(lists).sent(), sent);
            assert_eq!(text.in_lists().is_empty(), sent == written);
        }
        let lists = text("SELECT :x WHERE a IN (:y) AND z").with_lists(&[1]);
        let at = lists.sent().find('z').unwrap();
        assert_eq!(lists.offset_as_written(at), 30);
    }

    #[test]
    fn values_go_where_their_names_are() {
        assert_eq!(assigned("SELECT :a, :b", &["b", "a"]).unwrap(), Some(vec![1, 0]));
        assert_eq!(assigned("SELECT $1, :b, $2", &["", "b", ""]).unwrap(), Some(vec![0, 2, 1]));
        assert_eq!(assigned("SELECT :a, :b", &["", ""]).unwrap(), None);
        for (sql, names, expected) in [
            ("SELECT :name", &["nam"][..], "the statement has no parameter `nam`; did you mean `name`?"),
            ("SELECT :a, :b", &["a"], "no value was bound to the parameter `:b`"),
            ("SELECT :a", &["a", "a"], "the parameter `a` was bound twice"),
            ("SELECT :a, $1", &["a"], "the statement has 1 parameter ($1), 0 were bound"),
            ("SELECT :a", &["a", ""], "the statement has no parameters without names, 1 was bound"),
            ("SELECT :a, $1", &["", ""], "the statement mixes numbers such as `$1` with names: $1, :a"),
            ("SELECT :a, :b", &[""], "the statement has 2 parameters (:a, :b), 1 was bound"),
            ("SELECT $1", &["n"], "the statement has 1 parameter ($1), 0 were bound"),
            ("SELECT 1", &["n"], "the statement has no parameter `n`"),
        ] {
            let error = assigned(sql, names).unwrap_err();
            assert_eq!((error.to_string(), error.kind()), (expected.into(), ErrorKind::PARAMETERS));
        }
    }

    #[test]
    fn errors_are_those_of_the_text_as_it_was_written() {
        let text = text("SELECT :ä + :long, x");
        assert_eq!(&**text.sent(), "SELECT $1 + $2, x");
        for (sent, written) in [(0, 0), (7, 7), (8, 7), (9, 10), (12, 13), (13, 13), (14, 18), (16, 20)] {
            let error = Error::new(ErrorKind::QUERY, "parameter $2, parameter $1 and parameter $3").with_position(sent);
            let error = text.as_written(error);
            assert_eq!(error.record().position.into_option(), Some(written), "{sent}");
            assert_eq!(error.to_string(), "parameter :long, parameter :ä and parameter $3");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_every_position_mapped(sql in "([:$a-c1'\\[\\](), \nä]|IN \\(){0,40}", at in 0usize..80) {
            let text = text(&sql);
            text.with_lists(text.in_lists());
            prop_assert!(text.offset_as_written(at) <= sql.len().max(at));
            if at <= text.sent().len() && text.sent().is_char_boundary(at) {
                prop_assert!(sql.is_char_boundary(text.offset_as_written(at)));
            }
        }
    }
}
