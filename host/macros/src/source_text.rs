//! Writes a type the way a person would.
//!
//! The compiler hands tokens to a derive without the spaces between them, and `TokenStream`'s own `Display` puts one
//! between any two: `Option < & 'r str >`.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The source text of a type.
pub(crate) fn source_text(tokens: impl ToTokens) -> String {
    let mut lexemes = Vec::new();
    collect(tokens.into_token_stream(), &mut lexemes);
    let mut text = String::new();
    let mut previous = None;
    for lexeme in &lexemes {
        if previous.is_some_and(|previous| space_between(previous, lexeme)) {
            text.push(' ');
        }
        text.push_str(lexeme);
        previous = Some(lexeme);
    }
    text
}

/// Flattens groups, and joins what belongs together: `::`, `->`, `'r`.
fn collect(tokens: TokenStream, lexemes: &mut Vec<String>) {
    let mut joined = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                joined.push(punct.as_char());
                let joins = punct.spacing() == Spacing::Joint && matches!(joined.as_str(), ":" | "-" | "'");
                if !joins {
                    lexemes.push(std::mem::take(&mut joined));
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    // What a macro_rules fragment such as `$t:ty` comes wrapped in.
                    Delimiter::None => {
                        collect(group.stream(), lexemes);
                        continue;
                    }
                };
                lexemes.push(open.to_owned());
                collect(group.stream(), lexemes);
                lexemes.push(close.to_owned());
            }
            TokenTree::Ident(ident) => lexemes.push(std::mem::take(&mut joined) + &ident.to_string()),
            TokenTree::Literal(literal) => lexemes.push(literal.to_string()),
        }
    }
}

fn space_between(left: &str, right: &str) -> bool {
    let is_word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"'));
    let begins_type = matches!(right, "(" | "[" | "::" | "<" | "&" | "*" | "!");
    if matches!(left, "(" | "[" | "{") || matches!(right, ")" | "]" | "}") {
        return false;
    }
    if matches!(left, "," | ";" | ":" | "->" | "+" | "=") || matches!(right, "->" | "+" | "=") {
        return true;
    }
    if is_word(right) {
        return is_word(left) || left == ">";
    }
    // `&mut [u8]` and `&'r (A, B)`, but `fn(A)` and `Vec<A>`.
    begins_type && (left.starts_with('\'') || matches!(left, "mut" | "const" | "dyn" | "impl" | "as"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_they_are_written() {
        for text in [
            "i64",
            "Option<&'r str>",
            "::std::vec::Vec<r#type>",
            "<T as ::core::iter::IntoIterator>::Item",
            "[u8; 16]",
            "[u8; N]",
            "(i64,)",
            "(i64, Option<String>)",
            "&'r mut [u8]",
            "&'r (A, B)",
            "*const u8",
            "HashMap<String, Vec<u8>>",
            "Cow<'r, str>",
            "Box<dyn Fn(A, B) -> C + Send + 'static>",
            "Box<dyn Iterator<Item = ::std::string::String>>",
            "for<'a> fn(&'a str) -> !",
        ] {
            assert_eq!(source_text(syn::parse_str::<syn::Type>(text).unwrap()), text);
        }
    }
}
