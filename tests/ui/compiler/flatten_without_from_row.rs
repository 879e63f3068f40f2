use montrs_orm::FromRow;

struct Address {
    street: String,
}

#[derive(FromRow)]
struct User {
    id: i64,
    #[orm(flatten)]
    address: Address,
}

fn main() {}
