//! A struct whose fields together are the value of one column.

use crate::bounds::{mentions, parameters};
use crate::from_row::at;
use crate::problems::Problems;
use crate::sql_type::Codec;
use proc_macro2::Span;
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::{DataStruct, DeriveInput, Member, parse_quote};

/// The fields are written and read in their order: a row of values has no names.
pub(crate) fn codec(input: &DeriveInput, data: &DataStruct, problems: &mut Problems) -> Option<Codec> {
    if data.fields.is_empty() {
        problems.add(&input.ident, "a composite has at least one field");
        return None;
    }
    if let Some(lifetime) = input.generics.lifetimes().next() {
        problems.add(
            lifetime,
            "the fields of a composite are taken out of one text, so they own what they hold: use `String` for `&str`",
        );
        return None;
    }
    let members: Vec<Member> = data.fields.members().collect();
    let names: Vec<String> = members
        .iter()
        .map(|member| match member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        })
        .collect();
    let parameters = parameters(&input.generics);
    let generic = || data.fields.iter().map(|field| &field.ty).filter(|ty| mentions(ty.to_token_stream(), &parameters));
    let pushed = data.fields.iter().zip(&members).zip(&names).map(|((field, member), name)| {
        quote_spanned! { at(&field.ty) =>
            ::montrs_orm::CompositeWriter::push(&mut __fields, #name, &self.#member)?;
        }
    });
    let taken = data.fields.iter().zip(&members).zip(&names).map(|((field, member), name)| {
        let ty = &field.ty;
        quote_spanned! { at(ty) => #member: ::montrs_orm::CompositeReader::take::<#ty>(&mut __fields, #name)?, }
    });
    Some(Codec {
        written: generic().map(|ty| parse_quote!(#ty: ::montrs_orm::Encode)).collect(),
        read: generic().map(|ty| parse_quote!(#ty: for<'__field> ::montrs_orm::Decode<'__field>)).collect(),
        encode: quote_spanned! { Span::mixed_site() =>
            let mut __fields = <::montrs_orm::CompositeWriter as ::core::default::Default>::default();
            #(#pushed)*
            ::core::result::Result::Ok(::montrs_orm::CompositeWriter::finish(__fields))
        },
        decode: quote_spanned! { Span::mixed_site() =>
            let mut __fields = ::montrs_orm::CompositeReader::new(__value, &[#(#names),*])?;
            ::core::result::Result::Ok(Self { #(#taken)* })
        },
        text: None,
    })
}
