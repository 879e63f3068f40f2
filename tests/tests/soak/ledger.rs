//! What a task has written, as far as it knows.

use montrs_orm::{Database, DbError, DbErrorKind};
use std::collections::HashMap;

/// The entries that one task has made, each of a number and of one or more rows.
pub(crate) struct Ledger {
    task: i64,
    last: i64,
    entries: HashMap<i64, Entry>,
}

/// How many rows must be there.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Exactly(i64),
    /// As a whole, or not at all.
    AllOrNone(i64),
}

impl Ledger {
    pub(crate) fn new(task: i64) -> Self {
        Self { task, last: 0, entries: HashMap::new() }
    }

    /// The number of the next entry.
    pub(crate) fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// Notes what came of the entry, which was to have so many rows; `None` if its future was dropped.
    pub(crate) fn note(&mut self, number: i64, rows: i64, outcome: Option<&Result<(), DbError>>) {
        let entry = match outcome {
            Some(Ok(())) => Entry::Exactly(rows),
            Some(Err(error)) if !error.may_have_executed() => Entry::Exactly(0),
            _ => Entry::AllOrNone(rows),
        };
        self.entries.insert(number, entry);
    }

    /// Compares with what is there, and forgets it.
    ///
    /// # Panics
    ///
    /// When anything is missing, is there twice or in part, or should not be there.
    pub(crate) async fn check(&mut self, db: &Database) {
        let sql = "SELECT number, count(*), count(DISTINCT part) FROM entries WHERE task = $1 GROUP BY number";
        let there: Vec<(i64, i64, i64)> = insist(|| db.query(sql).bind(self.task).fetch_all()).await;
        let mut found: HashMap<i64, i64> = HashMap::new();
        for (number, rows, parts) in there {
            assert_eq!(rows, parts, "entry {number} of task {} was made more than once", self.task);
            found.insert(number, rows);
        }
        for (number, entry) in &self.entries {
            let rows = found.remove(number).unwrap_or(0);
            let fits = match entry {
                Entry::Exactly(expected) => rows == *expected,
                Entry::AllOrNone(all) => rows == 0 || rows == *all,
            };
            assert!(fits, "entry {number} of task {} has {rows} rows, and must have {entry:?}", self.task);
        }
        assert!(found.is_empty(), "nobody made the entries {found:?} of task {}", self.task);
        let forget = "DELETE FROM entries WHERE task = $1";
        insist(|| db.execute(forget).bind(self.task).into_future()).await;
        // What was dropped may come to its end after this; but what is gone must not come back.
        self.entries.retain(|_, entry| matches!(entry, Entry::AllOrNone(rows) if *rows > 0));
    }
}

/// Does something until nothing is in its way.
async fn insist<T, F: Future<Output = Result<T, DbError>>>(work: impl Fn() -> F) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) if error.is_retryable() || error.kind() == DbErrorKind::ConnectionLost => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
