//! Text that is safe to print to a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with control characters, and those that change the direction of writing, as escapes.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// The same, with line breaks kept.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character == '\n')
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let unsafe_to_print = |character: char| is_unsafe(character) && !keep(character);
    if !text.contains(unsafe_to_print) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if unsafe_to_print(character) {
            // Into a string, it cannot fail.
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(character: char) -> bool {
    let changes_direction =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks_lines = matches!(character, '\u{2028}' | '\u{2029}');
    character.is_control() || changes_direction || breaks_lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_escapes_and_the_rest_stays() {
        assert_eq!(line("grüße 日本 \\"), "grüße 日本 \\");
        assert_eq!(line("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(line("\u{1b}[31m\u{0}\u{9b}"), "\\u{1b}[31m\\u{0}\\u{9b}");
        assert_eq!(line("\u{202e}abc"), "\\u{202e}abc");
        assert_eq!(lines("a\nb\r"), "a\nb\\r");
    }
}
