//! The exported module, driven as a host drives it: futures, drops in the middle, statements and connections dropped in
//! any order, without a runtime.

use super::fails;
use montrs_driver_abi::{
    Batch, Capability, ConnectionObject, ConnectionStatus, DatabaseObject, DriverError, DriverModuleRef, ErrorKind,
    HostServices, HostServicesVtable, HostServicesVtableRef, IoResult, Job, LogLevel, ParamBuffer, QueryOptions,
    QueryReply, Reply, RowBatch, SocketObject, StatementObject, TaskObject, TaskVtable, TaskVtableRef, TcpOptions,
    ValueRef,
    abi_stable::{
        prefix_type::WithMetadata,
        staticref,
        std_types::{RStr, RString, RVec},
    },
    async_ffi::FfiFuture,
};
use std::{
    cell::UnsafeCell,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// A host that can do little but run jobs, each on a thread of its own.
struct Threads;

impl Threads {
    staticref!(const TABLE: WithMetadata<HostServicesVtable> = WithMetadata::new(HostServicesVtable {
        duplicate,
        resolve,
        connect_tcp,
        connect_unix: resolve_socket,
        sleep,
        yield_now,
        spawn,
        spawn_blocking,
        log_enabled,
        log,
        drop: drop_services,
    }));

    staticref!(const TASK_TABLE: WithMetadata<TaskVtable> = WithMetadata::new(TaskVtable {
        abort,
        is_finished,
        drop: drop_task,
    }));

    fn services() -> HostServices {
        let table = HostServicesVtableRef(Self::TABLE.as_prefix());
        // SAFETY: the slots do not look at their data.
        unsafe { HostServices::new(std::ptr::null_mut(), table) }
    }
}

unsafe extern "C" fn duplicate(_: *const ()) -> HostServices {
    Threads::services()
}

unsafe extern "C" fn resolve(_: *const (), _: RStr<'_>) -> FfiFuture<IoResult<RVec<RString>>> {
    FfiFuture::new(std::future::pending())
}

unsafe extern "C" fn connect_tcp(
    _: *const (),
    _: RStr<'_>,
    _: u16,
    _: TcpOptions,
) -> FfiFuture<IoResult<SocketObject>> {
    FfiFuture::new(std::future::pending())
}

unsafe extern "C" fn resolve_socket(_: *const (), _: RStr<'_>) -> FfiFuture<IoResult<SocketObject>> {
    FfiFuture::new(std::future::pending())
}

/// Sleeps at once: nobody else is kept waiting.
unsafe extern "C" fn sleep(_: *const (), milliseconds: u64) -> FfiFuture<()> {
    thread::sleep(Duration::from_millis(milliseconds));
    FfiFuture::new(std::future::ready(()))
}

unsafe extern "C" fn yield_now(_: *const ()) -> FfiFuture<()> {
    FfiFuture::new(std::future::ready(()))
}

/// The driver's only task waits for the end of the runtime. It is kept with its handle.
unsafe extern "C" fn spawn(_: *const (), future: FfiFuture<()>) -> TaskObject {
    let table = TaskVtableRef(Threads::TASK_TABLE.as_prefix());
    // SAFETY: `drop_task` frees it, and the other slots do not look at their data.
    unsafe { TaskObject::new(Box::into_raw(Box::new(future)).cast(), table) }
}

unsafe extern "C" fn abort(_: *const ()) {}

unsafe extern "C" fn is_finished(_: *const ()) -> bool {
    false
}

unsafe extern "C" fn drop_task(task: *mut ()) {
    // SAFETY: `spawn` made it, and it is freed once.
    drop(unsafe { Box::from_raw(task.cast::<FfiFuture<()>>()) });
}

unsafe extern "C" fn spawn_blocking(_: *const (), job: Job) {
    thread::spawn(move || job.run());
}

unsafe extern "C" fn log_enabled(_: *const (), _: LogLevel, _: RStr<'_>) -> bool {
    false
}

unsafe extern "C" fn log(_: *const (), _: LogLevel, _: RStr<'_>, _: RStr<'_>) {}

unsafe extern "C" fn drop_services(_: *mut ()) {}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a reply.
fn wait<T>(reply: Reply<T>) -> Result<T, DriverError> {
    let future = match reply.into_result() {
        Ok(result) => return result,
        Err(future) => future,
    };
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result.into_result(),
            Poll::Pending => thread::park(),
        }
    }
}

