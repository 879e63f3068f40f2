//! Where in a script the first statement ends, as SQLite's own `sqlite3_complete` and its shell have it: at a semicolon,
//! except in the body of a trigger, which ends at `; END;`.

use crate::sql::{Token, tokens};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::ops::Range;

/// How much of a statement was read, as far as it says which semicolon is its last.
#[derive(Clone, Copy)]
enum State {
    /// Nothing.
    Start,
    /// `EXPLAIN`
    Explain,
    /// `CREATE`, `CREATE TEMP`
    Create,
    /// What cannot be a trigger any more.
    Plain,
    /// A trigger.
    Trigger,
    /// A semicolon in a trigger.
    Semicolon,
    /// `; END` in a trigger.
    End,
}

impl State {
    fn after(self, token: Token, text: &str) -> Self {
        let is = |word: &str| token == Token::Word && text.eq_ignore_ascii_case(word);
        match self {
            Self::Start if is("EXPLAIN") => Self::Explain,
            Self::Start | Self::Explain if is("CREATE") => Self::Create,
            // `EXPLAIN QUERY PLAN`
            Self::Explain if token == Token::Word => Self::Explain,
            Self::Create if is("TEMP") || is("TEMPORARY") => Self::Create,
            Self::Create if is("TRIGGER") => Self::Trigger,
            Self::Start | Self::Explain | Self::Create | Self::Plain => Self::Plain,
            Self::Trigger | Self::Semicolon | Self::End if token == Token::Semicolon => Self::Semicolon,
            Self::Semicolon if is("END") => Self::End,
            Self::Trigger | Self::Semicolon | Self::End => Self::Trigger,
        }
    }

    /// Whether a semicolon ends the statement.
    fn can_end(self) -> bool {
        !matches!(self, Self::Trigger | Self::Semicolon)
    }
}

/// The first statement of a script, with its semicolon; `None` where there is none.
pub(crate) fn first_statement(script: &str) -> Result<Option<Range<usize>>> {
    let (mut state, mut statement) = (State::Start, None::<Range<usize>>);
    for (token, text, at) in tokens(script) {
        let end = at + text.len();
        match (&mut statement, token) {
            (_, Token::Space) | (None, Token::Semicolon) => continue,
            (None, Token::Other) if text == "." => return Err(shell_command(&script[at..], at)),
            (None, _) => statement = Some(at..end),
            (Some(statement), _) => statement.end = end,
        }
        if token == Token::Semicolon && state.can_end() {
            break;
        }
        state = state.after(token, text);
    }
    Ok(statement)
}

#[cold]
fn shell_command(line: &str, at: usize) -> Error {
    let command = line.split_whitespace().next().unwrap_or_default();
    Error::new(ErrorKind::SYNTAX, format!("`{command}` is a command of SQLite's shell, not SQL"))
        .with_position(at)
        .with_hint("take it out of the script, or say it in SQL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(mut script: &str) -> Vec<&str> {
        let mut statements = Vec::new();
        while let Some(statement) = first_statement(script).unwrap() {
            statements.push(&script[statement.clone()]);
            script = &script[statement.end..];
        }
        statements
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_quoted() {
        let script = "\u{feff}-- one;\nSELECT ';', \";\", [;], `;` /* ; */ ;; ;\r\nSELECT 2 ; SELECT 3 -- ;";
        assert_eq!(split(script), ["SELECT ';', \";\", [;], `;` /* ; */ ;", "SELECT 2 ;", "SELECT 3"]);
        assert_eq!(split("SELECT 'open; SELECT 2;"), ["SELECT 'open; SELECT 2;"]);
        for empty in ["", ";", " -- x", "/* open", "\u{feff}"] {
            assert!(split(empty).is_empty(), "{empty}");
        }
    }

    #[test]
    fn the_body_of_a_trigger_is_part_of_it() {
        let trigger = "CREATE temp /**/ TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; \
                       UPDATE t SET x = 1;; END ;";
        for prefix in ["", "EXPLAIN ", "EXPLAIN QUERY PLAN "] {
            let trigger = format!("{prefix}{trigger}");
            assert_eq!(split(&format!("{trigger} SELECT 1;")), [&*trigger, "SELECT 1;"]);
        }
        assert_eq!(split("CREATE TABLE trigger (x); END; SELECT 1"), ["CREATE TABLE trigger (x);", "END;", "SELECT 1"]);
        assert_eq!(split("EXPLAIN SELECT 1; SELECT 2;"), ["EXPLAIN SELECT 1;", "SELECT 2;"]);
    }

    #[test]
    fn a_command_of_the_shell_is_named_with_its_place() {
        let error = first_statement("-- x\n.read other.sql\n").unwrap_err();
        assert!(error.to_string().contains("`.read`"), "{error}");
        assert_eq!(error.record().position.into_option(), Some(5));
    }

    proptest! {
        #[test]
        fn any_text_is_cut_into_pieces_that_are_not_empty(script in "(\\PC|[-/*'\"`;. \n]|CREATE|TRIGGER|END|EXPLAIN){0,60}") {
            let mut rest = &*script;
            while let Ok(Some(statement)) = first_statement(rest) {
                prop_assert!(statement.end > statement.start);
                rest = &rest[statement.end..];
            }
        }
    }
}
