//! What drivers need of their host, on tokio.
//!
//! The services are bound to a runtime, not to the process: two tests in one process have two runtimes. Every slot
//! catches panics: one in an `extern "C"` function would abort the process.

use crate::socket;
use montrs_driver_abi::{
    HostServices, HostServicesVtable, HostServicesVtableRef, IoFailure, IoResult, Job, LogLevel, SocketObject,
    TaskObject, TaskVtable, TaskVtableRef, TcpOptions,
    abi_stable::{
        prefix_type::WithMetadata,
        staticref,
        std_types::{RStr, RString, RVec},
    },
    async_ffi::FfiFuture,
    panic::{self, quietly},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};

/// Makes services that run on this runtime.
pub(crate) fn services(runtime: Handle) -> HostServices {
    let data = Arc::into_raw(Arc::new(runtime)).cast_mut().cast();
    // SAFETY: `data` comes from `Arc<Handle>::into_raw`, which is what the slots take it for.
    unsafe { HostServices::new(data, Slots::VTABLE) }
}

struct Slots;

impl Slots {
    staticref!(const TABLE: WithMetadata<HostServicesVtable> = WithMetadata::new(HostServicesVtable {
        duplicate,
        resolve,
        connect_tcp,
        connect_unix,
        sleep,
        yield_now,
        spawn,
        spawn_blocking,
        log_enabled,
        log,
        drop: drop_services,
    }));

    const VTABLE: HostServicesVtableRef = HostServicesVtableRef(Self::TABLE.as_prefix());

    staticref!(const TASK_TABLE: WithMetadata<TaskVtable> = WithMetadata::new(TaskVtable {
        abort,
        is_finished,
        drop: drop_task,
    }));

    const TASK_VTABLE: TaskVtableRef = TaskVtableRef(Self::TASK_TABLE.as_prefix());
}

/// # Safety
///
/// `services` must be the data of services that live.
unsafe fn runtime<'a>(services: *const ()) -> &'a Handle {
    // SAFETY: `services()` made it of an `Arc<Handle>`, and the caller says that it lives.
    unsafe { &*services.cast::<Handle>() }
}

unsafe extern "C" fn duplicate(services: *const ()) -> HostServices {
    // SAFETY: the data comes from `Arc<Handle>::into_raw`, and the count goes up for the handle that is made here.
    unsafe { Arc::increment_strong_count(services.cast::<Handle>()) };
    // SAFETY: as in `services()`.
    unsafe { HostServices::new(services.cast_mut(), Slots::VTABLE) }
}

unsafe extern "C" fn drop_services(services: *mut ()) {
    // SAFETY: the data comes from `Arc<Handle>::into_raw`, and each handle gives its count back once.
    let runtime = unsafe { Arc::from_raw(services.cast_const().cast::<Handle>()) };
    quietly(|| drop(runtime));
}

unsafe extern "C" fn resolve(services: *const (), host: RStr<'_>) -> FfiFuture<IoResult<RVec<RString>>> {
    let host = host.as_str().to_owned();
    // SAFETY: the driver calls through a handle that it holds.
    io_future(unsafe { runtime(services) }, async move {
        let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
        Ok(addresses.map(|address| RString::from(address.ip().to_string())).collect())
    })
}

unsafe extern "C" fn connect_tcp(
    services: *const (),
    address: RStr<'_>,
    port: u16,
    options: TcpOptions,
) -> FfiFuture<IoResult<SocketObject>> {
    let address = address.as_str().parse::<IpAddr>();
    // SAFETY: the driver calls through a handle that it holds.
    io_future(unsafe { runtime(services) }, async move {
        let address = address.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TcpStream::connect(SocketAddr::new(address, port)).await?;
        configure(&stream, options)?;
        Ok(socket::object(stream))
    })
}

