//! What derived types read.

use crate::host;
use crate::{Columns, DbError, Field, FromRow, Plan};
use std::marker::PhantomData;

#[derive(Debug, PartialEq, FromRow)]
#[orm(rename_all = "camelCase")]
struct Address {
    street_name: String,
    #[orm(default = no_zip)]
    zip: i64,
}

#[derive(Debug, PartialEq, FromRow)]
struct User {
    id: i64,
    #[orm(flatten)]
    address: Address,
    #[orm(rename = "user_name")]
    name: String,
    #[orm(skip)]
    cache: Vec<u8>,
    #[orm(skip, default = "full")]
    level: u8,
    email: Option<String>,
    #[orm(default)]
    logins: i64,
    r#type: String,
}

fn no_zip() -> i64 {
    -1
}

fn full() -> u8 {
    9
}

const ROW: [(&str, Option<&str>); 8] = [
    ("type", Some("admin")),
    ("logins", Some("5")),
    ("email", None),
    ("nobody reads this", None),
    ("zip", Some("1010")),
    ("user_name", Some("Ada")),
    ("streetName", Some("Ring")),
    ("id", Some("7")),
];

fn ada() -> User {
    User {
        id: 7,
        address: Address { street_name: "Ring".to_owned(), zip: 1010 },
        name: "Ada".to_owned(),
        cache: Vec::new(),
        level: 9,
        email: None,
        logins: 5,
        r#type: "admin".to_owned(),
    }
}

fn row_without(column: &str) -> Vec<(&'static str, Option<&'static str>)> {
    ROW.into_iter().filter(|(name, _)| *name != column).collect()
}

fn row_with_null(column: &str) -> Vec<(&'static str, Option<&'static str>)> {
    ROW.into_iter().map(|(name, value)| (name, value.filter(|_| name != column))).collect()
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    assert_eq!(host::read(&ROW), Ok(ada()));
    let mut reversed = ROW;
    reversed.reverse();
    assert_eq!(host::read(&reversed), Ok(ada()));
}

#[test]
fn a_plan_has_one_position_for_each_field_in_order() {
    let mut plan = Plan::default();
    User::resolve(&Columns(vec!["type", "email", "user_name", "streetName", "id"]), &mut plan).unwrap();
    assert_eq!(plan, Plan(vec![Some(4), Some(3), None, Some(2), Some(1), None, Some(0)]));
}

#[test]
fn a_missing_column_takes_its_default() {
    assert_eq!(host::read::<User>(&row_without("logins")).unwrap().logins, 0);
    assert_eq!(host::read::<User>(&row_without("zip")).unwrap().address.zip, -1);
}

#[test]
fn a_missing_column_without_default_is_an_error() {
    for column in ["id", "streetName", "user_name", "email", "type"] {
        assert_eq!(host::read::<User>(&row_without(column)), Err(DbError(format!("no column {column}"))));
    }
}

#[test]
fn null_is_no_missing_column() {
    for column in ["id", "streetName", "logins", "zip"] {
        assert_eq!(host::read::<User>(&row_with_null(column)), Err(DbError("NULL".to_owned())), "{column}");
    }
}

#[test]
fn fields_describe_the_columns_in_order() {
    let field = |name: &'static str, rust_field, rust_type, required| Field {
        name: name.into(),
        rust_field,
        rust_type,
        required,
    };
    let mut fields = Vec::new();
    User::fields(&mut fields);
    assert_eq!(
        fields,
        [
            field("id", "id", "i64", true),
            field("streetName", "street_name", "String", true),
            field("zip", "zip", "i64", false),
            field("user_name", "name", "String", true),
            field("email", "email", "Option<String>", true),
            field("logins", "logins", "i64", false),
            field("type", "type", "String", true),
        ]
    );
}

#[test]
fn a_struct_may_borrow_from_the_row() {
    #[derive(FromRow)]
    struct Name<'a> {
        first: &'a str,
        last: Option<&'a str>,
    }

    let values = [Some("Lovelace".to_owned()), Some("Ada".to_owned())];
    let first = {
        let mut plan = Plan::default();
        let name: Name<'_> = host::read_values(&Columns(vec!["last", "first"]), &values, &mut plan).unwrap();
        assert_eq!(name.last, Some("Lovelace"));
        name.first.to_owned()
    };
    assert_eq!(first, "Ada");
}

#[test]
fn a_generic_struct_reads_its_parameters() {
    #[derive(Debug, PartialEq, FromRow)]
    struct Tagged<T, U, Tag> {
        value: Option<T>,
        #[orm(flatten)]
        rest: U,
        #[orm(skip)]
        tag: PhantomData<Tag>,
    }

    let read: Tagged<i64, Address, fn(User)> =
        host::read(&[("value", Some("1")), ("streetName", Some("Ring"))]).unwrap();
    assert_eq!(read.value, Some(1));
    assert_eq!(read.rest, Address { street_name: "Ring".to_owned(), zip: -1 });
}

#[test]
fn a_struct_without_columns_reads_any_row() {
    #[derive(Debug, PartialEq, FromRow)]
    struct Nothing {}

    assert_eq!(host::read(&[]), Ok(Nothing {}));
    assert_eq!(host::read(&ROW), Ok(Nothing {}));
}
