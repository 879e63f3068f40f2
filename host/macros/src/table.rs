//! `#[derive(Table)]`: the everyday statements, as constants.

use crate::attributes::{Source, Via};
use crate::bounds;
use crate::problems::{Problems, did_you_mean, list};
use crate::row_type::{RowField, RowType};
use crate::source_text::source_text;
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Lit, LitStr, Meta, Token};

const STRUCT: [&str; 1] = ["name"];
const FIELD: [&str; 2] = ["key", "generated"];

/// A field that is a column.
struct Column<'a> {
    field: &'a RowField<'a>,
    /// The name in quotes.
    name: String,
    is_key: bool,
    is_generated: bool,
}

/// Expands `#[derive(Table)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let row_type = RowType::new(input)?;
    let mut problems = Problems::default();
    let table = table_name(input, &mut problems).map_or(String::new(), |name| quoted_path(&name.value()));
    let columns = columns(input, &row_type, &mut problems);
    if columns.iter().all(|column| column.is_generated) {
        problems.add(&input.ident, "a table needs a column that is written: one that is not `generated`");
    }
    let columns = problems.finish(columns)?;

    let of = |is: &dyn Fn(&Column<'_>) -> bool| columns.iter().filter(|column| is(column)).collect::<Vec<_>>();
    let keys = of(&|column| column.is_key);
    let inserted = of(&|column| !column.is_generated);
    let generated = of(&|column| column.is_generated);
    let target = format!("{table} ({})", names(&inserted));
    let insert_only = format!("INSERT INTO {target} VALUES ({})", placeholders(inserted.len()));
    let insert = match generated.is_empty() {
        true => insert_only.clone(),
        false => format!("{insert_only} RETURNING {}", names(&generated)),
    };
    let insert_values = push(&inserted);

    let (name, generics) = (row_type.name, bounds::of_params(row_type.generics, &row_type.fields));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let keyed = (!keys.is_empty()).then(|| {
        let updated = of(&|column| !column.is_generated && !column.is_key);
        let upserted = of(&|column| !column.is_generated || column.is_key);
        let set = |value: &dyn Fn(usize, &str) -> String, columns: &[&Column<'_>]| {
            let set =
                |(index, column): (usize, &&Column<'_>)| format!("{} = {}", column.name, value(index, &column.name));
            columns.iter().enumerate().map(set).collect::<Vec<_>>()
        };
        let numbered = |index: usize, _: &str| format!("${}", index + 1);
        // A row that is nothing but its key is counted, and stays as it is.
        let assignments = match updated.is_empty() {
            true => set(&|_, name| name.to_owned(), &keys),
            false => set(&numbered, &updated),
        };
        let condition = set(&|index, _| format!("${}", updated.len() + index + 1), &keys).join(" AND ");
        let update = format!("UPDATE {table} SET {} WHERE {condition}", assignments.join(", "));
        let action = match updated.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", set(&|_, name| format!("excluded.{name}"), &updated).join(", ")),
        };
        let upsert = format!(
            "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO {action}",
            names(&upserted),
            placeholders(upserted.len()),
            names(&keys)
        );
        let delete = format!("DELETE FROM {table} WHERE {}", set(&numbered, &keys).join(" AND "));
        let (update_values, upsert_values) = (push(&[&updated[..], &keys].concat()), push(&upserted));
        let key_values = push(&keys);
        quote_spanned! { Span::mixed_site() =>
            #[automatically_derived]
            #[allow(deprecated)]
            impl #impl_generics ::montrs_orm::Keyed for #name #ty_generics #where_clause {
                const UPDATE: &'static str = #update;
                const UPSERT: &'static str = #upsert;
                const DELETE: &'static str = #delete;

                fn update_values(
                    &self,
                    __row: &mut ::montrs_orm::ParamRow<'_>,
                ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
                    #update_values
                }

                fn upsert_values(
                    &self,
                    __row: &mut ::montrs_orm::ParamRow<'_>,
                ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
                    #upsert_values
                }

                fn key_values(
                    &self,
                    __row: &mut ::montrs_orm::ParamRow<'_>,
                ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
                    #key_values
                }
            }
        }
    });
    Ok(quote_spanned! { Span::mixed_site() =>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics ::montrs_orm::Table for #name #ty_generics #where_clause {
            const TARGET: &'static str = #target;
            const INSERT: &'static str = #insert;
            const INSERT_ONLY: &'static str = #insert_only;

            fn insert_values(
                &self,
                __row: &mut ::montrs_orm::ParamRow<'_>,
            ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
                #insert_values
            }
        }
        #keyed
    })
}

