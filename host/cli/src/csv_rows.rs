//! Rows as CSV, as RFC 4180 has it, streamed.

use crate::{failure::Failure, rows::RowWriter, value_text};
use montrs_orm::ValueRef;
use std::io::Write;

/// Writes the column names, then each row as it comes. NULL is an empty field.
pub(crate) struct CsvWriter<W: Write> {
    output: csv::Writer<W>,
}

impl<W: Write> CsvWriter<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output: csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(output) }
    }

    fn record<T: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = T>) -> Result<(), Failure> {
        self.output.write_record(fields).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Failure::system("CLI_OUTPUT", format!("a row cannot be written: {other:?}")),
        })
    }
}

impl<W: Write> RowWriter for CsvWriter<W> {
    fn begin(&mut self, names: &[&str]) -> Result<(), Failure> {
        self.record(names)
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> Result<(), Failure> {
        let fields = values.iter().map(|value| value_text::text(*value)).collect::<Result<Vec<_>, _>>()?;
        self.record(fields.iter().map(|field| field.as_deref().unwrap_or_default()))
    }

    fn end(&mut self) -> Result<(), Failure> {
        Ok(self.output.flush()?)
    }

    fn done(&mut self, rows_affected: u64, _: Option<i64>) -> Result<(), Failure> {
        // It is no part of the data; nothing is lost when standard error is closed.
        let _ = writeln!(std::io::stderr(), "{}", crate::table::affected(rows_affected));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_first_and_fields_are_quoted_where_needed() {
        let mut out = Vec::new();
        let mut writer = CsvWriter::new(&mut out);
        writer.begin(&["a", "b,c"]).unwrap();
        writer.row(&[ValueRef::Null, ValueRef::Text("x\n\"y\"")]).unwrap();
        writer.row(&[ValueRef::I32(1), ValueRef::Bool(true)]).unwrap();
        writer.end().unwrap();
        drop(writer);
        assert_eq!(out, b"a,\"b,c\"\r\n,\"x\n\"\"y\"\"\"\r\n1,true\r\n");
    }

    #[test]
    fn names_are_printed_also_without_rows() {
        let mut out = Vec::new();
        let mut writer = CsvWriter::new(&mut out);
        writer.begin(&["a"]).unwrap();
        writer.end().unwrap();
        drop(writer);
        assert_eq!(out, b"a\r\n");
    }
}
