//! What recurses in SQLite, at its limit: an error or a result, never the end of the stack. Each runs on a coroutine's
//! stack, and on one as large as the threads of a blocking pool have.

use super::{memory, number, query, setup};
use crate::{
    coroutine::{Fiber, Place, Step},
    session::Session,
};
use montrs_driver_sdk::ErrorKind;
use std::thread;

const POOL_STACK_BYTES: usize = 2 << 20;

fn on_both_stacks(work: fn(&mut Session)) {
    match Fiber::new(memory()).unwrap().start(Place::Thread, work) {
        Step::Ended(_, result) => result.unwrap(),
        Step::Paused(..) => panic!("nothing is paused where it may block"),
    }
    let mut session = memory();
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(POOL_STACK_BYTES);
        thread.spawn_scoped(scope, || work(&mut session)).unwrap().join().unwrap();
    });
}

/// Whether it runs; else it is refused as too large, and the session goes on.
fn runs_or_is_refused(session: &mut Session, sql: &str) -> bool {
    let Err(error) = query(session, sql, &[]) else { return true };
    let is_clear = error.kind() == ErrorKind::TOO_LARGE || error.to_string() == "malformed JSON";
    assert!(is_clear, "{error:?}: {}", sql.chars().take(100).collect::<String>());
    assert_eq!(number(session, "SELECT 1"), 1, "{error}");
    false
}

/// The deepest that runs, where `make` makes a statement of a depth. It must run at some, and end well at all.
fn deepest(session: &mut Session, depths: &[usize], make: impl Fn(usize) -> String) -> usize {
    let run = depths.iter().filter(|depth| runs_or_is_refused(session, &make(**depth))).max();
    *run.expect("a small depth runs")
}

const DEPTHS: &[usize] = &[10, 100, 240, 490, 990, 1000, 2000, 5000, 20_000];

#[test]
fn expressions() {
    on_both_stacks(|session| {
        let deepest =
            deepest(session, DEPTHS, |depth| format!("SELECT {}1{}", "(1 + ".repeat(depth), ")".repeat(depth)));
        assert!(deepest >= 490);
        for open in ["NOT ", "- ", "~ ", "abs(", "CASE WHEN 1 THEN ", "(SELECT "] {
            let close = match open {
                "abs(" | "(SELECT " => ")",
                "CASE WHEN 1 THEN " => " END",
                _ => "",
            };
            for depth in DEPTHS {
                runs_or_is_refused(session, &format!("SELECT {}1{}", open.repeat(*depth), close.repeat(*depth)));
            }
        }
    });
}

#[test]
fn patterns() {
    on_both_stacks(|session| {
        for (operator, any) in [("LIKE", "%a"), ("GLOB", "*a")] {
            for depth in [100, 5000, 10_000, 100_000] {
                let sql = format!("SELECT '{}' {operator} '{}'", "a".repeat(depth), any.repeat(depth));
                assert_eq!(runs_or_is_refused(session, &sql), depth <= 5000, "{operator} {depth}");
            }
        }
    });
}

#[test]
fn selects() {
    on_both_stacks(|session| {
        for operator in ["UNION ALL", "UNION", "EXCEPT", "INTERSECT"] {
            let compound = |depth| format!("SELECT 1{}", format!(" {operator} SELECT 1").repeat(depth));
            assert!(deepest(session, DEPTHS, compound) >= 100);
        }
        let nested = |depth: usize| format!("{}SELECT 1{}", "SELECT * FROM (".repeat(depth), ")".repeat(depth));
        assert!(deepest(session, DEPTHS, nested) >= 10);
        let with =
            |depth: usize| format!("{}SELECT 1{}", "WITH c AS (".repeat(depth), ") SELECT * FROM c".repeat(depth));
        assert!(deepest(session, DEPTHS, with) >= 10);
        let values = |depth: usize| format!("VALUES (1){}", ", (1)".repeat(depth));
        assert_eq!(deepest(session, DEPTHS, values), 20_000);
    });
}

#[test]
fn views() {
    on_both_stacks(|session| {
        setup(session, &["CREATE VIEW v0 AS SELECT 1 AS a"]);
        for depth in 1..=1000 {
            setup(session, &[&format!("CREATE VIEW v{depth} AS SELECT a FROM v{}", depth - 1)]);
            if [50, 100, 150, 500, 1000].contains(&depth) {
                assert!(runs_or_is_refused(session, &format!("SELECT * FROM v{depth}")) || depth > 50);
                runs_or_is_refused(session, &format!("SELECT count(*) FROM v{depth} ORDER BY a"));
            }
        }
    });
}

