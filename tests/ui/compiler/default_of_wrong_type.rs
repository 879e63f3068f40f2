use montrs_orm::FromRow;

fn none() -> i64 {
    0
}

#[derive(FromRow)]
struct User {
    #[orm(default = none)]
    name: String,
    #[orm(skip, default = none)]
    cache: String,
}

fn main() {}
