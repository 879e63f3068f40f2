//! One statement for many rows of parameters, in one go.

use crate::{
    error::Fault,
    registry::{Name, Token},
    session::Session,
};
use montrs_driver_sdk::{Error, ErrorKind, ManyReply, Result, RowBatch};

impl Session {
    /// Runs a statement once for each row. It stops at the first error; what the rows before it did stays done.
    pub(crate) fn query_many(&mut self, name: Name, rows: RowBatch) -> Result<ManyReply> {
        self.check_statement(name)?;
        // Where the first row has a list, all have.
        let for_lists = rows.params(0).map_or(Ok(None), |first| self.for_lists(name, &first))?;
        let name = for_lists.as_deref().map_or(name, Token::name);
        let prepared = self.registry.get(name)?;
        if prepared.statement.column_count() > 0 {
            let message = "the statement returns rows, and is to be run for many rows of parameters";
            return Err(Error::new(ErrorKind::UNSUPPORTED, message)
                .with_hint("drop its RETURNING, or run it for one row after the other in a transaction"));
        }
        self.heed_findings(name)?;
        let (mut affected, mut last_insert_id) = (0, None);
        for row in 0..rows.rows() {
            let prepared = self.registry.get(name)?;
            let values = rows.params(row).ok_or_else(|| Fault::from(Error::protocol("the row is missing")));
            match values.and_then(|values| prepared.run_once(&self.handle, &values)) {
                Ok(progress) => {
                    affected += progress.affected;
                    last_insert_id = progress.last_insert_id.or(last_insert_id);
                }
                Err(fault) => return self.leave(name, Err(fault)).map_err(|error| error.with_row(row)),
            }
        }
        self.leave(name, Ok(()))?;
        Ok(ManyReply { affected, last_insert_id: last_insert_id.into(), spare: rows.into_spare() })
    }
}
