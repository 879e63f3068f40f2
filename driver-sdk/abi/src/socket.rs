//! A byte stream that the host has opened for the driver.

use abi_stable::StableAbi;
use async_ffi::{FfiContext, FfiPoll};

/// How many bytes went over, or why none did.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The bytes that went over; 0 from a read means the end of the stream.
    pub count: usize,
    /// 0, the operating system's error number, or -1 for an error without one.
    pub error: i32,
}

/// Which half of a stream is to be shut down.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown(pub u8);

impl Shutdown {
    /// The half that writes, which is all that TCP and Unix sockets are asked for.
    pub const WRITE: Self = Self(0);
}

/// The slots of a socket. They follow `tokio::io::AsyncRead` and `AsyncWrite`.
///
/// The driver calls them with exclusive access, from any thread, inside the runtime that the socket belongs to: from a
/// future that the host polls. `Pending` means that the context's waker will be woken.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = SocketVtableRef, prefix_fields = SocketVtablePrefix)))]
pub struct SocketVtable {
    /// Reads at most `len` bytes to `buffer`, which need not be initialised.
    pub poll_read: unsafe extern "C" fn(
        socket: *mut (),
        context: *mut FfiContext<'_>,
        buffer: *mut u8,
        len: usize,
    ) -> FfiPoll<Transferred>,

    /// Writes at most `len` bytes from `buffer`.
    pub poll_write: unsafe extern "C" fn(
        socket: *mut (),
        context: *mut FfiContext<'_>,
        buffer: *const u8,
        len: usize,
    ) -> FfiPoll<Transferred>,

    /// Waits until all that was written is on its way.
    pub poll_flush: unsafe extern "C" fn(socket: *mut (), context: *mut FfiContext<'_>) -> FfiPoll<Transferred>,

    /// Shuts down one half.
    pub poll_shutdown:
        unsafe extern "C" fn(socket: *mut (), context: *mut FfiContext<'_>, half: Shutdown) -> FfiPoll<Transferred>,

    /// Closes the socket. Called once, from any thread; does not block.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(socket: *mut ()),
}

/// A socket and its slots; dropping it closes it. The driver owns it.
#[repr(C)]
#[derive(StableAbi)]
pub struct SocketObject {
    data: *mut (),
    vtable: SocketVtableRef,
}

object!(SocketObject, SocketVtableRef, "a socket", Send, Sync);
