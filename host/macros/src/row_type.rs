//! What a struct reads from a row.

use crate::attributes::{self, Source};
use crate::problems::Problems;
use crate::rename_all::RenameAll;
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::{
    Data, DeriveInput, Fields, FieldsNamed, GenericArgument, Generics, Ident, Lifetime, PathArguments, Type, TypePath,
};

/// A struct that can be read from a row.
pub(crate) struct RowType<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// The lifetime of the row, if the struct borrows from it.
    pub(crate) lifetime: Option<&'a Lifetime>,
    pub(crate) fields: Vec<RowField<'a>>,
}

/// One field, and where its value comes from.
pub(crate) struct RowField<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) source: Source,
    /// The name of the column that the field reads, if it reads one.
    pub(crate) column: Option<String>,
}

impl<'a> RowType<'a> {
    /// Reports everything that keeps the input from being one.
    pub(crate) fn new(input: &'a DeriveInput) -> syn::Result<Self> {
        let mut problems = Problems::default();
        let rename_all = attributes::of_struct(&input.attrs, &mut problems);
        let lifetime = lifetime(&input.generics, "FromRow", &mut problems);
        let fields = RowField::of(named_fields(input, &mut problems), rename_all, &mut problems);
        check_columns_differ(&fields, &mut problems);
        problems.finish(Self { name: &input.ident, generics: &input.generics, lifetime, fields })
    }
}

impl<'a> RowField<'a> {
    pub(crate) fn of(fields: Option<&'a FieldsNamed>, rename_all: RenameAll, problems: &mut Problems) -> Vec<Self> {
        let fields = fields.into_iter().flat_map(|fields| &fields.named);
        fields.filter_map(|field| Self::new(field, rename_all, problems)).collect()
    }

    /// The type in `Option<…>`, where a flattened struct may be missing: it is told by its name, as in other derives.
    pub(crate) fn option(&self) -> Option<&'a Type> {
        let Type::Path(TypePath { qself: None, path, .. }) = self.ty else { return None };
        let segment = path.segments.last().filter(|segment| segment.ident == "Option")?;
        match &segment.arguments {
            PathArguments::AngleBracketed(arguments) if arguments.args.len() == 1 => match arguments.args.first() {
                Some(GenericArgument::Type(ty)) => Some(ty),
                _ => None,
            },
            _ => None,
        }
    }

    fn new(field: &'a syn::Field, rename_all: RenameAll, problems: &mut Problems) -> Option<Self> {
        let name = field.ident.as_ref()?;
        let source = attributes::of_field(&field.attrs, problems);
        let column = match &source {
            Source::Column { rename: Some(column), .. } => Some(column.value()),
            Source::Column { rename: None, .. } => Some(rename_all.column(&name.unraw().to_string())),
            Source::Flatten { .. } | Source::Skip(_) => None,
        };
        Some(Self { name, ty: &field.ty, source, column })
    }
}

/// The only lifetime of a struct.
pub(crate) fn lifetime<'a>(generics: &'a Generics, derive: &str, problems: &mut Problems) -> Option<&'a Lifetime> {
    let mut lifetimes = generics.lifetimes().map(|param| &param.lifetime);
    let first = lifetimes.next();
    for other in lifetimes {
        let message = format!("a {derive} struct has one lifetime at most, that of the row from which it borrows");
        problems.add(other, message);
    }
    first
}

fn named_fields<'a>(input: &'a DeriveInput, problems: &mut Problems) -> Option<&'a FieldsNamed> {
    let wrong = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => {
                "FromRow finds columns by the names of fields, and a tuple struct has none: name its fields; to read \
                 columns by position, use a tuple such as `(i64, String)` instead of a struct"
            }
            Fields::Unit => "FromRow cannot be derived for a unit struct: it has no fields to read",
        },
        Data::Enum(_) => {
            "FromRow reads a row into a struct with named fields; it cannot be derived for an enum. An enum that is \
             the value of one column derives `SqlType` instead"
        }
        Data::Union(_) => "FromRow reads a row into a struct with named fields; it cannot be derived for a union",
    };
    problems.add(&input.ident, wrong);
    None
}

