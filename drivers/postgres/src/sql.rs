//! What the driver needs to know of a statement's text. PostgreSQL reads the rest.

use crate::token::after_comment;

/// Whether there is nothing but blanks, comments and semicolons.
pub(crate) fn is_empty(sql: &str) -> bool {
    first_word(sql).is_empty()
}

/// Whether it is a COPY.
pub(crate) fn is_copy(sql: &str) -> bool {
    let word = first_word(sql).as_bytes();
    let is_longer = word.get(4).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 128..));
    word.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"COPY")) && !is_longer
}

/// The text without the blanks, comments and semicolons that it begins with.
pub(crate) fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, ';' | '\u{b}'));
        rest = match rest.as_bytes() {
            [b'-', b'-', ..] => rest.find(['\n', '\r']).map_or("", |end| &rest[end..]),
            // The server says that a comment has no end.
            [b'/', b'*', ..] => match after_comment(rest) {
                Some(rest) => rest,
                None => return rest,
            },
            _ => return rest,
        };
    }
}

/// Whether a statement has no rows for sure, by its first word: those of a routine, a rule or a name that was prepared
/// could have some.
pub(crate) fn has_no_rows(sql: &str) -> bool {
    const NEVER: [&str; 28] = [
        "ABORT",
        "ALTER",
        "ANALYZE",
        "BEGIN",
        "CLOSE",
        "COMMENT",
        "COMMIT",
        "CREATE",
        "DEALLOCATE",
        "DISCARD",
        "DO",
        "DROP",
        "END",
        "GRANT",
        "LOCK",
        "NOTIFY",
        "PREPARE",
        "REFRESH",
        "REINDEX",
        "RELEASE",
        "RESET",
        "REVOKE",
        "ROLLBACK",
        "SAVEPOINT",
        "SET",
        "START",
        "TRUNCATE",
        "VACUUM",
    ];
    const UNLESS_RETURNING: [&str; 4] = ["DELETE", "INSERT", "MERGE", "UPDATE"];
    let text = first_word(sql);
    let word = &text[..text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())];
    let is_one_of = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    is_one_of(&NEVER) || is_one_of(&UNLESS_RETURNING) && !mentions(sql, b"returning")
}

/// Whether the text mentions what may outlive the statement in its session and is not told by the command tag: a
/// temporary table, a setting, a lock.
pub(crate) fn may_change_session(sql: &str) -> bool {
    const WORDS: [&[u8]; 3] = [b"temp", b"set_config", b"advisory"];
    WORDS.iter().any(|word| mentions(sql, word))
}

/// Whether the word is anywhere in the text, in any case.
pub(crate) fn mentions(sql: &str, word: &[u8]) -> bool {
    sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether it begins or ends a transaction.
pub(crate) fn ends_transaction(sql: &str) -> bool {
    const WORDS: [&str; 6] = ["ABORT", "BEGIN", "COMMIT", "END", "ROLLBACK", "START"];
    let mut rest = first_word(sql);
    let mut next = || {
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = first_word(after);
        word.to_ascii_uppercase()
    };
    let (first, mut second) = (next(), next());
    if matches!(second.as_str(), "WORK" | "TRANSACTION") && first == "ROLLBACK" {
        second = next();
    }
    match first.as_str() {
        "ROLLBACK" => second != "TO",
        "PREPARE" => second == "TRANSACTION",
        first => WORDS.contains(&first),
    }
}

/// What a statement with this command tag may have left in the session.
pub(crate) fn leaves(tag: &str) -> Leaves {
    match tag.split(' ').next().unwrap_or_default() {
        // DEALLOCATE and DISCARD take the driver's statements with them; PREPARE adds a name that only goes with them.
        "PREPARE" | "DEALLOCATE" | "DISCARD" => Leaves::Statements,
        "SET" | "RESET" | "LISTEN" | "UNLISTEN" | "LOAD" | "DECLARE" | "DO" | "CALL" => Leaves::State,
        _ => Leaves::Nothing,
    }
}

/// What is left in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaves {
    Nothing,
    /// Settings, temporary tables, locks, subscriptions, cursors.
    State,
    /// Prepared statements that are not the driver's, or the driver's own are gone.
    Statements,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_blanks_are_empty() {
        for sql in ["", " \n\t;;", "-- x", "--x\n;", "/* a /* b */ c */ ", "/**/"] {
            assert!(is_empty(sql), "{sql}");
        }
        for sql in ["x", "/* a", "/*/", "- -", "--\nx", "/* */ SELECT 1", "'"] {
            assert!(!is_empty(sql), "{sql}");
        }
    }

    #[test]
    fn a_copy_is_told_from_what_begins_like_it() {
        for sql in ["copy t from stdin", "/* x */ ;COPY(SELECT 1) TO STDOUT", "COPY"] {
            assert!(is_copy(sql), "{sql}");
        }
        for sql in ["", "COP", "COPYING", "copy_of()", "copyä", "/* COPY", "SELECT copy"] {
            assert!(!is_copy(sql), "{sql}");
        }
    }

    #[test]
    fn what_has_no_rows_is_told_by_its_first_word() {
        for sql in [
            "-- x\ninsert into t values ('(')",
            "UPDATE t SET x = 1",
            "BEGIN",
            "set a = b",
            "CREATE TABLE t AS SELECT 1",
        ] {
            assert!(has_no_rows(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "DELETE FROM t Returning x",
            "WITH a AS (SELECT 1) SELECT 1",
            "SETTER",
            "CALL p()",
            "",
            "(SELECT 1)",
        ] {
            assert!(!has_no_rows(sql), "{sql}");
        }
    }

    #[test]
    fn what_begins_or_ends_a_transaction_is_told() {
        for sql in [
            "begin",
            "/* x */ COMMIT;",
            "rollback",
            "ROLLBACK WORK",
            "Rollback Prepared 'x'",
            "end;",
            "abort",
            "start transaction",
            "PREPARE TRANSACTION 'x'",
        ] {
            assert!(ends_transaction(sql), "{sql}");
        }
        for sql in [
            "",
            "SELECT 1",
            "ROLLBACK TO s",
            "rollback /* */ work to savepoint s",
            "PREPARE x AS SELECT 1",
            "beginning()",
            "SAVEPOINT s",
        ] {
            assert!(!ends_transaction(sql), "{sql}");
        }
    }

    #[test]
    fn what_stays_in_a_session_is_seen() {
        assert!(may_change_session("CREATE TEMPORARY TABLE t (n int)"));
        assert!(may_change_session("SELECT Set_Config('a.b', '1', false)"));
        assert!(!may_change_session("SELECT name FROM users"));
        assert_eq!(leaves("SET"), Leaves::State);
        assert_eq!(leaves("DECLARE CURSOR"), Leaves::State);
        assert_eq!(leaves("DEALLOCATE ALL"), Leaves::Statements);
        assert_eq!(leaves("UPDATE 1"), Leaves::Nothing);
    }

    proptest! {
        #[test]
        fn any_text_is_read(sql in "\\PC{0,30}", comments in "[-/*\\n a]{0,20}") {
            is_empty(&sql);
            is_copy(&sql);
            is_empty(&comments);
            may_change_session(&sql);
            ends_transaction(&sql);
            ends_transaction(&format!("ROLLBACK{comments}"));
        }
    }
}
