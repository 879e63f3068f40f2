use montrs_orm::FromRow;

#[derive(FromRow)]
#[orm(renam_all = "camelCase")]
struct User {
    #[orm(renamed = "user_id")]
    id: i64,
    #[orm(defualt)]
    name: String,
}

fn main() {}
