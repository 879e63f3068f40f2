//! The code that makes a type the value of one column: implementations of `Encode`, `Decode` and `FromRow`.

use crate::bounds::{mentions, parameters};
use crate::from_row::at;
use crate::problems::Problems;
use crate::rename_all::RenameAll;
use crate::row_type::lifetime;
use crate::{attributes, composite};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use std::collections::HashMap;
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Field, Fields, GenericParam, Ident, Lifetime, LifetimeParam,
    Member, WherePredicate, parse_quote,
};

/// The integers that an enum can be represented by.
const INTEGERS: [&str; 12] = ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];

/// Expands `#[derive(SqlType)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut problems = Problems::default();
    let codec = match &input.data {
        Data::Struct(data) => structure(input, data, &mut problems),
        Data::Enum(data) => enumeration(input, data, &mut problems),
        Data::Union(_) => {
            problems.add(&input.ident, "SqlType cannot be derived for a union");
            None
        }
    };
    let lifetime = lifetime(&input.generics, "SqlType", &mut problems);
    let codec = problems.finish(codec)?.unwrap_or_default();
    Ok(implementations(input, lifetime, &codec))
}

/// How a value is written and read.
#[derive(Default)]
pub(crate) struct Codec {
    /// What writing it requires of its generics.
    pub(crate) written: Vec<WherePredicate>,
    /// What reading it requires of its generics.
    pub(crate) read: Vec<WherePredicate>,
    pub(crate) encode: TokenStream,
    /// Of `__value`.
    pub(crate) decode: TokenStream,
    /// The type that its text is read as, where that is another than text.
    pub(crate) text: Option<TokenStream>,
}

