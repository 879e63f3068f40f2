//! Collects what is wrong, so that one compilation reports all of it.

use quote::ToTokens;
use std::fmt::Display;

/// Errors found so far.
#[derive(Default)]
pub(crate) struct Problems(Option<syn::Error>);

impl Problems {
    /// Adds an error that points at `at`.
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl Display) {
        self.add_error(syn::Error::new_spanned(at, message));
    }

    pub(crate) fn add_error(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, if nothing was wrong.
    pub(crate) fn finish<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

/// Writes names for a message: `` `a`, `b`, `c` ``.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Writes `, did you mean X?` if a known name is close to the given one, nothing otherwise.
pub(crate) fn did_you_mean(given: &str, known: &[&str]) -> String {
    // A third of the letters may differ: enough for a typing error, too little for another word.
    let allowed = given.chars().count().div_ceil(3);
    known
        .iter()
        .map(|name| (strsim::osa_distance(given, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map_or_else(String::new, |(_, name)| format!(", did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_suggested() {
        let known = ["rename", "default", "skip", "flatten"];
        assert_eq!(did_you_mean("renmae", &known), ", did you mean `rename`?");
        assert_eq!(did_you_mean("flaten", &known), ", did you mean `flatten`?");
        assert_eq!(did_you_mean("json", &known), "");
        assert_eq!(did_you_mean("", &known), "");
    }
}
