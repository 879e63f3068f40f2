//! The format of a `load`: binary for many rows, until a value comes that has no binary form of its column's type.

use super::{CopyIn, end, open};
use crate::session::{Session, TransactionStatus};
use montrs_driver_sdk::Result;
use std::sync::Arc;

/// From so many values on it is worth a question to the server, what types its columns have, to send them in binary.
const MANY: usize = 1000;

/// Begins the COPY of a `load`, in the format that is best for so many values at first. The statement is one in text.
pub(super) async fn begin(session: &mut Session, text: Arc<str>, values: usize) -> Result<()> {
    // Should a value come that has no binary form, there are two COPYs; only a transaction makes them one.
    if values < MANY || session.status != TransactionStatus::Open {
        return super::begin(session, text.to_string()).await;
    }
    super::begin(session, format!("{text} (FORMAT binary)")).await?;
    open(session)?.load = Some(text);
    match open(session)?.without_types() {
        Some(text) => go_on(session, text).await,
        None => Ok(()),
    }
}

/// Goes on with a COPY in text. What the one before it was given is kept by the transaction around them.
pub(super) async fn go_on(session: &mut Session, text: Arc<str>) -> Result<()> {
    let copied = end(session).await?;
    super::begin(session, text.to_string()).await?;
    open(session)?.copied = copied;
    Ok(())
}

impl CopyIn {
    /// The statement in text of a load that should go in binary, where the types of the columns could not be told.
    fn without_types(&mut self) -> Option<Arc<str>> {
        if self.types.is_some() { None } else { self.load.take() }
    }
}
