//! The place in a statement that an error is about, shown.

/// No more characters of the line are shown before and after the place.
const SHOWN: usize = 60;

/// The line of a statement that this offset is in, with a mark under the place.
pub(crate) fn marked(sql: &str, offset: usize) -> String {
    let (before, after) = sql.split_at(offset);
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default().trim_end();
    let (cut, before) = match before.char_indices().nth_back(SHOWN - 1) {
        Some((start, _)) if start > 0 => ("…", &before[start..]),
        _ => ("", before),
    };
    let (after, rest) = match after.char_indices().nth(SHOWN) {
        Some((end, _)) => (&after[..end], "…"),
        None => (after, ""),
    };
    // A tab stays one, so that the mark is moved as the line is.
    let indent: String = cut.chars().chain(before.chars()).map(|c| if c == '\t' { c } else { ' ' }).collect();
    format!("  {cut}{before}{after}{rest}\n  {indent}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_place() {
        assert_eq!(marked("SELECT\n ü, x\nFROM t", "SELECT\n ü, ".len()), "   ü, x\n      ^");
        assert_eq!(marked("SELECT", 0), "  SELECT\n  ^");
        assert_eq!(marked("SELECT", 6), "  SELECT\n        ^");
        assert_eq!(marked("\tSELEC 1\r\n", 1), "  \tSELEC 1\n  \t^");
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let sql = format!("SELECT 1,\n{}X{}", "ä".repeat(1000), "ö".repeat(1000));
        let text = marked(&sql, sql.find('X').unwrap());
        let (line, mark) = text.split_once('\n').unwrap();
        assert_eq!(line, format!("  …{}X{}…", "ä".repeat(60), "ö".repeat(59)));
        assert_eq!(line.chars().position(|c| c == 'X'), mark.chars().position(|c| c == '^'));
    }
}
