//! What the log, errors and `Debug` say on PostgreSQL, and that it is never a password.

mod postgres;
#[path = "postgres/proxy.rs"]
mod proxy;

use log::Level;
use montrs_orm::{AiError, Database, DbError, ListenEvent, RuntimeSql};
use montrs_test_clusters::{
    Cluster,
    tls::{self, users},
};
use montrs_tests::{builder, private_dir, process};
use postgres::{open, over_loopback};
use proxy::{Direction, Fault, Proxy};
use std::{
    os::unix::fs::PermissionsExt,
    sync::{Mutex, Once},
    time::Duration,
};

/// All that was logged in this process.
static RECORDS: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

/// Keeps everything from now on.
fn collect() {
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            let text = record.args().to_string();
            RECORDS.lock().unwrap().push((record.level(), record.target().to_owned(), text));
        }
        fn flush(&self) {}
    }

    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&Logger).expect("no other logger is set");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// The records that contain this.
fn logged(text: &str) -> Vec<(Level, String, String)> {
    RECORDS.lock().unwrap().iter().filter(|(.., logged)| logged.contains(text)).cloned().collect()
}

#[tokio::test]
async fn what_the_server_notices_is_logged_with_all_that_it_tells() {
    collect();
    let db = open("notices").await;
    for (statement, level, line) in [
        (
            "RAISE WARNING 'the notice of %', 1 USING ERRCODE = '01S02', DETAIL = 'a detail', HINT = 'a hint'",
            Level::Warn,
            "the notice of 1 (SQLSTATE 01S02); detail: a detail; hint: a hint",
        ),
        ("RAISE WARNING 'the notice of 2'", Level::Warn, "the notice of 2 (SQLSTATE 01000)"),
        ("RAISE NOTICE 'the notice of 3'", Level::Info, "the notice of 3"),
        ("RAISE INFO 'the notice of 4' USING HINT = 'see there'", Level::Info, "the notice of 4; hint: see there"),
    ] {
        db.execute(RuntimeSql(format!("DO $$ BEGIN {statement}; END $$"))).await.unwrap();
        let number = &line[..15];
        assert_eq!(logged(number), [(level, "postgres".to_owned(), line.to_owned())], "{statement}");
    }
    // Those of the server's own, in whatever a statement is run by.
    db.script("DROP TABLE IF EXISTS no_such_thing;").await.unwrap();
    assert_eq!(logged("no_such_thing").len(), 1);
    let debug = "SET client_min_messages = debug1; DO $$ BEGIN RAISE DEBUG 'the notice of 5'; END $$";
    db.script(debug).await.unwrap();
    assert_eq!(logged("the notice of 5")[0].0, Level::Debug);
}

/// While a listener waits for a sign of life, whatever comes is read: there it is that more can come than is kept.
#[tokio::test]
async fn notifications_that_are_thrown_away_are_a_warning_and_told_to_who_listens() {
    collect();
    let flood = "SELECT count(pg_notify('flood', n || repeat('x', 7900))) FROM generate_series(1, 3000) AS n";
    let server = Cluster::plain();
    let proxy = Proxy::before(server.port()).await;
    let db = builder(&over_loopback(&proxy.url(&server.url()))).connect().await.unwrap();
    let other = builder(&over_loopback(&server.url())).max_connections(1).connect().await.unwrap();
    // One that listens in SQL and does something else.
    let mut connection = other.acquire().await.unwrap();
    connection.execute("LISTEN flood").await.unwrap();
    assert_eq!(connection.query(flood).fetch_scalar::<i64>().await.unwrap(), 3000);
    connection.execute("SELECT 1").await.unwrap();
    drop(connection);
    let thrown_away = || logged("of notifications were not read").len();
    let before = thrown_away();
    assert!(before > 0);
    let mut listener = db.listen(["flood"]).await.unwrap();
    proxy.plan(Fault::Hold, Direction::ToServer, 0);
    let sent = proxy.count(Direction::ToServer);
    while proxy.count(Direction::ToServer) == sent {
        tokio::select! {
            biased;
            event = listener.next() => panic!("nothing has happened: {event:?}"),
            () = half_a_minute() => {}
        }
    }
    assert_eq!(other.query(flood).fetch_scalar::<i64>().await.unwrap(), 3000);
    assert_eq!(listener.next().await.unwrap().unwrap(), ListenEvent::MayHaveMissed);
    assert_eq!(thrown_away(), before + 1);
    other.execute("NOTIFY flood, 'after'").await.unwrap();
    let after = listener.next().await.unwrap().unwrap();
    assert!(matches!(after, ListenEvent::Notification(after) if after.payload == "after"));
}

/// Lets the time pass after which a sign of life is asked for, and then the sockets work.
async fn half_a_minute() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// A password that no form of it hides in anything else, as it is written in a URL.
const PASSWORD: &str = "geh/eim@w%rt";
const ENCODED: &str = "geh%2Feim%40w%25rt";
const WRONG: &str = "geh/eim@falsch";
const WRONG_ENCODED: &str = "geh%2Feim%40falsch";

