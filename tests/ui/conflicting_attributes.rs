use montrs_orm::FromRow;

#[derive(FromRow)]
struct Address {
    street: String,
}

#[derive(FromRow)]
struct User {
    #[orm(flatten, rename = "address")]
    home: Address,
    #[orm(default, flatten)]
    work: Address,
    #[orm(skip)]
    #[orm(rename = "cached")]
    cache: i64,
    #[orm(skip, flatten)]
    other: Address,
}

fn main() {}
