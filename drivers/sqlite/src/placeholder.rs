//! Placeholders: which of the caller's values goes to which of SQLite's parameters.
//!
//! SQLite takes `$1` for a name and numbers names as they appear, so `$2 … $1` has them the wrong way round. Here `$N`
//! and `?N` mean the Nth value, `?` the value after the one with the largest number before it (as SQLite counts), and
//! `:name`, `@name` and `$name` the value with that name, or by position of their first appearance.

use crate::{
    options::nearest,
    sql::{self, Token},
    statement::Statement,
};
use montrs_driver_sdk::{Error, ErrorKind, Params, Result};
use std::{borrow::Cow, collections::HashMap, ffi::c_int};

/// A parameter of SQLite's and the index of the value that goes there.
pub(crate) type Target = (c_int, usize);

/// The placeholders of a statement.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    /// Each once, as they appear.
    all: Vec<Placeholder>,
    /// How many parameters SQLite counts.
    count: usize,
    /// The largest `$N`.
    highest: usize,
    /// How many values without names it takes; `None` where such cannot be bound.
    expected: Option<usize>,
    has_questions: bool,
    has_names: bool,
    /// Where the values go when they have no names; in order of SQLite's parameters.
    by_position: Vec<Target>,
}

#[derive(Debug)]
struct Placeholder {
    /// As written.
    text: String,
    kind: Kind,
    parameter: c_int,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `$N`.
    Number(usize),
    /// `?` and `?N`.
    Question,
    /// `:name`, `@name`, `$name`.
    Name,
}

impl Placeholder {
    fn name(&self) -> Option<&str> {
        (self.kind == Kind::Name).then(|| self.text.get(1..)).flatten()
    }
}

impl Placeholders {
    /// Finds the placeholders of a prepared statement in its text.
    pub(crate) fn find(statement: &Statement, sql: &str) -> Result<Self> {
        let count = statement.parameter_count();
        let mut found = Self { count, expected: Some(0), ..Self::default() };
        if count == 0 {
            return Ok(found);
        }
        let mut seen = HashMap::new();
        for (_, text, at) in sql::tokens(sql).filter(|(token, ..)| *token == Token::Placeholder) {
            if text == "?" {
                found.has_questions = true;
                continue;
            }
            if seen.insert(text, ()).is_some() {
                continue;
            }
            let kind = Kind::of(text, at)?;
            match kind {
                Kind::Question => {
                    found.has_questions = true;
                    continue;
                }
                Kind::Number(number) => found.highest = found.highest.max(number),
                Kind::Name => found.has_names = true,
            }
            let Some(parameter) = statement.parameter_index(text) else {
                continue;
            };
            found.all.push(Placeholder { text: text.into(), kind, parameter });
        }
        if found.highest == 0 {
            // SQLite's own numbers are the positions.
            found.by_position =
                (0..count).filter_map(|index| Some((c_int::try_from(index + 1).ok()?, index))).collect();
        } else {
            let numbers = found.all.iter().filter_map(|placeholder| match placeholder.kind {
                Kind::Number(number) => Some((placeholder.parameter, number - 1)),
                _ => None,
            });
            found.by_position = numbers.collect();
            let mut used: Vec<usize> = found.by_position.iter().map(|(_, index)| index + 1).collect();
            used.sort_unstable();
            if let Some((unused, _)) = (1..).zip(used).find(|(number, used)| number != used && !found.has_questions) {
                return Err(parameters(format!("the statement has ${} and not ${unused}", found.highest))
                    .with_hint("number the placeholders from `$1` on, without a gap"));
            }
        }
        found.expected = match found.highest {
            0 => Some(count),
            _ if found.has_questions || found.has_names => None,
            highest => Some(highest),
        };
        Ok(found)
    }

