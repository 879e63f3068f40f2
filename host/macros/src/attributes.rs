//! The `#[orm(...)]` attributes of a struct and of its fields.

use crate::problems::{Problems, did_you_mean, list};
use crate::rename_all::RenameAll;
use crate::source_text::source_text;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, ExprPath, Lit, LitStr, Meta, Token};

const STRUCT: [&str; 1] = ["rename_all"];
const FIELD: [&str; 4] = ["rename", "default", "skip", "flatten"];

/// Attributes of a field that contradict each other, and why.
const CONFLICTS: [(&str, &str, &str); 4] = [
    ("skip", "rename", "a skipped field reads no column"),
    ("skip", "flatten", "a skipped field reads no columns"),
    ("flatten", "rename", "the flattened type names its columns itself"),
    ("flatten", "default", "the flattened type says itself which of its columns may be missing"),
];

/// Where the value of a field comes from.
pub(crate) enum Source {
    Column { rename: Option<LitStr>, default: Option<DefaultValue> },
    Flatten,
    Skip(DefaultValue),
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
    let Some(case) = given.find("rename_all").and_then(|meta| text(meta, "camelCase", problems)) else {
        return RenameAll::default();
    };
    RenameAll::from_name(&case.value()).unwrap_or_else(|| {
        let (name, known) = (case.value(), RenameAll::NAMES);
        let hint = did_you_mean(&name, &known);
        problems.add(&case, format!("unknown case `{name}`{hint} (`rename_all` takes {})", list(&known)));
        RenameAll::default()
    })
}

/// Reads the attributes of a field.
pub(crate) fn of_field(attributes: &[Attribute], problems: &mut Problems) -> Source {
    let given = Given::read(attributes, "field", &FIELD, ("struct", &STRUCT), problems);
    given.check_conflicts(problems);

    let rename = given.find("rename").and_then(|meta| text(meta, "column", problems));
    let default = given.find("default").and_then(|meta| default_value(meta, problems));
    let skip = given.find("skip").inspect(|meta| check_has_no_value(meta, problems)).is_some();
    let flatten = given.find("flatten").inspect(|meta| check_has_no_value(meta, problems)).is_some();

    match (skip, flatten) {
        (true, _) => Source::Skip(default.unwrap_or(DefaultValue::Trait)),
        (false, true) => Source::Flatten,
        (false, false) => Source::Column { rename, default },
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
            let takes = format!("a {owner} takes {}", list(known));
            if known_to_other.contains(&name.as_str()) {
                problems.add(path, format!("`{name}` is an attribute of a {other_owner} ({takes})"));
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
