//! Types and tables that only the server knows. What was found is kept for all connections of the database.

use crate::{
    message::{Body, Field, garbage, tag},
    session::Session,
    types::{self, COMMA, Form, OTHER, Reader, Type},
};
use montrs_driver_sdk::{Column, Kind, Nullability, Result};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
    sync::{Mutex, PoisonError},
};

/// The types that were looked up.
#[derive(Default)]
pub(crate) struct Types(Mutex<HashMap<u32, Type>>);

/// Looks up what is asked for on the server, where it is not known.
pub(crate) async fn types(session: &mut Session, oids: impl Iterator<Item = u32>) -> Result<HashMap<u32, Type>> {
    let (mut found, mut missing) = (HashMap::new(), BTreeSet::new());
    {
        let known = session.target.types.0.lock().unwrap_or_else(PoisonError::into_inner);
        for oid in oids {
            match types::built_in(oid).or_else(|| known.get(&oid).cloned()) {
                Some(of_type) => drop(found.insert(oid, of_type)),
                None => drop(missing.insert(oid)),
            }
        }
    }
    if !missing.is_empty() {
        let looked_up = look_up(session, &missing).await?;
        let mut known = session.target.types.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(looked_up.iter().map(|(oid, of_type)| (*oid, of_type.clone())));
        found.extend(looked_up);
    }
    Ok(found)
}

/// The name with its schema where the search path does not find it; of an array, what its elements are.
const TYPES: &str = "SELECT t.oid, \
     CASE WHEN pg_catalog.pg_type_is_visible(e.oid) THEN '' ELSE n.nspname || '.' END || e.typname, \
     e.oid, e.typtype, e.typbasetype, e.typdelim, t.oid <> e.oid \
     FROM pg_catalog.pg_type t \
     JOIN pg_catalog.pg_type e ON e.oid = \
     CASE WHEN t.typoutput = 'pg_catalog.array_out'::pg_catalog.regproc THEN t.typelem ELSE t.oid END \
     JOIN pg_catalog.pg_namespace n ON n.oid = e.typnamespace WHERE t.oid IN (";

async fn look_up(session: &mut Session, oids: &BTreeSet<u32>) -> Result<HashMap<u32, Type>> {
    let mut found = HashMap::new();
    let sql = format!("{TYPES}{})", list(oids.iter()));
    session
        .simple_query(&sql, |tag, body| {
            if tag == tag::DATA_ROW {
                let [oid, name, element, typtype, base, delimiter, is_array] = texts(body)?;
                let reader = reader(&name, &typtype, number(&element)?, number(&base)?);
                let of_type = if is_array == "t" {
                    let delimiter = delimiter.bytes().next().unwrap_or(COMMA);
                    Type { name: format!("{name}[]").into(), form: Form::Array(reader, delimiter) }
                } else {
                    Type { name: name.into(), form: Form::One(reader) }
                };
                found.insert(number(&oid)?, of_type);
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

fn reader(name: &str, typtype: &str, oid: u32, base: u32) -> Reader {
    match typtype {
        "e" => Reader::Text(Kind::TEXT),
        "d" => types::scalar(base).map_or(OTHER, |(_, reader)| reader),
        // An extension's type has another number on each server.
        _ if name.rsplit('.').next() == Some("citext") => Reader::Text(Kind::TEXT),
        _ => types::scalar(oid).map_or(OTHER, |(_, reader)| reader),
    }
}

/// Of a view, it is not known which of its columns can be NULL.
const ORIGINS: &str = "SELECT a.attrelid, a.attnum, c.relname, a.attname, a.attnotnull OR c.relkind IN ('v', 'm') \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
     WHERE a.attnum > 0 AND a.attrelid IN (";

/// Adds to the columns the tables and columns that they are taken from.
pub(crate) async fn add_origins(session: &mut Session, fields: &[Field], columns: &mut [Column]) -> Result<()> {
    let tables: BTreeSet<u32> = fields.iter().map(|field| field.table).filter(|table| *table != 0).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let sql = format!("{ORIGINS}{})", list(tables.iter()));
    session
        .simple_query(&sql, |tag, body| {
            if tag == tag::DATA_ROW {
                let [table, attribute, table_name, name, is_not_null] = texts(body)?;
                let place = (number(&table)?, number(&attribute)?);
                let here = |field: &Field| (field.table, u32::from(field.attribute)) == place;
                for (_, column) in fields.iter().zip(&mut *columns).filter(|(field, _)| here(field)) {
                    column.table = table_name.as_str().into();
                    column.origin = name.as_str().into();
                    // Of an outer join, a column that is NOT NULL in its table can be NULL.
                    column.nullability = if is_not_null == "t" { Nullability::UNKNOWN } else { Nullability::NULLABLE };
                }
            }
            Ok(())
        })
        .await
}

fn list<'a>(oids: impl Iterator<Item = &'a u32>) -> String {
    let mut list = String::new();
    for oid in oids {
        let separator = if list.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(list, "{separator}{oid}");
    }
    list
}

/// The values of a row that has this many columns; NULL is empty.
fn texts<const N: usize>(row: &[u8]) -> Result<[String; N]> {
    let mut body = Body::new(row);
    if usize::from(body.u16()?) != N {
        return Err(garbage("a row of the catalog with another number of columns"));
    }
    let mut texts = [const { String::new() }; N];
    for text in &mut texts {
        *text = String::from_utf8_lossy(body.value()?.unwrap_or_default()).into_owned();
    }
    Ok(texts)
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| garbage("a row of the catalog without a number"))
}
