//! Ctrl-C.

use crate::failure::{self, Failure};
use std::time::Duration;

/// How long the statement may take to be cancelled after Ctrl-C.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Ends the process when Ctrl-C did not end it in an orderly way within [`GRACE`], or comes twice: the program can be
/// waiting for whoever reads its output.
pub(crate) fn watch() {
    tokio::spawn(async {
        interrupted().await;
        tokio::select! {
            () = interrupted() => {}
            () = tokio::time::sleep(GRACE + Duration::from_millis(500)) => {}
        }
        std::process::exit(failure::INTERRUPTED.into());
    });
}

/// The future's result, or [`Failure::Interrupted`]: the future is dropped then, which cancels what it was doing.
pub(crate) async fn or_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome,
        () = interrupted() => Err(Failure::Interrupted),
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // The signal cannot be watched, so it ends the process as it does by default.
        std::future::pending::<()>().await;
    }
}
