//! `montrs-db script`.

use crate::{
    args::{ScriptArgs, Settings},
    excerpt::Place,
    failure::Failure,
    interrupt::{self, or_interrupted},
    printable, query, settings,
    table::{self, TableWriter, affected, counted},
};
use montrs_orm::{Database, RuntimeSql, Script};
use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

/// A larger script is not read: its text is held in memory.
const MAX_BYTES: u64 = 1 << 30;
/// No more of a statement is shown while it runs.
const MAX_CHARS: usize = 70;

/// The script that the argument names.
pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    let name = name(file);
    let unreadable = |why: String| Failure::system("CLI_INPUT", format!("the script {name} cannot be read: {why}"));
    let mut bytes = Vec::new();
    let read = match is_standard_input(file) {
        true => io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes),
        false => File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)),
    };
    match read {
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(len) if len as u64 > MAX_BYTES => return Err(unreadable(format!("it has more than {MAX_BYTES} bytes"))),
        Ok(_) => {}
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let (valid, wrong) = error.as_bytes().split_at(offset);
        let valid = String::from_utf8_lossy(valid);
        let place = Place::of(&valid, offset).map_or(String::new(), |place| place.line_and_column(&name));
        let byte = wrong.first().copied().unwrap_or_default();
        unreadable(format!("it is not UTF-8: the byte 0x{byte:02X} at {place} (offset {offset})"))
            .fixed_by("Save it as UTF-8, for example with: iconv -f LATIN1 -t UTF-8")
    })
}

/// Runs the script and prints what comes of it.
pub(crate) async fn run(settings: Settings, command: ScriptArgs, script: String) -> Result<(), Failure> {
    interrupt::watch();
    settings::require_url(&settings)?;
    let builder = settings::builder(&settings)?;
    let database = or_interrupted(async { Ok(builder.connect().await?) }).await?;
    let mut output = BufWriter::with_capacity(query::OUTPUT_BUFFER_BYTES, io::stdout().lock());
    let mut progress = Progress { verbose: command.verbose, ..Progress::default() };
    let outcome = or_interrupted(execute(&database, &command, &script, &mut progress, &mut output)).await;
    // What was printed before an error belongs before the report of the error.
    let flushed = output.flush();
    query::end(database, matches!(outcome, Err(Failure::Interrupted))).await;
    outcome.map_err(|failure| failure.in_script(&name(&command.file), script, progress.stays(&command)))?;
    Ok(flushed?)
}

/// How far a script has come.
#[derive(Default)]
struct Progress {
    verbose: bool,
    statements: u64,
    rows_affected: u64,
}

async fn execute(
    database: &Database,
    command: &ScriptArgs,
    script: &str,
    progress: &mut Progress,
    output: &mut impl Write,
) -> Result<(), Failure> {
    if command.single_transaction {
        let mut transaction = database.begin().await?;
        progress.run(transaction.script(RuntimeSql(script)), output).await?;
        transaction.commit().await?;
    } else {
        progress.run(database.script(RuntimeSql(script)), output).await?;
    }
    let statements = counted(progress.statements, "statement");
    Ok(writeln!(output, "{statements}, {}", affected(progress.rows_affected))?)
}

impl Progress {
    /// Runs all statements.
    async fn run(&mut self, mut script: Script<'_>, output: &mut impl Write) -> Result<(), Failure> {
        while let Some(mut result) = script.next().await? {
            if self.verbose {
                writeln!(output, "{}: {}", self.statements + 1, shown(result.sql()))?;
            }
            let is_without_rows = result.columns().is_empty();
            if is_without_rows {
                while result.next().await?.is_some() {}
            } else {
                let look = table::Look::of_standard_output();
                query::print_rows(&mut result, &mut TableWriter::new(&mut *output, look)).await?;
            }
            let rows = result.done().rows_affected();
            self.statements += 1;
            self.rows_affected += rows;
            if self.verbose {
                if is_without_rows {
                    writeln!(output, "{}", affected(rows))?;
                }
                output.flush()?;
            }
        }
        Ok(())
    }

    /// What holds after an error.
    fn stays(&self, command: &ScriptArgs) -> String {
        let (before, stay) = match self.statements {
            0 => return "No statement of the script was done before it.".into(),
            1 => ("The statement before it was done".to_owned(), "stays"),
            number => (format!("The {number} statements before it were done"), "stay"),
        };
        match command.single_transaction {
            true => format!("{before}, and undone again: the script ran in one transaction."),
            false => format!("{before}, and {stay} so, except in a transaction that the script had not ended."),
        }
    }
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The script for people.
fn name(file: &Path) -> String {
    if is_standard_input(file) { "standard input".into() } else { file.display().to_string() }
}

/// The beginning of a statement, on one line.
fn shown(statement: &str) -> String {
    let line = statement.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(MAX_CHARS).map_or(line.len(), |(end, _)| end);
    let more = if end < statement.len() { " …" } else { "" };
    format!("{}{more}", printable::line(&line[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_on_one_line() {
        assert_eq!(shown("SELECT 1;"), "SELECT 1;");
        assert_eq!(shown("CREATE TABLE t (\r\n  x INTEGER);"), "CREATE TABLE t ( …");
        assert_eq!(shown(&"ü".repeat(100)), format!("{} …", "ü".repeat(70)));
        assert_eq!(shown("a\u{1b}b"), "a\\u{1b}b");
    }

    #[test]
    fn what_stays_after_an_error_is_told() {
        let stays = |statements, single_transaction| {
            let command = ScriptArgs { file: "x".into(), single_transaction, verbose: false };
            Progress { statements, ..Progress::default() }.stays(&command)
        };
        assert_eq!(stays(0, true), "No statement of the script was done before it.");
        assert!(stays(1, false).starts_with("The statement before it was done, and stays so, except"));
        assert!(stays(2, false).starts_with("The 2 statements before it were done, and stay so, except"));
        assert!(stays(2, true).ends_with("were done, and undone again: the script ran in one transaction."));
    }
}
