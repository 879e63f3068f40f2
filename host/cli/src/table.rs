//! Rows as a table, for people.

use crate::{failure::Failure, printable, rows::RowWriter, value_text};
use anstream::{AutoStream, ColorChoice};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use montrs_orm::ValueRef;
use std::{borrow::Cow, io::Write};

/// No more rows are in one table, so that memory is bounded; what follows is a table of its own.
const MAX_ROWS: usize = 10_000;
/// No more text is in one table.
const MAX_BYTES: usize = 8 << 20;
/// No more characters of a value are shown.
const MAX_CHARS: usize = 1000;

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether values are broken into lines, so that the table fits the terminal.
    fits_terminal: bool,
    has_colours: bool,
}

impl Look {
    /// As standard output can show it.
    pub(crate) fn of_standard_output() -> Self {
        Self {
            fits_terminal: std::io::IsTerminal::is_terminal(&std::io::stdout()),
            has_colours: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
        }
    }

    /// An empty table.
    pub(crate) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        if self.fits_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        }
        table
    }

    /// The head of a column.
    pub(crate) fn head(self, name: &str) -> Cell {
        let cell = Cell::new_owned(printable::line(name).into_owned());
        if self.has_colours { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    fn null(self) -> Cell {
        let cell = Cell::new("NULL");
        if self.has_colours { cell.add_attribute(Attribute::Dim) } else { cell }
    }
}

/// Collects rows, since the widths of the columns depend on all of them.
pub(crate) struct TableWriter<W> {
    output: W,
    look: Look,
    names: Vec<String>,
    /// The rows that are not printed yet, and about how large they are.
    rows: Vec<Vec<Cell>>,
    bytes: usize,
    /// What was seen in each column of these rows.
    columns: Vec<Seen>,
    /// All rows of the result so far.
    count: u64,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    numbers: bool,
    others: bool,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(output: W, look: Look) -> Self {
        Self { output, look, names: Vec::new(), rows: Vec::new(), bytes: 0, columns: Vec::new(), count: 0 }
    }

    fn cell(&mut self, column: usize, value: ValueRef<'_>) -> Result<Cell, Failure> {
        let Some(text) = value_text::text(value)? else { return Ok(self.look.null()) };
        if let Some(seen) = self.columns.get_mut(column) {
            match value_text::is_number(value) {
                true => seen.numbers = true,
                false => seen.others = true,
            }
        }
        let text = printable::line(&cut(&text)).into_owned();
        self.bytes += text.len();
        Ok(Cell::new_owned(text))
    }

    /// Prints the rows that are there as a table.
    fn print(&mut self) -> Result<(), Failure> {
        let mut table = self.look.table();
        table.set_header(self.names.iter().map(|name| self.look.head(name)));
        table.add_rows(self.rows.drain(..));
        for (column, seen) in table.column_iter_mut().zip(&mut self.columns) {
            if seen.numbers && !seen.others {
                column.set_cell_alignment(CellAlignment::Right);
            }
            *seen = Seen::default();
        }
        self.bytes = 0;
        Ok(writeln!(self.output, "{table}")?)
    }
}

impl<W: Write> RowWriter for TableWriter<W> {
    fn begin(&mut self, names: &[&str]) -> Result<(), Failure> {
        self.names = names.iter().map(ToString::to_string).collect();
        self.columns = vec![Seen::default(); names.len()];
        Ok(())
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> Result<(), Failure> {
        if self.rows.len() == MAX_ROWS || self.bytes > MAX_BYTES {
            self.print()?;
        }
        let row = values.iter().enumerate().map(|(column, value)| self.cell(column, *value));
        let row = row.collect::<Result<_, _>>()?;
        self.rows.push(row);
        self.count += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.print()?;
        Ok(writeln!(self.output, "{}", counted(self.count, "row"))?)
    }

    fn done(&mut self, rows_affected: u64, _: Option<i64>) -> Result<(), Failure> {
        Ok(writeln!(self.output, "{}", affected(rows_affected))?)
    }
}

/// What a statement without a result did, in words.
pub(crate) fn affected(rows: u64) -> String {
    format!("{} affected", counted(rows, "row"))
}

pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { fits_terminal: false, has_colours: false };

    fn printed(names: &[&str], rows: &[&[ValueRef<'_>]]) -> String {
        let mut out = Vec::new();
        let mut writer = TableWriter::new(&mut out, PLAIN);
        writer.begin(names).unwrap();
        rows.iter().for_each(|row| writer.row(row).unwrap());
        writer.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_to_the_right_and_null_can_be_seen() {
        let text = printed(
            &["name", "n"],
            &[&[ValueRef::Text("Ada"), ValueRef::I64(1)], &[ValueRef::Null, ValueRef::I64(1000)]],
        );
        let expected = "\
┌──────┬──────┐
│ name ┆    n │
╞══════╪══════╡
│ Ada  ┆    1 │
│ NULL ┆ 1000 │
└──────┴──────┘
2 rows
";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_are_printed_also_without_rows() {
        let text = printed(&["name", "n"], &[]);
        assert!(text.contains("│ name ┆ n │") && text.ends_with("0 rows\n"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = printed(&["a\tb"], &[&[ValueRef::Text("\u{1b}[2J\nx")]]);
        assert!(text.contains("a\\tb") && text.contains("\\u{1b}[2J\\nx"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = printed(&["a"], &[&[ValueRef::Text(&"ü".repeat(5000))]]);
        assert!(text.contains("… (5000 characters)") && text.matches('ü').count() == MAX_CHARS);
    }

    #[test]
    fn many_rows_become_several_tables() {
        let row: &[ValueRef<'_>] = &[ValueRef::I32(1)];
        let text = printed(&["a"], &vec![row; MAX_ROWS + 1]);
        assert_eq!(text.matches('┌').count(), 2);
        assert!(text.ends_with("10001 rows\n"));
    }

    #[test]
    fn one_row_is_singular() {
        assert_eq!(affected(1), "1 row affected");
        assert_eq!(affected(0), "0 rows affected");
    }
}
