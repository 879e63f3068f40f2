// What is not the value of one column is told what it is instead.

use montrs_orm::SqlType;

#[derive(SqlType)]
struct Pair {
    x: i64,
    y: i64,
}

#[derive(SqlType)]
#[orm(composite)]
struct Address<'a> {
    street: &'a str,
}

#[derive(SqlType)]
enum Shape {
    Point,
    Circle(f64),
}

#[derive(SqlType)]
#[orm(rename_all = "snake_case")]
#[repr(u8)]
enum Level {
    Low = 1,
    #[orm(rename = "top")]
    High = 2,
}

#[derive(SqlType)]
#[orm(rename_al = "lowercase")]
enum Mood {
    Sad,
    #[orm(rename = "Sad")]
    Happy,
}

fn main() {}
