use montrs_orm::FromRow;

#[derive(FromRow)]
#[orm]
struct User {
    #[orm(rename)]
    a: i64,
    #[orm(rename = 5)]
    b: i64,
    #[orm(rename("c"))]
    c: i64,
    #[orm(skip = true)]
    d: i64,
    #[orm(default = Vec::new())]
    e: i64,
    #[orm(default = "not a path")]
    f: i64,
    #[orm(default, default)]
    g: i64,
    #[orm(rename "h")]
    h: i64,
    #[orm = "i"]
    i: i64,
}

fn main() {}
