// Every wrong attribute of the struct and of its fields is reported at once.

use montrs_orm::FromRow;

#[derive(FromRow)]
#[orm(table = "users")]
struct User {
    #[orm(index)]
    id: i64,
    #[orm(primary_key, rename = "user_name")]
    name: String,
}

fn main() {}
