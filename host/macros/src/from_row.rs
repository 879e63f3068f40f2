//! The code that reads a row: an implementation of `FromRow`.

use crate::attributes::{DefaultValue, Source, Via};
use crate::bounds;
use crate::row_type::{RowField, RowType};
use crate::source_text::source_text;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Lifetime, LitStr};

/// Expands `#[derive(FromRow)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let row_type = RowType::new(input)?;
    let RowType { name, fields, .. } = &row_type;
    let row = match row_type.lifetime {
        Some(lifetime) => lifetime.clone(),
        None => Lifetime::new("'__r", Span::mixed_site()),
    };

    let described = fields.iter().map(|field| describe(field, &row));
    let resolved = fields.iter().map(|field| resolve(field, &row));
    let read = fields.iter().map(|field| read(field, &row));

    let (_, ty_generics, _) = row_type.generics.split_for_impl();
    let generics = bounds::of_row(&row_type, &row);
    let (impl_generics, _, where_clause) = generics.split_for_impl();

    // A deprecated field or type is reported where the user writes it; the uses here would only repeat that.
    Ok(quote_spanned! { Span::mixed_site() =>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics ::montrs_orm::FromRow<#row> for #name #ty_generics #where_clause {
            fn fields(__out: &mut ::std::vec::Vec<::montrs_orm::Field>) {
                #(#described)*
            }

            fn resolve(
                __columns: &::montrs_orm::Columns,
                __plan: &mut ::montrs_orm::Plan,
            ) -> ::core::result::Result<(), ::montrs_orm::DbError> {
                #(#resolved)*
                ::core::result::Result::Ok(())
            }

            #[inline]
            fn read(
                __row: &mut ::montrs_orm::RowReader<#row>,
            ) -> ::core::result::Result<Self, ::montrs_orm::DbError> {
                ::core::result::Result::Ok(Self { #(#read)* })
            }
        }
    })
}

