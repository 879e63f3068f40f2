//! The words of an SQL text, as PostgreSQL's lexer cuts them.
//!
//! PostgreSQL parses; this only tells what is in quotes and comments from what is not: where a statement ends, and which of
//! what looks like a placeholder is one.

/// What a token is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Blanks, a comment, or the mark at the beginning of a file.
    Space,
    /// A keyword, or a name without quotes.
    Word,
    /// A number.
    Number,
    /// A string, or a name in quotes.
    Quoted,
    /// `$1`
    Placeholder,
    /// `:name`, where it does not follow directly upon an operand.
    Name,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// Any other character, and `::` and `:=`.
    Other,
}

/// The tokens of an SQL text: each with its text and the byte where it begins.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    has_escapes: bool,
}

/// Cuts an SQL text into tokens; together they are the whole text. `has_escapes` says that backslashes are escapes in every
/// string, which they are in `E'…'` only unless the server was told so.
pub(crate) fn tokens(sql: &str, has_escapes: bool) -> Tokens<'_> {
    Tokens { sql, at: 0, has_escapes }
}

impl Tokens<'_> {
    /// Goes on in the next line.
    pub(crate) fn skip_line(&mut self) {
        self.at = line_end(self.sql.as_bytes(), self.at);
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token, &'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let (token, end) = token_at(self.sql, start, self.has_escapes)?;
        // Tokens end at ASCII characters or at the text's end, so this is a boundary; a wrong end would be too.
        let end = (end..self.sql.len()).find(|end| self.sql.is_char_boundary(*end)).unwrap_or(self.sql.len());
        self.at = end;
        Some((token, &self.sql[start..end], start))
    }
}

/// The token that begins here, and its end.
fn token_at(sql: &str, at: usize, has_escapes: bool) -> Option<(Token, usize)> {
    let bytes = sql.as_bytes();
    let before = at.checked_sub(1).map(|before| bytes[before]);
    Some(match (*bytes.get(at)?, bytes.get(at + 1).copied()) {
        (byte, _) if is_space(byte) => (Token::Space, end_of(bytes, at, is_space)),
        (0xEF, _) if at == 0 && sql.starts_with('\u{feff}') => (Token::Space, 3),
        (b'-', Some(b'-')) => (Token::Space, line_end(bytes, at)),
        (b'/', Some(b'*')) => match after_comment(&sql[at..]) {
            Some(rest) => (Token::Space, bytes.len() - rest.len()),
            // The server says that it has no end.
            None => (Token::Other, bytes.len()),
        },
        (b'E' | b'e', Some(b'\'')) => (Token::Quoted, after_string(bytes, at + 2, true)),
        (b'\'', _) => (Token::Quoted, after_string(bytes, at + 1, has_escapes)),
        (b'"', _) => (Token::Quoted, after(bytes, at + 1, b"\"")),
        (b'$', Some(b'0'..=b'9')) => (Token::Placeholder, end_of(bytes, at + 1, |byte| byte.is_ascii_digit())),
        (b'$', _) => after_dollars(bytes, at).map_or((Token::Other, at + 1), |end| (Token::Quoted, end)),
        (b':', Some(b':' | b'=')) => (Token::Other, at + 2),
        (b':', Some(next)) if begins_name(next) && !before.is_some_and(ends_operand) => {
            (Token::Name, end_of(bytes, at + 1, continues_name))
        }
        (b'(', _) => (Token::Open, at + 1),
        (b')', _) => (Token::Close, at + 1),
        (b'[', _) => (Token::OpenBracket, at + 1),
        (b']', _) => (Token::CloseBracket, at + 1),
        (b'0'..=b'9', _) => (Token::Number, end_of(bytes, at, |byte| byte.is_ascii_alphanumeric() || byte == b'_')),
        (byte, _) if begins_name(byte) => (Token::Word, end_of(bytes, at, continues_name)),
        _ => (Token::Other, at + 1),
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

pub(crate) fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_name(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Whether a colon after this byte is that of a slice, as in `a[i:n]`, or of `JSON_OBJECT('key':value)`.
fn ends_operand(byte: u8) -> bool {
    continues_name(byte) || matches!(byte, b'\'' | b'"' | b')' | b']')
}

/// Where the bytes end that are such.
pub(crate) fn end_of(bytes: &[u8], at: usize, is_such: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|byte| !is_such(*byte)).map_or(bytes.len(), |len| at + len)
}

pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    end_of(bytes, at, |byte| !matches!(byte, b'\n' | b'\r'))
}

/// What follows the next of these, which may be quoted by nothing. A quote that is written twice ends a string and begins
/// another one, which comes to the same.
pub(crate) fn after(bytes: &[u8], at: usize, quote: &[u8]) -> usize {
    bytes[at..].windows(quote.len()).position(|part| part == quote).map_or(bytes.len(), |len| at + len + quote.len())
}

/// What follows a string that has begun here.
fn after_string(bytes: &[u8], mut at: usize, has_escapes: bool) -> usize {
    if !has_escapes {
        return after(bytes, at, b"'");
    }
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'\'' if bytes.get(at) == Some(&b'\'') => at += 1,
            // A string goes on in another line, with the same rules.
            b'\'' => match continuation(bytes, at) {
                Some(next) => at = next,
                None => return at,
            },
            _ => {}
        }
    }
    bytes.len()
}

