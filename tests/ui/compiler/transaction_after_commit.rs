use montrs_orm::{Database, DbError};

async fn used_after_commit(db: &Database) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    tx.commit().await?;
    tx.execute("DELETE FROM users").await.map(drop)
}

fn main() {}
