//! Where in a script the first statement ends, as psql has it: at a semicolon that is in no quotes, comment, parentheses
//! or body of a function in SQL (`BEGIN ATOMIC … END`). To the statement `COPY … FROM STDIN` belong the lines of data
//! behind it, up to the one that is `\.`.

use crate::{
    sql,
    token::{Token, tokens},
};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::ops::Range;

/// The line that ends the data of a COPY.
const END_OF_DATA: &str = "\\.";
/// psql's own commands that only say which of its commands are allowed.
const HARMLESS: [&str; 2] = ["\\restrict", "\\unrestrict"];

/// What was seen of a statement.
#[derive(Default)]
struct Seen {
    /// How many words.
    words: usize,
    /// Whether it begins with `COPY`.
    is_copy: bool,
    /// Whether the word before was `FROM`, not in parentheses.
    was_from: bool,
    /// Whether there was `FROM STDIN`, not in parentheses.
    is_from_stdin: bool,
    /// Whether it begins with `CREATE`.
    is_create: bool,
    /// Whether it creates a function or procedure, in whose body there are `BEGIN` and `END`.
    is_routine: bool,
    /// How many parentheses are open.
    parentheses: u32,
    /// How many of `BEGIN` and `CASE` are open.
    blocks: u32,
}

impl Seen {
    fn word(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        self.words += 1;
        if self.words == 1 {
            (self.is_copy, self.is_create) = (is("COPY"), is("CREATE"));
        }
        // `CREATE FUNCTION`, `CREATE OR REPLACE FUNCTION`
        let names_kind = self.is_create && matches!(self.words, 2 | 4);
        self.is_routine |= names_kind && (is("FUNCTION") || is("PROCEDURE"));
        if self.parentheses > 0 {
            return;
        }
        self.is_from_stdin |= self.was_from && is("STDIN");
        self.was_from = is("FROM");
        if !self.is_routine {
            return;
        }
        if is("BEGIN") || is("CASE") && self.blocks > 0 {
            self.blocks += 1;
        } else if is("END") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }
}

/// The first statement of a script, with its semicolon and data; `None` where there is none. Whether backslashes escape in
/// strings is the setting `standard_conforming_strings`, turned round.
pub(crate) fn first_statement(script: &str, has_escapes: bool) -> Result<Option<Range<usize>>> {
    let Some(found) = find(script, has_escapes)? else { return Ok(None) };
    let end = match found.takes_data {
        true => data(script, found.end).ok_or_else(|| no_end_of_data(found.start))?.end,
        false => found.end,
    };
    Ok(Some(found.start..end))
}

/// A statement `COPY … FROM STDIN`, and where its data is; `None` for anything else.
pub(crate) fn copy_with_data(text: &str, has_escapes: bool) -> Option<(&str, Range<usize>)> {
    if !text.ends_with(END_OF_DATA) || !sql::is_copy(text) {
        return None;
    }
    let found = find(text, has_escapes).ok()?.filter(|found| found.takes_data)?;
    let data = data(text, found.end).filter(|data| data.end == text.len())?;
    Some((&text[..found.end], data.start..data.end - END_OF_DATA.len()))
}

/// Puts an error in the data of a COPY at its line, which the server tells in words: `COPY t, line 3, column n: "x"`.
pub(crate) fn at_line(error: Error, text: &str, data: Range<usize>) -> Error {
    let context = error.record().extra.iter().find(|pair| pair.0 == "where").map(|pair| pair.1.to_string());
    let number = context.as_deref().and_then(|context| {
        let (_, line) = context.split_once(", ")?;
        line.split([' ', ',', ':']).find_map(|word| word.parse::<usize>().ok())
    });
    let Some(before) = number.and_then(|number| number.checked_sub(1)) else { return error };
    let lines = text[data.clone()].split_inclusive('\n').map(str::len);
    let offset = lines.scan(data.start, |at, len| Some(std::mem::replace(at, *at + len))).nth(before);
    match offset {
        Some(offset) => error.with_position(offset),
        None => error,
    }
}

