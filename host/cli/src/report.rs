//! How a failure is told: in words, or as a JSON object.

use crate::{
    excerpt::Place,
    failure::{FailedScript, Failure},
    printable,
};
use anstyle::{AnsiColor, Style};
use montrs_orm::{AiError, DbError, DbErrorKind};
use serde_json::json;
use std::{error::Error, io::Write};

/// Prints the failure to standard error; nothing where there is nothing to tell.
pub(crate) fn print(failure: &Failure, as_json: bool) {
    let Some(report) = Report::of(failure) else { return };
    let text = if as_json { format!("{}\n", report.json()) } else { report.text() };
    // When standard error is closed, there is nobody to tell.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

struct Report<'a> {
    code: &'static str,
    message: String,
    /// The explanation without what is shown elsewhere in the text.
    meaning: String,
    explanation: String,
    fixes: Vec<String>,
    /// The database's error, for its fields.
    error: Option<&'a DbError>,
    sql: Option<&'a str>,
    script: Option<&'a FailedScript>,
}

impl<'a> Report<'a> {
    fn of(failure: &'a Failure) -> Option<Self> {
        match failure {
            Failure::Database { error, sql, script } => Some(Self {
                code: error.error_code(),
                message: error.to_string(),
                meaning: error.meaning(),
                explanation: error.explanation(),
                fixes: fixes(error, script.is_some()),
                error: Some(error),
                sql: sql.as_deref(),
                script: script.as_ref(),
            }),
            Failure::Own(problem) => Some(Self {
                code: problem.code,
                message: problem.message.clone(),
                meaning: problem.explanation.clone(),
                explanation: problem.explanation.clone(),
                fixes: problem.fixes.clone(),
                error: None,
                sql: None,
                script: None,
            }),
            Failure::OutputClosed | Failure::Interrupted => None,
        }
    }

    fn text(&self) -> String {
        const CODE: Style = AnsiColor::Red.on_default().bold();
        const LABEL: Style = Style::new().bold();
        let mut out = format!("{CODE}error[{}]{CODE:#}: {}\n", self.code, printable::lines(&self.message));
        if let (Some(place), Some(script)) = (self.place(), self.script) {
            out.push_str(&format!("  --> {}\n", printable::line(&place.line_and_column(&script.name))));
        }
        if let Some(place) = self.place() {
            out.push_str(&format!("\n{}\n\n", place.lines()));
        }
        if !self.meaning.is_empty() {
            out.push_str(&format!("{}\n", printable::lines(&self.meaning)));
        }
        if let Some(detail) = self.error.and_then(DbError::detail) {
            out.push_str(&format!("{LABEL}detail:{LABEL:#} {}\n", printable::lines(detail)));
        }
        if let Some(script) = self.script {
            out.push_str(&format!("{}\n", script.stays));
        }
        for cause in self.causes() {
            out.push_str(&format!("{LABEL}caused by:{LABEL:#} {}\n", printable::lines(&cause)));
        }
        if !self.fixes.is_empty() {
            out.push_str(&format!("{LABEL}help:{LABEL:#}\n"));
        }
        for (number, fix) in (1..).zip(&self.fixes) {
            out.push_str(&format!("  {number}. {}\n", printable::lines(fix)));
        }
        out
    }

    fn json(&self) -> serde_json::Value {
        let error = self.error;
        let place = self.place();
        json!({ "error": {
            "code": self.code,
            "kind": error.map(|error| format!("{:?}", error.kind())),
            "message": self.message,
            "explanation": self.explanation,
            "fixes": self.fixes,
            "causes": self.causes(),
            "sqlstate": error.and_then(DbError::sqlstate),
            "native_code": error.and_then(DbError::native_code),
            "schema": error.and_then(DbError::schema),
            "table": error.and_then(DbError::table),
            "column": error.and_then(DbError::column),
            "constraint": error.and_then(DbError::constraint),
            "detail": error.and_then(DbError::detail),
            "sql": error.and_then(DbError::sql),
            "position": error.and_then(DbError::position),
            "line": place.as_ref().map(|place| place.line),
            "character": place.as_ref().map(|place| place.character),
            "is_retryable": error.is_some_and(DbError::is_retryable),
            "may_have_executed": error.is_some_and(DbError::may_have_executed),
        }})
    }