/// The statement of `fields` that describes a field.
fn describe(field: &RowField<'_>, row: &Lifetime) -> Option<TokenStream> {
    let ty = field.ty;
    Some(match &field.source {
        Source::Column { default, .. } => {
            let (column, required) = (&field.column, default.is_none());
            let (rust_field, rust_type) = (field.name.unraw().to_string(), source_text(ty));
            quote_spanned! { Span::mixed_site() =>
                ::std::vec::Vec::push(__out, ::montrs_orm::Field {
                    name: ::std::borrow::Cow::Borrowed(#column),
                    rust_field: #rust_field,
                    rust_type: #rust_type,
                    required: #required,
                });
            }
        }
        Source::Flatten { prefix } => {
            let ty = field.option().unwrap_or(ty);
            let fields = quote_spanned! { at(ty) => <#ty as ::montrs_orm::FromRow<#row>>::fields };
            match prefix {
                Some(prefix) => quote_spanned! { Span::mixed_site() =>
                    ::montrs_orm::Field::with_prefix(__out, #prefix, #fields);
                },
                None => quote_spanned! { Span::mixed_site() => #fields(__out); },
            }
        }
        Source::Skip(_) => return None,
    })
}

/// The statement of `resolve` that finds a field's column.
fn resolve(field: &RowField<'_>, row: &Lifetime) -> Option<TokenStream> {
    let (ty, column) = (field.ty, &field.column);
    Some(match &field.source {
        Source::Column { default, via, .. } => {
            let read_as = match via {
                Via::Itself => quote!(#ty),
                Via::TryFrom(raw) => quote!(#raw),
                Via::Json => quote!(::montrs_orm::Json<#ty>),
            };
            match default {
                None => {
                    quote_spanned! { at(ty) => ::montrs_orm::Plan::column::<#read_as>(__plan, __columns, #column)?; }
                }
                Some(_) => quote_spanned! { at(ty) =>
                    ::montrs_orm::Plan::optional_column::<#read_as>(__plan, __columns, #column)?;
                },
            }
        }
        Source::Flatten { prefix } => {
            let prefix = prefix.as_ref().map_or_else(String::new, LitStr::value);
            match field.option() {
                Some(ty) => quote_spanned! { at(ty) =>
                    ::montrs_orm::Plan::flatten_optional::<#ty>(__plan, __columns, #prefix)?;
                },
                None if prefix.is_empty() => {
                    quote_spanned! { at(ty) => <#ty as ::montrs_orm::FromRow<#row>>::resolve(__columns, __plan)?; }
                }
                None => quote_spanned! { at(ty) => ::montrs_orm::Plan::flatten::<#ty>(__plan, __columns, #prefix)?; },
            }
        }
        Source::Skip(_) => return None,
    })
}

/// The initializer of a field in the struct literal of `read`. Initializers run in the order in which they are
/// written, which is that of `resolve`.
fn read(field: &RowField<'_>, row: &Lifetime) -> TokenStream {
    let (name, ty) = (field.name, field.ty);
    let value = match &field.source {
        Source::Column { default, via: Via::Itself, .. } => match default {
            None => quote_spanned! { at(ty) => ::montrs_orm::RowReader::take::<#ty>(__row)? },
            Some(DefaultValue::Trait) => quote_spanned! { at(ty) =>
                ::montrs_orm::RowReader::take_or_default::<#ty>(__row)?
            },
            Some(DefaultValue::Function(path)) => quote_spanned! { at(ty) =>
                ::montrs_orm::RowReader::take_or_else::<#ty>(__row, #path)?
            },
        },
        Source::Column { default, via, .. } => {
            let value = match via {
                Via::TryFrom(raw) => quote_spanned! { at(raw) =>
                    ::montrs_orm::RowReader::take_try_from::<#raw, #ty>(__row)?
                },
                Via::Json | Via::Itself => quote_spanned! { at(ty) =>
                    ::montrs_orm::RowReader::take::<::montrs_orm::Json<#ty>>(__row)?.0
                },
            };
            let default = match default {
                None => None,
                Some(DefaultValue::Trait) => {
                    Some(quote_spanned! { at(ty) => <#ty as ::core::default::Default>::default() })
                }
                Some(DefaultValue::Function(path)) => Some(quote_spanned! { at(path) => #path() }),
            };
            match default {
                None => value,
                Some(default) => quote_spanned! { Span::mixed_site() =>
                    if ::montrs_orm::RowReader::skip_missing(__row) { #default } else { #value }
                },
            }
        }
        Source::Flatten { .. } => match field.option() {
            Some(ty) => quote_spanned! { at(ty) => ::montrs_orm::RowReader::take_optional::<#ty>(__row)? },
            None => quote_spanned! { at(ty) => <#ty as ::montrs_orm::FromRow<#row>>::read(__row)? },
        },
        Source::Skip(DefaultValue::Trait) => quote_spanned! { at(ty) =>
            <#ty as ::core::default::Default>::default()
        },
        Source::Skip(DefaultValue::Function(path)) => quote_spanned! { at(path) => #path() },
    };
    quote! { #name: #value, }
}

/// The span of generated code whose errors are shown at `tokens`. It is hygienic like that of all generated code: a
/// local such as `__row` is out of the user's reach, and lints know that no person wrote it.
pub(crate) fn at(tokens: &impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expansion as formatted source.
    fn expanded(input: &str) -> String {
        let tokens = expand(&syn::parse_str(input).unwrap()).unwrap();
        prettyplease::unparse(&syn::parse2(tokens).unwrap())
    }

    /// The line of the expansion that begins the implementation and its where clause.
    fn header(input: &str) -> String {
        let expanded = expanded(input);
        let begin = expanded.find("impl").unwrap();
        let end = expanded.find("{\n    fn fields").unwrap();
        expanded[begin..end].split_whitespace().collect::<Vec<_>>().join(" ").replace("::montrs_orm::", "")
    }

    #[test]
    fn a_small_struct_expands_to_what_one_would_write() {
        let expected = r#"
#[automatically_derived]
#[allow(deprecated)]
impl<'__r> ::montrs_orm::FromRow<'__r> for User {
    fn fields(__out: &mut ::std::vec::Vec<::montrs_orm::Field>) {
        ::std::vec::Vec::push(
            __out,
            ::montrs_orm::Field {
                name: ::std::borrow::Cow::Borrowed("id"),
                rust_field: "id",
                rust_type: "i64",
                required: true,
            },
        );
        ::std::vec::Vec::push(
            __out,
            ::montrs_orm::Field {
                name: ::std::borrow::Cow::Borrowed("mail"),
                rust_field: "email",
                rust_type: "Option<String>",
                required: false,
            },
        );
        <Address as ::montrs_orm::FromRow<'__r>>::fields(__out);
    }
    fn resolve(
        __columns: &::montrs_orm::Columns,
        __plan: &mut ::montrs_orm::Plan,
    ) -> ::core::result::Result<(), ::montrs_orm::DbError> {
        ::montrs_orm::Plan::column::<i64>(__plan, __columns, "id")?;
        ::montrs_orm::Plan::optional_column::<
            Option<String>,
        >(__plan, __columns, "mail")?;
        <Address as ::montrs_orm::FromRow<'__r>>::resolve(__columns, __plan)?;
        ::core::result::Result::Ok(())
    }
    #[inline]
    fn read(
        __row: &mut ::montrs_orm::RowReader<'__r>,
    ) -> ::core::result::Result<Self, ::montrs_orm::DbError> {
        ::core::result::Result::Ok(Self {
            id: ::montrs_orm::RowReader::take::<i64>(__row)?,
            email: ::montrs_orm::RowReader::take_or_default::<Option<String>>(__row)?,
            address: <Address as ::montrs_orm::FromRow<'__r>>::read(__row)?,
            cache: <Cache as ::core::default::Default>::default(),
        })
    }
}
"#;
        let input = r#"struct User {
            id: i64,
            #[orm(rename = "mail", default)] email: Option<String>,
            #[orm(flatten)] address: Address,
            #[orm(skip)] cache: Cache,
        }"#;
        assert_eq!(expanded(input), expected.trim_start());
    }

    #[test]
    fn functions_for_defaults_are_named_with_or_without_quotes() {
        for default in ["my::zero", "\"my::zero\""] {
            let input =
                format!("struct A {{ #[orm(default = {default})] a: i64, #[orm(skip, default = {default})] b: u8 }}");
            let expanded = expanded(&input);
            assert!(
                expanded.contains("a: ::montrs_orm::RowReader::take_or_else::<i64>(__row, my::zero)?"),
                "{expanded}"
            );
            assert!(expanded.contains("b: my::zero()"), "{expanded}");
        }
    }

    #[test]
    fn the_lifetime_of_a_struct_is_that_of_the_row() {
        assert_eq!(header("struct A { a: i64 }"), "impl<'__r> FromRow<'__r> for A");
        assert_eq!(header("struct A<'a> { a: &'a str }"), "impl<'a> FromRow<'a> for A<'a>");
        assert_eq!(
            header("struct A<'a, T> { a: &'a str, t: T }"),
            "impl<'a, T> FromRow<'a> for A<'a, T> where T: Decode<'a>,"
        );
    }

    #[test]
    fn bounds_are_on_the_types_of_generic_fields() {
        let bounds = |fields: &str| {
            let header = header(&format!("struct A<T: Clone = u8, const N: usize = 1> where T: Copy {{ {fields} }}"));
            header.split_once("where T: Copy, ").map_or(String::new(), |(_, bounds)| bounds.to_owned())
        };
        assert_eq!(bounds("a: T, b: T, c: Option<T>"), "T: Decode<'__r>, Option<T>: Decode<'__r>,");
        assert_eq!(bounds("#[orm(default)] a: T"), "T: Decode<'__r> + ::core::default::Default,");
        assert_eq!(bounds("#[orm(default = f)] a: T"), "T: Decode<'__r>,");
        assert_eq!(bounds("#[orm(flatten)] a: Page<T>"), "Page<T>: FromRow<'__r>,");
        assert_eq!(bounds("#[orm(skip)] a: Vec<T>"), "Vec<T>: ::core::default::Default,");
        assert_eq!(bounds("#[orm(skip, default = f)] a: Vec<T>"), "");
        assert_eq!(bounds("a: [u8; N], b: T::Id"), "[u8; N]: Decode<'__r>, T::Id: Decode<'__r>,");
        assert_eq!(bounds("a: i64, b: other::T, c: Vec<Tag>"), "");
    }

    #[test]
    fn flattened_structs_may_be_missing_and_have_a_prefix() {
        let expanded = expanded(
            r#"struct A {
                #[orm(flatten, prefix = "home_")] home: Address,
                #[orm(flatten)] work: std::option::Option<Address>,
            }"#,
        );
        for part in [
            "::montrs_orm::Field::with_prefix(",
            r#"::montrs_orm::Plan::flatten::<Address>(__plan, __columns, "home_")?;"#,
            r#"::montrs_orm::Plan::flatten_optional::<Address>(__plan, __columns, "")?;"#,
            "home: <Address as ::montrs_orm::FromRow<'__r>>::read(__row)?,",
            "work: ::montrs_orm::RowReader::take_optional::<Address>(__row)?,",
        ] {
            assert!(expanded.contains(part), "{part} is not in: {expanded}");
        }
        assert_eq!(
            header("struct A<T> { #[orm(flatten)] t: Option<T>, #[orm(json)] j: T }"),
            "impl<'__r, T> FromRow<'__r> for A<T> where T: FromRow<'__r>, Json<T>: Decode<'__r>,"
        );
    }

    #[test]
    fn columns_are_converted() {
        let expanded = expanded(
            r#"struct A {
                #[orm(try_from = "i64")] a: Level,
                #[orm(json, default = zero)] b: Settings,
            }"#,
        );
        for part in [
            "a: ::montrs_orm::RowReader::take_try_from::<i64, Level>(__row)?,",
            "b: if ::montrs_orm::RowReader::skip_missing(__row) {",
            "zero()",
            "::montrs_orm::RowReader::take::<::montrs_orm::Json<Settings>>(__row)?.0",
        ] {
            assert!(expanded.contains(part), "{part} is not in: {expanded}");
        }
    }

    #[test]
    fn raw_identifiers_read_the_column_without_the_prefix() {
        let expanded = expanded("struct A { r#type: r#enum }");
        assert!(expanded.contains("r#type: ::montrs_orm::RowReader::take::<r#enum>(__row)?"), "{expanded}");
        assert!(expanded.contains(r#"::montrs_orm::Plan::column::<r#enum>(__plan, __columns, "type")?"#), "{expanded}");
    }
}
