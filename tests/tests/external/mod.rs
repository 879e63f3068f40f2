//! The driver of `tests/external`: building it in one way or another, and asking it for everything that can cross.

#![allow(dead_code, reason = "each test executable uses its part")]

use montrs_orm::{
    Access, AiError, Array, Capability, Database, DbErrorKind, Dimension, Isolation, Kind, LockMode, Nullability,
    RuntimeSql, Session, Timestamp, TransactionOptions, Value, ValueRef, drivers::SearchPath,
};
use montrs_tests::{install, private_dir};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A way to build the driver. Each has a target directory of its own, which is kept for the next time.
pub(crate) struct Flavour {
    pub(crate) name: &'static str,
    /// The toolchain of rustup's; the tests' own when there is none.
    pub(crate) toolchain: Option<&'static str>,
    pub(crate) release: bool,
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

pub(crate) const PLAIN: Flavour = Flavour { name: "plain", toolchain: None, release: false, environment: &[] };

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("external")
}

/// The target directory of the tests.
fn target() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its executable");
    // <target>/<profile>/deps/<test>
    executable.ancestors().nth(3).expect("tests lie in the target directory").to_owned()
}

/// The cargo of a toolchain.
pub(crate) fn cargo(toolchain: Option<&str>) -> Command {
    match toolchain {
        Some(toolchain) => {
            let mut command = Command::new("rustup");
            command.args(["run", toolchain, "cargo"]);
            command
        }
        None => Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
    }
}

impl Flavour {
    /// Builds the driver, and returns a plugins directory with nothing but it.
    pub(crate) fn build(&self) -> TempDir {
        let target = target().join("external").join(self.name);
        let mut command = cargo(self.toolchain);
        // With the versions of the lock file, nothing is asked of the network once they are in cargo's cache.
        command.args(["build", "--lib", "--locked", "--quiet"]).current_dir(project());
        command.arg("--target-dir").arg(&target);
        // How the tests are built must not matter.
        for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(variable);
        }
        if self.release {
            command.arg("--release");
        }
        command.envs(self.environment.iter().copied());
        let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(status.success(), "{command:?} failed");
        let library = format!("{}montrs_driver_external{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let plugins = private_dir();
        let profile = if self.release { "release" } else { "debug" };
        install(&target.join(profile).join(&library), &plugins.path().join(&library));
        plugins
    }
}

/// Opens the database of the only driver in this directory.
pub(crate) async fn open(plugins: &Path) -> Database {
    let builder = Database::builder().url("external://user:secret@here").search_path(SearchPath::only([plugins]));
    builder.connect().await.unwrap_or_else(|error| panic!("{error}"))
}

/// The text that a statement answers with.
pub(crate) async fn text(db: &Database, sql: &'static str) -> String {
    db.query(sql).fetch_scalar().await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Sends everything over the boundary that can cross it, in both directions.
///
/// # Panics
///
/// When something arrives as something else.
pub(crate) async fn exercise(db: &Database) {
    assert_eq!(db.redacted_url(), "external://…@here");
    assert_eq!((db.capability(Capability::MAX_CONNECTIONS), db.pool_status().max), (3, 3));
    assert_eq!(db.capability(Capability(77)), 77_000);
    db.ping().await.unwrap();
    every_kind_arrives(db).await;
    parameters_come_back(db).await;
    batches_and_counts_arrive(db).await;
    an_error_arrives_whole(db).await;
    a_description_arrives(db).await;
    transactions_are_told_apart(db).await;
    assert_eq!(text(db, "services").await, "the task, localhost");
    a_socket_carries_bytes_both_ways(db).await;
    db.close().await.unwrap();
}

/// What the driver's `kinds` has.
fn every_kind() -> Vec<Value> {
    let elements = [ValueRef::I32(1), ValueRef::Null, ValueRef::I32(3)];
    let array = Array::encode(&[Dimension { len: 3, lower_bound: 1 }], elements.into_iter()).unwrap();
    vec![
        Value::Null,
        Value::Bool(true),
        Value::I16(-7),
        Value::I32(i32::MIN),
        Value::I64(i64::MAX),
        Value::F32(-0.5),
        Value::F64(1e300),
        Value::Decimal("-12.30".into()),
        Value::Text("grüße".into()),
        Value::Bytes(vec![0, 255]),
        Value::Date(-1),
        Value::Time(86_399_000_000_001),
        Value::Timestamp(Timestamp { seconds: -1, nanoseconds: 999_999_999 }),
        Value::TimestampTz(Timestamp { seconds: 1, nanoseconds: 2 }),
        Value::Interval { months: -1, days: 2, microseconds: -3 },
        Value::Uuid([9; 16]),
        Value::Json("{\"a\": 1}".into()),
        Value::Array(array),
        Value::OtherText("(1,2)".into()),
        Value::OtherBytes(vec![1, 2, 3]),
    ]
}

/// The values of the only row of a result, and the names of its columns.
async fn row(query: montrs_orm::Query<'_>) -> (Vec<Value>, Vec<String>) {
    let (mut values, mut names) = (Vec::new(), Vec::new());
    let read = query.for_each(|row| {
        names = row.columns().iter().map(|column| column.name().to_owned()).collect();
        for column in row.columns().iter().filter(|column| !column.type_name().is_empty()) {
            assert_eq!(column.type_name(), format!("type {}", column.kind().0));
            assert_eq!((column.table(), column.nullability()), (Some("a table"), Nullability::NOT_NULL));
        }
        for position in 0..row.columns().len() {
            values.push(row.get::<Value>(position)?);
        }
        Ok(())
    });
    read.await.unwrap();
    (values, names)
}

async fn every_kind_arrives(db: &Database) {
    let (values, names) = row(db.query("kinds")).await;
    assert_eq!(values, every_kind());
    assert_eq!((names.len(), names[17].as_str()), (20, "ARRAY"));
}

async fn parameters_come_back(db: &Database) {
    let mut query = db.query("echo");
    for value in every_kind() {
        query = query.bind(value);
    }
    let (values, names) = row(query.bind_named("named", "last")).await;
    assert_eq!(values[..20], every_kind());
    assert_eq!(values[20], Value::Text("last".into()));
    assert_eq!((names[19].as_str(), names[20].as_str()), ("", "named"));
}

async fn batches_and_counts_arrive(db: &Database) {
    let numbers = db.query("count 1050").fetch_all::<i64>().await.unwrap();
    assert_eq!(numbers, (1..=1050).collect::<Vec<_>>());
    let done = db.execute("count 1").await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (7, Some(-6)));
    let done = db.execute("count none").await.unwrap();
    assert_eq!((done.rows_affected(), done.last_insert_id()), (5, Some(-6)));
}