/// Begins what a reply stands for, and drops it after so many polls, most likely before its end. Whether it was.
fn abandon<T>(reply: Reply<T>, polls: usize) -> bool {
    let Err(future) = reply.into_result() else {
        return false;
    };
    let mut future = pin!(future);
    (0..polls).all(|_| future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending())
}

/// Runs a test on each execution.
fn on_both(test: impl Fn(&str)) {
    test("execution=coroutine");
    test("execution=blocking");
}

/// A connection, with the host's promises: one call at a time, and all of them while it lives.
struct Client(ConnectionObject, Box<UnsafeCell<Batch>>);

impl Client {
    fn open(url: &str) -> (DatabaseObject, Self) {
        let module = crate::MONTRS_DRIVER_HEADER.init_root_module::<DriverModuleRef>().unwrap();
        // SAFETY: the text is valid during the call.
        let database = wait(unsafe { module.open()(url.into(), Threads::services()) }).unwrap();
        // SAFETY: the object is valid for its own slots.
        let connection = wait(unsafe { database.vtable().connect()(database.data()) }).unwrap();
        (database, Self(connection, Box::new(UnsafeCell::new(Batch::EMPTY))))
    }

    fn prepare_reply(&self, sql: &str) -> Reply<StatementObject> {
        // SAFETY: the object is valid for its own slots, and the text during the call.
        unsafe { self.0.vtable().prepare()(self.0.data(), sql.into()) }
    }

    fn prepare(&self, sql: &str) -> StatementObject {
        wait(self.prepare_reply(sql)).unwrap()
    }

    fn query_reply(&self, statement: &StatementObject, batch_bytes: u32) -> Reply<QueryReply> {
        let (values, options) = (ParamBuffer::default(), QueryOptions { max_rows: 0, batch_bytes });
        // SAFETY: statement and connection belong together and are valid for their slots.
        unsafe {
            statement.vtable().query()(statement.data(), self.0.data(), values.as_params(), options, self.1.get())
        }
    }

    fn query(&self, statement: &StatementObject) -> Result<QueryReply, DriverError> {
        wait(self.query_reply(statement, 1 << 16))
    }

    fn execute(&self, sql: &str) {
        self.query(&self.prepare(sql)).unwrap();
    }

    fn reset(&self) -> Result<(), DriverError> {
        // SAFETY: the object is valid for its own slots.
        wait(unsafe { self.0.vtable().reset()(self.0.data()) })
    }

    fn close(&self) -> Result<(), DriverError> {
        // SAFETY: as above.
        wait(unsafe { self.0.vtable().close()(self.0.data()) })
    }

    fn status(&self) -> ConnectionStatus {
        // SAFETY: as above.
        unsafe { self.0.vtable().status()(self.0.data()) }
    }

    /// The rows that came last.
    fn rows(&self) -> RowBatch {
        // SAFETY: no call is under way.
        unsafe { self.1.get().replace(Batch::EMPTY) }.check().unwrap()
    }

