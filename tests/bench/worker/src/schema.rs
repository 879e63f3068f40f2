//! The statements and rows, which are the same for all contestants.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// How many rows the table `item` has.
pub const ROWS: i64 = 10_000;

/// Makes the tables of SQLite: one to read, one to write.
pub const SETUP: &[&str] = &[
    "CREATE TABLE item (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL, name TEXT NOT NULL)",
    "CREATE TABLE written (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL, name TEXT NOT NULL)",
    "INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
     SELECT i, i * 7 % 1000, 'item number ' || i FROM n",
];

/// Makes the tables of PostgreSQL, if they are not there yet. What is copied goes to a table without an index and without a log, so
/// that the server has as little to do as possible.
pub const POSTGRES_SETUP: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS item (id bigint PRIMARY KEY, quantity bigint NOT NULL, name text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS written
     (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, quantity bigint NOT NULL, name text NOT NULL)",
    "CREATE UNLOGGED TABLE IF NOT EXISTS copied (id bigint NOT NULL, quantity bigint NOT NULL, name text NOT NULL)",
    "INSERT INTO item SELECT i, i * 7 % 1000, 'item number ' || i FROM generate_series(1, 10000) n(i)
     ON CONFLICT DO NOTHING",
    "VACUUM ANALYZE item",
];

/// Removes what was written to PostgreSQL.
pub const POSTGRES_CLEAN: &str = "TRUNCATE written, copied";

/// One row by its primary key.
pub const POINT: &str = "SELECT id, quantity, name FROM item WHERE id = $1";

/// All rows of the table.
pub const FETCH: &str = "SELECT id, quantity, name FROM item";

/// One more row.
pub const INSERT: &str = "INSERT INTO written (quantity, name) VALUES ($1, $2)";

/// The text of the rows that are inserted.
pub const NAME: &str = "item that was written";

/// 50 statements like [`POINT`], each with a text of its own.
pub static DIFFERENT: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..50)
        .map(|number| format!("SELECT id, quantity, name FROM item WHERE id = $1 AND quantity > -{number} - 1"))
        .collect()
});

/// [`INSERT`] for 1,000 rows at once, whose values are the parameters.
pub static INSERT_THOUSAND: LazyLock<String> = LazyLock::new(|| {
    let rows = (0..1000).map(|row| format!("(${}, ${})", row * 2 + 1, row * 2 + 2));
    format!("INSERT INTO written (quantity, name) VALUES {}", rows.collect::<Vec<_>>().join(", "))
});

/// Copies lines of text.
pub const COPY: &str = "COPY copied FROM STDIN";

/// Copies rows in binary.
pub const COPY_BINARY: &str = "COPY copied FROM STDIN (FORMAT binary)";

/// How many rows are copied.
pub const COPIED: i64 = 1_000_000;

/// The rows that are copied.
pub fn copied_rows() -> impl Iterator<Item = (i64, i64, &'static str)> {
    (0..COPIED).map(|id| (id, id * 7 % 1000, NAME))
}

/// The same rows as a file of lines, in this directory.
///
/// # Errors
///
/// When it cannot be written.
pub fn copied_file(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join("copied.txt");
    if !path.exists() {
        let mut file = BufWriter::new(File::create(&path)?);
        for (id, quantity, name) in copied_rows() {
            writeln!(file, "{id}\t{quantity}\t{name}")?;
        }
        file.flush()?;
    }
    Ok(path)
}

/// How much of the file is read, and given to a COPY, at once.
pub const PIECE: usize = 64 * 1024;

/// As many rows as are asked for.
pub const STREAM: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    SELECT i AS id, i % 1000 AS quantity, 'item number ' || i AS name FROM n";

/// One row after as many steps as are asked for.
pub const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    SELECT max(i) FROM n";

/// The keys that point queries ask for: in no order, and the same ones for all.
pub fn ids(iterations: u64) -> impl Iterator<Item = i64> {
    let mut id = 1;
    (0..iterations).map(move |_| {
        id = (id * 7919 + 13) % ROWS + 1;
        id
    })
}