#[test]
fn triggers_and_foreign_keys() {
    on_both_stacks(|session| {
        setup(
            session,
            &[
                "PRAGMA recursive_triggers = on",
                "CREATE TABLE t (a INTEGER)",
                "CREATE TRIGGER again AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.a + 1); END",
                "CREATE TABLE tree (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree ON DELETE CASCADE)",
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 INSERT INTO tree SELECT i, nullif(i - 1, 0) FROM n",
            ],
        );
        runs_or_is_refused(session, "INSERT INTO t VALUES (1)");
        runs_or_is_refused(session, "DELETE FROM tree WHERE id = 1");
    });
}

/// A chain of a thousand of these: each needs the one before it.
#[test]
fn generated_columns_and_triggers() {
    const LENGTH: usize = 1000;
    on_both_stacks(|session| {
        let columns: String = (1..LENGTH).map(|n| format!(", c{n} AS (c{} + 1)", n - 1)).collect();
        setup(session, &[&format!("CREATE TABLE generated (c0 INTEGER{columns})"), "INSERT INTO generated VALUES (1)"]);
        runs_or_is_refused(session, &format!("SELECT c{} FROM generated", LENGTH - 1));
        runs_or_is_refused(session, &format!("CREATE INDEX by_last ON generated (c{})", LENGTH - 1));
        setup(session, &["CREATE TABLE t0 (a)"]);
        for n in 1..LENGTH {
            let before = n - 1;
            let trigger =
                format!("CREATE TRIGGER r{n} AFTER INSERT ON t{before} BEGIN INSERT INTO t{n} VALUES (new.a); END");
            setup(session, &[&format!("CREATE TABLE t{n} (a)"), &trigger]);
        }
        assert!(runs_or_is_refused(session, &format!("INSERT INTO t{} VALUES (1)", LENGTH - 100)));
        runs_or_is_refused(session, "INSERT INTO t0 VALUES (1)");
    });
}

/// The steps of a recursive statement are no recursion: it is as deep as one likes.
#[test]
fn recursive_statements() {
    on_both_stacks(|session| {
        let counting =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT max(i) FROM n";
        assert_eq!(number(session, counting), 1_000_000);
    });
}

#[test]
fn json() {
    on_both_stacks(|session| {
        for function in ["json", "jsonb", "json_valid", "json_pretty", "json_type"] {
            let nested = |depth: usize| format!("SELECT {function}('{}{}')", "[".repeat(depth), "]".repeat(depth));
            assert!(deepest(session, DEPTHS, nested) >= 990, "{function}");
        }
        for depth in DEPTHS {
            let objects = format!("{}1{}", "{\"a\":".repeat(*depth), "}".repeat(*depth));
            runs_or_is_refused(session, &format!("SELECT json_patch('{objects}', '{objects}')"));
            runs_or_is_refused(session, &format!("SELECT count(*) FROM json_tree('{objects}')"));
            runs_or_is_refused(session, &format!("SELECT json_extract('{objects}', '${}')", ".a".repeat(*depth)));
            runs_or_is_refused(session, &format!("SELECT json_set('{{}}', '${}', 1)", ".a".repeat(*depth)));
        }
    });
}

#[test]
fn full_text_search() {
    on_both_stacks(|session| {
        setup(
            session,
            &[
                "CREATE VIRTUAL TABLE five USING fts5 (a)",
                "CREATE VIRTUAL TABLE four USING fts4 (a)",
                "INSERT INTO five VALUES ('word')",
                "INSERT INTO four VALUES ('word')",
            ],
        );
        for table in ["five", "four"] {
            for depth in DEPTHS {
                let nested = format!("{}word{}", "(".repeat(*depth), ")".repeat(*depth));
                for text in [
                    nested,
                    format!("word{}", " OR word".repeat(*depth)),
                    format!("word{}", " AND word".repeat(*depth)),
                    format!("{}word{}", "(word NOT ".repeat(*depth), ")".repeat(*depth)),
                ] {
                    let sql = format!("SELECT count(*) FROM {table} WHERE {table} MATCH '{text}'");
                    let _ = query(session, &sql, &[]);
                }
            }
        }
    });
}