/// A struct around one value, or a composite where an attribute says so.
fn structure(input: &DeriveInput, data: &DataStruct, problems: &mut Problems) -> Option<Codec> {
    let is_composite = attributes::is_composite(&input.attrs, problems);
    let owner = if is_composite { "a field of a composite" } else { "the only field of a new type" };
    data.fields.iter().for_each(|field| attributes::of_nothing(&field.attrs, owner, problems));
    if is_composite {
        return composite::codec(input, data, problems);
    }
    let mut fields = data.fields.iter();
    let (Some(Field { ty, ident, .. }), None) = (fields.next(), fields.next()) else {
        let count = data.fields.len();
        let message = format!(
            "SqlType is one value of a column, so its struct has one field, and this one has {count}; a struct that is a \
             composite says `#[orm(composite)]`, one that is JSON is read and bound as `Json<{name}>`, and one that is several \
             columns derives `FromRow` and `ToParams`",
            name = input.ident,
        );
        problems.add(&input.ident, message);
        return None;
    };
    let row = row_lifetime(input.generics.lifetimes().next().map(|param| &param.lifetime));
    let member = ident.clone().map_or(Member::from(0), Member::Named);
    let is_generic = mentions(ty.to_token_stream(), &parameters(&input.generics));
    Some(Codec {
        written: is_generic.then(|| parse_quote!(#ty: ::montrs_orm::Encode)).into_iter().collect(),
        read: is_generic.then(|| parse_quote!(#ty: ::montrs_orm::Decode<#row>)).into_iter().collect(),
        encode: quote_spanned! { at(ty) => <#ty as ::montrs_orm::Encode>::encode(&self.#member) },
        decode: quote_spanned! { at(ty) =>
            ::core::result::Result::Ok(Self { #member: <#ty as ::montrs_orm::Decode<'_>>::decode(__value)? })
        },
        text: Some(ty.to_token_stream()),
    })
}

/// An enum of labels, or of integers where a `repr` says so.
fn enumeration(input: &DeriveInput, data: &DataEnum, problems: &mut Problems) -> Option<Codec> {
    let rename_all = attributes::of_enum(&input.attrs, problems);
    let repr = integer_repr(&input.attrs);
    let mut labels: HashMap<String, &Ident> = HashMap::new();
    let mut variants = Vec::new();
    for variant in &data.variants {
        let name = &variant.ident;
        let rename = attributes::of_variant(&variant.attrs, problems);
        if !matches!(variant.fields, Fields::Unit) {
            problems
                .add(variant, "a variant with fields is no value of one column: an enum with such is bound as `Json`");
        }
        if let (Some(rename), Some(repr)) = (&rename, &repr) {
            problems.add(rename, format!("`{repr}` makes the variants integers, which have no labels"));
        }
        let label = rename.as_ref().map_or_else(
            || rename_all.unwrap_or(RenameAll::Pascal).label(&syn::ext::IdentExt::unraw(name).to_string()),
            syn::LitStr::value,
        );
        if let Some(first) = labels.insert(label.clone(), name) {
            problems.add(name, format!("the label `{label}` is that of two variants: `{first}` and `{name}`"));
        }
        variants.push((name, label));
    }
    if variants.is_empty() {
        problems.add(&input.ident, "SqlType cannot be derived for an enum without variants: it has no values");
        return None;
    }
    if let (Some(_), Some(repr)) = (rename_all, &repr) {
        problems
            .add(&input.ident, format!("`{repr}` makes the variants integers, for which `rename_all` means nothing"));
    }
    Some(match repr {
        Some(repr) => integers(&repr, &variants),
        None => labelled(&variants),
    })
}

fn labelled(variants: &[(&Ident, String)]) -> Codec {
    let (names, labels): (Vec<_>, Vec<_>) = variants.iter().map(|(name, label)| (*name, label)).unzip();
    Codec {
        encode: quote_spanned! { Span::mixed_site() =>
            ::core::result::Result::Ok(::montrs_orm::Encoded::Borrowed(::montrs_orm::ValueRef::Text(match self {
                #(Self::#names => #labels,)*
            })))
        },
        decode: quote_spanned! { Span::mixed_site() =>
            match <&str as ::montrs_orm::Decode<'_>>::decode(__value)? {
                #(#labels => ::core::result::Result::Ok(Self::#names),)*
                __other => ::core::result::Result::Err(
                    ::montrs_orm::DecodeError::unknown_label(__other, &[#(#labels),*])
                ),
            }
        },
        ..Codec::default()
    }
}

fn integers(repr: &Ident, variants: &[(&Ident, String)]) -> Codec {
    let names: Vec<_> = variants.iter().map(|(name, _)| name).collect();
    Codec {
        encode: quote_spanned! { Span::mixed_site() =>
            match self {
                #(Self::#names => <#repr as ::montrs_orm::Encode>::encode(const { &(Self::#names as #repr) }),)*
            }
        },
        decode: quote_spanned! { Span::mixed_site() =>
            let __number = <#repr as ::montrs_orm::Decode<'_>>::decode(__value)?;
            #(if __number == Self::#names as #repr {
                return ::core::result::Result::Ok(Self::#names);
            })*
            ::core::result::Result::Err(
                ::montrs_orm::DecodeError::unknown_number(__number, &[#((Self::#names as #repr, stringify!(#names))),*])
            )
        },
        text: Some(repr.to_token_stream()),
        ..Codec::default()
    }
}

fn integer_repr(attributes: &[Attribute]) -> Option<Ident> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        // What else may stand there, the compiler knows.
        let _ = attribute.parse_nested_meta(|meta| {
            found = meta
                .path
                .get_ident()
                .filter(|ident| INTEGERS.iter().any(|name| ident == name))
                .cloned()
                .or(found.take());
            Ok(())
        });
    }
    found
}

/// The lifetime of the row that a value is read from.
fn row_lifetime(of_type: Option<&Lifetime>) -> Lifetime {
    of_type.cloned().unwrap_or_else(|| Lifetime::new("'__r", Span::mixed_site()))
}

fn implementations(input: &DeriveInput, lifetime: Option<&Lifetime>, codec: &Codec) -> TokenStream {
    let Codec { written: to_write, read: to_read, encode, decode, text } = codec;
    let name = &input.ident;
    let row = row_lifetime(lifetime);
    let text = text.as_ref().map(|ty| {
        quote_spanned! { Span::mixed_site() =>
            fn value_of_text(
                __text: &::core::primitive::str,
            ) -> ::core::result::Result<::montrs_orm::Value, ::montrs_orm::DecodeError> {
                <#ty as ::montrs_orm::Decode<#row>>::value_of_text(__text)
            }
        }
    });
    let (_, ty_generics, _) = input.generics.split_for_impl();

    let mut written = input.generics.clone();
    let mut read = input.generics.clone();
    if lifetime.is_none() {
        read.params.insert(0, GenericParam::Lifetime(LifetimeParam::new(row.clone())));
    }
    if !to_read.is_empty() {
        written.make_where_clause().predicates.extend(to_write.iter().cloned());
        read.make_where_clause().predicates.extend(to_read.iter().cloned());
    }
    let (encode_generics, _, encode_where) = written.split_for_impl();
    let (decode_generics, _, decode_where) = read.split_for_impl();
    quote_spanned! { Span::mixed_site().located_at(name.span()) =>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #encode_generics ::montrs_orm::Encode for #name #ty_generics #encode_where {
            fn encode(&self) -> ::core::result::Result<::montrs_orm::Encoded<'_>, ::montrs_orm::EncodeError> {
                #encode
            }
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #decode_generics ::montrs_orm::Decode<#row> for #name #ty_generics #decode_where {
            #[inline]
            fn decode(
                __value: ::montrs_orm::ValueRef<#row>,
            ) -> ::core::result::Result<Self, ::montrs_orm::DecodeError> {
                #decode
            }

            #text
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #decode_generics ::montrs_orm::FromRow<#row> for #name #ty_generics #decode_where {
            fn fields(_: &mut ::std::vec::Vec<::montrs_orm::Field>) {}

            fn resolve(
                __columns: &::montrs_orm::Columns,
                __plan: &mut ::montrs_orm::Plan,
            ) -> ::core::result::Result<(), ::montrs_orm::DbError> {
                ::montrs_orm::Plan::column_count(__plan, __columns, 1)?;
                ::montrs_orm::Plan::next_column::<Self>(__plan, __columns)
            }

            #[inline]
            fn read(
                __row: &mut ::montrs_orm::RowReader<#row>,
            ) -> ::core::result::Result<Self, ::montrs_orm::DbError> {
                ::montrs_orm::RowReader::take::<Self>(__row)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(input: &str) -> String {
        expand(&syn::parse_str(input).unwrap()).unwrap_err().to_string()
    }

    fn expanded(input: &str) -> String {
        let tokens = expand(&syn::parse_str(input).unwrap()).unwrap();
        prettyplease::unparse(&syn::parse2(tokens).unwrap())
    }

    #[test]
    fn labels_are_spelt_as_told() {
        let text =
            expanded(r#"#[orm(rename_all = "snake_case")] enum Mood { VerySad, #[orm(rename = "so happy")] Happy }"#);
        assert!(text.contains(r#"Self::VerySad => "very_sad""#) && text.contains(r#""so happy" => "#), "{text}");
        let text = expanded("enum Mood { Sad }");
        assert!(text.contains(r#"Self::Sad => "Sad""#), "{text}");
        let text = expanded("#[repr(align(8))] #[repr(C, u8)] enum Level { Low = 1 }");
        assert!(text.contains("Self::Low as u8"), "{text}");
    }

    #[test]
    fn new_types_read_and_write_what_is_in_them() {
        let text = expanded("struct Id<T>(T);");
        assert!(
            text.contains(
                "impl<'__r, T> ::montrs_orm::Decode<'__r> for Id<T>\nwhere\n    T: ::montrs_orm::Decode<'__r>"
            ),
            "{text}"
        );
        let text = expanded("#[orm(transparent)] struct Name<'a> { text: &'a str }");
        assert!(text.contains("impl<'a> ::montrs_orm::Decode<'a> for Name<'a> {"), "{text}");
        assert!(text.contains("encode(&self.text)"), "{text}");
    }

    #[test]
    fn composites_write_and_read_their_fields_in_order() {
        let text = expanded("#[orm(composite)] struct Pair<T> { first: T, r#type: Option<i64> }");
        assert!(text.contains("T: for<'__field> ::montrs_orm::Decode<'__field>"), "{text}");
        assert!(text.contains(r#"&["first", "type"]"#), "{text}");
        let text = expanded("#[orm(composite)] struct Point(f64, f64);");
        assert!(text.contains(r#"CompositeWriter::push(&mut __fields, "1", &self.1)?"#), "{text}");
    }

    #[test]
    fn what_is_no_value_of_one_column_is_explained() {
        for (input, part) in [
            ("struct A { x: i64, y: i64 }", "has one field, and this one has 2"),
            ("struct A;", "this one has 0"),
            ("union A { x: i64 }", "a union"),
            ("enum A {}", "without variants"),
            ("enum A { B(i64) }", "a variant with fields"),
            ("enum A { B, #[orm(rename = \"B\")] C }", "the label `B` is that of two variants"),
            ("#[repr(u8)] enum A { #[orm(rename = \"b\")] B }", "which have no labels"),
            ("#[repr(u8)] #[orm(rename_all = \"lowercase\")] enum A { B }", "`rename_all` means nothing"),
            ("struct A(#[orm(rename = \"x\")] i64);", "takes no attributes"),
            ("#[orm(composite)] struct A { #[orm(json)] x: i64 }", "a field of a composite takes no attributes"),
            ("#[orm(composite)] struct A;", "at least one field"),
            ("#[orm(composite)] struct A<'a> { x: &'a str }", "they own what they hold"),
            ("#[orm(composite = \"a\")] struct A { x: i64 }", "`composite` takes no value"),
            ("#[orm(composite, transparent)] struct A { x: i64 }", "`transparent` and `composite` exclude each other"),
            ("#[orm(composite)] enum A { B }", "`composite` is an attribute of a struct"),
            (
                "#[orm(transparent)] enum A { B }",
                "`transparent` is an attribute of a struct (an enum takes `rename_all`)",
            ),
            ("enum A { #[orm(rename_all = \"lowercase\")] B }", "is an attribute of an enum"),
        ] {
            let error = error(input);
            assert!(error.contains(part), "{input}: {error}");
        }
    }
}
