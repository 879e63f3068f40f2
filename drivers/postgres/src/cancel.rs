//! Cancelling on the server, over a connection of its own.

use crate::{connect, session::Session};
use bytes::BytesMut;
use montrs_driver_sdk::{Error, ErrorKind, Result};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Asks the server to cancel what the session runs, and waits until it has done so: the server closes the connection when
/// it has sent its signal. Whoever does not wait cancels the next statement.
pub(crate) async fn cancel(session: &Session) -> Result<()> {
    let Some((process, secret)) = session.key else {
        return Err(Error::new(ErrorKind::UNSUPPORTED, "the server gave no key to cancel with"));
    };
    let is_encrypted = session.wire.stream().is_encrypted();
    let mut stream = connect::stream(&session.host, &session.target, &session.endpoint, is_encrypted).await?;
    let mut request = BytesMut::new();
    frontend::cancel_request(process, secret, &mut request);
    let failed = |error| Error::new(ErrorKind::CONNECTION, format!("the statement could not be cancelled: {error}"));
    stream.write_all(&request).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    // The end may come as a reset too; what counts is that it has come.
    let mut rest = [0; 64];
    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
    Ok(())
}
