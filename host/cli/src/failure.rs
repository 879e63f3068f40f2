//! Why the program did not do what it was asked for.

use montrs_orm::DbError;
use std::{io, process::ExitCode};

/// Why the program did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database, its driver or a setting; with the whole SQL text, where there was one.
    Database { error: DbError, sql: Option<String>, script: Option<FailedScript> },
    /// What only this program finds fault with.
    Own(Box<Problem>),
    /// Nobody reads the output any more.
    OutputClosed,
    /// Ctrl-C.
    Interrupted,
}

/// The script that an error has ended.
#[derive(Debug)]
pub(crate) struct FailedScript {
    /// Its file.
    pub(crate) name: String,
    /// What holds of the statements before the one that failed.
    pub(crate) stays: String,
}

/// An error of this program's own.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) explanation: String,
    pub(crate) fixes: Vec<String>,
    exit_code: u8,
}

const AT_FAULT: u8 = 1;
const WRONG_USAGE: u8 = 2;
/// As a shell has it for a process that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::own(code, message.into(), WRONG_USAGE)
    }

    /// The system did not let this program work.
    pub(crate) fn system(code: &'static str, message: impl Into<String>) -> Self {
        Self::own(code, message.into(), AT_FAULT)
    }

    fn own(code: &'static str, message: String, exit_code: u8) -> Self {
        Self::Own(Box::new(Problem { code, message, explanation: String::new(), fixes: Vec::new(), exit_code }))
    }

    pub(crate) fn explained(mut self, explanation: impl Into<String>) -> Self {
        if let Self::Own(problem) = &mut self {
            problem.explanation = explanation.into();
        }
        self
    }

    pub(crate) fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        if let Self::Own(problem) = &mut self {
            problem.fixes.push(fix.into());
        }
        self
    }

    /// Adds the statement, so that a place in it can be shown.
    pub(crate) fn in_statement(mut self, text: &str) -> Self {
        if let Self::Database { sql, .. } = &mut self {
            *sql = Some(text.into());
        }
        self
    }

    /// Adds the script, so that a place in it can be shown.
    pub(crate) fn in_script(mut self, name: &str, text: String, stays: String) -> Self {
        if let Self::Database { sql, script, .. } = &mut self {
            *sql = Some(text);
            *script = Some(FailedScript { name: name.into(), stays });
        }
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Database { .. } => AT_FAULT,
            Self::Own(problem) => problem.exit_code,
            // As `head` and `less` expect of whoever writes to them.
            Self::OutputClosed => 0,
            Self::Interrupted => INTERRUPTED,
        })
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Database { error, sql: None, script: None }
    }
}

/// The only input and output that is not reported where it happens is standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::system("CLI_OUTPUT", format!("the output cannot be written: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}