/// The first statement of a script, without data.
struct Found {
    start: usize,
    end: usize,
    /// It is a `COPY … FROM STDIN`.
    takes_data: bool,
}

fn find(script: &str, has_escapes: bool) -> Result<Option<Found>> {
    let (mut seen, mut start, mut end) = (Seen::default(), None, 0);
    let mut tokens = tokens(script, has_escapes);
    while let Some((token, text, at)) = tokens.next() {
        match (token, text) {
            (Token::Space, _) => continue,
            (_, ";") if start.is_none() => continue,
            (_, ";") if seen.parentheses == 0 && seen.blocks == 0 => {
                end = at + 1;
                break;
            }
            (_, "\\") if start.is_none() && HARMLESS.contains(&command(&script[at..])) => {
                tokens.skip_line();
                continue;
            }
            (_, "\\") => return Err(psql_command(script, at)),
            (Token::Word, word) => seen.word(word),
            (Token::Open, _) => seen.parentheses += 1,
            (Token::Close, _) => seen.parentheses = seen.parentheses.saturating_sub(1),
            _ => {}
        }
        start.get_or_insert(at);
        end = at + text.len();
    }
    let takes_data = seen.is_copy && seen.is_from_stdin;
    Ok(start.map(|start| Found { start, end, takes_data }))
}

/// The lines behind a statement, with the one that ends them.
fn data(script: &str, statement_end: usize) -> Option<Range<usize>> {
    let first = statement_end + script.get(statement_end..)?.find('\n')? + 1;
    if !script[statement_end..first].trim().is_empty() {
        return None;
    }
    let mut at = first;
    for line in script[first..].split_inclusive('\n') {
        if line.trim_end_matches(['\r', '\n']) == END_OF_DATA {
            return Some(first..at + END_OF_DATA.len());
        }
        at += line.len();
    }
    None
}

/// The word that begins with the backslash.
fn command(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cold]
fn psql_command(script: &str, at: usize) -> Error {
    let command = command(&script[at..]);
    Error::new(ErrorKind::SYNTAX, format!("`{command}` is a command of psql, not SQL"))
        .with_position(at)
        .with_hint("take it out of the script, or run the script with psql")
}

