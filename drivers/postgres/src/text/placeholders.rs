//! The placeholders of a text.

use crate::token::{Token, tokens};
use std::ops::Range;

/// A placeholder as it was written.
pub(super) struct Placeholder<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) list: Option<List>,
}

/// The `IN` or `NOT IN` in whose parentheses nothing but a placeholder stands.
pub(super) struct List {
    pub(super) keywords: Range<usize>,
    pub(super) is_negated: bool,
}

/// All placeholders of a text.
pub(super) fn placeholders(sql: &str, has_escapes: bool) -> Vec<Placeholder<'_>> {
    let tokens: Vec<_> = tokens(sql, has_escapes).filter(|(token, ..)| *token != Token::Space).collect();
    let (mut found, mut brackets) = (Vec::new(), Vec::new());
    for (index, &(token, text, at)) in tokens.iter().enumerate() {
        match token {
            // A colon in a subscript is that of a slice: `a[:n]`.
            Token::Name if brackets.last() == Some(&Bracket::Subscript) => {}
            Token::Placeholder | Token::Name => found.push(Placeholder { text, at, list: list(&tokens, index) }),
            Token::Open => brackets.push(Bracket::Other),
            Token::OpenBracket => brackets.push(Bracket::after(index.checked_sub(1).map(|before| tokens[before]))),
            Token::Close | Token::CloseBracket => drop(brackets.pop()),
            _ => {}
        }
    }
    found
}

/// What is around the placeholder at this index.
fn list(tokens: &[(Token, &str, usize)], index: usize) -> Option<List> {
    let is_word = |index: usize, word| {
        tokens.get(index).is_some_and(|(token, text, _)| *token == Token::Word && text.eq_ignore_ascii_case(word))
    };
    let (keyword, open, close) = (index.checked_sub(2)?, tokens[index - 1].0, tokens.get(index + 1)?.0);
    if (open, close) != (Token::Open, Token::Close) || !is_word(keyword, "IN") {
        return None;
    }
    let is_negated = keyword > 0 && is_word(keyword - 1, "NOT");
    let start = tokens[keyword - usize::from(is_negated)].2;
    Some(List { keywords: start..tokens[keyword].2 + tokens[keyword].1.len(), is_negated })
}

#[derive(PartialEq)]
enum Bracket {
    Subscript,
    Other,
}

impl Bracket {
    /// What `[` opens after this token.
    fn after(token: Option<(Token, &str, usize)>) -> Self {
        use Token::{Close, CloseBracket, Name, Placeholder, Quoted, Word};
        match token {
            Some((Word, text, _)) if text.eq_ignore_ascii_case("ARRAY") => Self::Other,
            Some((Word | Quoted | Close | CloseBracket | Placeholder | Name, ..)) => Self::Subscript,
            _ => Self::Other,
        }
    }
}

/// The number in `$1`.
pub(super) fn number(placeholder: &str) -> Option<usize> {
    placeholder.strip_prefix('$')?.parse().ok()
}
