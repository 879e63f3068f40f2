//! With TLS or without: what each `sslmode` does on servers that have it, that do not, and that let in one way only.

mod postgres;

use montrs_orm::{AiError, DbError, DbErrorKind};
use montrs_test_clusters::{
    Certificate, Cluster,
    tls::{self, Identity, users},
};
use montrs_tests::{builder, private_dir, process};
use std::{fs, os::unix::fs::PermissionsExt};

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Whether the connection is encrypted.
async fn is_encrypted(url: &str) -> Result<bool, DbError> {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    builder(url).max_connections(1).connect().await?.query(sql).fetch_scalar().await
}

/// The same, or of which kind the error is.
async fn outcome(url: &str) -> Result<bool, DbErrorKind> {
    is_encrypted(url).await.map_err(|error| error.kind())
}

fn url(server: &Cluster, user: &str, parameters: &str) -> String {
    format!("{}?{parameters}", server.url_of(user, "postgres"))
}

/// A server with TLS, to which this is how clients over TCP are let in.
fn tls_server_with(rules: &str) -> Cluster {
    let mut server = Cluster::tls();
    server.admit(rules);
    server
}

/// A server without TLS, with a user for SCRAM and one for MD5.
fn plain_server() -> Cluster {
    let mut server = Cluster::plain();
    let password = server.password();
    for (user, hash) in [(users::SCRAM, "scram-sha-256"), (users::MD5, "md5")] {
        server.sql(&format!("SET password_encryption = '{hash}'; CREATE ROLE {user} LOGIN PASSWORD '{password}'"));
    }
    server.sql("CREATE ROLE trusted LOGIN");
    server.admit(
        "host all md5_user 127.0.0.1/32 md5\nhost all trusted 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    );
    server
}

/// Each mode on this server, with a root certificate that is right where there is TLS.
async fn outcomes(server: &Cluster, user: &str, roots: &str) -> Vec<Result<bool, DbErrorKind>> {
    let mut all = Vec::new();
    for mode in MODES {
        all.push(outcome(&url(server, user, &format!("sslmode={mode}&{roots}"))).await);
    }
    all
}

#[tokio::test]
async fn a_server_without_tls_is_only_good_for_those_who_do_not_need_it() {
    let (server, with_tls) = (plain_server(), Cluster::tls());
    let roots = format!("sslrootcert={}", tls::ca(&with_tls).display());
    let (open, refused) = (Ok(false), Err(DbErrorKind::Tls));
    for user in [users::SCRAM, users::MD5] {
        let expected = [open, open, open, refused, refused, refused];
        assert_eq!(outcomes(&server, user, &roots).await, expected, "{user}");
        for mode in ["disable", "allow", "prefer"] {
            let wrong = url(&server, user, &format!("sslmode={mode}")).replace(server.password(), "geheim");
            assert_eq!(outcome(&wrong).await, Err(DbErrorKind::Authentication), "{user}, {mode}");
        }
    }
    let error = is_encrypted(&url(&server, users::SCRAM, "sslmode=require")).await.unwrap_err();
    assert!(error.to_string().contains("has no TLS, which `sslmode` asks for"), "{error}");
}

#[tokio::test]
async fn a_server_that_has_both_is_spoken_to_as_the_mode_prefers() {
    let server = tls_server_with("host all all 127.0.0.1/32 scram-sha-256\n");
    let roots = format!("sslrootcert={}", tls::ca(&server).display());
    let expected = [Ok(false), Ok(false), Ok(true), Ok(true), Ok(true), Ok(true)];
    assert_eq!(outcomes(&server, users::SCRAM, &roots).await, expected);
}

#[tokio::test]
async fn a_server_that_lets_in_one_way_only_is_asked_that_way_too() {
    let refused = Err(DbErrorKind::Authentication);
    for (rules, expected) in [
        ("hostssl all all 127.0.0.1/32 scram-sha-256\n", [refused, Ok(true), Ok(true), Ok(true), Ok(true), Ok(true)]),
        (
            "hostnossl all all 127.0.0.1/32 scram-sha-256\n",
            [Ok(false), Ok(false), Ok(false), refused, refused, refused],
        ),
    ] {
        let server = tls_server_with(rules);
        let roots = format!("sslrootcert={}", tls::ca(&server).display());
        assert_eq!(outcomes(&server, users::SCRAM, &roots).await, expected, "{rules}");
    }
}

#[tokio::test]
async fn who_insists_on_channel_binding_is_not_logged_in_without() {
    let server = plain_server();
    let require = |user, mode: &str| url(&server, user, &format!("sslmode={mode}&channel_binding=require"));
    for user in [users::SCRAM, users::MD5, "trusted"] {
        assert_eq!(outcome(&require(user, "disable")).await, Err(DbErrorKind::Configuration), "{user}");
        for mode in ["allow", "prefer"] {
            let error = is_encrypted(&require(user, mode)).await.unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::Authentication, "{user}, {mode}");
            assert!(error.to_string().contains("channel binding"), "{user}, {mode}: {error}");
        }
    }
    let server = tls_server_with(
        "hostssl all md5_user 127.0.0.1/32 md5\nhostssl all password_user 127.0.0.1/32 password\n\
         hostssl all certificate_user 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
    );
    let require = |user| url(&server, user, "sslmode=require&channel_binding=require");
    assert_eq!(outcome(&require(users::SCRAM)).await, Ok(true));
    for user in [users::MD5, users::PASSWORD, users::CERTIFICATE] {
        let error = is_encrypted(&require(user)).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Authentication, "{user}");
        assert!(error.to_string().contains("channel_binding=require"), "{user}: {error}");
    }
}