#[cold]
fn no_end_of_data(at: usize) -> Error {
    Error::new(ErrorKind::SYNTAX, "the data of COPY FROM STDIN has no end")
        .with_position(at)
        .with_hint("in a script it stands in the lines behind the statement, and ends with a line that is `\\.`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split_as(mut script: &str, has_escapes: bool) -> Vec<&str> {
        let mut statements = Vec::new();
        while let Some(statement) = first_statement(script, has_escapes).unwrap() {
            statements.push(&script[statement.clone()]);
            script = &script[statement.end..];
        }
        statements
    }

    fn split(script: &str) -> Vec<&str> {
        split_as(script, false)
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_quoted() {
        for statement in [
            "SELECT ';', 'it''s;', \";\"\";\", E'\\';', e'a'\n  -- x;\n  '\\';', U&'\\;' ;",
            "SELECT $$;$$, $a$ $$;$b$;$a$, $ä1$;$ä1$, a$b$c, $1 ;",
            "SELECT /* ; /* ; */ ; */ 1 -- ;\n ;",
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
            "CREATE OR REPLACE FUNCTION f(begin int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE 1 WHEN 2 THEN 3 END; END;",
            "create procedure p() begin atomic select 1; end;",
            "CREATE FUNCTION f() RETURNS int AS $x$ BEGIN; END $x$ LANGUAGE plpgsql;",
            "BEGIN;",
            "END;",
            "SELECT CASE WHEN true THEN 1 END;",
        ] {
            assert_eq!(split(&format!("{statement} SELECT 2")), [statement, "SELECT 2"]);
        }
        assert_eq!(split("SELECT 'a\\'; SELECT '"), ["SELECT 'a\\';", "SELECT '"]);
        assert_eq!(split_as("SELECT 'a\\'; SELECT '", true), ["SELECT 'a\\'; SELECT '"]);
        assert_eq!(split("\u{feff}-- x;\r\n;;SELECT 1\r\n-- y"), ["SELECT 1"]);
        for whole in ["SELECT 'x;", "SELECT $a$;$b$", "SELECT \"x;", "/* open;", "SELECT (1;"] {
            assert_eq!(split(whole), [whole]);
        }
        for empty in ["", ";", " -- x", "/* ; */;", "\u{feff}", "\\restrict x\n\\unrestrict x"] {
            assert!(split(empty).is_empty(), "{empty}");
        }
    }

    #[test]
    fn data_belongs_to_its_copy() {
        let script =
            "COPY \"a;b\" (x) FROM stdin;\r\n1;\\N\n\\\\.\n\\.\nCOPY t TO STDOUT;COPY (SELECT 1) FROM 'stdin';";
        let copy = "COPY \"a;b\" (x) FROM stdin;\r\n1;\\N\n\\\\.\n\\.";
        assert_eq!(split(script), [copy, "COPY t TO STDOUT;", "COPY (SELECT 1) FROM 'stdin';"]);
        let apart = |text| copy_with_data(text, false).map(|(copy, data)| (copy, &text[data]));
        assert_eq!(apart(copy), Some(("COPY \"a;b\" (x) FROM stdin;", "1;\\N\n\\\\.\n")));
        assert_eq!(apart("COPY t FROM STDIN;\n\\."), Some(("COPY t FROM STDIN;", "")));
        for other in ["COPY t FROM STDIN;\nDELETE FROM t", "SELECT 1;\n\\.", "COPY t TO STDOUT;\n\\."] {
            assert_eq!(copy_with_data(other, false), None, "{other}");
        }
        for (open, at) in [("COPY t FROM STDIN;\n1\n", 0), (" COPY t FROM STDIN; SELECT 1;\n\\.\n", 1)] {
            let error = first_statement(open, false).unwrap_err();
            assert_eq!(error.record().position.into_option(), Some(at), "{open}");
        }
    }

    #[test]
    fn an_error_in_the_data_is_at_its_line() {
        let text = "COPY t FROM STDIN;\n1\n2\nx\n\\.";
        for (context, position) in [
            ("COPY t, line 3, column n: \"x\"", Some(23)),
            ("COPY t, Zeile 1", Some(19)),
            ("COPY t, line 4", None),
            ("COPY t, line 0", None),
            ("COPY t", None),
        ] {
            let mut error = Error::new(ErrorKind::DATA, "x");
            error.record_mut().extra.push(("where".to_owned().into(), context.into()).into());
            let error = at_line(error, text, 19..25);
            assert_eq!(error.record().position.into_option(), position, "{context}");
        }
    }

    #[test]
    fn a_command_of_psql_is_named_with_its_place() {
        for (script, command, at) in
            [("-- x\n\\connect chinook\n", "`\\connect`", 5), ("SELECT 1 \\gset", "`\\gset`", 9)]
        {
            let error = first_statement(script, false).unwrap_err();
            assert!(error.to_string().contains(command), "{error}");
            assert_eq!(error.record().position.into_option(), Some(at));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut_into_pieces_that_are_not_empty(
            script in "(\\PC|[-/*'\"$\\\\;(). \n]|CREATE|FUNCTION|BEGIN|END|COPY|FROM|STDIN|E'){0,60}",
            has_escapes in any::<bool>(),
        ) {
            let mut rest = &*script;
            while let Ok(Some(statement)) = first_statement(rest, has_escapes) {
                prop_assert!(statement.end > statement.start);
                copy_with_data(&rest[statement.clone()], has_escapes);
                rest = &rest[statement.end..];
            }
        }
    }
}
