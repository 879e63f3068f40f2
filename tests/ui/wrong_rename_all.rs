use montrs_orm::FromRow;

#[derive(FromRow)]
#[orm(rename_all = "camelcase")]
struct Near {
    user_id: i64,
}

#[derive(FromRow)]
#[orm(rename_all = "title")]
struct Far {
    user_id: i64,
}

#[derive(FromRow)]
#[orm(rename_all = camelCase)]
struct Unquoted {
    user_id: i64,
}

fn main() {}