fn check_columns_differ(fields: &[RowField<'_>], problems: &mut Problems) {
    let mut readers = HashMap::new();
    for field in fields {
        let Some(column) = &field.column else { continue };
        let Some(first) = readers.get(column) else {
            readers.insert(column, field.name);
            continue;
        };
        let message = format!("the column `{column}` is read by two fields: `{first}` and `{}`", field.name);
        match &field.source {
            Source::Column { rename: Some(rename), .. } => problems.add(rename, message),
            _ => problems.add(field.name, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(input: &str) -> Vec<String> {
        let input = syn::parse_str(input).unwrap();
        RowType::new(&input).ok().unwrap().fields.into_iter().filter_map(|field| field.column).collect()
    }

    fn errors(input: &str) -> Vec<String> {
        let input = syn::parse_str(input).unwrap();
        RowType::new(&input).err().unwrap().into_iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn a_rename_wins_over_rename_all() {
        let input = r#"#[orm(rename_all = "SCREAMING-KEBAB-CASE")] struct A {
            first_name: i64,
            #[orm(rename = "last_name")] second: i64,
            r#type: i64,
            #[orm(skip)] skipped: i64,
            #[orm(flatten)] flattened: B,
        }"#;
        assert_eq!(columns(input), ["FIRST-NAME", "last_name", "TYPE"]);
    }

    #[test]
    fn attributes_of_other_derives_are_ignored() {
        assert_eq!(columns("#[serde(nonsense)] struct A { /** Text. */ #[serde(rename = 5)] a: i64 }"), ["a"]);
        assert_eq!(columns("#[orm()] struct A { #[orm()] a: i64 }"), ["a"]);
    }

    #[test]
    fn every_error_is_reported_at_once() {
        let input = r#"#[orm(rename_al = "x", rename_all = "Camel")] struct A<'a, 'b> {
            #[orm(renam = "x", skipp)] a: i64,
            #[orm(flatten, rename = "x")] b: i64,
            #[orm(rename = "a")] c: i64,
            #[orm(skip, skip)] d: i64,
        }"#;
        let begins = [
            "unknown attribute `rename_al`, did you mean `rename_all`? (a struct takes `rename_all`)",
            "unknown case `Camel` (`rename_all` takes `lowercase`, ",
            "a FromRow struct has one lifetime at most",
            "unknown attribute `renam`, did you mean `rename`? (a field takes `rename`, `default`, `skip`, `flatten`, \
             `prefix`, `try_from`, `json`)",
            "unknown attribute `skipp`, did you mean `skip`?",
            "`flatten` and `rename` exclude each other",
            "`skip` is given twice",
            "the column `a` is read by two fields: `a` and `c`",
        ];
        let errors = errors(input);
        assert_eq!(errors.len(), begins.len(), "{errors:#?}");
        for (error, begin) in errors.iter().zip(begins) {
            assert!(error.starts_with(begin), "{error}");
        }
    }

    #[test]
    fn shapes_that_have_no_named_fields_say_what_to_do() {
        for (input, part) in [
            ("struct A(i64, String);", "name its fields; to read columns by position, use a tuple"),
            ("struct A;", "a unit struct: it has no fields to read"),
            ("enum A { B }", "cannot be derived for an enum"),
            ("union A { b: i64 }", "cannot be derived for a union"),
        ] {
            let errors = errors(input);
            assert!(errors.len() == 1 && errors[0].contains(part), "{errors:?}");
        }
    }

    #[test]
    fn skipped_and_flattened_fields_read_no_column_of_their_own() {
        assert_eq!(
            columns(r#"struct A { id: i64, #[orm(rename = "id2")] b: i64, #[orm(skip)] id3: i64 }"#),
            ["id", "id2"]
        );
        assert_eq!(
            columns(r#"struct A { #[orm(rename = "x")] id: i64, #[orm(skip)] x: i64, #[orm(flatten)] y: B }"#),
            ["x"]
        );
    }
}
