//! Texts, results and the life of statements.

use super::{ALL, Ran, TestFile, bound, fails, memory, next, number, query, rows, run, run_with, setup, text};
use crate::{registry::Token, session::Session};
use montrs_driver_sdk::{ErrorKind, Kind, Nullability, QueryOptions, ValueRef};

fn query_with(session: &mut Session, token: &Token, options: QueryOptions) -> Ran {
    run_with(session, token, &bound(&[]), options).unwrap()
}

#[test]
fn an_empty_text_is_refused() {
    let mut session = memory();
    for sql in ["", "  \n", ";", " ; ; ", "-- nothing", "/* nothing */ -- at all"] {
        fails(session.prepare(sql), ErrorKind::EMPTY_STATEMENT);
    }
}

#[test]
fn several_statements_are_refused_with_the_place_of_the_second() {
    let mut session = memory();
    let sql = "SELECT 1; -- one\n SELECT 2";
    let error = fails(session.prepare(sql), ErrorKind::MULTIPLE_STATEMENTS);
    assert_eq!(error.record().position, Some(sql.rfind("SELECT").unwrap() as u32).into());
    fails(session.prepare("SELECT 1; nonsense"), ErrorKind::MULTIPLE_STATEMENTS);
    for sql in ["SELECT 1;", "SELECT 1 ; ; -- end", "/* a */ SELECT 1; /* b", "; SELECT 1"] {
        assert_eq!(number(&mut session, sql), 1, "{sql}");
    }
}

#[test]
fn nul_in_the_text_is_refused_with_its_place() {
    let mut session = memory();
    let error = fails(session.prepare("SELECT 'a\0b'"), ErrorKind::SYNTAX);
    assert_eq!(error.record().position, Some(9).into());
    fails(session.prepare("SELECT 1\0; DROP TABLE t"), ErrorKind::SYNTAX);
}

#[test]
fn ten_megabytes_of_sql_run_or_are_refused() {
    let mut session = memory();
    let sql = format!("SELECT length('{}')", "x".repeat(10_000_000));
    assert_eq!(number(&mut session, &sql), 10_000_000);
    let deep = format!("SELECT 1{}", " + 1".repeat(2_500_000));
    fails(session.prepare(&deep), ErrorKind::TOO_LARGE);
    let nested = format!("SELECT {}", "(".repeat(10_000_000));
    fails(session.prepare(&nested), ErrorKind::TOO_LARGE);
    let many = format!("SELECT 1 IN ({}0)", "?,".repeat(40_000));
    fails(session.prepare(&many), ErrorKind::PARAMETERS);
    let long = format!("SELECT 1 WHERE 1 IN ({}0)", "1,".repeat(2_500_000));
    assert_eq!(number(&mut session, &long), 1);
}

#[test]
fn deep_but_allowed_expressions_run() {
    let mut session = memory();
    let sql = format!("SELECT 1{}", " + 1".repeat(990));
    assert_eq!(number(&mut session, &sql), 991);
    let pattern = "%a".repeat(5_000);
    let value = "a".repeat(5_000);
    let matches = |session: &mut Session, pattern: &str| {
        query(session, "SELECT $1 LIKE $2", &[ValueRef::Text(&value), ValueRef::Text(pattern)])
    };
    assert!(matches(&mut session, &pattern).is_ok());
    fails(matches(&mut session, &format!("{pattern}%")), ErrorKind::TOO_LARGE);
}

#[test]
fn large_results_come_in_batches() {
    let mut session = memory();
    let sql =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, 'text' FROM n";
    let token = session.prepare(sql).unwrap();
    let mut answer = query_with(&mut session, &token, ALL);
    let (mut seen, mut batches, mut is_finished) = (0, 0, answer.is_finished);
    loop {
        assert!(answer.batch.size() < 2 * ALL.batch_bytes as usize);
        let rows = answer.batch.check().unwrap();
        for row in 0..rows.rows() {
            seen += 1;
            assert_eq!(rows.value(row, 0), Ok(ValueRef::I64(seen)));
        }
        batches += 1;
        if is_finished {
            break;
        }
        answer.batch = rows.into_spare();
        is_finished = session.next(token.name(), &mut answer.batch).unwrap().finished;
    }
    assert_eq!(seen, 10_000);
    assert!(batches > 3, "{batches}");
    fails(next(&mut session, &token), ErrorKind::PROTOCOL);
}

#[test]
fn at_least_one_row_is_taken_and_no_more_than_are_asked_for() {
    let mut session = memory();
    let token = session.prepare("VALUES (1), (2), (3)").unwrap();
    let one = query_with(&mut session, &token, QueryOptions { max_rows: 0, batch_bytes: 0 });
    assert_eq!((one.batch.rows(), one.is_finished), (1, false));
    session.close_rows(token.name()).unwrap();
    session.close_rows(token.name()).unwrap();
    let two = query_with(&mut session, &token, QueryOptions { max_rows: 2, ..ALL });
    assert_eq!((two.batch.rows(), two.is_finished), (2, true));
    let first = query_with(&mut session, &token, QueryOptions { max_rows: 3, batch_bytes: 0 });
    assert!(!first.is_finished);
    let (batch, more) = next(&mut session, &token).unwrap();
    assert_eq!((batch.rows(), more.finished), (1, false));
    let (batch, last) = next(&mut session, &token).unwrap();
    assert_eq!((batch.rows(), last.finished), (1, true));
}

