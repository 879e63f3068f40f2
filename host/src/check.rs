//! Whether a statement and the types that it is used with fit together, found out without running it.

use crate::row::short_type_name;
use crate::{
    AiError, Column, DbError, DbErrorKind, Decode, DecodeError, FromRow, Plan, StatementInfo, decode::Reach,
    plan::counted,
};
use montrs_driver_abi::{Kind, Nullability, Params, Timestamp, ValueRef};

/// Collects what is wrong with several statements, for one report: in a test, or at start-up.
///
/// ```no_run
/// use montrs_orm::{Checks, Database, DbError, FromRow};
///
/// #[derive(FromRow)]
/// struct User {
///     id: i64,
///     name: String,
/// }
///
/// # async fn example(db: Database) -> Result<(), DbError> {
/// let mut checks = Checks::new();
/// checks.add(db.query("SELECT id, name FROM users WHERE id = $1").bind(1).check::<User>().await);
/// checks.add(db.check::<(i64,)>("SELECT count(*) FROM users").await);
/// checks.add(db.execute("DELETE FROM users WHERE name = $1").bind("Ada").check::<()>().await);
/// checks.finish()?; // the error lists all that is wrong with all of them
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "the report is made by finish()"]
pub struct Checks {
    checked: usize,
    failed: Vec<DbError>,
}

impl Checks {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a [check](crate::Query::check) has found.
    pub fn add(&mut self, checked: Result<(), DbError>) {
        self.checked += 1;
        self.failed.extend(checked.err());
    }

    /// The report.
    ///
    /// # Errors
    ///
    /// [`Mismatch`](DbErrorKind::Mismatch) when anything is wrong: each statement concerned, with all that is wrong with it.
    /// The only error is returned as it is.
    pub fn finish(mut self) -> Result<(), DbError> {
        match self.failed.len() {
            0 => Ok(()),
            1 => Err(self.failed.remove(0)),
            failed => {
                let mut report = format!("{failed} of {} statements do not fit:", self.checked);
                for error in &self.failed {
                    let sql = error.sql().unwrap_or("(no statement)");
                    report.push_str(&format!("\n\n{}\n{}: {error}", sql.trim_end(), error.error_code()));
                }
                Err(DbError::new(DbErrorKind::Mismatch, report))
            }
        }
    }
}

/// What does not fit between a statement and what it is used with.
pub(crate) fn misfits<T: FromRow<'static>>(info: &StatementInfo, bound: &Params<'_>) -> Result<(), DbError> {
    let mut misfits = Vec::new();
    if !bound.is_empty() {
        parameters(info, bound, &mut misfits);
    }
    misfits.extend(Plan::misfits::<T>(info.columns())?);
    let message = match misfits.as_slice() {
        [] => return Ok(()),
        [only] => only.clone(),
        several => format!("{} things do not fit:\n- {}", several.len(), several.join("\n- ")),
    };
    let error = DbError::new(DbErrorKind::Mismatch, message);
    Err(error.during(format_args!("cannot be used with {}", short_type_name::<T>())))
}

/// What an error says, with what can be done about it.
pub(crate) fn with_fixes(error: &DbError) -> String {
    error.case_fixes().iter().fold(error.to_string(), |text, fix| format!("{text} - {fix}"))
}

/// Why a column cannot be read as `T`, if it cannot. NULL is no reason where all columns of a type may be NULL together.
pub(crate) fn misfit<'r, T: Decode<'r>>(column: Column<'_>, may_be_null: bool) -> Option<String> {
    let can_be_null = column.nullability() == Nullability::NULLABLE && !may_be_null;
    let reason = wrong_kind::<T>(column.kind()).or_else(|| can_be_null.then(of_null::<T>).flatten())?;
    let sql_type = match column.type_name() {
        "" => String::new(),
        type_name => format!(" (SQL type {type_name})"),
    };
    Some(format!("column {:?}{sql_type} cannot be read as {}: {reason}", column.name(), short_type_name::<T>()))
}

/// Why NULL cannot be read as `T`.
fn of_null<'r, T: Decode<'r>>() -> Option<String> {
    let error = T::decode(ValueRef::Null).err()?;
    if error != DecodeError::unexpected(ValueRef::Null) {
        return Some(error.to_string().replacen("it is NULL", "it can be NULL", 1));
    }
    let name = short_type_name::<T>();
    Some(format!("it can be NULL: use Option<{name}>, or COALESCE where the statement leaves no NULL"))
}

