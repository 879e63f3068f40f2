//! Lines over a socket. Dropping one of these futures loses no byte: it stays in a buffer of the wire.

use montrs_driver_sdk::{Error, ErrorKind, Result, Socket};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A longer line is taken for garbage.
const MAX_LINE: usize = 64 * 1024;

pub(crate) struct Wire {
    socket: Socket,
    /// What was read and is not used yet.
    incoming: Vec<u8>,
    /// What is to be written.
    outgoing: Vec<u8>,
    /// Why the connection cannot be used again.
    lost: bool,
}

/// A line from the server: its first word, and what comes after.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn split(&self) -> (&str, &str) {
        self.0.split_once(' ').unwrap_or((&self.0, ""))
    }
}

impl Wire {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, incoming: Vec::new(), outgoing: Vec::new(), lost: false }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Writes lines, after what an abandoned call has left to write.
    pub(crate) async fn send(&mut self, lines: &str) -> Result<()> {
        self.outgoing.extend_from_slice(lines.as_bytes());
        while !self.outgoing.is_empty() {
            match self.socket.write(&self.outgoing).await {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) => return Err(self.lose(error)),
            }
        }
        self.socket.flush().await.map_err(|error| self.lose(error))
    }

    /// The next line that is no error.
    pub(crate) async fn line(&mut self) -> Result<Line> {
        let line = self.any_line().await?;
        match line.split() {
            ("error", message) => Err(Error::new(ErrorKind::QUERY, message)),
            _ => Ok(line),
        }
    }

    /// The next line.
    pub(crate) async fn any_line(&mut self) -> Result<Line> {
        loop {
            if let Some(end) = self.incoming.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.incoming.drain(..=end).collect();
                line.pop();
                return String::from_utf8(line).map(Line).map_err(|_| self.garbage("bytes that are not UTF-8"));
            }
            if self.incoming.len() > MAX_LINE {
                return Err(self.garbage("a line without an end"));
            }
            match self.socket.read_buf(&mut self.incoming).await {
                Ok(0) => return Err(self.lose(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(self.lose(error)),
            }
        }
    }

    /// Reads the answer to a command that has no rows: the count of changed rows.
    pub(crate) async fn done(&mut self) -> Result<u64> {
        let line = self.line().await?;
        match line.split() {
            ("done", count) => count.parse().map_err(|_| self.garbage("a count that is no number")),
            _ => Err(self.garbage("an answer that does not fit the question")),
        }
    }

    /// Says goodbye, so that the server need not wait for more.
    pub(crate) async fn bye(mut self) {
        // When that fails, the server has gone already.
        if self.send("bye\n").await.is_ok() {
            let _ = self.socket.shutdown().await;
        }
    }

    pub(crate) fn garbage(&mut self, what: &str) -> Error {
        self.lost = true;
        Error::protocol(format!("the server sent {what}"))
    }

    fn lose(&mut self, error: io::Error) -> Error {
        self.lost = true;
        let mut error = Error::new(ErrorKind::CONNECTION_LOST, format!("the connection was lost: {error}"));
        error.record_mut().may_have_executed = true;
        error
    }
}
