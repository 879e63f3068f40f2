//! The place in a statement that an error is about.

use crate::printable;
use unicode_width::UnicodeWidthStr;

/// No more characters of the line are shown before and after the place.
const MAX_CHARS: usize = 60;

/// A place in a statement.
#[derive(Debug, PartialEq)]
pub(crate) struct Place<'a> {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) character: usize,
    before: &'a str,
    after: &'a str,
}

impl<'a> Place<'a> {
    /// The place at this byte offset; `None` where the statement has no such place.
    pub(crate) fn of(sql: &'a str, offset: usize) -> Option<Self> {
        let (head, tail) = sql.split_at_checked(offset)?;
        let before = head.rsplit('\n').next().unwrap_or_default();
        let after = tail.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let line = head.matches('\n').count() + 1;
        Some(Self { line, character: before.chars().count() + 1, before, after })
    }

    /// As compilers have it: `schema.sql:12:5`.
    pub(crate) fn line_and_column(&self, file: &str) -> String {
        format!("{file}:{}:{}", self.line, self.character)
    }

    /// The line with its number, and a mark under the place.
    pub(crate) fn lines(&self) -> String {
        let before = match self.before.char_indices().nth_back(MAX_CHARS - 1) {
            Some((start, _)) if start > 0 => format!("…{}", printable::line(&self.before[start..])),
            _ => printable::line(self.before).into_owned(),
        };
        let after = match self.after.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => format!("{}…", printable::line(&self.after[..end])),
            None => printable::line(self.after).into_owned(),
        };
        let number = self.line.to_string();
        let (margin, indent) = (" ".repeat(number.len()), " ".repeat(before.width()));
        format!("  {number} | {before}{after}\n  {margin} | {indent}^")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_place() {
        let sql = "SELECT *\nFORM Track\nWHERE 1";
        let place = Place::of(sql, 9).unwrap();
        assert_eq!((place.line, place.character), (2, 1));
        assert_eq!(place.lines(), "  2 | FORM Track\n    | ^");
        let place = Place::of(sql, 14).unwrap();
        assert_eq!(place.lines(), "  2 | FORM Track\n    |      ^");
    }

    #[test]
    fn wide_characters_and_tabs_move_the_mark_as_they_are_shown() {
        let place = Place::of("'日本'\tx", 9).unwrap();
        assert_eq!(place.character, 6);
        assert_eq!(place.lines(), "  1 | '日本'\\tx\n    |         ^");
    }

    #[test]
    fn the_end_of_the_statement_is_a_place() {
        assert_eq!(Place::of("SELECT\r\n", 6).unwrap().lines(), "  1 | SELECT\n    |       ^");
        assert_eq!(Place::of("ab", 2).unwrap().lines(), "  1 | ab\n    |   ^");
        assert_eq!(Place::of("", 0).unwrap().lines(), "  1 | \n    | ^");
    }

    #[test]
    fn what_is_no_place_is_none() {
        assert_eq!(Place::of("ab", 3), None);
        assert_eq!(Place::of("ü", 1), None);
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let sql = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let lines = Place::of(&sql, 1000).unwrap().lines();
        let (line, mark) = lines.split_once('\n').unwrap();
        assert!(line.starts_with("  1 | …aaa") && line.ends_with("bbb…"), "{line}");
        assert!(line.chars().count() < 140);
        assert_eq!(line.chars().position(|c| c == 'X'), mark.chars().position(|c| c == '^'));
    }
}