#[tokio::test]
async fn the_certificate_is_for_the_host_and_not_for_its_address() {
    let mut server = Cluster::tls();
    let roots = tls::ca(&server).display().to_string();
    let named = |host: &str| {
        let place = format!("postgres://{}:{}@:{}/postgres", users::SCRAM, server.password(), server.port());
        format!("{place}?host={host}&hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={roots}")
    };
    // No name server knows this name.
    let (elsewhere, here) = (named("elsewhere.example"), named("localhost"));
    assert_eq!((outcome(&here).await, outcome(&elsewhere).await), (Ok(true), Err(DbErrorKind::Tls)));
    server.present(Certificate::ForAnotherName);
    assert_eq!((outcome(&here).await, outcome(&elsewhere).await), (Err(DbErrorKind::Tls), Ok(true)));
}

#[test]
fn the_systems_authorities_are_trusted_when_they_are_asked_for() {
    if let Some(url) = process::role() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let expected = if url.contains("@localhost") { Ok(true) } else { Err(DbErrorKind::Tls) };
        assert_eq!(runtime.block_on(outcome(&url)), expected);
        return;
    }
    let server = Cluster::tls();
    for (host, mode) in [("localhost", ""), ("localhost", "&sslmode=verify-full"), ("elsewhere.example", "")] {
        let login = format!("{}:{}", users::SCRAM, server.password());
        let place = format!("postgres://{login}@{host}:{}/postgres", server.port());
        let url = format!("{place}?hostaddr=127.0.0.1&sslrootcert=system{mode}");
        let mut child = process::command(the_systems_authorities_are_trusted_when_they_are_asked_for, &url);
        // Where the system's are looked for, as by OpenSSL.
        child.env("SSL_CERT_FILE", tls::ca(&server));
        process::run(child);
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    let server = Cluster::tls();
    let Identity { certificate, key } = tls::client(&server);
    let directory = private_dir();
    let copy = directory.path().join("client.key");
    fs::copy(key, &copy).unwrap();
    let parameters = format!("sslmode=require&sslcert={}&sslkey={}", certificate.display(), copy.display());
    // By libpq's rules a group may read a key of root's.
    for mode in [0o644, 0o604, 0o660, 0o601] {
        fs::set_permissions(&copy, PermissionsExt::from_mode(mode)).unwrap();
        let error = is_encrypted(&url(&server, users::CERTIFICATE, &parameters)).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Configuration, "{mode:o}: {error}");
        assert!(error.to_string().contains("client.key") && error.to_string().contains("others may use it"), "{error}");
        assert!(error.suggested_fixes()[0].contains("chmod 600"), "{:?}", error.suggested_fixes());
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&copy, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(outcome(&url(&server, users::CERTIFICATE, &parameters)).await, Ok(true), "{mode:o}");
    }
}
