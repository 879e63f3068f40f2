//! What an implementation requires of the generics of its type.

use crate::attributes::{DefaultValue, Source, Via};
use crate::row_type::{RowField, RowType};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::collections::HashSet;
use syn::{GenericParam, Generics, Lifetime, LifetimeParam, WhereClause, parse_quote};

/// The generics of a struct that is a row: its own, the lifetime of the row, and what reading the generic fields requires.
///
/// The bounds are on the types of fields, not on the parameters in them: a parameter may well occur in a type that
/// is read by other means than the parameter's own, as `T` does in a JSON column `Json<T>`.
pub(crate) fn of_row(row_type: &RowType<'_>, row: &Lifetime) -> Generics {
    let mut generics = row_type.generics.clone();
    if row_type.lifetime.is_none() {
        generics.params.insert(0, GenericParam::Lifetime(LifetimeParam::new(row.clone())));
    }

    let parameters = parameters(row_type.generics);
    let mut seen = HashSet::new();
    for field in &row_type.fields {
        let ty = field.ty;
        if !mentions(ty.to_token_stream(), &parameters) {
            continue;
        }
        let decode = quote!(::montrs_orm::Decode<#row>);
        let default = quote!(::core::default::Default);
        let predicate = match &field.source {
            Source::Column { default: given, via, .. } => {
                let read = match via {
                    Via::Itself => quote!(#ty: #decode),
                    Via::TryFrom(raw) => {
                        quote!(#raw: #decode, #ty: ::core::convert::TryFrom<#raw, Error: ::core::fmt::Display>)
                    }
                    Via::Json => quote!(::montrs_orm::Json<#ty>: #decode),
                };
                match (given, via) {
                    (Some(DefaultValue::Trait), Via::Itself) => quote!(#read + #default),
                    (Some(DefaultValue::Trait), _) => quote!(#read, #ty: #default),
                    _ => read,
                }
            }
            Source::Flatten { .. } => {
                let ty = field.option().unwrap_or(ty);
                quote!(#ty: ::montrs_orm::FromRow<#row>)
            }
            Source::Skip(DefaultValue::Trait) => quote!(#ty: #default),
            Source::Skip(DefaultValue::Function(_)) => continue,
        };
        if seen.insert(predicate.to_string()) {
            let clause: WhereClause = parse_quote!(where #predicate);
            generics.make_where_clause().predicates.extend(clause.predicates);
        }
    }
    generics
}

/// The generics of a struct whose fields are parameters: its own, and what sending the generic fields requires.
pub(crate) fn of_params(generics: &Generics, fields: &[RowField<'_>]) -> Generics {
    let parameters = parameters(generics);
    let mut generics = generics.clone();
    for field in fields.iter().filter(|field| mentions(field.ty.to_token_stream(), &parameters)) {
        let ty = field.ty;
        let predicate = match &field.source {
            Source::Column { via: Via::Json, .. } => {
                quote!(for<'__value> ::montrs_orm::Json<&'__value #ty>: ::montrs_orm::Encode)
            }
            Source::Column { .. } => quote!(#ty: ::montrs_orm::Encode),
            Source::Flatten { .. } => quote!(#ty: ::montrs_orm::ToParams),
            Source::Skip(_) => continue,
        };
        let clause: WhereClause = parse_quote!(where #predicate);
        generics.make_where_clause().predicates.extend(clause.predicates);
    }
    generics
}

/// The names of type parameters and constants.
pub(crate) fn parameters(generics: &Generics) -> HashSet<String> {
    let name = |param: &GenericParam| match param {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(param) => Some(param.ident.to_string()),
        GenericParam::Const(param) => Some(param.ident.to_string()),
    };
    generics.params.iter().filter_map(name).collect()
}

/// Whether a type names one of the parameters. A name behind `::` is something else, as `T` in `module::T`.
pub(crate) fn mentions(ty: TokenStream, parameters: &HashSet<String>) -> bool {
    let mut colons = 0;
    ty.into_iter().any(|token| {
        let found = match &token {
            TokenTree::Ident(ident) => colons != 2 && parameters.contains(&ident.to_string()),
            TokenTree::Group(group) => mentions(group.stream(), parameters),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        };
        colons = if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':') { colons + 1 } else { 0 };
        found
    })
}
