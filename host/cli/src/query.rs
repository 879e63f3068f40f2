//! `montrs-db query`.

use crate::{
    args::{Format, QueryArgs, Settings},
    bindings, csv_rows,
    failure::Failure,
    interrupt::{self, or_interrupted},
    json,
    rows::RowWriter,
    settings, table,
};
use montrs_orm::{Connection, Cursor, Database, RuntimeSql, ValueRef};
use std::io::{self, BufWriter, Read, Write};

/// More SQL than this is not read from standard input.
const MAX_SQL_BYTES: u64 = 64 << 20;

/// How much output is collected before it is written.
pub(crate) const OUTPUT_BUFFER_BYTES: usize = 64 << 10;

/// The statement that the argument stands for.
pub(crate) fn sql_text(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let unreadable =
        |why: String| Failure::system("CLI_INPUT", format!("the statement cannot be read from standard input: {why}"));
    let mut sql = String::new();
    let read = io::stdin().lock().take(MAX_SQL_BYTES + 1).read_to_string(&mut sql);
    match read {
        Err(error) => Err(unreadable(error.to_string())),
        Ok(bytes) if bytes as u64 > MAX_SQL_BYTES => Err(unreadable(format!("it has more than {MAX_SQL_BYTES} bytes"))),
        Ok(_) => Ok(sql),
    }
}

/// Runs the statement and prints what comes of it.
pub(crate) async fn run(settings: Settings, command: QueryArgs, sql: String) -> Result<(), Failure> {
    interrupt::watch();
    settings::require_url(&settings)?;
    let builder = settings::builder(&settings)?;
    let database = or_interrupted(async { Ok(builder.connect().await?) }).await?;
    let mut output = BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, io::stdout().lock());
    let mut writer: Box<dyn RowWriter + '_> = match command.format {
        Format::Table => Box::new(table::TableWriter::new(&mut output, table::Look::of_standard_output())),
        Format::Json => Box::new(json::JsonWriter::new(&mut output)),
        Format::Csv => Box::new(csv_rows::CsvWriter::new(&mut output)),
    };
    let outcome = or_interrupted(execute(&database, &command, &sql, &mut *writer)).await;
    drop(writer);
    // What was printed before an error belongs before the report of the error.
    let flushed = output.flush();
    end(database, matches!(outcome, Err(Failure::Interrupted))).await;
    outcome.map_err(|failure| failure.in_statement(&sql))?;
    Ok(flushed?)
}

async fn execute(
    database: &Database,
    command: &QueryArgs,
    sql: &str,
    writer: &mut dyn RowWriter,
) -> Result<(), Failure> {
    let mut connection = database.acquire().await?;
    let values = bindings::read(&mut connection, sql, &command.param, &command.named).await?;
    run_on(&mut connection, sql, &values, writer).await
}

async fn run_on(
    connection: &mut Connection,
    sql: &str,
    values: &bindings::Values,
    writer: &mut dyn RowWriter,
) -> Result<(), Failure> {
    let mut query = connection.query(RuntimeSql(sql));
    for value in &values.positional {
        query = query.bind(value);
    }
    for (name, value) in &values.named {
        query = query.bind_named(name, value);
    }
    let mut cursor = query.cursor().await?;
    if !cursor.columns().is_empty() {
        return print_rows(&mut cursor, writer).await;
    }
    while cursor.next().await?.is_some() {}
    let done = cursor.done();
    writer.done(done.rows_affected(), done.last_insert_id())
}

/// Prints the rows of a result that has columns.
pub(crate) async fn print_rows(cursor: &mut Cursor<'_>, writer: &mut dyn RowWriter) -> Result<(), Failure> {
    let columns = cursor.columns().clone();
    writer.begin(&columns.iter().map(|column| column.name()).collect::<Vec<_>>())?;
    while let Some(row) = cursor.next().await? {
        let values = (0..columns.len()).map(|position| row.get(position)).collect::<Result<Vec<ValueRef<'_>>, _>>()?;
        writer.row(&values)?;
    }
    writer.end()
}

/// Closes the database. What can go wrong here changes nothing of what was printed.
pub(crate) async fn end(database: Database, interrupted: bool) {
    let _ = tokio::time::timeout(interrupt::GRACE, async {
        if interrupted {
            // There is one connection, and it can be had when the statement has been cancelled.
            drop(database.acquire().await);
        }
        let _ = database.close().await;
    })
    .await;
}