/// All that an error says.
fn all_of(error: &DbError) -> String {
    let sources = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let sources: Vec<String> = sources.map(|error| format!("{error} {error:?}")).collect();
    let (explanation, fixes) = (error.explanation(), error.suggested_fixes());
    format!("{error} {error:?} {error:#?} {explanation} {fixes:?} {:?} {sources:?}", error.rustc_error())
}

/// All that is said on the way to a connection, and by the connection.
async fn all_that_is_said(url: &str, may_connect: bool) -> String {
    let builder = builder(url).max_connections(1);
    let mut said = format!("{builder:?} {builder:#?}");
    match builder.connect().await {
        Ok(db) => {
            assert!(may_connect, "{url}");
            said.push_str(&format!("{db:?} {db:#?} {}", db.redacted_url()));
            said.push_str(&all_of(&db.execute("SELECT nothing").await.unwrap_err()));
            let connection = db.acquire().await.unwrap();
            said.push_str(&format!("{connection:?}"));
            drop(connection);
            said.push_str(&after_its_end(db).await);
        }
        Err(error) => {
            assert!(!may_connect, "{url}: {error}");
            said.push_str(&all_of(&error));
        }
    }
    said
}

/// The connection is ended by the server, and the pool makes another one, or cannot.
async fn after_its_end(db: Database) -> String {
    let ended = db.execute("SELECT pg_terminate_backend(pg_backend_pid())").await.unwrap_err();
    let again = db.execute("SELECT nothing").await.unwrap_err();
    db.close().await.unwrap();
    let closed = db.execute("SELECT 1").await.unwrap_err();
    [ended, again, closed].iter().map(all_of).collect()
}

#[tokio::test]
async fn a_password_is_in_no_log_no_error_and_no_debug() {
    collect();
    let server = Cluster::tls();
    for (user, hash) in [(users::SCRAM, "scram-sha-256"), (users::MD5, "md5"), (users::PASSWORD, "scram-sha-256")] {
        server.sql(&format!("SET password_encryption = '{hash}'; ALTER ROLE {user} PASSWORD '{PASSWORD}'"));
    }
    let directory = private_dir();
    let file = directory.path().join("passwords");
    let passfile = format!("passfile={}", file.display());
    let mut said = String::new();
    for user in [users::SCRAM, users::MD5, users::PASSWORD] {
        let url = |login: &str, parameters: &str| {
            format!("postgres://{login}@localhost:{}/postgres?hostaddr=127.0.0.1&{parameters}", server.port())
        };
        for (encoded, plain, is_right) in [(ENCODED, PASSWORD, true), (WRONG_ENCODED, WRONG, false)] {
            std::fs::write(&file, format!("*:*:*:*:{plain}\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            let root = format!("sslmode=verify-full&sslrootcert={}", tls::ca(&server).display());
            for (url, may_connect) in [
                (url(&format!("{user}:{encoded}"), &root), is_right),
                (url(&format!("{user}:{encoded}"), "sslmode=prefer"), is_right),
                (url(user, &format!("sslmode=require&password={encoded}")), is_right),
                (url(user, &format!("sslmode=require&{passfile}")), is_right),
                // Errors of every layer: the server's, TLS's, those of the URL, and of the certificates.
                (url(&format!("{user}:{encoded}"), "sslmode=disable"), false),
                (url(&format!("{user}:{encoded}"), "sslmode=verify-full&sslrootcert=system"), false),
                (url(&format!("{user}:{encoded}"), "sslmode=require&require_auth=none"), false),
                (url(&format!("{user}:{encoded}"), "sslmode=no-such-mode"), false),
                (url(&format!("{user}:{encoded}"), "no_such_parameter=1"), false),
                (url(&format!("{user}:{encoded}"), "sslmode=require&port=1"), false),
                (url(user, &format!("password={encoded}&password={encoded}")), false),
                (url(user, &format!("sslmode=verify-full&sslrootcert=/nowhere&password={encoded}")), false),
            ] {
                said.push_str(&all_that_is_said(&url, may_connect).await);
            }
        }
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        said.push_str(&all_that_is_said(&url(user, &format!("sslmode=require&{passfile}")), false).await);
    }
    assert!(!logged(&file.display().to_string()).is_empty(), "a file that all can read is a warning");
    assert!(said.contains("password authentication failed"), "{said}");
    has_no_password(&said);
}

/// Neither what was said has one, nor what was logged.
fn has_no_password(said: &str) {
    let logged: String = logged("").iter().map(|(_, target, text)| format!("{target} {text}\n")).collect();
    for text in [said, &logged] {
        // Each begins so.
        assert_eq!(text.lines().find(|line| line.contains("geh")), None);
    }
}

#[test]
fn a_password_of_the_environment_is_not_said_either() {
    if let Some(url) = process::role() {
        collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let said = runtime.block_on(all_that_is_said(&url, !url.contains("disable")));
        has_no_password(&said);
        return;
    }
    let server = Cluster::tls();
    server.sql(&format!("ALTER ROLE {} PASSWORD '{PASSWORD}'", users::SCRAM));
    for sslmode in ["require", "disable"] {
        let url = format!("postgres://{}@127.0.0.1:{}/postgres?sslmode={sslmode}", users::SCRAM, server.port());
        let mut child = process::command(a_password_of_the_environment_is_not_said_either, &url);
        child.env("PGPASSWORD", PASSWORD);
        process::run(child);
    }
}