    fn place(&self) -> Option<Place<'a>> {
        Place::of(self.sql?, self.error?.position()?)
    }

    fn causes(&self) -> Vec<String> {
        let first = self.error.and_then(|error| error.source());
        std::iter::successors(first, |&cause| cause.source()).map(ToString::to_string).collect()
    }
}

/// The fixes of the error, in terms of the command line.
fn fixes(error: &DbError, is_script: bool) -> Vec<String> {
    let own: &[&str] = match (error.kind(), is_script) {
        (DbErrorKind::Parameters, true) => &[
            "Write the values into the script: it has no parameters.",
            "Or run the statement alone, with `montrs-db query` and --param or --named.",
        ],
        (DbErrorKind::Parameters, false) => &[
            "Give --param once for each parameter, in the order of $1, $2, …",
            "Or give --named NAME=VALUE for each :name.",
        ],
        (DbErrorKind::EmptyStatement, _) => &["Give a statement, or - to have it read from standard input."],
        (DbErrorKind::MultipleStatements, _) => &["Run several statements with `montrs-db script`."],
        (DbErrorKind::Encode, _) => &["Write the value as the database has it, with a CAST in the SQL where needed."],
        (DbErrorKind::OutOfMemory, _) => &["Ask for fewer rows or smaller values."],
        _ => &[],
    };
    if !own.is_empty() {
        return own.iter().map(ToString::to_string).collect();
    }
    let mut fixes = error.suggested_fixes();
    for fix in &mut fixes {
        if let Some((_, own)) = OF_THE_LIBRARY.iter().find(|(call, _)| fix.contains(call)) {
            *fix = (*own).into();
        }
    }
    fixes.dedup();
    fixes
}

/// What fixes that name a call of the library are here.
const OF_THE_LIBRARY: [(&str, &str); 3] = [
    ("command(\"copy_", "Run it with `montrs-db script`, with the data behind the statement."),
    ("begin()", "Write BEGIN, the statements and COMMIT into one script, or run a script with --single-transaction."),
    ("acquire()", "Write BEGIN, the statements and COMMIT into one script, or run a script with --single-transaction."),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failure: &Failure) -> Report<'_> {
        Report::of(failure).unwrap()
    }

    #[test]
    fn a_problem_of_the_tool_is_told_with_numbered_fixes() {
        let failure = Failure::usage("CLI_X", "it failed\u{1b}").explained("So it is.").fixed_by("one").fixed_by("two");
        let text = anstream::adapter::strip_str(&report(&failure).text()).to_string();
        assert_eq!(text, "error[CLI_X]: it failed\\u{1b}\nSo it is.\nhelp:\n  1. one\n  2. two\n");
        let json = report(&failure).json();
        assert_eq!(json["error"]["code"], "CLI_X");
        assert_eq!(json["error"]["fixes"][1], "two");
        assert!(json["error"]["table"].is_null());
    }

    #[test]
    fn an_error_of_the_database_is_told_once_in_words_and_whole_in_json() {
        let failure = Failure::from(DbError::decode("no such thing")).in_statement("SELECT 1");
        let text = anstream::adapter::strip_str(&report(&failure).text()).to_string();
        assert!(text.starts_with("error[DB_DECODE]: no such thing\n"), "{text}");
        assert_eq!(text.matches("no such thing").count(), 1);
        let json = report(&failure).json();
        assert_eq!(json["error"]["kind"], "Decode");
        assert_eq!(json["error"]["message"], "no such thing");
    }

    #[test]
    fn an_interruption_is_not_told() {
        assert!(Report::of(&Failure::Interrupted).is_none() && Report::of(&Failure::OutputClosed).is_none());
    }
}
