// The examples in the documentation of the derives.

#![deny(warnings)]
#![allow(dead_code)]

use montrs_orm::{FromRow, SqlType, ToParams};

#[derive(FromRow)]
struct User<'r> {
    id: i64,
    name: &'r str,
    email: Option<String>,
    #[orm(rename = "type")]
    kind: String,
    #[orm(default)]
    logins: i32,
    #[orm(try_from = "i64")]
    level: SmallLevel,
    #[orm(json)]
    settings: Vec<Option<i64>>,
    #[orm(flatten)]
    address: Address,
    #[orm(flatten, prefix = "work_")]
    work: Option<Address>,
    #[orm(skip)]
    cache: Vec<u8>,
}

struct SmallLevel(i8);

impl TryFrom<i64> for SmallLevel {
    type Error = std::num::TryFromIntError;

    fn try_from(level: i64) -> Result<Self, Self::Error> {
        i8::try_from(level).map(SmallLevel)
    }
}

#[derive(ToParams)]
struct NewUser<'a> {
    name: &'a str,
    #[orm(rename = "mail")]
    email: Option<String>,
    #[orm(flatten, prefix = "home_")]
    address: Address,
    #[orm(json)]
    settings: Vec<i64>,
    #[orm(skip)]
    cache: Vec<u8>,
}

#[derive(SqlType)]
struct UserId(i64);

#[derive(SqlType)]
#[orm(transparent)]
struct Name<'a> {
    text: &'a str,
}

#[derive(SqlType)]
struct Wrapped<T>(T);

#[derive(SqlType)]
#[orm(rename_all = "snake_case")]
enum Mood {
    Sad,
    #[orm(rename = "so happy")]
    Happy,
}

#[derive(SqlType)]
#[repr(i16)]
enum Level {
    Low = 1,
    High = 10,
}

#[derive(FromRow, ToParams)]
#[orm(rename_all = "camelCase")]
struct Address {
    street: String,
    zip_code: String,
}

fn main() {}
