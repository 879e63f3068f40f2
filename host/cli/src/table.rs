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
/// With fewer characters for a column, rows are printed as records.
const MIN_COLUMN_WIDTH: usize = 10;

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// How many characters fit a line; `None` where nothing needs to fit.
    width: Option<u16>,
    has_colours: bool,
}

impl Look {
    /// As standard output can show it.
    pub(crate) fn of_standard_output() -> Self {
        Self {
            // What a terminal has, and nothing else.
            width: Table::new().width(),
            has_colours: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
        }
    }

    /// An empty table.
    pub(crate) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.force_no_tty();
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        if self.has_colours {
            table.enforce_styling();
        }
        table
    }

    fn is_too_narrow_for(self, columns: usize) -> bool {
        self.width.is_some_and(|width| usize::from(width) < columns.saturating_mul(MIN_COLUMN_WIDTH))
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

    /// Prints the rows that are there.
    fn print(&mut self) -> Result<(), Failure> {
        if self.look.is_too_narrow_for(self.names.len()) && !self.rows.is_empty() {
            self.print_records()?;
        } else {
            self.print_table()?;
        }
        self.columns.fill(Seen::default());
        self.bytes = 0;
        Ok(())
    }

    fn print_table(&mut self) -> Result<(), Failure> {
        let mut table = self.look.table();
        table.set_header(self.names.iter().map(|name| self.look.head(name)));
        table.add_rows(self.rows.drain(..));
        for (column, seen) in table.column_iter_mut().zip(&self.columns) {
            if seen.numbers && !seen.others {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Ok(writeln!(self.output, "{table}")?)
    }

    /// Each row as a table of its own, with a line for each column.
    fn print_records(&mut self) -> Result<(), Failure> {
        let first = self.count - self.rows.len() as u64 + 1;
        for (number, row) in (first..).zip(self.rows.drain(..)) {
            let mut table = self.look.table();
            table.add_rows(self.names.iter().zip(row).map(|(name, value)| [self.look.head(name), value]));
            writeln!(self.output, "row {number}\n{table}")?;
        }
        Ok(())
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

    const PLAIN: Look = Look { width: None, has_colours: false };

    fn printed(names: &[&str], rows: &[&[ValueRef<'_>]]) -> String {
        printed_as(PLAIN, names, rows)
    }

    fn printed_as(look: Look, names: &[&str], rows: &[&[ValueRef<'_>]]) -> String {
        let mut out = Vec::new();
        let mut writer = TableWriter::new(&mut out, look);
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
    fn a_table_fits_the_terminal() {
        let look = Look { width: Some(40), has_colours: false };
        let text = printed_as(look, &["a", "b"], &[&[ValueRef::Text(&"word ".repeat(30)), ValueRef::I32(1)]]);
        assert!(text.lines().count() > 5 && text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn a_row_that_is_too_wide_for_the_terminal_becomes_a_record() {
        let look = Look { width: Some(25), has_colours: false };
        let row: &[ValueRef<'_>] = &[ValueRef::I32(1), ValueRef::Null, ValueRef::Text("x")];
        let text = printed_as(look, &["a", "b", "c"], &[row, row]);
        let record = "\
┌───┬──────┐
│ a ┆ 1    │
│ b ┆ NULL │
│ c ┆ x    │
└───┴──────┘
";
        assert_eq!(text, format!("row 1\n{record}row 2\n{record}2 rows\n"));
    }

    #[test]
    fn null_is_dim_where_there_are_colours() {
        let text = printed_as(Look { width: None, has_colours: true }, &["a"], &[&[ValueRef::Null]]);
        assert!(text.contains("\u{1b}[2m"), "{text:?}");
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
