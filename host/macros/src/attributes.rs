//! The `#[orm(...)]` attributes of types, fields and variants.

use crate::problems::{Problems, did_you_mean, list};
use crate::rename_all::RenameAll;
use crate::source_text::source_text;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, ExprPath, Lit, LitStr, Meta, Token, Type, parse2};

const STRUCT: [&str; 1] = ["rename_all"];
const FIELD: [&str; 7] = ["rename", "default", "skip", "flatten", "prefix", "try_from", "json"];
const SQL_STRUCT: [&str; 2] = ["transparent", "composite"];
const VARIANT: [&str; 1] = ["rename"];

/// Attributes that contradict each other, and why.
const CONFLICTS: [(&str, &str, &str); 10] = [
    ("transparent", "composite", "a struct is as its field is, or a composite of its fields"),
    ("skip", "rename", "a skipped field reads no column"),
    ("skip", "flatten", "a skipped field reads no columns"),
    ("skip", "try_from", "a skipped field reads no column"),
    ("skip", "json", "a skipped field reads no column"),
    ("flatten", "try_from", "the flattened type reads its columns itself"),
    ("flatten", "json", "JSON is one column, which `json` alone reads"),
    ("try_from", "json", "a column is read in one way"),
    ("flatten", "rename", "the flattened type names its columns itself"),
    ("flatten", "default", "the flattened type says itself which of its columns may be missing"),
];

/// Where the value of a field comes from.
pub(crate) enum Source {
    Column { rename: Option<LitStr>, default: Option<DefaultValue>, via: Via },
    Flatten { prefix: Option<LitStr> },
    Skip(DefaultValue),
}

/// What a column is read as before it is the field's value.
pub(crate) enum Via {
    /// The field's type.
    Itself,
    /// A type that the field's can be made of by `TryFrom`.
    TryFrom(Box<Type>),
    /// JSON.
    Json,
}

/// The value of a field that no column gives.
pub(crate) enum DefaultValue {
    /// `Default::default()`.
    Trait,
    /// What this function returns.
    Function(ExprPath),
}

/// Reads the attributes of a struct.
pub(crate) fn of_struct(attributes: &[Attribute], problems: &mut Problems) -> RenameAll {
    let given = Given::read(attributes, "struct", &STRUCT, ("field", &FIELD), problems);
    given.rename_all(problems).unwrap_or_default()
}

/// Reads the attributes of a field.
pub(crate) fn of_field(attributes: &[Attribute], problems: &mut Problems) -> Source {
    let given = Given::read(attributes, "field", &FIELD, ("struct", &STRUCT), problems);
    given.check_conflicts(problems);

    let rename = given.text("rename", "column", problems);
    let prefix = given.text("prefix", "address_", problems);
    let default = given.find("default").and_then(|meta| default_value(meta, problems));
    let try_from = given.find("try_from").and_then(|meta| type_in(meta, problems));
    let (skip, flatten, json) =
        (given.flag("skip", problems), given.flag("flatten", problems), given.flag("json", problems));
    if let Some(meta) = given.find("prefix").filter(|_| !flatten) {
        problems.add(meta, "`prefix` goes with `flatten`: it stands before the names of the flattened type's columns");
    }

    match (skip, flatten) {
        (true, _) => Source::Skip(default.unwrap_or(DefaultValue::Trait)),
        (false, true) => Source::Flatten { prefix },
        (false, false) => {
            let via = match try_from {
                Some(ty) => Via::TryFrom(Box::new(ty)),
                None if json => Via::Json,
                None => Via::Itself,
            };
            Source::Column { rename, default, via }
        }
    }
}

/// Reads the attributes of a struct that is the value of one column: whether it is a composite.
pub(crate) fn is_composite(attributes: &[Attribute], problems: &mut Problems) -> bool {
    let given = Given::read(attributes, "struct", &SQL_STRUCT, ("variant", &VARIANT), problems);
    given.check_conflicts(problems);
    given.flag("transparent", problems);
    given.flag("composite", problems)
}

/// Reads the attributes of an enum; nothing where the spelling of its labels is not told.
pub(crate) fn of_enum(attributes: &[Attribute], problems: &mut Problems) -> Option<RenameAll> {
    let given = Given::read(attributes, "enum", &STRUCT, ("struct", &SQL_STRUCT), problems);
    given.rename_all(problems)
}

/// Reads the attributes of an enum's variant: its label.
pub(crate) fn of_variant(attributes: &[Attribute], problems: &mut Problems) -> Option<LitStr> {
    let given = Given::read(attributes, "variant", &VARIANT, ("enum", &STRUCT), problems);
    given.text("rename", "label", problems)
}

/// Reports attributes of a place that takes none.
pub(crate) fn of_nothing(attributes: &[Attribute], owner: &str, problems: &mut Problems) {
    for attribute in attributes {
        for meta in items(attribute, problems) {
            problems.add(meta.path(), format!("{owner} takes no attributes"));
        }
    }
}

