use montrs_orm::FromRow;

#[derive(FromRow)]
struct User {
    id: i64,
    #[orm(rename = "id")]
    user_id: i64,
}

#[derive(FromRow)]
#[orm(rename_all = "camelCase")]
struct Order {
    #[orm(rename = "orderId")]
    id: i64,
    order_id: i64,
}

fn main() {}