#[test]
fn changes_are_counted_only_where_there_are_some() {
    let mut session = memory();
    let mut affected = |sql: &str| {
        let answer = query(&mut session, sql, &[]).unwrap();
        (answer.affected, answer.last_insert_id)
    };
    assert_eq!(affected("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"), (0, None));
    assert_eq!(affected("INSERT INTO t (a) VALUES (1), (2), (3)"), (3, Some(3)));
    assert_eq!(affected("SELECT * FROM t"), (0, None));
    assert_eq!(affected("CREATE TABLE u AS SELECT * FROM t"), (0, None));
    assert_eq!(affected("ALTER TABLE t RENAME COLUMN a TO b"), (0, None));
    assert_eq!(affected("UPDATE t SET b = 0 WHERE id > 1"), (2, None));
    assert_eq!(affected("UPDATE t SET b = 0 WHERE id > 100"), (0, None));
    assert_eq!(affected("INSERT OR IGNORE INTO t (id) VALUES (1)"), (0, None));
    assert_eq!(affected("WITH x (y) AS (SELECT 9) INSERT INTO t (id) SELECT y FROM x"), (1, Some(9)));
    assert_eq!(affected("REPLACE INTO t (id) VALUES (9)"), (1, Some(9)));
    assert_eq!(affected("DELETE FROM t"), (4, None));
    assert_eq!(affected("PRAGMA user_version = 5"), (0, None));
}

#[test]
fn a_statement_with_returning_is_done_also_when_its_rows_are_not_read() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (id INTEGER PRIMARY KEY)"]);
    let sql = "INSERT INTO t VALUES (1), (2), (3) RETURNING id";
    let token = session.prepare(sql).unwrap();
    let answer = query_with(&mut session, &token, QueryOptions { max_rows: 1, ..ALL });
    assert_eq!((answer.batch.rows(), answer.is_finished), (1, true));
    assert_eq!((answer.affected, answer.last_insert_id), (3, Some(3)));
    let token = session.prepare("UPDATE t SET id = id + 10 RETURNING id").unwrap();
    assert!(!query_with(&mut session, &token, QueryOptions { max_rows: 0, batch_bytes: 0 }).is_finished);
    session.close_rows(token.name()).unwrap();
    assert_eq!(number(&mut session, "SELECT sum(id) FROM t"), 36);
    let token = session.prepare("DELETE FROM t RETURNING id").unwrap();
    assert!(!query_with(&mut session, &token, QueryOptions { max_rows: 0, batch_bytes: 0 }).is_finished);
    let (mut affected, mut is_finished) = (0, false);
    while !is_finished {
        let (_, more) = next(&mut session, &token).unwrap();
        (affected, is_finished) = (more.affected, more.finished);
    }
    assert_eq!(affected, 3);
}

#[test]
fn a_statement_with_returning_that_cannot_be_committed_is_an_error_also_when_its_rows_are_not_read() {
    let file = TestFile::new();
    let mut writer = file.open("journal_mode=delete&busy_timeout=0");
    setup(&mut writer, &["CREATE TABLE t (id)"]);
    let mut reader = file.open("");
    setup(&mut reader, &["BEGIN", "SELECT * FROM t"]);
    let token = writer.prepare("INSERT INTO t VALUES (1), (2) RETURNING id").unwrap();
    let one_row = QueryOptions { max_rows: 1, ..ALL };
    let result = run_with(&mut writer, &token, &bound(&[]), one_row);
    fails(result, ErrorKind::BUSY);
    setup(&mut reader, &["COMMIT"]);
    assert_eq!(number(&mut writer, "SELECT count(*) FROM t"), 0);
}