    fn number(&self, sql: &str) -> ValueRef<'static> {
        self.query(&self.prepare(sql)).unwrap();
        match self.rows().value(0, 0).unwrap() {
            ValueRef::I64(number) => ValueRef::I64(number),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_query_goes_through_the_exported_module() {
    on_both(|execution| {
        let (database, client) = Client::open(&format!("sqlite::memory:?{execution}"));
        client.execute("CREATE TABLE t (a)");
        client.execute("INSERT INTO t VALUES (1), (2)");
        assert_eq!(client.number("SELECT sum(a) FROM t"), ValueRef::I64(3));
        let capability = |capability| {
            // SAFETY: the object is valid for its own slots.
            unsafe { database.vtable().capability()(database.data(), capability) }
        };
        assert_eq!(capability(Capability::MAX_CONNECTIONS), 1);
        assert_eq!(capability(Capability::MAX_PARAMETERS), 32_766);
        assert_eq!(capability(Capability::ISOLATION_LEVELS), 0b11111);
        assert_eq!(capability(Capability::LOCK_MODES), 0b1111);
        assert_eq!(capability(Capability::SINGLE_WRITER), 1);
        assert_eq!(capability(Capability::ARRAYS), 0);
        assert_eq!(capability(Capability(4_000_000_000)), 0);
    });
}

#[test]
fn a_dropped_query_is_stopped_and_leaves_the_connection_reusable() {
    on_both(|execution| {
        let (_database, client) = Client::open(&format!("sqlite::memory:?{execution}"));
        client.execute("CREATE TABLE t (a)");
        let endless = client.prepare(ENDLESS);
        for polls in 0..20 {
            client.execute("BEGIN");
            client.execute("INSERT INTO t VALUES (1)");
            assert!(abandon(client.query_reply(&endless, 0), polls));
            client.reset().unwrap();
            assert_eq!(client.status(), ConnectionStatus::READY);
            assert_eq!(client.number("SELECT count(*) FROM t"), ValueRef::I64(0));
        }
    });
}

#[test]
fn every_operation_can_be_dropped_in_the_middle() {
    on_both(|execution| {
        let (_database, client) = Client::open(&format!("sqlite::memory:?{execution}"));
        let statement = client.prepare("VALUES (1), (2), (3)");
        for polls in 0..20 {
            abandon(client.prepare_reply("SELECT 1"), polls);
            client.reset().unwrap();
            // SAFETY: the objects belong together and are valid for their slots.
            abandon(unsafe { statement.vtable().describe()(statement.data(), client.0.data()) }, polls);
            client.reset().unwrap();
            // SAFETY: as above.
            abandon(unsafe { client.0.vtable().begin()(client.0.data(), Default::default()) }, polls);
            client.reset().unwrap();
            let reply = wait(client.query_reply(&statement, 0)).unwrap();
            let rows = reply.rows.into_option().unwrap();
            // SAFETY: as above.
            abandon(unsafe { rows.vtable().next()(rows.data(), client.0.data(), client.1.get()) }, polls);
            client.reset().unwrap();
            // SAFETY: as above.
            abandon(unsafe { client.0.vtable().reset()(client.0.data()) }, polls);
            client.reset().unwrap();
            assert_eq!(client.number("SELECT 5"), ValueRef::I64(5));
        }
    });
}

#[test]
fn a_statement_can_be_dropped_while_its_abandoned_work_still_runs() {
    on_both(|execution| {
        let (_database, client) = Client::open(&format!("sqlite::memory:?{execution}"));
        let endless = client.prepare(ENDLESS);
        assert!(abandon(client.query_reply(&endless, 0), 1));
        drop(endless);
        client.reset().unwrap();
        assert_eq!(client.number("SELECT 1"), ValueRef::I64(1));
    });
}

#[test]
fn a_result_outlives_its_statement_and_both_outlive_the_connection() {
    on_both(|execution| {
        let (database, client) = Client::open(&format!("sqlite::memory:?{execution}"));
        let statement = client.prepare("VALUES (1), (2), (3)");
        let rows = wait(client.query_reply(&statement, 0)).unwrap().rows.into_option().unwrap();
        drop(statement);
        // SAFETY: the objects belong together and are valid for their slots.
        wait(unsafe { rows.vtable().next()(rows.data(), client.0.data(), client.1.get()) }).unwrap();
        assert_eq!(client.rows().value(0, 0), Ok(ValueRef::I64(2)));
        let statement = client.prepare("SELECT 1");
        drop((database, client));
        drop((rows, statement));
    });
}

#[test]
fn a_connection_can_be_dropped_while_its_abandoned_work_still_runs() {
    on_both(|execution| {
        let file = super::TestFile::new();
        let (_database, client) = Client::open(&file.url(execution));
        client.execute("CREATE TABLE t (a)");
        client.execute("BEGIN IMMEDIATE");
        let statement = client.prepare(ENDLESS);
        assert!(abandon(client.query_reply(&statement, 0), 1));
        drop(client);
        drop(statement);
        // The lock comes free when the abandoned connection is closed.
        let (_database, other) = Client::open(&file.url(&format!("busy_timeout=60000&{execution}")));
        other.execute("INSERT INTO t VALUES (1)");
    });
}

#[test]
fn a_closed_connection_refuses_work() {
    on_both(|execution| {
        let file = super::TestFile::new();
        let (_database, client) = Client::open(&file.url(execution));
        client.execute("CREATE TABLE t (a)");
        let statement = client.prepare("SELECT * FROM t");
        client.close().unwrap();
        assert!(!file.path().with_file_name("test.db-wal").exists());
        fails(client.query(&statement).map(drop), ErrorKind::CONNECTION_LOST);
        client.close().unwrap();
    });
}