    /// Says where each value goes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PARAMETERS`] when values are missing, too many or not known by their name, or when positions are
    /// ambiguous.
    #[inline(always)] // It comes before each run, and is short where values have no names.
    pub(crate) fn assign(&self, values: &Params<'_>) -> Result<Cow<'_, [Target]>> {
        if values.has_names() {
            return self.assign_by_name(values).map(Cow::Owned);
        }
        if self.expected != Some(values.len()) {
            return Err(self.unassignable(values.len()));
        }
        Ok(Cow::Borrowed(&self.by_position))
    }

    /// Why so many values without names cannot be bound.
    #[cold]
    fn unassignable(&self, given: usize) -> Error {
        let Some(expected) = self.expected else {
            let other = if self.has_questions { "`?`" } else { "names" };
            return parameters(format!("the statement mixes numbers such as `$1` with {other}: {}", self.list()))
                .with_hint("write all placeholders as `$1`, `$2`, …, or bind by name");
        };
        self.wrong_count(expected, given)
    }

    /// Values with a name go to the placeholders of that name; those without are numbered and go to `$N`.
    #[cold]
    fn assign_by_name(&self, values: &Params<'_>) -> Result<Vec<Target>> {
        if self.has_questions {
            return Err(parameters(format!("values with names were bound to a statement with `?`: {}", self.list()))
                .with_hint("write `:name`, or `$1` for values without a name"));
        }
        let (mut named, mut numbered) = (HashMap::new(), Vec::new());
        for index in 0..values.len() {
            match values.name(index) {
                Some(name) if named.insert(name, index).is_some() => {
                    return Err(parameters(format!("the parameter `{name}` was bound twice")));
                }
                Some(_) => {}
                None => numbered.push(index),
            }
        }
        if numbered.len() != self.highest {
            return Err(self.wrong_count(self.highest, numbered.len()));
        }
        let known = || self.all.iter().filter_map(Placeholder::name);
        if let Some(unknown) = named.keys().find(|name| !known().any(|known| known == **name)) {
            let mut message = format!("the statement has no parameter `{unknown}`");
            if let Some(nearest) = nearest(unknown, known()) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            return Err(parameters(message).with_hint(format!("its parameters are {}", self.list())));
        }
        self.all
            .iter()
            .map(|placeholder| match placeholder.kind {
                Kind::Number(number) => Ok((placeholder.parameter, numbered[number - 1])),
                _ => {
                    let value = placeholder.name().and_then(|name| named.get(name));
                    let missing = || {
                        parameters(format!("no value was bound to the parameter `{}`", placeholder.text))
                            .with_hint(format!("its parameters are {}", self.list()))
                    };
                    Ok((placeholder.parameter, *value.ok_or_else(missing)?))
                }
            })
            .collect()
    }

    /// The names of the parameters in the order in which values without names are bound; empty for numbered ones.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = vec![""; if self.highest > 0 { self.highest } else { self.count }];
        if self.highest == 0 {
            for placeholder in &self.all {
                let slot = usize::try_from(placeholder.parameter).ok().and_then(|number| names.get_mut(number - 1));
                if let (Some(slot), Some(name)) = (slot, placeholder.name()) {
                    *slot = name;
                }
            }
        }
        names
    }

    /// A parameter of SQLite's as the user wrote it.
    pub(crate) fn text(&self, parameter: c_int) -> String {
        match self.all.iter().find(|placeholder| placeholder.parameter == parameter) {
            Some(placeholder) => placeholder.text.clone(),
            None => format!("?{parameter}"),
        }
    }

    fn wrong_count(&self, expected: usize, given: usize) -> Error {
        let were = if given == 1 { "was" } else { "were" };
        if expected == 0 {
            return parameters(format!("the statement has no parameters, {given} {were} bound"));
        }
        let s = if expected == 1 { "" } else { "s" };
        parameters(format!("the statement has {expected} parameter{s} ({}), {given} {were} bound", self.list()))
    }

    /// The placeholders for people.
    fn list(&self) -> String {
        const MOST: usize = 20;
        let mut texts: Vec<Cow<'_, str>> =
            self.all.iter().map(|placeholder| placeholder.text.as_str().into()).collect();
        if self.highest > 0 {
            texts.sort_by_key(|text| text[1..].parse::<usize>().unwrap_or(usize::MAX));
        }
        if self.has_questions {
            let named: Vec<c_int> = self.all.iter().map(|placeholder| placeholder.parameter).collect();
            let questions = (1..).take(self.count).filter(|parameter| !named.contains(parameter));
            texts.extend(questions.take(MOST + 1).map(|parameter| format!("?{parameter}").into()));
        }
        let more = texts.len().saturating_sub(MOST);
        texts.truncate(MOST);
        let list = texts.join(", ");
        if more > 0 { format!("{list}, …") } else { list }
    }
}

impl Kind {
    /// What the text of a placeholder means; `at` is where it stands.
    fn of(text: &str, at: usize) -> Result<Self> {
        if text.starts_with('?') {
            return Ok(Self::Question);
        }
        let name = text.get(1..).unwrap_or_default();
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        if !text.starts_with('$') || digits == 0 {
            return Ok(Self::Name);
        }
        let (number, rest) = name.split_at(digits);
        if rest.starts_with("::") || rest.starts_with('(') {
            return Err(Error::new(ErrorKind::SYNTAX, format!("SQLite reads `{text}` as the name of a parameter"))
                .with_position(at)
                .with_hint(format!(
                    "write `CAST(${number} AS type)` for a cast, and a space after `${number}` otherwise"
                )));
        }
        if !rest.is_empty() {
            return Ok(Self::Name);
        }
        match number.parse() {
            Ok(number @ 1..) => Ok(Self::Number(number)),
            _ => Err(parameters(format!("`{text}` is no parameter; they are counted from `$1`")).with_position(at)),
        }
    }
}

fn parameters(message: String) -> Error {
    Error::new(ErrorKind::PARAMETERS, message)
}
