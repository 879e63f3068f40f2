//! The statements, which are the same for all contestants.

/// How many rows the table `item` has.
pub const ROWS: i64 = 10_000;

/// Makes the tables: one to read, one to write.
pub const SETUP: &[&str] = &[
    "CREATE TABLE item (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL, name TEXT NOT NULL)",
    "CREATE TABLE written (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL, name TEXT NOT NULL)",
    "INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
     SELECT i, i * 7 % 1000, 'item number ' || i FROM n",
];

/// One row by its primary key.
pub const POINT: &str = "SELECT id, quantity, name FROM item WHERE id = $1";

/// All rows of the table.
pub const FETCH: &str = "SELECT id, quantity, name FROM item";

/// One more row.
pub const INSERT: &str = "INSERT INTO written (quantity, name) VALUES ($1, $2)";

/// The text of the rows that are inserted.
pub const NAME: &str = "item that was written";

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
