//! Sockets that the host opens for a driver.

use montrs_driver_abi::{
    Shutdown, SocketObject, SocketVtable, SocketVtableRef, Transferred,
    abi_stable::{prefix_type::WithMetadata, staticref},
    async_ffi::{FfiContext, FfiPoll},
    panic,
};
use std::{
    io,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    slice,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a socket's slots are made for.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static> Stream for T {}

/// Hands a stream to the driver.
pub(crate) fn object<S: Stream>(stream: S) -> SocketObject {
    let data = Box::into_raw(Box::new(stream)).cast();
    // SAFETY: `data` comes from `Box<S>::into_raw`, which is what the slots take it for.
    unsafe { SocketObject::new(data, Slots::<S>::VTABLE) }
}

struct Slots<S>(std::marker::PhantomData<S>);

impl<S: Stream> Slots<S> {
    staticref!(const TABLE: WithMetadata<SocketVtable> = WithMetadata::new(SocketVtable {
        poll_read: poll_read::<S>,
        poll_write: poll_write::<S>,
        poll_flush: poll_flush::<S>,
        poll_shutdown: poll_shutdown::<S>,
        drop: drop_socket::<S>,
    }));

    const VTABLE: SocketVtableRef = SocketVtableRef(Self::TABLE.as_prefix());
}

unsafe extern "C" fn poll_read<S: Stream>(
    socket: *mut (),
    context: *mut FfiContext<'_>,
    buffer: *mut u8,
    len: usize,
) -> FfiPoll<Transferred> {
    // SAFETY: the driver gives a buffer that is valid for writes of `len` bytes; nothing is assumed of what is in it.
    let free = unsafe { slice::from_raw_parts_mut(buffer.cast::<MaybeUninit<u8>>(), len) };
    // SAFETY: the driver has exclusive access to the socket, which is an `S`, and the context is its own.
    unsafe {
        poll::<S>(socket, context, |stream, cx| {
            let mut buffer = ReadBuf::uninit(free);
            stream.poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
        })
    }
}

unsafe extern "C" fn poll_write<S: Stream>(
    socket: *mut (),
    context: *mut FfiContext<'_>,
    buffer: *const u8,
    len: usize,
) -> FfiPoll<Transferred> {
    // SAFETY: the driver gives a buffer that is valid for reads of `len` bytes.
    let bytes = unsafe { slice::from_raw_parts(buffer, len) };
    // SAFETY: as in `poll_read`.
    unsafe { poll::<S>(socket, context, |stream, cx| stream.poll_write(cx, bytes)) }
}

unsafe extern "C" fn poll_flush<S: Stream>(socket: *mut (), context: *mut FfiContext<'_>) -> FfiPoll<Transferred> {
    // SAFETY: as in `poll_read`.
    unsafe { poll::<S>(socket, context, |stream, cx| stream.poll_flush(cx).map_ok(|()| 0)) }
}

unsafe extern "C" fn poll_shutdown<S: Stream>(
    socket: *mut (),
    context: *mut FfiContext<'_>,
    _half: Shutdown,
) -> FfiPoll<Transferred> {
    // SAFETY: as in `poll_read`.
    unsafe { poll::<S>(socket, context, |stream, cx| stream.poll_shutdown(cx).map_ok(|()| 0)) }
}

unsafe extern "C" fn drop_socket<S: Stream>(socket: *mut ()) {
    // SAFETY: `object` made the data of a `Box<S>`, and this slot is called once.
    let stream = unsafe { Box::from_raw(socket.cast::<S>()) };
    panic::quietly(|| drop(stream));
}

/// # Safety
///
/// `socket` must be the data of a socket made of an `S`, to which the caller has exclusive access, and `context` must be
/// valid.
unsafe fn poll<S: Stream>(
    socket: *mut (),
    context: *mut FfiContext<'_>,
    operation: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
) -> FfiPoll<Transferred> {
    // SAFETY: the caller's promise.
    let (stream, context) = unsafe { (&mut *socket.cast::<S>(), &mut *context) };
    let poll = context.with_context(|cx| catch_unwind(AssertUnwindSafe(|| operation(Pin::new(stream), cx))));
    match poll {
        Ok(Poll::Pending) => FfiPoll::Pending,
        Ok(Poll::Ready(Ok(count))) => FfiPoll::Ready(Transferred { count, error: 0 }),
        Ok(Poll::Ready(Err(error))) => {
            FfiPoll::Ready(Transferred { count: 0, error: error.raw_os_error().unwrap_or(-1) })
        }
        Err(payload) => {
            panic::discard(payload);
            FfiPoll::Panicked
        }
    }
}
