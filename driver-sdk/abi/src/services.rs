//! What a driver needs of its host.
//!
//! Plugin and host have separate copies of every static, so a driver cannot use the host's tokio by linking tokio. It
//! asks through this table instead. The services are bound to a database and to the runtime that opened it.

use crate::{Job, SocketObject, TaskObject};
use abi_stable::{
    StableAbi,
    std_types::{RResult, RStr, RString, RVec},
};
use async_ffi::FfiFuture;

/// An I/O operation's end; the error is the operating system's number (or -1) and a text.
pub type IoResult<T> = RResult<T, IoFailure>;

/// Why an I/O operation failed.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct IoFailure {
    /// The operating system's error number, or -1 for an error without one.
    pub code: i32,
    /// The same for people.
    pub message: RString,
}

/// How a TCP connection is set up. Times are in milliseconds; 0 leaves the system's default.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default)]
pub struct TcpOptions {
    /// Send small packets at once (`TCP_NODELAY`).
    pub no_delay: bool,
    /// Send keepalive probes.
    pub keepalive: bool,
    /// How many lost probes end the connection.
    pub keepalive_retries: u32,
    /// The idle time before the first probe.
    pub keepalive_idle_ms: u64,
    /// The time between probes.
    pub keepalive_interval_ms: u64,
    /// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub user_timeout_ms: u64,
}

/// How important a log record is. An open set, ordered: a larger number is less important.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogLevel(pub u8);

impl LogLevel {
    /// Something failed.
    pub const ERROR: Self = Self(1);
    /// Something may be wrong.
    pub const WARN: Self = Self(2);
    /// Worth knowing.
    pub const INFO: Self = Self(3);
    /// For who looks for a fault.
    pub const DEBUG: Self = Self(4);
    /// Everything.
    pub const TRACE: Self = Self(5);
}

/// The slots of the host's services. The driver calls them, from any thread unless a slot says otherwise; calls may
/// overlap. Futures belong to the driver, which polls them inside futures that the host polls.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostServicesVtableRef, prefix_fields = HostServicesVtablePrefix)))]
pub struct HostServicesVtable {
    /// One more handle on the same services.
    pub duplicate: unsafe extern "C" fn(services: *const ()) -> HostServices,

    /// The IP addresses of a host name, as text, in the order in which they should be tried.
    pub resolve: unsafe extern "C" fn(services: *const (), host: RStr<'_>) -> FfiFuture<IoResult<RVec<RString>>>,

    /// Opens a TCP connection to an IP address.
    pub connect_tcp: unsafe extern "C" fn(
        services: *const (),
        address: RStr<'_>,
        port: u16,
        options: TcpOptions,
    ) -> FfiFuture<IoResult<SocketObject>>,

    /// Opens a connection to a Unix socket.
    pub connect_unix: unsafe extern "C" fn(services: *const (), path: RStr<'_>) -> FfiFuture<IoResult<SocketObject>>,

    /// Ends after this many milliseconds.
    pub sleep: unsafe extern "C" fn(services: *const (), duration_ms: u64) -> FfiFuture<()>,

    /// Lets other tasks and the runtime's own work have a turn. (A future that wakes itself starves timers.)
    pub yield_now: unsafe extern "C" fn(services: *const ()) -> FfiFuture<()>,

    /// Runs a future as a task of its own. When the runtime is shutting down, the future is dropped.
    pub spawn: unsafe extern "C" fn(services: *const (), future: FfiFuture<()>) -> TaskObject,

    /// Runs blocking work on a thread where that is allowed. When the runtime is shutting down, the work may be dropped
    /// without being run.
    pub spawn_blocking: unsafe extern "C" fn(services: *const (), job: Job),

    /// Whether anybody would see a record of this level and target.
    pub log_enabled: unsafe extern "C" fn(services: *const (), level: LogLevel, target: RStr<'_>) -> bool,

    /// Emits a log record.
    pub log: unsafe extern "C" fn(services: *const (), level: LogLevel, target: RStr<'_>, message: RStr<'_>),

    /// Gives a handle back. Called once for each handle.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(services: *mut ()),
}

/// A handle on the host's services; dropping it gives it back.
#[repr(C)]
#[derive(StableAbi)]
pub struct HostServices {
    data: *mut (),
    vtable: HostServicesVtableRef,
}

object!(HostServices, HostServicesVtableRef, "the host's services", Send, Sync);

impl Clone for HostServices {
    fn clone(&self) -> Self {
        // SAFETY: by the contract of `new`, `data` is valid for the slots.
        unsafe { self.vtable.duplicate()(self.data) }
    }
}
