//! A socket of the host's, with tokio's I/O traits.

use montrs_driver_abi::{
    Shutdown, SocketObject, Transferred,
    async_ffi::{ContextExt, FfiContext, FfiPoll},
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A byte stream that the host has opened. Dropping it closes it.
pub struct Socket(SocketObject);

impl Socket {
    pub(crate) fn new(socket: SocketObject) -> Self {
        Self(socket)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // SAFETY: nothing is done to the bytes but writing initialised ones.
        let free = unsafe { buf.unfilled_mut() };
        let (start, len) = (free.as_mut_ptr().cast::<u8>(), free.len());
        let poll = cx.with_ffi_context(|context| {
            // SAFETY: `start` is valid for writes of `len` bytes, and `&mut self` makes the access exclusive.
            unsafe { self.0.vtable().poll_read()(self.0.data(), context, start, len) }
        });
        let count = ready!(transferred(poll))?.min(len);
        // SAFETY: the host has written that many bytes: the slot's contract.
        unsafe { buf.assume_init(count) };
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        transferred(cx.with_ffi_context(|context| {
            // SAFETY: the pointer is valid for reads of that length, and `&mut self` makes the access exclusive.
            unsafe { self.0.vtable().poll_write()(self.0.data(), context, buf.as_ptr(), buf.len()) }
        }))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = cx.with_ffi_context(|context: &mut FfiContext<'_>| {
            // SAFETY: `&mut self` makes the access exclusive.
            unsafe { self.0.vtable().poll_flush()(self.0.data(), context) }
        });
        transferred(poll).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = cx.with_ffi_context(|context: &mut FfiContext<'_>| {
            // SAFETY: `&mut self` makes the access exclusive.
            unsafe { self.0.vtable().poll_shutdown()(self.0.data(), context, Shutdown::WRITE) }
        });
        transferred(poll).map_ok(drop)
    }
}

fn transferred(poll: FfiPoll<Transferred>) -> Poll<io::Result<usize>> {
    match poll {
        FfiPoll::Pending => Poll::Pending,
        FfiPoll::Panicked => Poll::Ready(Err(io::Error::other("the host panicked in a socket operation"))),
        FfiPoll::Ready(Transferred { count, error: 0 }) => Poll::Ready(Ok(count)),
        FfiPoll::Ready(Transferred { error, .. }) if error > 0 => Poll::Ready(Err(io::Error::from_raw_os_error(error))),
        FfiPoll::Ready(_) => Poll::Ready(Err(io::Error::other("the socket failed"))),
    }
}
