use montrs_orm::FromRow;

#[derive(FromRow)]
#[orm(rename = "users")]
struct User {
    #[orm(rename_all = "camelCase")]
    id: i64,
}

fn main() {}
