use montrs_orm::FromRow;

struct NotAColumn;

#[derive(FromRow)]
struct User {
    id: i64,
    thing: NotAColumn,
    things: Option<NotAColumn>,
}

fn main() {}
