//! The command line.

use clap::{Args as ArgGroup, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, io::Write, path::PathBuf};

/// Runs SQL on any database that there is a driver for.
///
/// The scheme of the URL selects the driver, a library that is looked for in the plugin directories and loaded at run
/// time.
#[derive(Debug, Parser)]
#[command(name = "montrs-db", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the commands need to know.
#[derive(Debug, Default, ArgGroup)]
pub(crate) struct Settings {
    /// A directory with drivers, or several separated as in PATH; can be repeated. Only these are searched then.
    ///
    /// Without it: the directories of MONTRS_PLUGINS, `plugins` beside this program, the user's and the system's. A
    /// directory that others can write to is not used.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    pub(crate) plugins: Vec<OsString>,

    /// The database's URL [default: that of the configuration file, or else the environment variable DATABASE_URL].
    ///
    /// Other users of this machine can see a command line: put a URL with a password into DATABASE_URL.
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    pub(crate) url: Option<String>,

    /// A configuration file, such as montrs.toml. What the command line says comes first.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one SQL statement and prints its rows, or how many rows it changed.
    Query(QueryArgs),
    /// Runs a script of many SQL statements, and prints the rows of those that have some.
    Script(ScriptArgs),
    /// Lists the drivers that are found, and why other files are not used.
    Drivers(DriversArgs),
    /// Tells what the code of an error means, what leads to it and what can be done; without a code, lists all of them.
    Explain(ExplainArgs),
}

#[derive(Debug, ArgGroup)]
#[command(after_long_help = QUERY_HELP)]
pub(crate) struct QueryArgs {
    /// The statement; `-` reads it from standard input.
    pub(crate) sql: String,

    /// The value of the next parameter: the first is for $1. Can be repeated.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) param: Vec<String>,

    /// The value of a parameter by its name: `--named id=1` is for :id. Can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    pub(crate) named: Vec<(String, String)>,

    /// How the rows are printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, ArgGroup)]
#[command(after_long_help = SCRIPT_HELP)]
pub(crate) struct ScriptArgs {
    /// The file with the statements, in UTF-8 and of at most 1 GiB; `-` reads them from standard input.
    pub(crate) file: PathBuf,

    /// Runs the script in one transaction: all of it is done, or nothing. It must then hold no COMMIT or ROLLBACK.
    #[arg(long)]
    pub(crate) single_transaction: bool,

    /// Prints each statement when it is run, and how many rows it changed.
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct DriversArgs {
    /// How the drivers are printed.
    #[arg(long, value_enum, default_value_t = DriversFormat::Table)]
    pub(crate) format: DriversFormat,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct ExplainArgs {
    /// The code, such as DB_UNIQUE_VIOLATION.
    pub(crate) code: Option<String>,

    /// How the explanation is printed.
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub(crate) format: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    /// For people.
    Text,
    /// An object, or an array of all of them.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// An array of objects, one for each row; errors are an object too.
    Json,
    /// RFC 4180, with the column names first.
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriversFormat {
    /// For people.
    Table,
    /// One object; errors are an object too.
    Json,
}

impl DriversFormat {
    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }
}

const AFTER_HELP: &str = "\
Examples:
  montrs-db drivers
  montrs-db explain DB_UNIQUE_VIOLATION
  montrs-db --url sqlite:app.db query 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)'
  montrs-db --url sqlite:app.db query 'INSERT INTO t (name) VALUES ($1)' --param Ada
  montrs-db --url sqlite:app.db query 'SELECT * FROM t WHERE id = :id' --named id=1
  DATABASE_URL=sqlite:app.db montrs-db query --format json 'SELECT count(*) AS n FROM t'
  montrs-db --url sqlite:app.db script schema.sql
  echo 'SELECT name FROM t' | montrs-db --url sqlite:app.db query --format csv -

Exit codes:
  0    it was done
  1    the database, the driver or a setting is at fault; or reading or writing failed
  2    the command line is wrong, or a value of --param or --named does not fit
  130  it was interrupted with Ctrl-C, and the statement cancelled";

// Paragraphs are one line each: the terminal's width breaks them.
const QUERY_HELP: &str = "\
Values of --param and --named:
  A value is read as the type that the statement expects for the parameter: 42, 12.50, true, 2024-02-29, 23:59:59.5, \
2024-02-29T23:59:59, 2024-02-29T23:59:59+01:00, \\x00ff for bytes, a UUID, JSON; other types in the database's own \
form. `null` is NULL, except where text or JSON is expected: there it is just that, and NULL is written in the SQL.