/// Why values of this kind cannot be read as `T`, or not all of them: told by reading one. An integer is one that needs all
/// of its column's width, so that a type for a narrower column is found out.
fn wrong_kind<'r, T: Decode<'r>>(kind: Kind) -> Option<String> {
    const AT: Timestamp = Timestamp { seconds: 0, nanoseconds: 0 };
    let sample = match kind {
        Kind::BOOL => ValueRef::Bool(false),
        Kind::I16 => ValueRef::I16(2),
        Kind::I32 => ValueRef::I32(1 << 15),
        Kind::I64 => ValueRef::I64(1 << 31),
        Kind::F32 => ValueRef::F32(0.0),
        Kind::F64 => ValueRef::F64(0.0),
        Kind::DECIMAL => ValueRef::Decimal("0"),
        Kind::TEXT => ValueRef::Text(""),
        Kind::BYTES => ValueRef::Bytes(&[]),
        Kind::DATE => ValueRef::Date(0),
        Kind::TIME => ValueRef::Time(0),
        Kind::TIMESTAMP => ValueRef::Timestamp(AT),
        Kind::TIMESTAMP_TZ => ValueRef::TimestampTz(AT),
        Kind::INTERVAL => ValueRef::Interval { months: 0, days: 0, microseconds: 0 },
        Kind::UUID => ValueRef::Uuid([0; 16]),
        Kind::JSON => ValueRef::Json("null"),
        Kind::OTHER_TEXT => ValueRef::OtherText(""),
        // Nothing is known of the values, or of the elements of an array.
        _ => return None,
    };
    match T::decode(sample).err()? {
        error if error.reach == Reach::Kind => Some(error.to_string()),
        error if error.reach == Reach::Range => Some(format!("it can hold integers that do not fit, as {error}")),
        _ => None,
    }
}

/// Compares the parameters that are bound with those of the statement.
fn parameters(info: &StatementInfo, bound: &Params<'_>, misfits: &mut Vec<String>) {
    let expected = info.parameters();
    if !bound.has_names() && bound.len() != expected.len() {
        let is_or_are = if bound.len() == 1 { "is" } else { "are" };
        let expected = counted(expected.len(), "parameter");
        misfits.push(format!("the statement has {expected}, and {} {is_or_are} bound", bound.len()));
    }
    let names: Vec<_> = (0..bound.len()).map(|index| bound.name(index)).collect();
    for (index, name) in names.iter().enumerate() {
        let parameter = match name {
            Some(name) => expected.iter().find(|parameter| parameter.name() == Some(name)),
            None => expected.get(index),
        };
        let shown = name.map_or_else(|| format!("${}", index + 1), |name| format!(":{name}"));
        match (parameter, bound.get(index)) {
            (None, _) if name.is_some() => misfits.push(format!("the statement has no parameter {shown}")),
            (Some(parameter), Ok(value)) => misfits.extend(
                wrong_value(value, parameter.kind())
                    .map(|bound| format!("{bound} is bound to {shown}, which is of type {}", parameter.type_name())),
            ),
            _ => {}
        }
    }
    // Beside names, a value without one goes to a parameter that nobody knows here.
    if !names.is_empty() && names.iter().all(Option::is_some) {
        let unbound =
            expected.iter().filter_map(|parameter| parameter.name()).filter(|name| !names.contains(&Some(name)));
        misfits.extend(unbound.map(|name| format!("nothing is bound to :{name}")));
    }
}

/// What is wrong with a value for a parameter of this kind. A list may be bound in place of one value, by `IN ($1)`.
fn wrong_value(value: ValueRef<'_>, expected: Kind) -> Option<String> {
    if let ValueRef::Array(list) = value
        && expected != Kind::ARRAY
    {
        let mut kinds = (0..list.len()).filter_map(|index| Some(list.get(index).ok()?.kind()));
        return kinds.find(|kind| !can_be_bound(*kind, expected)).map(|kind| format!("a list of kind {kind:?}"));
    }
    (!can_be_bound(value.kind(), expected)).then(|| format!("a value of kind {:?}", value.kind()))
}

/// Whether a value of a kind may be bound to a parameter of another. Drivers convert; this rules out what cannot be meant.
fn can_be_bound(bound: Kind, expected: Kind) -> bool {
    const NUMBERS: &[Kind] = &[Kind::I16, Kind::I32, Kind::I64, Kind::F32, Kind::F64, Kind::DECIMAL];
    const INTEGERS: &[Kind] = &[Kind::I16, Kind::I32, Kind::I64];
    match (bound, expected) {
        // Nothing is known, or the caller knows best.
        (Kind::NULL | Kind::OTHER_TEXT | Kind::OTHER_BYTES, _) | (_, Kind::NULL) => true,
        (Kind::BYTES, expected) => matches!(expected, Kind::BYTES | Kind::OTHER_BYTES | Kind::OTHER_TEXT),
        (_, Kind::BYTES) => false,
        // A text is read by the database as a literal of the type is; and everything has a text.
        (Kind::TEXT, _) | (_, Kind::TEXT | Kind::JSON | Kind::OTHER_TEXT | Kind::OTHER_BYTES) => true,
        (bound, Kind::BOOL) => bound == Kind::BOOL || INTEGERS.contains(&bound),
        (bound, expected) if INTEGERS.contains(&expected) => INTEGERS.contains(&bound) || bound == Kind::DECIMAL,
        (bound, expected) if NUMBERS.contains(&expected) => NUMBERS.contains(&bound),
        (Kind::DATE, Kind::TIMESTAMP) => true,
        (bound, expected) => bound == expected,
    }
}
