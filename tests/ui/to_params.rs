// Parameters are the named fields of a struct.

use montrs_orm::ToParams;

#[derive(ToParams)]
struct Pair(i64, String);

#[derive(ToParams)]
enum Mood {
    Sad,
}

#[derive(ToParams)]
struct User {
    #[orm(renam = "mail")]
    email: String,
}

fn main() {}
