use montrs_orm::FromRow;

#[derive(FromRow)]
struct User<'a, 'b> {
    name: &'a str,
    email: &'b str,
}

fn main() {}
