//! `rename_all`: how the columns of a struct and the labels of an enum are spelt.

/// A way to spell a column, given a field in `snake_case`. The rules are serde's, so that a type which derives both
/// has the same names in JSON and in SQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RenameAll {
    Lower,
    Upper,
    Pascal,
    Camel,
    #[default]
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl RenameAll {
    /// As written in the attribute, in serde's order.
    pub(crate) const NAMES: [&str; 8] = [
        "lowercase",
        "UPPERCASE",
        "PascalCase",
        "camelCase",
        "snake_case",
        "SCREAMING_SNAKE_CASE",
        "kebab-case",
        "SCREAMING-KEBAB-CASE",
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// Spells the label of a variant, which is in PascalCase.
    pub(crate) fn label(self, variant: &str) -> String {
        let mut snake = String::new();
        for (at, letter) in variant.char_indices() {
            if at > 0 && letter.is_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        match self {
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Pascal => variant.to_owned(),
            Self::Camel => {
                let mut letters = variant.chars();
                letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
            }
            Self::Snake | Self::ScreamingSnake | Self::Kebab | Self::ScreamingKebab => self.column(&snake),
        }
    }

    /// Spells the column of a field.
    pub(crate) fn column(self, field: &str) -> String {
        match self {
            // A field is taken to be in snake_case already, which is in lower case.
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Pascal => field.split('_').map(capitalized).collect(),
            Self::Camel => {
                let pascal = Self::Pascal.column(field);
                let mut letters = pascal.chars();
                letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
            }
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_spells_as_serde_does() {
        let spelt = |field| RenameAll::NAMES.map(|name| RenameAll::from_name(name).unwrap().column(field));
        assert_eq!(
            spelt("outcome"),
            ["outcome", "OUTCOME", "Outcome", "outcome", "outcome", "OUTCOME", "outcome", "OUTCOME"]
        );
        assert_eq!(
            spelt("very_tasty"),
            [
                "very_tasty",
                "VERY_TASTY",
                "VeryTasty",
                "veryTasty",
                "very_tasty",
                "VERY_TASTY",
                "very-tasty",
                "VERY-TASTY"
            ]
        );
        assert_eq!(spelt("z42"), ["z42", "Z42", "Z42", "z42", "z42", "Z42", "z42", "Z42"]);
        assert_eq!(spelt("_a__b")[2..4], ["AB", "aB"]);
    }

    #[test]
    fn variants_are_spelt_as_serde_does() {
        let spelt = |variant| RenameAll::NAMES.map(|name| RenameAll::from_name(name).unwrap().label(variant));
        assert_eq!(
            spelt("VeryTasty"),
            [
                "verytasty",
                "VERYTASTY",
                "VeryTasty",
                "veryTasty",
                "very_tasty",
                "VERY_TASTY",
                "very-tasty",
                "VERY-TASTY"
            ]
        );
        assert_eq!(spelt("A"), ["a", "A", "A", "a", "a", "A", "a", "A"]);
        assert_eq!(spelt("Z42"), ["z42", "Z42", "Z42", "z42", "z42", "Z42", "z42", "Z42"]);
    }

    #[test]
    fn names_of_underscores_alone_do_not_panic() {
        assert_eq!(RenameAll::Camel.column("__"), "");
    }

    #[test]
    fn an_unknown_case_is_none() {
        assert_eq!(RenameAll::from_name("camelcase"), None);
    }
}
