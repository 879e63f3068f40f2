//! `montrs-db explain`.

use crate::{args::TextFormat, failure::Failure};
use montrs_orm::DbErrorKind;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// Explains the error of this code, or lists all codes.
pub(crate) fn explain(code: Option<&str>, format: TextFormat) -> Result<(), Failure> {
    let text = match (code, format) {
        (None, TextFormat::Text) => list(),
        (None, TextFormat::Json) => format!("{:#}\n", Value::from_iter(DbErrorKind::ALL.iter().map(to_json))),
        (Some(code), TextFormat::Text) => page(find(code)?),
        (Some(code), TextFormat::Json) => format!("{:#}\n", to_json(&find(code)?)),
    };
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

fn list() -> String {
    let width = DbErrorKind::ALL.iter().map(|kind| kind.code().len()).max().unwrap_or(0);
    DbErrorKind::ALL.iter().fold(String::new(), |mut out, kind| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:width$}  {}", kind.code(), kind.meaning());
        out
    })
}

fn page(kind: DbErrorKind) -> String {
    let mut out = format!("{}: {}\n\nCause: {}\n\n", kind.code(), kind.meaning(), kind.cause());
    let _ = write!(out, "Example: {}\n\nWhat can be done:\n", kind.example());
    for (number, fix) in (1..).zip(kind.fixes()) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "  {number}. {fix}");
    }
    out
}

fn to_json(kind: &DbErrorKind) -> Value {
    json!({
        "code": kind.code(),
        "kind": format!("{kind:?}"),
        "meaning": kind.meaning(),
        "cause": kind.cause(),
        "example": kind.example(),
        "fixes": kind.fixes(),
    })
}

fn find(code: &str) -> Result<DbErrorKind, Failure> {
    DbErrorKind::from_code(code).ok_or_else(|| unknown(code))
}

fn unknown(code: &str) -> Failure {
    let failure = Failure::usage("CLI_UNKNOWN_CODE", format!("there is no error with the code {code:?}"));
    let distance = |kind: &&DbErrorKind| strsim::osa_distance(kind.code(), &code.to_uppercase());
    match DbErrorKind::ALL.iter().min_by_key(distance).filter(|kind| distance(kind) <= code.chars().count() / 3) {
        Some(nearest) => failure.fixed_by(format!("Did you mean {}?", nearest.code())),
        None => failure.fixed_by("Run `montrs-db explain` for the list of codes."),
    }
}
