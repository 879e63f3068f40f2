//! Placeholders, bound by position and by name.

use super::{ALL, Ran, fails, memory, query, rows, run, run_with};
use crate::session::Session;
use montrs_driver_sdk::{ErrorKind, ParamBuffer, Result, ValueRef};

/// What a query over integers gives for the values 1, 2, 3, …
fn numbers(session: &mut Session, sql: &str, count: i64) -> Vec<i64> {
    let values: Vec<ValueRef<'_>> = (1..=count).map(ValueRef::I64).collect();
    let rows = rows(session, sql, &values);
    (0..rows.columns())
        .map(|column| match rows.value(0, column).unwrap() {
            ValueRef::I64(number) => number,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn named(session: &mut Session, sql: &str, values: &[(&str, i64)]) -> Result<Ran> {
    let mut buffer = ParamBuffer::default();
    for (name, value) in values {
        match *name {
            "" => buffer.push(ValueRef::I64(*value)).unwrap(),
            name => buffer.push_named(name, ValueRef::I64(*value)).unwrap(),
        }
    }
    let token = session.prepare(sql)?;
    run_with(session, &token, &buffer, ALL)
}

#[test]
fn numbers_mean_positions_in_whatever_order_they_appear() {
    let mut session = memory();
    assert_eq!(numbers(&mut session, "SELECT $2, $1, $2", 2), [2, 1, 2]);
    assert_eq!(numbers(&mut session, "SELECT ?2, ?1, ?2", 2), [2, 1, 2]);
    assert_eq!(numbers(&mut session, "SELECT ?, ?", 2), [1, 2]);
    assert_eq!(numbers(&mut session, "SELECT ?3, ?", 4), [3, 4]);
    assert_eq!(numbers(&mut session, "SELECT :b, @a, $c, :b", 3), [1, 2, 3, 1]);
    assert_eq!(numbers(&mut session, "SELECT ?, :a", 2), [1, 2]);
    assert_eq!(numbers(&mut session, "SELECT $10, $9, $1, $2 + $3 + $4 + $5 + $6 + $7 + $8", 10), [10, 9, 1, 35]);
    // What is in quotes and comments is none.
    assert_eq!(numbers(&mut session, "SELECT $1 /* $2 */ WHERE '?' <> '$3' -- ?4", 1), [1]);
}

#[test]
fn wrong_counts_are_told_with_the_placeholders_as_they_were_written() {
    let mut session = memory();
    let mut message = |sql: &str, count: usize| {
        let values = vec![ValueRef::I64(0); count];
        fails(query(&mut session, sql, &values), ErrorKind::PARAMETERS).to_string()
    };
    assert_eq!(message("SELECT $2, $1", 3), "the statement has 2 parameters ($1, $2), 3 were bound");
    assert_eq!(message("SELECT $1, $3", 2), "the statement has $3 and not $2");
    assert_eq!(message("SELECT $9, $2, :a", 10), "the statement has $9 and not $1");
    assert_eq!(message("SELECT ?, ?", 1), "the statement has 2 parameters (?1, ?2), 1 was bound");
    assert_eq!(message("SELECT :name", 0), "the statement has 1 parameter (:name), 0 were bound");
    assert_eq!(message("SELECT 1", 1), "the statement has no parameters, 1 was bound");
    assert!(message(&format!("SELECT {}?", "?,".repeat(99)), 1).contains("?20, …)"));
}

#[test]
fn mixed_forms_whose_positions_are_ambiguous_are_refused() {
    let mut session = memory();
    for sql in ["SELECT $2, ?", "SELECT $1, :name", "SELECT $1, ?1"] {
        let error = fails(query(&mut session, sql, &[ValueRef::Null, ValueRef::Null]), ErrorKind::PARAMETERS);
        assert!(error.to_string().contains("mixes"), "{error}");
    }
}

#[test]
fn names_are_bound_in_any_order_with_any_sign() {
    let mut session = memory();
    let answer = named(&mut session, "SELECT :a, @b, $c, :a", &[("c", 3), ("a", 1), ("b", 2)]).unwrap();
    let rows = answer.batch.check().unwrap();
    for (column, number) in [1, 2, 3, 1].into_iter().enumerate() {
        assert_eq!(rows.value(0, column), Ok(ValueRef::I64(number)));
    }
    // The same name with two signs is one value.
    let answer = named(&mut session, "SELECT :a + $a", &[("a", 4)]).unwrap();
    assert_eq!(answer.batch.check().unwrap().value(0, 0), Ok(ValueRef::I64(8)));
    // Values without a name are numbered.
    let answer = named(&mut session, "SELECT $2, :a, $1", &[("", 1), ("a", 9), ("", 2)]).unwrap();
    let rows = answer.batch.check().unwrap();
    assert_eq!([rows.value(0, 0), rows.value(0, 1), rows.value(0, 2)], [2, 9, 1].map(|n| Ok(ValueRef::I64(n))));
}

#[test]
fn wrong_names_are_told_with_the_nearest() {
    let mut session = memory();
    let sql = "SELECT :email, :name";
    let missing = fails(named(&mut session, sql, &[("name", 1)]), ErrorKind::PARAMETERS);
    assert!(missing.to_string().contains("`:email`"), "{missing}");
    assert!(missing.record().hint.contains(":email, :name"));
    let unknown = fails(named(&mut session, sql, &[("name", 1), ("emial", 2)]), ErrorKind::PARAMETERS);
    assert!(unknown.to_string().contains("`emial`; did you mean `email`?"), "{unknown}");
    let twice = fails(named(&mut session, sql, &[("name", 1), ("name", 2)]), ErrorKind::PARAMETERS);
    assert!(twice.to_string().contains("twice"), "{twice}");
    fails(named(&mut session, "SELECT ?", &[("a", 1)]), ErrorKind::PARAMETERS);
    fails(named(&mut session, "SELECT :a", &[("a", 1), ("", 2)]), ErrorKind::PARAMETERS);
    fails(named(&mut session, "SELECT :a, $1", &[("a", 1)]), ErrorKind::PARAMETERS);
}

#[test]
fn what_sqlite_would_take_for_a_name_is_explained() {
    let mut session = memory();
    let cast = fails(session.prepare("SELECT $1::int"), ErrorKind::SYNTAX);
    assert_eq!(cast.record().position, Some(7).into());
    assert!(cast.record().hint.contains("CAST($1 AS"), "{cast:?}");
    fails(session.prepare("SELECT $0"), ErrorKind::PARAMETERS);
    fails(session.prepare("SELECT $99999999999999999999999"), ErrorKind::PARAMETERS);
    fails(session.prepare("SELECT ?0"), ErrorKind::PARAMETERS);
    fails(session.prepare("SELECT ?40000"), ErrorKind::PARAMETERS);
}

#[test]
fn values_of_an_earlier_run_are_gone() {
    let mut session = memory();
    let token = session.prepare("SELECT $1").unwrap();
    let large = "x".repeat(100_000);
    for value in [ValueRef::Text(&large), ValueRef::Null, ValueRef::I64(2)] {
        let answer = run(&mut session, &token, &[value]).unwrap();
        assert_eq!(answer.batch.check().unwrap().value(0, 0), Ok(value));
    }
}
