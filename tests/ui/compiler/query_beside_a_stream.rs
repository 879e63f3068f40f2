use montrs_orm::{Database, DbError};

async fn second_query(db: &Database) -> Result<(), DbError> {
    let mut connection = db.acquire().await?;
    let mut rows = connection.query("SELECT name FROM users").fetch::<String>();
    connection.execute("DELETE FROM users").await?;
    rows.next().await.transpose().map(drop)
}

fn main() {}
