//! The code that sends a struct as parameters: an implementation of `ToParams`.

use crate::attributes::{self, Source, Via};
use crate::bounds;
use crate::from_row::at;
use crate::problems::Problems;
use crate::row_type::RowField;
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Data, DeriveInput, Fields, FieldsNamed};

/// Expands `#[derive(ToParams)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut problems = Problems::default();
    let rename_all = attributes::of_struct(&input.attrs, &mut problems);
    let fields = RowField::of(named_fields(input, &mut problems), rename_all, &mut problems);
    let fields = problems.finish(fields)?;

    let name = &input.ident;
    let pushed = fields.iter().filter_map(push);
    let generics = bounds::of_params(&input.generics, &fields);
    let (_, ty_generics, _) = input.generics.split_for_impl();
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    Ok(quote_spanned! { Span::mixed_site() =>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics ::montrs_orm::ToParams for #name #ty_generics #where_clause {
            fn to_params(
                &self,
                __row: &mut ::montrs_orm::ParamRow<'_>,
            ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
                #(#pushed)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

/// The statement that sends a field.
fn push(field: &RowField<'_>) -> Option<TokenStream> {
    let (name, ty, parameter) = (field.name, field.ty, &field.column);
    let value = quote_spanned! { Span::mixed_site() => &self.#name };
    Some(match &field.source {
        Source::Column { via: Via::Json, .. } => quote_spanned! { at(ty) =>
            ::montrs_orm::ParamRow::push_named(__row, #parameter, ::montrs_orm::Json(#value))?;
        },
        Source::Column { .. } => quote_spanned! { at(ty) =>
            ::montrs_orm::ParamRow::push_named::<&#ty>(__row, #parameter, #value)?;
        },
        Source::Flatten { prefix: None } => quote_spanned! { at(ty) =>
            <#ty as ::montrs_orm::ToParams>::to_params(#value, __row)?;
        },
        Source::Flatten { prefix: Some(prefix) } => quote_spanned! { at(ty) =>
            ::montrs_orm::ParamRow::flatten::<#ty>(__row, #prefix, #value)?;
        },
        Source::Skip(_) => return None,
    })
}

fn named_fields<'a>(input: &'a DeriveInput, problems: &mut Problems) -> Option<&'a FieldsNamed> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) | Fields::Unit => problems.add(
                &input.ident,
                "ToParams sends the fields of a struct under their names: name its fields; to send values by position, use a \
                 tuple such as `(i64, String)` instead of a struct",
            ),
        },
        Data::Enum(_) | Data::Union(_) => problems.add(
            &input.ident,
            "ToParams sends the fields of a struct; an enum that is the value of one parameter derives `SqlType` instead",
        ),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sent_in_their_order_under_their_names() {
        let input = r#"#[orm(rename_all = "camelCase")] struct A<T> {
            first_name: String,
            #[orm(flatten)] address: Address,
            #[orm(flatten, prefix = "work_")] work: Address,
            #[orm(skip)] cache: u8,
            #[orm(json, rename = "doc")] settings: T,
        }"#;
        let tokens = expand(&syn::parse_str(input).unwrap()).unwrap();
        let expanded = prettyplease::unparse(&syn::parse2(tokens).unwrap());
        let expected = r#"
#[automatically_derived]
#[allow(deprecated)]
impl<T> ::montrs_orm::ToParams for A<T>
where
    for<'__value> ::montrs_orm::Json<&'__value T>: ::montrs_orm::Encode,
{
    fn to_params(
        &self,
        __row: &mut ::montrs_orm::ParamRow<'_>,
    ) -> ::core::result::Result<(), ::montrs_orm::EncodeError> {
        ::montrs_orm::ParamRow::push_named::<
            &String,
        >(__row, "firstName", &self.first_name)?;
        <Address as ::montrs_orm::ToParams>::to_params(&self.address, __row)?;
        ::montrs_orm::ParamRow::flatten::<Address>(__row, "work_", &self.work)?;
        ::montrs_orm::ParamRow::push_named(
            __row,
            "doc",
            ::montrs_orm::Json(&self.settings),
        )?;
        ::core::result::Result::Ok(())
    }
}
"#;
        assert_eq!(expanded, expected.trim_start());
    }

    #[test]
    fn shapes_without_named_fields_say_what_to_do() {
        for (input, part) in
            [("struct A(i64);", "use a tuple"), ("struct A;", "use a tuple"), ("enum A { B }", "`SqlType`")]
        {
            let error = expand(&syn::parse_str(input).unwrap()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