/// What follows the quote that goes on with a string.
fn continuation(bytes: &[u8], at: usize) -> Option<usize> {
    let mut next = at;
    loop {
        next = end_of(bytes, next, is_space);
        if !bytes[next..].starts_with(b"--") {
            break;
        }
        next = line_end(bytes, next);
    }
    let is_on_another_line = bytes[at..next].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    (is_on_another_line && bytes.get(next) == Some(&b'\'')).then_some(next + 1)
}

/// What follows a string between two `$tag$`.
fn after_dollars(bytes: &[u8], at: usize) -> Option<usize> {
    let tag_end = end_of(bytes, at + 1, |byte| begins_name(byte) || byte.is_ascii_digit());
    (bytes.get(tag_end) == Some(&b'$')).then(|| after(bytes, tag_end + 1, &bytes[at..=tag_end]))
}

/// What follows a comment, in which there may be others.
pub(crate) fn after_comment(text: &str) -> Option<&str> {
    let (bytes, mut depth, mut at) = (text.as_bytes(), 0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return text.get(at..);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The placeholders of a text.
    fn found(sql: &str) -> Vec<&str> {
        let placeholders = |(token, ..): &(Token, &str, usize)| matches!(token, Token::Placeholder | Token::Name);
        tokens(sql, false).filter(placeholders).map(|(_, text, _)| text).collect()
    }

    #[test]
    fn placeholders_are_told_from_what_looks_like_them() {
        for (sql, expected) in [
            ("SELECT :a, $1,:b", &[":a", "$1", ":b"][..]),
            (":a::int + :b :: text", &[":a", ":b"]),
            ("x::int, 'a'::text, (x)::y", &[]),
            ("f(a := 1, b => :c)", &[":c"]),
            ("a[1:n], a[lo:hi], a[b(1):c], JSON_OBJECT('a':b, k:v)", &[]),
            ("':a' || \":b\" || ':c''d :e'", &[]),
            (r"E'\':a' || :b", &[":b"]),
            (r"e'\\' || :b || '\' || :c", &[":b", ":c"]),
            ("$$ :a $1 $x$ $$ || :b || $t$ :c $$ $1 $t$", &[":b"]),
            ("-- :a\n:b /* :c /* :d */ :e */ :f", &[":b", ":f"]),
            ("a ? :b, a ?| :c, a @> :d, #>:e", &[":b", ":c", ":d", ":e"]),
            ("name$1, :größe, :_x1$", &[":größe", ":_x1$"]),
            (": a, :1, :'a'", &[]),
            ("'never ends :a", &[]),
            ("$$ never ends :a", &[]),
        ] {
            assert_eq!(found(sql), expected, "{sql}");
        }
        let in_every_string = |(token, ..): &(Token, &str, usize)| *token == Token::Name;
        assert_eq!(tokens(r"'\' :a' || :b", true).filter(in_every_string).count(), 1);
    }

    proptest! {
        #[test]
        fn tokens_are_the_whole_text(sql in "[-/*$'\":a1E\\\\ \\[\\]()ä?\n]{0,40}", any in "\\PC{0,30}") {
            for sql in [sql, any] {
                let together: String = tokens(&sql, false).map(|(_, text, _)| text).collect();
                prop_assert_eq!(&together, &sql);
            }
        }
    }
}
