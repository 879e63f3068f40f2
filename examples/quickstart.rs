//! The main things, one after the other, on whatever database `DATABASE_URL` names.
//!
//! There is no database client in this program: the driver is a library in a plugins directory.
//! `cargo xtask demo` builds all that is needed and runs it.

use montrs_orm::{AiError, Database, DbError, DbErrorKind, FromRow};
use std::process::ExitCode;

/// A row of the table `users`: what `SELECT * FROM users` can be read into.
#[derive(Debug, FromRow)]
struct User {
    id: i64,
    email: String,
    name: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), DbError> {
    let db = Database::connect_env().await?;
    println!("connected to {} with the driver {} {}", db.redacted_url(), db.driver().name, db.driver().version);

    // Plain SQL. Each statement is run on a connection of the pool.
    db.execute("DROP TABLE IF EXISTS users").await?;
    db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(80) NOT NULL UNIQUE, name VARCHAR(80))")
        .await?;

    // Values are bound, with the same placeholders on every database.
    for (id, email, name) in [(1, "ada@example.org", Some("Ada")), (2, "grace@example.org", None)] {
        let insert = db.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, $3)");
        let done = insert.bind(id).bind(email).bind(name).await?;
        println!("inserted {} row", done.rows_affected());
    }

    // Rows become structs, tuples or scalars.
    for user in db.query("SELECT id, email, name FROM users ORDER BY id").fetch_all::<User>().await? {
        println!("user {}: {} ({})", user.id, user.email, user.name.as_deref().unwrap_or("no name"));
    }

    // A transaction whose closure fails is rolled back; so is one that is dropped.
    let failed: Result<(), DbError> = db
        .transaction(async |tx| {
            tx.execute("DELETE FROM users").await?;
            let left: i64 = tx.query("SELECT count(*) FROM users").fetch_scalar().await?;
            println!("inside the transaction: {left} users");
            tx.query("SELECT id, email, name FROM users WHERE id = $1").bind(1).fetch_one::<User>().await.map(drop)
        })
        .await;
    assert_eq!(failed.map_err(|error| error.kind()), Err(DbErrorKind::RowNotFound));
    let count: i64 = db.query("SELECT count(*) FROM users").fetch_scalar().await?;
    println!("after the rollback: {count} users");

    // Errors say what happened, and what can be done.
    let insert = db.execute("INSERT INTO users (id, email) VALUES ($1, $2)").bind(3).bind("ada@example.org");
    if let Err(error) = insert.await {
        explain(&error);
    }
    db.close().await
}

fn explain(error: &impl AiError) {
    println!("\nerror[{}]: {}", error.error_code(), error.explanation());
    for (number, fix) in (1..).zip(error.suggested_fixes()) {
        println!("  fix {number}: {fix}");
    }
}