#[test]
fn columns_follow_the_schema_and_stay_the_same_while_it_does() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (a VARCHAR(80), b BOOLEAN)", "INSERT INTO t VALUES ('x', 1)"]);
    let token = session.prepare("SELECT *, a || '!' AS c FROM t").unwrap();
    let before = run(&mut session, &token, &[]).unwrap();
    let column = &before.columns.columns[0];
    assert_eq!((column.name.as_str(), column.type_name.as_str()), ("a", "VARCHAR(80)"));
    assert_eq!((column.table.as_str(), column.origin.as_str(), column.kind), ("t", "a", Kind::TEXT));
    assert_eq!(before.columns.columns[1].kind, Kind::BOOL);
    let expression = &before.columns.columns[2];
    assert_eq!((expression.name.as_str(), expression.type_name.as_str()), ("c", ""));
    assert_eq!((expression.table.as_str(), expression.kind), ("", Kind::NULL));
    // Prepared anew, but the same columns: the same pointer.
    setup(&mut session, &["CREATE TABLE other (a)"]);
    let same = run(&mut session, &token, &[]).unwrap();
    assert!(std::ptr::eq(&*before.columns, &*same.columns));
    setup(&mut session, &["ALTER TABLE t ADD COLUMN d INTEGER DEFAULT 7"]);
    let after = run(&mut session, &token, &[]).unwrap();
    let names: Vec<&str> = after.columns.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "d", "c"]);
    assert_eq!(after.batch.check().unwrap().value(0, 2), Ok(ValueRef::I64(7)));
    // A table that is gone is an error, and no crash.
    setup(&mut session, &["DROP TABLE t"]);
    let error = fails(run(&mut session, &token, &[]), ErrorKind::UNDEFINED_TABLE);
    assert_eq!(error.record().table, "t");
    fails(session.describe(token.name()), ErrorKind::UNDEFINED_TABLE);
}

#[test]
fn statements_are_described_without_being_run() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT)"]);
    let token = session.prepare("SELECT id, a, b, 1 FROM t WHERE a = :name AND b = @other AND a = :name").unwrap();
    let description = session.describe(token.name()).unwrap();
    assert!(description.is_read_only);
    let names: Vec<&str> = description.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["name", "other"]);
    let nullability: Vec<Nullability> = description.columns.iter().map(|column| column.nullability).collect();
    assert_eq!(nullability, [Nullability::UNKNOWN, Nullability::NOT_NULL, Nullability::NULLABLE, Nullability::UNKNOWN]);
    let token = session.prepare("SELECT x.a FROM t LEFT JOIN t AS x ON x.id = $2 OR x.id = $1").unwrap();
    let description = session.describe(token.name()).unwrap();
    assert_eq!(description.columns[0].nullability, Nullability::UNKNOWN);
    assert_eq!(description.parameters.len(), 2);
    setup(&mut session, &["CREATE VIEW v AS SELECT x.a FROM t LEFT JOIN t AS x ON x.id = 0"]);
    let token = session.prepare("SELECT a FROM v").unwrap();
    assert_eq!(session.describe(token.name()).unwrap().columns[0].nullability, Nullability::UNKNOWN);
    let token = session.prepare("INSERT INTO t (a) VALUES ('x')").unwrap();
    let description = session.describe(token.name()).unwrap();
    assert!(!description.is_read_only && description.columns.is_empty());
    assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
}

#[test]
fn statements_can_be_dropped_in_any_order_and_are_finalized_by_the_session() {
    let mut session = memory();
    let tokens: Vec<Token> = (0..4).map(|i| session.prepare(&format!("SELECT {i}")).unwrap()).collect();
    let [a, b, c, d] = tokens.try_into().unwrap();
    assert_eq!(session.statement_count(), 4);
    std::thread::spawn(move || drop((c, a))).join().unwrap();
    // In the middle of its run, too.
    query_with(&mut session, &d, QueryOptions { max_rows: 0, batch_bytes: 0 });
    drop(d);
    assert_eq!(text(&mut session, "SELECT 'new'"), "new");
    assert_eq!(run(&mut session, &b, &[]).unwrap().batch.check().unwrap().value(0, 0), Ok(ValueRef::I64(1)));
    session.reset().unwrap();
    assert_eq!(session.statement_count(), 1);
    drop(session);
    drop(b);
}

#[test]
fn a_statement_of_another_connection_is_refused() {
    let (mut one, mut other) = (memory(), memory());
    let token = one.prepare("SELECT 1").unwrap();
    other.prepare("SELECT 2").unwrap();
    fails(run(&mut other, &token, &[]), ErrorKind::PROTOCOL);
}

#[test]
fn a_new_query_ends_a_result_that_was_left_open() {
    let mut session = memory();
    setup(&mut session, &["CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)"]);
    let token = session.prepare("SELECT a FROM t").unwrap();
    query_with(&mut session, &token, QueryOptions { max_rows: 0, batch_bytes: 0 });
    // Would be refused while the table is read.
    setup(&mut session, &["DROP TABLE t"]);
    fails(next(&mut session, &token), ErrorKind::PROTOCOL);
}

#[test]
fn sqlite_is_compiled_with_what_the_driver_promises() {
    let mut session = memory();
    let options = rows(&mut session, "PRAGMA compile_options", &[]);
    let options: Vec<String> = (0..options.rows()).map(|row| format!("{:?}", options.value(row, 0).unwrap())).collect();
    for option in ["ENABLE_COLUMN_METADATA", "ENABLE_FTS5", "ENABLE_RTREE", "THREADSAFE="] {
        assert!(options.iter().any(|known| known.contains(option)), "{option} is not in {options:?}");
    }
    assert!(!options.iter().any(|known| known.contains("THREADSAFE=0")), "connections change threads");
    assert_eq!(session.parameter_limit(), 32_766);
}
