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
    #[orm(json, try_from = "String")]
    settings: i64,
    #[orm(prefix = "home_")]
    street: String,
    #[orm(flatten, json)]
    former: Address,
}

fn main() {}