async fn an_error_arrives_whole(db: &Database) {
    let error = db.execute("fail").await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (DbErrorKind::UniqueViolation, "the message"));
    assert_eq!((error.sqlstate(), error.native_code(), error.position()), (Some("23505"), Some(-2067), Some(2)));
    assert_eq!((error.schema(), error.table()), (Some("the schema"), Some("the table")));
    assert_eq!((error.column(), error.constraint()), (Some("the column"), Some("the constraint")));
    assert_eq!((error.detail(), error.is_retryable(), error.may_have_executed()), (Some("the detail"), true, true));
    assert_eq!(error.suggested_fixes()[0], "The hint.");
}

async fn a_description_arrives(db: &Database) {
    let info = db.query("anything").describe().await.unwrap();
    let [parameter] = info.parameters() else { panic!("{info:?}") };
    assert_eq!((parameter.name(), parameter.type_name(), parameter.kind()), (Some("anything"), "a type", Kind::I32));
    let kinds: Vec<Kind> = info.columns().iter().map(|column| column.kind()).collect();
    assert_eq!((kinds, info.is_read_only()), (vec![Kind::TEXT, Kind::UUID], true));
}

async fn transactions_are_told_apart(db: &Database) {
    async fn begun(session: &mut Session) -> String {
        session.query("begun").fetch_scalar().await.unwrap()
    }
    let options = TransactionOptions {
        isolation: Isolation::SERIALIZABLE,
        access: Access::READ_ONLY,
        lock_mode: LockMode::EXCLUSIVE,
        deferrable: true,
    };
    let mut transaction = db.begin_with(options).await.unwrap();
    assert_eq!(begun(&mut transaction).await, format!("Some({options:?}) 0"));
    let mut savepoint = transaction.begin().await.unwrap();
    let mut inner = savepoint.begin().await.unwrap();
    assert!(begun(&mut inner).await.ends_with(" 2"));
    inner.rollback().await.unwrap();
    assert!(begun(&mut savepoint).await.ends_with(" 1"));
    savepoint.commit().await.unwrap();
    assert!(begun(&mut transaction).await.ends_with(" 0"));
    transaction.commit().await.unwrap();
    assert_eq!(text(db, "begun").await, "None 0");
}

async fn a_socket_carries_bytes_both_ways(db: &Database) {
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = peer.local_addr().unwrap();
    let greet = RuntimeSql(format!("greet {} {}", address.ip(), address.port()));
    let (answer, heard) = tokio::join!(db.query(greet).fetch_scalar::<String>(), async {
        let (mut socket, _) = peer.accept().await.unwrap();
        let mut heard = String::new();
        socket.read_to_string(&mut heard).await.unwrap();
        socket.write_all(b"good day\n").await.unwrap();
        heard
    });
    assert_eq!((answer.unwrap().as_str(), heard.as_str()), ("good day\n", "hello\n"));
}
