//! Messages over a stream. Dropping one of these futures loses no byte: what was read, and what is to be written, stays in
//! a buffer of the wire.

use crate::{message::garbage, stream::Stream};
use bytes::{Buf, BytesMut};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A connection's stream and its two buffers.
pub(crate) struct Wire {
    stream: Stream,
    /// What was read.
    incoming: Vec<u8>,
    /// Where in `incoming` the next message begins.
    head: usize,
    /// What is to be written. It is kept until [`Wire::sent`], in case that it must be said again.
    pub(crate) outgoing: BytesMut,
    /// How much of `outgoing` was written.
    written: usize,
    /// The last of it may still be in the stream's own buffer.
    is_held_back: bool,
    /// Nothing more can be read or written.
    lost: bool,
}

/// A message whose body lies in the wire's buffer until the next one is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Range<usize>,
}

/// What became of trying to write, and else to read.
enum Moved {
    Out(io::Result<()>),
    In(io::Result<usize>),
}

/// A tag and a length, which counts itself and not the tag.
const HEADER: usize = 5;
/// What PostgreSQL itself takes for the longest message.
const MAX_LENGTH: usize = 0x3fff_ffff;
/// How much is read at once, and how large the buffer is that is kept.
const READ: usize = 64 * 1024;
const KEPT: usize = 4 * READ;

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            incoming: Vec::new(),
            head: 0,
            outgoing: BytesMut::new(),
            written: 0,
            is_held_back: false,
            lost: false,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Gives the connection up.
    pub(crate) fn give_up(&mut self) {
        self.lost = true;
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether any of what is to be written has left.
    pub(crate) fn has_begun_to_write(&self) -> bool {
        self.written > 0
    }

    /// Forgets what is to be written.
    pub(crate) fn sent(&mut self) {
        self.outgoing.clear();
        self.written = 0;
    }

    /// Writes what is to be written. Its bytes stay in the buffer.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        while self.written < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.written..]).await {
                Ok(0) => return Err(self.lose(&io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) => return self.after_failed_write(&error).await,
            }
        }
        // Under TLS, what was written may be waiting for its record.
        if self.stream.is_encrypted()
            && let Err(error) = self.stream.flush().await
        {
            return Err(self.lose(&error));
        }
        self.is_held_back = false;
        Ok(())
    }

    /// Whether everything that is to be written has left.
    pub(crate) fn is_written(&self) -> bool {
        self.written == self.outgoing.len() && !self.is_held_back
    }

    /// Writes some of what is to be written; where the server does not take it, reads what it says meanwhile.
    pub(crate) async fn write_or_read(&mut self) -> Result<()> {
        self.make_room();
        let moved = std::future::poll_fn(|cx| match self.poll_write(cx) {
            Poll::Pending => self.poll_read(cx).map(Moved::In),
            Poll::Ready(written) => Poll::Ready(Moved::Out(written)),
        })
        .await;
        match moved {
            Moved::Out(Ok(())) | Moved::In(Ok(1..)) => Ok(()),
            Moved::In(Ok(0)) => Err(self.lose(&io::ErrorKind::UnexpectedEof.into())),
            Moved::In(Err(error)) => Err(self.lose(&error)),
            Moved::Out(Err(error)) => self.after_failed_write(&error).await,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written < self.outgoing.len() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            // Under TLS, what was written may be waiting for its record.
            self.is_held_back = self.stream.is_encrypted();
        } else {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_held_back = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The server may have said why it closes before it did.
    #[cold]
    async fn after_failed_write(&mut self, error: &io::Error) -> Result<()> {
        if !self.has_message() {
            let _ = self.read_what_is_there().await;
        }
        if self.has_message() { Ok(()) } else { Err(self.lose(error)) }
    }

    /// The next message if all of it is there, without waiting.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Message>> {
        let message = frame(&self.incoming, self.head)?;
        if let Some(message) = &message {
            self.head = message.body.end;
        }
        Ok(message)
    }

    fn has_message(&mut self) -> bool {
        let head = self.head;
        let is_there = matches!(self.next(), Ok(Some(_)));
        self.head = head;
        is_there
    }

    #[inline]
    pub(crate) fn body(&self, message: &Message) -> &[u8] {
        &self.incoming[message.body.clone()]
    }

    /// Waits for more bytes.
    pub(crate) async fn fill(&mut self) -> Result<()> {
        self.make_room();
        match self.stream.read_buf(&mut self.incoming).await {
            Ok(0) => Err(self.lose(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.lose(&error)),
        }
    }

    /// Reads the bytes that have arrived, without waiting for any. `false` says that there were none.
    pub(crate) async fn read_what_is_there(&mut self) -> Result<bool> {
        self.make_room();
        let read = std::future::poll_fn(|cx| Poll::Ready(self.poll_read(cx))).await;
        match read {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(self.lose(&io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(_)) => Ok(true),
            Poll::Ready(Err(error)) => Err(self.lose(&error)),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut block = [0; 8 * 1024];
        let mut buffer = ReadBuf::new(&mut block);
        let poll = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        self.incoming.extend_from_slice(buffer.filled());
        poll.map_ok(|()| buffer.filled().len())
    }

    /// Moves what was not read yet to the front, and makes room behind it. The buffer grows as bytes arrive, whatever
    /// length a message claims to have.
    fn make_room(&mut self) {
        if self.head == self.incoming.len() {
            self.incoming.clear();
            if self.incoming.capacity() > KEPT {
                self.incoming = Vec::new();
            }
        } else if self.head > 0 {
            self.incoming.drain(..self.head);
        }
        self.head = 0;
        if self.incoming.capacity() - self.incoming.len() < READ / 2 {
            self.incoming.reserve(READ.max(self.incoming.len()));
        }
    }

    /// Says goodbye, so that the server need not wait for more.
    pub(crate) async fn terminate(mut self) {
        self.sent();
        postgres_protocol::message::frontend::terminate(&mut self.outgoing);
        // When that fails, the server has gone already.
        if self.flush().await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    /// The error of a connection that was lost.
    #[cold]
    pub(crate) fn lose(&mut self, error: &io::Error) -> Error {
        self.lost = true;
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
            _ => error.to_string(),
        };
        Error::new(ErrorKind::CONNECTION_LOST, format!("the connection to the server was lost: {why}"))
    }

    /// A byte that is no message: the answer to an SSLRequest.
    pub(crate) async fn byte(stream: &mut Stream) -> io::Result<u8> {
        let mut byte = [0];
        // One byte and no more: what comes after it unencrypted is not to be believed.
        match stream.read(&mut byte).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok((&byte[..]).get_u8()),
        }
    }
}

/// The message that begins here, if all of it is there.
#[inline]
fn frame(bytes: &[u8], head: usize) -> Result<Option<Message>> {
    let Some([tag, length @ ..]) = bytes[head..].first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(HEADER - 1..=MAX_LENGTH).contains(&length) {
        return Err(garbage("a message of impossible length"));
    }
    let body = head + HEADER..head + 1 + length;
    Ok((body.end <= bytes.len()).then_some(Message { tag: *tag, body }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_whole_or_not_there() {
        let bytes = b"xZ\0\0\0\x05I";
        assert_eq!(frame(bytes, 1).unwrap(), Some(Message { tag: b'Z', body: 6..7 }));
        for end in 1..bytes.len() {
            assert_eq!(frame(&bytes[..end], 1).unwrap(), None, "cut at {end}");
        }
        assert!(frame(b"Z\0\0\0\x03", 0).is_err());
        assert!(frame(b"Z\x40\0\0\0", 0).is_err());
        assert_eq!(frame(b"Z\x3f\xff\xff\xff", 0).unwrap(), None, "a length is only a claim");
    }

    proptest! {
        #[test]
        fn any_bytes_are_messages_or_refused(bytes in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..80)) {
            let mut head = 0;
            while let Ok(Some(message)) = frame(&bytes, head) {
                prop_assert!(message.body.end > head && message.body.end <= bytes.len());
                head = message.body.end;
            }
        }
    }
}
