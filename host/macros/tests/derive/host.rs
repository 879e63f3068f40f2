//! The traits and types of `montrs_orm` that the derive names, for rows of text.

/// What went wrong, as a text.
#[derive(Debug, PartialEq)]
pub(crate) struct DbError(pub(crate) String);

/// A column that a type reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: std::borrow::Cow<'static, str>,
    pub(crate) rust_field: &'static str,
    pub(crate) rust_type: &'static str,
    pub(crate) required: bool,
}

/// The names of a result's columns.
pub(crate) struct Columns(pub(crate) Vec<&'static str>);

/// For each field the position of its column.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan(pub(crate) Vec<Option<usize>>);

/// One row, read in the order of the plan.
pub(crate) struct RowReader<'r> {
    pub(crate) row: &'r [Option<String>],
    pub(crate) plan: std::slice::Iter<'r, Option<usize>>,
}

pub(crate) trait Decode<'r>: Sized {
    fn decode(value: Option<&'r str>) -> Result<Self, DbError>;
}

pub(crate) trait FromRow<'r>: Sized {
    fn fields(out: &mut Vec<Field>);
    fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError>;
    fn read(row: &mut RowReader<'r>) -> Result<Self, DbError>;
}

impl Columns {
    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|column| *column == name)
    }
}

impl Plan {
    pub(crate) fn column<'r, T: Decode<'r>>(&mut self, columns: &Columns, name: &'static str) -> Result<(), DbError> {
        let position = columns.position(name).ok_or_else(|| DbError(format!("no column {name}")))?;
        self.0.push(Some(position));
        Ok(())
    }

    pub(crate) fn optional_column<'r, T: Decode<'r>>(
        &mut self,
        columns: &Columns,
        name: &'static str,
    ) -> Result<(), DbError> {
        self.0.push(columns.position(name));
        Ok(())
    }
}

impl<'r> RowReader<'r> {
    pub(crate) fn take<T: Decode<'r>>(&mut self) -> Result<T, DbError> {
        self.take_or_else(|| panic!("a column without a default was planned as missing"))
    }

    pub(crate) fn take_or_default<T: Decode<'r> + Default>(&mut self) -> Result<T, DbError> {
        self.take_or_else(T::default)
    }

    pub(crate) fn take_or_else<T: Decode<'r>>(&mut self, default: impl FnOnce() -> T) -> Result<T, DbError> {
        match self.plan.next().expect("`read` takes no more than `resolve` has planned") {
            Some(position) => T::decode(self.row[*position].as_deref()),
            None => Ok(default()),
        }
    }
}

impl<'r> Decode<'r> for &'r str {
    fn decode(value: Option<&'r str>) -> Result<Self, DbError> {
        value.ok_or_else(|| DbError("NULL".to_owned()))
    }
}

impl<'r> Decode<'r> for String {
    fn decode(value: Option<&'r str>) -> Result<Self, DbError> {
        <&str>::decode(value).map(str::to_owned)
    }
}

impl<'r> Decode<'r> for i64 {
    fn decode(value: Option<&'r str>) -> Result<Self, DbError> {
        let text = <&str>::decode(value)?;
        text.parse().map_err(|_| DbError(format!("{text} is no number")))
    }
}

impl<'r, T: Decode<'r>> Decode<'r> for Option<T> {
    fn decode(value: Option<&'r str>) -> Result<Self, DbError> {
        value.map(|text| T::decode(Some(text))).transpose()
    }
}

/// Reads one row the way the host does: resolves the columns, then reads, then expects the plan to be used up.
pub(crate) fn read<T: for<'r> FromRow<'r>>(row: &[(&'static str, Option<&str>)]) -> Result<T, DbError> {
    let columns = Columns(row.iter().map(|(name, _)| *name).collect());
    let values: Vec<_> = row.iter().map(|(_, value)| value.map(str::to_owned)).collect();
    read_values(&columns, &values, &mut Plan::default())
}

/// The same for a type that borrows from the row.
pub(crate) fn read_values<'r, T: FromRow<'r>>(
    columns: &Columns,
    values: &'r [Option<String>],
    plan: &'r mut Plan,
) -> Result<T, DbError> {
    T::resolve(columns, plan)?;
    let mut reader = RowReader { row: values, plan: plan.0.iter() };
    let read = T::read(&mut reader)?;
    assert_eq!(reader.plan.len(), 0, "`read` takes all that `resolve` has planned");
    Ok(read)
}
