use montrs_orm::FromRow;

#[derive(FromRow)]
struct Pair(i64, String);

#[derive(FromRow)]
struct Nothing;

fn main() {}