fn configure(stream: &TcpStream, options: TcpOptions) -> io::Result<()> {
    stream.set_nodelay(options.no_delay)?;
    let socket = socket2::SockRef::from(stream);
    let duration = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
    if options.keepalive {
        let mut keepalive = socket2::TcpKeepalive::new();
        if let Some(idle) = duration(options.keepalive_idle_ms) {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = duration(options.keepalive_interval_ms) {
            keepalive = keepalive.with_interval(interval);
        }
        #[cfg(not(windows))]
        if options.keepalive_retries > 0 {
            keepalive = keepalive.with_retries(options.keepalive_retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(timeout) = duration(options.user_timeout_ms) {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}

unsafe extern "C" fn connect_unix(services: *const (), path: RStr<'_>) -> FfiFuture<IoResult<SocketObject>> {
    let path = path.as_str().to_owned();
    // SAFETY: the driver calls through a handle that it holds.
    io_future(unsafe { runtime(services) }, async move {
        #[cfg(unix)]
        return tokio::net::UnixStream::connect(path).await.map(socket::object);
        #[cfg(not(unix))]
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("no Unix sockets on this system: {path}")));
    })
}

unsafe extern "C" fn sleep(services: *const (), duration_ms: u64) -> FfiFuture<()> {
    // SAFETY: the driver calls through a handle that it holds.
    let runtime = unsafe { runtime(services) };
    // As a task: on a runtime that has ended, tokio's timers panic, and tasks end at once.
    let task = runtime.spawn(async move { tokio::time::sleep(Duration::from_millis(duration_ms)).await });
    let task = AbortOnDrop(task);
    FfiFuture::new(async move {
        let mut task = task;
        // It fails when the runtime has ended.
        let _ = (&mut task.0).await;
    })
}

/// A task that ends with who waits for it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

unsafe extern "C" fn yield_now(_services: *const ()) -> FfiFuture<()> {
    FfiFuture::new(tokio::task::yield_now())
}

unsafe extern "C" fn spawn(services: *const (), future: FfiFuture<()>) -> TaskObject {
    // SAFETY: the driver calls through a handle that it holds.
    let runtime = unsafe { runtime(services) };
    let task: JoinHandle<()> = runtime.spawn(future);
    let data = Box::into_raw(Box::new(task.abort_handle())).cast();
    // SAFETY: `data` comes from `Box<AbortHandle>::into_raw`, which is what the slots take it for.
    unsafe { TaskObject::new(data, Slots::TASK_VTABLE) }
}

unsafe extern "C" fn abort(task: *const ()) {
    // SAFETY: the driver calls through a task that it holds, whose data is an `AbortHandle`.
    unsafe { &*task.cast::<AbortHandle>() }.abort();
}

unsafe extern "C" fn is_finished(task: *const ()) -> bool {
    // SAFETY: the driver calls through a task that it holds, whose data is an `AbortHandle`.
    unsafe { &*task.cast::<AbortHandle>() }.is_finished()
}

unsafe extern "C" fn drop_task(task: *mut ()) {
    // SAFETY: the data comes from `Box<AbortHandle>::into_raw`, and this slot is called once.
    let task = unsafe { Box::from_raw(task.cast::<AbortHandle>()) };
    quietly(|| drop(task));
}

unsafe extern "C" fn spawn_blocking(services: *const (), job: Job) {
    // SAFETY: the driver calls through a handle that it holds.
    let runtime = unsafe { runtime(services) };
    // tokio panics when the system gives it no thread; the job is then dropped, which its driver sees.
    quietly(move || drop(runtime.spawn_blocking(move || job.run())));
}

unsafe extern "C" fn log_enabled(_services: *const (), level: LogLevel, target: RStr<'_>) -> bool {
    let metadata = log::Metadata::builder().level(level_of(level)).target(target.as_str()).build();
    let mut is_enabled = false;
    quietly(|| is_enabled = log::log_enabled!(target: metadata.target(), metadata.level()));
    is_enabled
}

unsafe extern "C" fn log(_services: *const (), level: LogLevel, target: RStr<'_>, message: RStr<'_>) {
    quietly(|| log::log!(target: target.as_str(), level_of(level), "{message}"));
}

fn level_of(level: LogLevel) -> log::Level {
    match level {
        LogLevel::ERROR => log::Level::Error,
        LogLevel::WARN => log::Level::Warn,
        LogLevel::INFO => log::Level::Info,
        LogLevel::DEBUG => log::Level::Debug,
        _ => log::Level::Trace,
    }
}

fn io_future<T: Send + 'static>(
    runtime: &Handle,
    future: impl Future<Output = io::Result<T>> + Send + 'static,
) -> FfiFuture<IoResult<T>> {
    let mut future = InRuntime::new(runtime.clone(), future);
    FfiFuture::new(std::future::poll_fn(move |cx| {
        // tokio panics when its runtime was built without the I/O driver.
        let poll = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut future).poll(cx)));
        let poll = poll.unwrap_or_else(|payload| {
            panic::discard(payload);
            Poll::Ready(Err(io::Error::other("the runtime has no I/O driver: build it with enable_all()")))
        });
        poll.map(|result| result.map_err(failure).into())
    }))
}

fn failure(error: io::Error) -> IoFailure {
    IoFailure { code: error.raw_os_error().unwrap_or(-1), message: error.to_string().into() }
}

/// A future that is polled with the runtime entered, whoever polls it.
struct InRuntime<F> {
    runtime: Handle,
    future: Pin<Box<F>>,
}

impl<F> InRuntime<F> {
    fn new(runtime: Handle, future: F) -> Self {
        Self { runtime, future: Box::pin(future) }
    }
}

impl<F: Future> Future for InRuntime<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.runtime.enter();
        this.future.as_mut().poll(cx)
    }
}