  Where the database does not tell the type, a JSON number, true, false, null or \"quoted text\" is what it is in \
JSON, and anything else is text: --param 1 is a number, --param '\"1\"' is text. So the \
same --param null is NULL for a text there, and the text `null` where the type is told.

How values are printed:
  bytes      \\x and hexadecimal digits
  dates      ISO 8601: 2024-02-29
  times      ISO 8601: 23:59:59.5, 2024-02-29T23:59:59; a blank for the T in tables and CSV
  instants   ISO 8601, in UTC: 2024-02-29T23:59:59Z
  intervals  ISO 8601: P1Y2M3DT4H5M6.5S
  arrays     as JSON
  NULL       NULL in a table, null in JSON, nothing in CSV

  In JSON, integers are numbers to the last digit, decimals are strings so that they stay exact, JSON columns are \
embedded, NaN and the infinities are strings. When an error comes after the first rows, the array is not closed.

  In a table, control characters are shown as escapes, and values are cut after 1,000 characters. A table that is too \
wide for the terminal is printed row by row.

Exit codes: see `montrs-db --help`.";

const SCRIPT_HELP: &str = "\
The statements run one after the other, each as a transaction of its own unless the script begins one. The first error \
ends it, with exit code 1, and is shown with file, line and column; what was done before stays done, except in a \
transaction that the script had not ended.

The rows of a statement are printed as a table. The last line tells how many statements were run, and how many rows \
they changed.

A script has no parameters. What it may hold beside SQL is in the driver's documentation, such as data behind \
COPY ... FROM STDIN. Commands of a database's own shell are an error.

Exit codes: see `montrs-db --help`.";

/// The arguments, or else an end with usage or help.
pub(crate) fn read() -> Args {
    let error = match Args::try_parse() {
        Ok(args) => return args,
        Err(error) => error,
    };
    // A URL in the wrong place would be repeated in the message, with its password.
    let mut message = error.render().to_string();
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let secrets = arguments.filter_map(|argument| Some(argument.split_once("://")?.1.to_owned()));
    let secrets: Vec<String> = secrets.filter(|secret| !secret.is_empty() && message.contains(secret)).collect();
    if secrets.is_empty() {
        error.exit();
    }
    for secret in secrets {
        message = message.replace(&secret, "…");
    }
    // When standard error is closed, there is nobody to tell.
    let _ = anstream::stderr().write_all(message.as_bytes());
    std::process::exit(error.exit_code());
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no `=` between the name and the value")?;
    let name = name.trim_start_matches([':', '@', '$']);
    if name.is_empty() {
        return Err("the name before the `=` is empty".into());
    }
    Ok((name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn settings_stand_before_or_after_the_command() {
        for line in [
            ["montrs-db", "--url", "a:b", "--plugins", "/p", "query", "SELECT 1"],
            ["montrs-db", "query", "SELECT 1", "--plugins", "/p", "--url", "a:b"],
        ] {
            let args = Args::try_parse_from(line).unwrap();
            assert_eq!(args.settings.url.as_deref(), Some("a:b"));
            assert_eq!(args.settings.plugins, ["/p"]);
        }
    }

    #[test]
    fn values_may_begin_with_a_hyphen() {
        let line = ["montrs-db", "query", "-", "--param", "-5", "--param=-x", "--param", "--format=x"];
        let Command::Query(query) = Args::try_parse_from(line).unwrap().command else { panic!("another command") };
        assert_eq!((query.sql.as_str(), query.param), ("-", vec!["-5".into(), "-x".into(), "--format=x".into()]));
    }

    #[test]
    fn a_name_ends_at_the_first_equals_sign() {
        assert_eq!(named(":a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(named("a="), Ok(("a".into(), String::new())));
        assert!(named("a").is_err() && named("=b").is_err() && named(":=b").is_err());
    }
}