/// The body that pushes these columns' values.
fn push(columns: &[&Column<'_>]) -> TokenStream {
    let pushed = columns.iter().map(|column| {
        let (name, ty) = (column.field.name, column.field.ty);
        let at = Span::mixed_site().located_at(ty.span());
        match column.field.source {
            Source::Column { via: Via::Json, .. } => quote_spanned! { at =>
                ::montrs_orm::ParamRow::push(__row, ::montrs_orm::Json(&self.#name))?;
            },
            _ => quote_spanned! { at => ::montrs_orm::ParamRow::push(__row, &self.#name)?; },
        }
    });
    quote_spanned! { Span::mixed_site() =>
        #(#pushed)*
        ::core::result::Result::Ok(())
    }
}

fn names(columns: &[&Column<'_>]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn placeholders(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// A name in double quotes, as standard SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `schema.table`, each in quotes.
fn quoted_path(path: &str) -> String {
    path.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// The name in `#[table(name = "…")]`.
fn table_name(input: &DeriveInput, problems: &mut Problems) -> Option<LitStr> {
    let items = items(&input.attrs, "struct", &STRUCT, problems);
    let name = items.iter().find_map(|item| match item {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().is_empty() => Some(text.clone()),
            _ => None,
        },
        _ => None,
    });
    if name.is_none() {
        problems.add(&input.ident, "a table needs its name: `#[table(name = \"users\")]`, or \"schema.users\"");
    }
    name
}

fn columns<'a>(input: &DeriveInput, row_type: &'a RowType<'a>, problems: &mut Problems) -> Vec<Column<'a>> {
    let mut columns = Vec::new();
    for field in &row_type.fields {
        let marks = match &input.data {
            Data::Struct(data) => data.fields.iter().find(|of_input| of_input.ident.as_ref() == Some(field.name)),
            _ => None,
        };
        let items = marks.map(|marks| items(&marks.attrs, "field", &FIELD, problems)).unwrap_or_default();
        for item in items.iter().filter(|item| !matches!(item, Meta::Path(_))) {
            problems.add(item, format!("`{}` takes no value", source_text(item.path())));
        }
        let is = |name: &str| items.iter().any(|item| item.path().is_ident(name));
        match (&field.source, &field.column) {
            (Source::Column { .. }, Some(name)) => {
                columns.push(Column { field, name: quoted(name), is_key: is("key"), is_generated: is("generated") });
            }
            (Source::Skip(_), _) if items.is_empty() => {}
            (Source::Skip(_), _) => problems.add(field.name, "a skipped field is no column"),
            _ => {
                let message = "a flattened struct has no columns that are known here: give its fields to this one";
                problems.add(field.ty, message);
            }
        }
    }
    columns
}

/// The items between the parentheses of `#[table(…)]`, those that are known.
fn items(attributes: &[Attribute], owner: &str, known: &[&str], problems: &mut Problems) -> Vec<Meta> {
    let mut items = Vec::<Meta>::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("table")) {
        match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(metas) => items.extend(metas),
            Err(error) => problems.add_error(error),
        }
    }
    for (index, item) in items.iter().enumerate() {
        let name = source_text(item.path());
        if !known.contains(&name.as_str()) {
            let hint = did_you_mean(&name, known);
            problems.add(item, format!("unknown attribute `{name}`{hint} (a {owner} takes {})", list(known)));
        } else if items[..index].iter().any(|before| source_text(before.path()) == name) {
            problems.add(item, format!("`{name}` is given twice"));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants of the expansion.
    fn statements(input: &str) -> Vec<String> {
        let expanded = expand(&syn::parse_str(input).unwrap()).unwrap();
        let file: syn::File = syn::parse2(expanded).unwrap();
        let constants = file.items.iter().flat_map(|item| match item {
            syn::Item::Impl(block) => block.items.as_slice(),
            _ => &[],
        });
        let text = |item: &syn::ImplItem| match item {
            syn::ImplItem::Const(constant) => match &constant.expr {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        };
        constants.filter_map(text).collect()
    }

    #[test]
    fn statements_name_the_columns_that_they_are_about() {
        let input = r#"#[table(name = "app.Users")] #[orm(rename_all = "camelCase")] struct User<'a, T> {
            #[table(key)] a_b: &'a str,
            #[table(key)] #[orm(rename = "x\"y")] c: T,
            d: i32,
            #[table(generated)] e: i64,
            #[orm(skip)] f: Vec<u8>,
        }"#;
        assert_eq!(
            statements(input),
            [
                r#""app"."Users" ("aB", "x""y", "d")"#,
                r#"INSERT INTO "app"."Users" ("aB", "x""y", "d") VALUES ($1, $2, $3) RETURNING "e""#,
                r#"INSERT INTO "app"."Users" ("aB", "x""y", "d") VALUES ($1, $2, $3)"#,
                r#"UPDATE "app"."Users" SET "d" = $1 WHERE "aB" = $2 AND "x""y" = $3"#,
                r#"INSERT INTO "app"."Users" ("aB", "x""y", "d") VALUES ($1, $2, $3) ON CONFLICT ("aB", "x""y") DO UPDATE SET "d" = excluded."d""#,
                r#"DELETE FROM "app"."Users" WHERE "aB" = $1 AND "x""y" = $2"#,
            ]
        );
    }

    #[test]
    fn a_row_may_be_nothing_but_its_key_or_have_none() {
        let only_key = statements(r#"#[table(name = "t")] struct A { #[table(key)] a: i64 }"#);
        assert_eq!(
            only_key[3..5],
            [
                r#"UPDATE "t" SET "a" = "a" WHERE "a" = $1"#,
                r#"INSERT INTO "t" ("a") VALUES ($1) ON CONFLICT ("a") DO NOTHING"#
            ]
        );
        assert_eq!(statements(r#"#[table(name = "t")] struct A { a: i64 }"#).len(), 3);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let input = r#"#[table(nam = "t")] struct A {
            #[table(kee)] a: i64,
            #[table(key, key)] b: i64,
            #[table(key = "x")] c: i64,
            #[orm(flatten)] d: B,
            #[orm(skip)] #[table(key)] e: i64,
        }"#;
        let errors: Vec<String> =
            expand(&syn::parse_str(input).unwrap()).unwrap_err().into_iter().map(|error| error.to_string()).collect();
        for expected in [
            "unknown attribute `nam`, did you mean `name`? (a struct takes `name`)",
            "unknown attribute `kee`, did you mean `key`? (a field takes `key`, `generated`)",
            "`key` is given twice",
            "`key` takes no value",
            "a flattened struct has no columns",
            "a skipped field is no column",
        ] {
            assert!(errors.iter().any(|error| error.starts_with(expected)), "{expected}: {errors:?}");
        }
        let nameless = expand(&syn::parse_str("struct A { a: i64 }").unwrap());
        assert!(nameless.unwrap_err().to_string().starts_with("a table needs its name"));
        let all = expand(&syn::parse_str(r#"#[table(name = "t")] struct A { #[table(generated)] a: i64 }"#).unwrap());
        assert!(all.unwrap_err().to_string().starts_with("a table needs a column that is written"));
    }
}