/// The known attributes that were given, each once, in the order of the source.
struct Given(Vec<(&'static str, Meta)>);

impl Given {
    /// Reports what is malformed, unknown or repeated.
    fn read(
        attributes: &[Attribute],
        owner: &str,
        known: &[&'static str],
        (other_owner, known_to_other): (&str, &[&str]),
        problems: &mut Problems,
    ) -> Self {
        let mut given = Self(Vec::new());
        let metas: Vec<Meta> = attributes.iter().flat_map(|attribute| items(attribute, problems)).collect();
        for meta in metas {
            let path = meta.path();
            if let Some(name) = known.iter().find(|name| path.is_ident(name)) {
                match given.find(name) {
                    Some(_) => problems.add(path, format!("`{name}` is given twice")),
                    None => given.0.push((name, meta)),
                }
                continue;
            }
            let name = source_text(path);
            let takes = format!("{} takes {}", with_article(owner), list(known));
            if known_to_other.contains(&name.as_str()) {
                problems.add(path, format!("`{name}` is an attribute of {} ({takes})", with_article(other_owner)));
            } else {
                let hint = did_you_mean(&name, known);
                problems.add(path, format!("unknown attribute `{name}`{hint} ({takes})"));
            }
        }
        given
    }

    fn find(&self, name: &str) -> Option<&Meta> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, meta)| meta)
    }

    /// Whether the attribute is there, which has no value.
    fn flag(&self, name: &str, problems: &mut Problems) -> bool {
        self.find(name).inspect(|meta| check_has_no_value(meta, problems)).is_some()
    }

    /// The string of an attribute.
    fn text(&self, name: &str, example: &str, problems: &mut Problems) -> Option<LitStr> {
        self.find(name).and_then(|meta| text(meta, example, problems))
    }

    fn rename_all(&self, problems: &mut Problems) -> Option<RenameAll> {
        let case = self.text("rename_all", "camelCase", problems)?;
        let known = RenameAll::from_name(&case.value());
        if known.is_none() {
            let (name, known) = (case.value(), RenameAll::NAMES);
            let hint = did_you_mean(&name, &known);
            problems.add(&case, format!("unknown case `{name}`{hint} (`rename_all` takes {})", list(&known)));
        }
        known
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(given, _)| *given == name)
    }

    /// Reports contradictions, at the attribute that came later.
    fn check_conflicts(&self, problems: &mut Problems) {
        for (a, b, why) in CONFLICTS {
            if let (Some(at_a), Some(at_b)) = (self.position(a), self.position(b)) {
                let later = &self.0[at_a.max(at_b)].1;
                problems.add(later, format!("`{a}` and `{b}` exclude each other: {why}"));
            }
        }
    }
}

fn with_article(noun: &str) -> String {
    format!("{} {noun}", if noun.starts_with('e') { "an" } else { "a" })
}

/// The items between the parentheses of `#[orm(...)]`; none if the attribute is another or is malformed.
fn items(attribute: &Attribute, problems: &mut Problems) -> Vec<Meta> {
    if !attribute.path().is_ident("orm") {
        return Vec::new();
    }
    let Meta::List(list) = &attribute.meta else {
        problems.add(attribute, "expected a list in parentheses: `#[orm(...)]`");
        return Vec::new();
    };
    match list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
        Ok(items) => items.into_iter().collect(),
        Err(error) => {
            problems.add_error(error);
            Vec::new()
        }
    }
}

fn check_has_no_value(meta: &Meta, problems: &mut Problems) {
    if !matches!(meta, Meta::Path(_)) {
        let name = source_text(meta.path());
        problems.add(meta, format!("`{name}` takes no value"));
    }
}

/// The string in `name = "..."`.
fn text(meta: &Meta, example: &str, problems: &mut Problems) -> Option<LitStr> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
    {
        return Some(text.clone());
    }
    let name = source_text(meta.path());
    problems.add(meta, format!("`{name}` takes a string: `{name} = \"{example}\"`"));
    None
}

/// The type in `name = "path::to::Type"` or `name = path::to::Type`.
fn type_in(meta: &Meta, problems: &mut Problems) -> Option<Type> {
    let parsed = match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Path(path) => parse2(path.to_token_stream()).ok(),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse().ok(),
            _ => None,
        },
        Meta::Path(_) | Meta::List(_) => None,
    };
    if parsed.is_none() {
        let name = source_text(meta.path());
        problems.add(meta, format!("`{name}` takes a type: `{name} = \"i64\"`"));
    }
    parsed
}

/// The value of `default`, `default = path` or `default = "path"`.
fn default_value(meta: &Meta, problems: &mut Problems) -> Option<DefaultValue> {
    let parsed = match meta {
        Meta::Path(_) => return Some(DefaultValue::Trait),
        Meta::NameValue(pair) => match &pair.value {
            Expr::Path(path) => return Some(DefaultValue::Function(path.clone())),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse::<ExprPath>().ok(),
            _ => None,
        },
        Meta::List(_) => None,
    };
    if parsed.is_none() {
        problems.add(meta, "`default` takes the path of a function without arguments: `default = path::to::function`");
    }
    parsed.map(DefaultValue::Function)
}
