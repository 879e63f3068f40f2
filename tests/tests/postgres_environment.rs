//! What libpq's variables and files say, and Unix sockets: the tool as a process with an environment of its own.

use montrs_orm::DbErrorKind;
use montrs_test_clusters::{
    Cluster,
    tls::{self, users},
};
use montrs_tests::{builder, plugins, poll_then_drop};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

const WHO: &str = "SELECT current_user AS u, current_database() AS d, \
    (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS s, current_setting('application_name') AS a, \
    current_setting('work_mem') AS m";

/// The tool with nothing but these variables; what it says of who it is.
fn who(url: &str, home: &Path, variables: &[(&str, &str)]) -> Result<String, String> {
    let deps = std::env::current_exe().expect("a test knows its executable");
    let debug = deps.parent().and_then(|deps| deps.parent()).expect("the tests lie in the target directory");
    let mut tool = Command::new(debug.join(format!("montrs-db{}", std::env::consts::EXE_SUFFIX)));
    tool.env_clear().env("HOME", home).envs(variables.iter().copied()).arg("--plugins").arg(plugins());
    let Output { status, stdout, stderr } =
        tool.args(["--url", url, "query", "--format", "csv", WHO]).output().expect("the whole workspace is built");
    if status.success() {
        Ok(String::from_utf8(stdout).unwrap().lines().last().unwrap_or_default().to_owned())
    } else {
        Err(String::from_utf8(stderr).unwrap())
    }
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn variables_and_files_say_what_the_url_does_not() {
    let server = Cluster::tls();
    let (port, password) = (server.port().to_string(), server.password());
    let home = montrs_tests::private_dir();
    let place = [("PGHOST", "localhost"), ("PGPORT", &port), ("PGDATABASE", "postgres"), ("PGUSER", users::SCRAM)];
    let and = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        place.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let run = |more: &[(&'static str, &str)]| {
        let variables = and(more);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        who("postgres://", home.path(), &variables)
    };
    let me = |app: &str, memory: &str| format!("{},postgres,true,{app},{memory}", users::SCRAM);

    let refused = run(&[]).unwrap_err();
    assert!(refused.contains("PGPASSWORD") && refused.contains(".pgpass"), "{refused}");
    let said = run(&[("PGPASSWORD", password), ("PGAPPNAME", "shop"), ("PGOPTIONS", "-c work_mem=7MB")]);
    assert_eq!(said.unwrap(), me("shop", "7MB"));

    // The default files in the home directory.
    private(&home.path().join(".pgpass"), &format!("localhost:{port}:*:{}:{password}\n", users::SCRAM));
    assert!(run(&[]).is_ok_and(|said| said.starts_with(&format!("{},postgres,true", users::SCRAM))));
    let elsewhere = home.path().join("none");
    assert!(run(&[("PGPASSFILE", elsewhere.to_str().unwrap())]).is_err(), "the default is not read then");
    let unknown = run(&[("PGSSLMODE", "verify-full")]).unwrap_err();
    assert!(unknown.contains("root.crt"), "{unknown}");
    fs::create_dir(home.path().join(".postgresql")).unwrap();
    fs::copy(tls::ca(&server), home.path().join(".postgresql/root.crt")).unwrap();
    assert!(run(&[("PGSSLMODE", "verify-full")]).is_ok());

    // The URL has the last word.
    let url = format!("postgres://{}@/template1?application_name=url", users::SCRAM);
    let variables = and(&[("PGAPPNAME", "environment")]);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(who(&url, home.path(), &variables).is_ok_and(|said| said.contains(",template1,true,url,")));

    for (name, value) in [("PGREQUIRESSL", "1"), ("PGTZ", "UTC"), ("PGCLIENTENCODING", "LATIN1"), ("PGSERVICE", "x")] {
        let error = run(&[(name, value)]).unwrap_err();
        assert!(error.contains(name) && error.contains("DB_CONFIGURATION"), "{error}");
    }
    assert!(run(&[("PGREQUIRESSL", "0"), ("PGCLIENTENCODING", "UTF8")]).is_ok());
}

#[tokio::test]
async fn a_unix_socket_serves_as_tcp_does() {
    let server = Cluster::plain();
    let directory = server.directory().to_str().unwrap().replace('/', "%2F");
    let in_authority = format!("postgres://postgres@{directory}:{}/postgres", server.port());
    for url in [server.socket_url(), in_authority] {
        let db = builder(&url).max_connections(1).connect().await.unwrap();
        let over_socket = "SELECT client_addr IS NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        assert!(db.query(over_socket).fetch_scalar::<bool>().await.unwrap());
        let process: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
        // It is cancelled over the socket: the connection is soon free, and is the same.
        poll_then_drop(2, db.execute("SELECT pg_sleep(100000)").into_future()).await;
        assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), process);
        db.close().await.unwrap();
    }
    let nobody = format!("postgres:///postgres?host=/nowhere&port={}", server.port());
    let error = builder(&nobody).connect().await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Connection);
    assert!(error.to_string().contains("/nowhere/.s.PGSQL."), "{error}");
}
