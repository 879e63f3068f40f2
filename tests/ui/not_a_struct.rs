use montrs_orm::FromRow;

#[derive(FromRow)]
enum Status {
    Active,
    Closed,
}

#[derive(FromRow)]
union Number {
    integer: i64,
    float: f64,
}

fn main() {}
