// The example in the documentation of the derive.

#![deny(warnings)]
#![allow(dead_code)]

use montrs_orm::FromRow;

#[derive(FromRow)]
struct User<'r> {
    id: i64,
    name: &'r str,
    email: Option<String>,
    #[orm(rename = "type")]
    kind: String,
    #[orm(default)]
    logins: i32,
    #[orm(flatten)]
    address: Address,
    #[orm(skip)]
    cache: Vec<u8>,
}

#[derive(FromRow)]
#[orm(rename_all = "camelCase")]
struct Address {
    street: String,
    zip_code: String,
}

fn main() {}
