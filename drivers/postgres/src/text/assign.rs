//! Which value goes to which parameter.

use super::{Text, parameters};
use montrs_driver_sdk::{Error, Params, Result};
use std::collections::HashMap;

impl Text {
    /// Says which of the values goes to each of `expected` parameters; `None` says that they are in order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PARAMETERS`] when values are missing, too many, or not known by their name.
    pub(crate) fn assign(&self, values: &Params<'_>, expected: usize) -> Result<Option<Vec<usize>>> {
        if values.has_names() {
            return self.assign_by_name(values).map(Some);
        }
        if self.numbers > 0 && !self.names.is_empty() {
            let message = format!("the statement mixes numbers such as `$1` with names: {}", self.list(expected));
            return Err(parameters(message).with_hint("write all placeholders as `$1`, `$2`, …, or bind by name"));
        }
        if values.len() != expected {
            return Err(self.wrong_count(expected, values.len()));
        }
        Ok(None)
    }

    /// Values with a name go to the placeholders of that name; those without are numbered and go to `$1`, `$2`, …
    fn assign_by_name(&self, values: &Params<'_>) -> Result<Vec<usize>> {
        let (mut named, mut order) = (HashMap::new(), Vec::new());
        for index in 0..values.len() {
            match values.name(index) {
                Some(name) if named.insert(name, index).is_some() => {
                    return Err(parameters(format!("the parameter `{name}` was bound twice")));
                }
                Some(_) => {}
                None => order.push(index),
            }
        }
        if order.len() != self.numbers {
            return Err(self.wrong_count(self.numbers, order.len()));
        }
        let list = || format!("its parameters are {}", self.list(self.numbers + self.names.len()));
        if let Some(unknown) = named.keys().find(|name| !self.names.iter().any(|known| **known == ***name)) {
            let mut message = format!("the statement has no parameter `{unknown}`");
            if let Some(nearest) = self.nearest(unknown) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            let hint = if self.names.is_empty() { "write `:name` for a parameter with a name".into() } else { list() };
            return Err(parameters(message).with_hint(hint));
        }
        for name in &self.names {
            let missing = || parameters(format!("no value was bound to the parameter `:{name}`")).with_hint(list());
            order.push(*named.get(&**name).ok_or_else(missing)?);
        }
        Ok(order)
    }

    fn nearest(&self, unknown: &str) -> Option<&str> {
        const SIMILAR: f64 = 0.6;
        let similarity = |known| strsim::normalized_damerau_levenshtein(unknown, known);
        let known = self.names.iter().map(|known| (similarity(known), &**known));
        known.filter(|(alike, _)| *alike >= SIMILAR).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
    }

    fn wrong_count(&self, expected: usize, given: usize) -> Error {
        let were = if given == 1 { "was" } else { "were" };
        if expected == 0 {
            let without = if self.names.is_empty() { "" } else { " without names" };
            return parameters(format!("the statement has no parameters{without}, {given} {were} bound"));
        }
        let (s, list) = (if expected == 1 { "" } else { "s" }, self.list(expected));
        parameters(format!("the statement has {expected} parameter{s} ({list}), {given} {were} bound"))
    }

    /// So many parameters for people.
    fn list(&self, count: usize) -> String {
        const MOST: usize = 20;
        let written = |index| match self.name(index) {
            "" => format!("${}", index + 1),
            name => format!(":{name}"),
        };
        let list = (0..count.min(MOST)).map(written).collect::<Vec<_>>().join(", ");
        if count > MOST { format!("{list}, …") } else { list }
    }
}
