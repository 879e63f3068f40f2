//! One statement for many rows of parameters, by a driver that knows no faster way.

use crate::{Batch, BatchError, Connection, Error, ErrorKind, ManyReply, QueryOptions, Result, RowBatch};

/// Runs a query for each row.
pub(crate) async fn one_by_one<C: Connection + ?Sized>(
    connection: &mut C,
    statement: &mut C::Statement,
    rows: RowBatch,
) -> Result<ManyReply> {
    let (mut affected, mut last_insert_id, mut batch) = (0, None, Batch::EMPTY);
    for row in 0..rows.rows() {
        let parameters = rows.params(row).ok_or_else(|| Error::protocol(BatchError::OutsideBatch.to_string()))?;
        let options = QueryOptions { max_rows: 0, batch_bytes: 64 * 1024 };
        let reply = connection.query(statement, parameters, options, &mut batch);
        let fetched = reply.wait().await.map_err(|error| error.with_row(row))?;
        if !fetched.columns.columns.is_empty() {
            if let Some(mut open) = fetched.rows {
                connection.close_rows(&mut open).wait().await?;
            }
            let message = "the statement returns rows, and is to be run for many rows of parameters";
            return Err(Error::new(ErrorKind::UNSUPPORTED, message).with_hint("drop its RETURNING").with_row(row));
        }
        affected += fetched.affected;
        last_insert_id = fetched.last_insert_id.or(last_insert_id);
    }
    Ok(ManyReply { affected, last_insert_id: last_insert_id.into(), spare: rows.into_spare() })
}
