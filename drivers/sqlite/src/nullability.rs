//! Whether a result's columns can be NULL.
//!
//! SQLite tells it of tables, not of results: a column that is declared NOT NULL is NULL behind an outer join, in a scalar
//! subquery or an aggregate without rows, or in the second part of a UNION. So the answer is "not NULL" only for statements
//! without any of that. A column that is declared neither NOT NULL nor as a key can be NULL. The rest is not known.

use crate::{
    handle::{Failure, Handle},
    sql::{self, Token},
    statement::Statement,
};
use montrs_driver_sdk::Nullability;

/// The nullability of a statement's columns, in their order.
pub(crate) fn of(handle: &Handle, statement: &Statement, sql: &str) -> Result<Vec<Nullability>, Failure> {
    // A view may hide any of the above.
    let has_views = handle.first_text("SELECT 1 FROM pragma_table_list WHERE type = 'view' LIMIT 1")?.is_some();
    let is_plain = !has_views && is_plain(sql);
    let nullability = |column| {
        let Some(origin) = statement.column_origin(column) else {
            return Nullability::UNKNOWN;
        };
        match handle.declared_nullability(&origin.schema, &origin.table, &origin.column) {
            Nullability::NOT_NULL if !is_plain => Nullability::UNKNOWN,
            declared => declared,
        }
    };
    Ok((0..statement.column_count()).map(nullability).collect())
}

/// Whether the columns of the statement's result are those of rows that exist.
fn is_plain(sql: &str) -> bool {
    const NOT_PLAIN: &[&str] = &["LEFT", "RIGHT", "FULL", "OUTER", "UNION", "INTERSECT", "EXCEPT", "WITH"];
    /// What may stand before a parenthesis without being a function.
    const NO_FUNCTION: &[&str] =
        &["AND", "BY", "FROM", "IN", "INTO", "JOIN", "NOT", "ON", "OR", "USING", "VALUES", "WHERE"];
    let is_one_of = |word: &str, words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let (mut selects, mut before) = (0, None);
    let is_write = !sql::verb(sql).is_some_and(|verb| verb.eq_ignore_ascii_case("SELECT"));
    for (token, text, _) in sql::tokens(sql).filter(|(token, ..)| *token != Token::Space) {
        match token {
            Token::Word if is_one_of(text, NOT_PLAIN) => return false,
            Token::Word if text.eq_ignore_ascii_case("SELECT") => selects += 1,
            Token::Open if !is_write => match before {
                Some((Token::Word, word)) if !is_one_of(word, NO_FUNCTION) => return false,
                Some((Token::Quoted, _)) => return false,
                _ => {}
            },
            _ => {}
        }
        before = Some((token, text));
    }
    selects <= usize::from(!is_write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_whose_rows_exist_are_plain() {
        for sql in [
            "SELECT id FROM t WHERE (a = 1) AND id IN (1, 2)",
            "SELECT t.id FROM t JOIN u USING (id)",
            "INSERT INTO t (a) VALUES (max(1, 2)) RETURNING id",
        ] {
            assert!(is_plain(sql), "{sql}");
        }
        for sql in [
            "SELECT u.id FROM t LEFT JOIN u",
            "SELECT id, count(*) FROM t",
            "SELECT id, \"count\"(*) FROM t",
            "SELECT (SELECT id FROM t)",
            "SELECT id FROM t UNION ALL VALUES (NULL)",
            "WITH c AS (SELECT 1) SELECT id FROM t",
            "INSERT INTO t SELECT 1 RETURNING (SELECT id FROM t)",
        ] {
            assert!(!is_plain(sql), "{sql}");
        }
    }
}
