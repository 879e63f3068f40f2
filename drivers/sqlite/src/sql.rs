//! The words of an SQL text, as SQLite's tokenizer cuts them.
//!
//! SQLite parses; this only finds what its API does not tell: where a second statement begins, which placeholders were
//! written and where, and whether a statement inserts.

/// What a token is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// White space, a comment, a byte order mark.
    Space,
    /// A keyword, a name without quotes, or a number.
    Word,
    /// A string, or a name in quotes.
    Quoted,
    /// A placeholder with its sign.
    Placeholder,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `;`
    Semicolon,
    /// Any other character.
    Other,
}

/// The tokens of an SQL text: each with its text and the byte where it begins.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

/// Cuts an SQL text into tokens; together they are the whole text.
pub(crate) fn tokens(sql: &str) -> Tokens<'_> {
    Tokens { sql, at: 0 }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token, &'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = &self.sql[start..];
        let (token, len) = first_token(rest.as_bytes())?;
        // Tokens end at ASCII characters or at the text's end, so this is a boundary; a wrong end would be too.
        let end = (start + len..self.sql.len()).find(|end| self.sql.is_char_boundary(*end)).unwrap_or(self.sql.len());
        self.at = end;
        Some((token, &self.sql[start..end], start))
    }
}

fn first_token(text: &[u8]) -> Option<(Token, usize)> {
    let ends_at = |from: usize, ends: &dyn Fn(u8) -> bool| {
        text[from..].iter().position(|byte| ends(*byte)).map_or(text.len(), |len| from + len)
    };
    Some(match (*text.first()?, text.get(1)) {
        (byte, _) if is_space(byte) => (Token::Space, ends_at(1, &|byte| !is_space(byte))),
        (0xEF, Some(0xBB)) if text.get(2) == Some(&0xBF) => (Token::Space, 3),
        (b'-', Some(b'-')) => (Token::Space, ends_at(2, &|byte| byte == b'\n')),
        (b'/', Some(b'*')) => {
            let end = text[2..].windows(2).position(|end| end == b"*/");
            (Token::Space, end.map_or(text.len(), |len| len + 4))
        }
        (quote @ (b'\'' | b'"' | b'`'), _) => (Token::Quoted, quoted_len(text, quote)),
        (b'[', _) => (Token::Quoted, text.len().min(ends_at(1, &|byte| byte == b']') + 1)),
        (b'?', _) => (Token::Placeholder, ends_at(1, &|byte| !byte.is_ascii_digit())),
        (b'$' | b'@' | b':' | b'#', _) => match variable_len(text) {
            Some(len) => (Token::Placeholder, len),
            None => (Token::Other, 1),
        },
        (b'(', _) => (Token::Open, 1),
        (b')', _) => (Token::Close, 1),
        (b';', _) => (Token::Semicolon, 1),
        (byte, _) if is_name(byte) => (Token::Word, ends_at(1, &|byte| !is_name(byte))),
        _ => (Token::Other, 1),
    })
}

/// SQLite's `sqlite3Isspace`, without the vertical tab as in its tokenizer.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0C | b'\r')
}

/// SQLite's `IdChar`.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// A quote is written twice inside quotes.
fn quoted_len(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() {
        if text[at] == quote {
            if text.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    text.len()
}

/// A name after a sign, with what Tcl allows in it: `::` between names, and an index in parentheses at the end.
fn variable_len(text: &[u8]) -> Option<usize> {
    let (mut at, mut has_name) = (1, false);
    while at < text.len() {
        if is_name(text[at]) {
            has_name = true;
            at += 1;
        } else if text[at] == b'(' && has_name {
            let len = text[at..].iter().position(|byte| is_space(*byte) || *byte == b')');
            at += len.unwrap_or(text.len() - at);
            at += usize::from(text.get(at) == Some(&b')'));
            break;
        } else if text[at] == b':' && text.get(at + 1) == Some(&b':') {
            at += 2;
        } else {
            break;
        }
    }
    has_name.then_some(at)
}

/// Where in a text another statement begins: at the first thing that is not white space, a comment or a semicolon.
pub(crate) fn second_statement(tail: &str) -> Option<usize> {
    tokens(tail).find(|(token, ..)| !matches!(token, Token::Space | Token::Semicolon)).map(|(.., at)| at)
}

/// Whether the statement is an `INSERT` or a `REPLACE`, also behind `WITH`.
pub(crate) fn is_insert(sql: &str) -> bool {
    verb(sql).is_some_and(|verb| verb.eq_ignore_ascii_case("INSERT") || verb.eq_ignore_ascii_case("REPLACE"))
}

/// The word that says what the statement does.
pub(crate) fn verb(sql: &str) -> Option<&str> {
    let mut tokens = tokens(sql).filter(|(token, ..)| !matches!(token, Token::Space | Token::Semicolon));
    let (_, first, _) = tokens.next()?;
    if !first.eq_ignore_ascii_case("WITH") {
        return Some(first);
    }
    // The main statement is the word after a closing parenthesis that is not `AS`: `WITH a (x) AS (…), b AS (…) INSERT`.
    let (mut depth, mut is_after_close) = (0u32, false);
    for (token, text, _) in tokens {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word if depth == 0 && is_after_close && !text.eq_ignore_ascii_case("AS") => return Some(text),
            _ => {}
        }
        is_after_close = token == Token::Close;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placeholders(sql: &str) -> Vec<(&str, usize)> {
        tokens(sql).filter(|(token, ..)| *token == Token::Placeholder).map(|(_, text, at)| (text, at)).collect()
    }

    #[test]
    fn placeholders_are_found_only_where_sqlite_reads_some() {
        let sql =
            "SELECT '?', \"$1\", [:a], `@b`, a$1, 'it''s ?', x'00', -- ?\n /* $2 */ $3, ?4, :five, @six, $seven, ?";
        let found: Vec<&str> = placeholders(sql).into_iter().map(|(text, _)| text).collect();
        assert_eq!(found, ["$3", "?4", ":five", "@six", "$seven", "?"]);
        assert_eq!(placeholders("SELECT $1::int + $a::b(c d)"), [("$1::int", 7), ("$a::b(c", 17)]);
        assert_eq!(placeholders("SELECT a->>'$.x', b -> 1, :"), []);
    }

    #[test]
    fn a_second_statement_is_found_behind_comments_and_semicolons() {
        assert_eq!(second_statement(" ; -- SELECT 1\n ;/* ; */ \t"), None);
        assert_eq!(second_statement("/* open"), None);
        assert_eq!(second_statement("; -- x\n SELECT 2"), Some(8));
        assert_eq!(second_statement(" 'x'"), Some(1));
    }

    #[test]
    fn inserts_are_recognized_behind_with() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "/* c */ replace into t values (1)",
            "WITH a (x) AS (SELECT 1), b AS MATERIALIZED (SELECT (2)) INSERT INTO t SELECT x FROM a",
        ] {
            assert!(is_insert(sql), "{sql}");
        }
        for sql in [
            "UPDATE t SET a = 1",
            "SELECT replace(a, b, c)",
            "WITH a AS (INSERT) UPDATE t SET a = 1",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "",
        ] {
            assert!(!is_insert(sql), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn the_tokens_of_any_text_are_the_text(sql in "(\\PC|[-/*'\"`\\[\\]?$:@#();\n]){0,60}") {
            let whole: String = tokens(&sql).map(|(_, text, _)| text).collect();
            prop_assert_eq!(whole, sql);
        }
    }
}
