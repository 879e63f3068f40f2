//! TLS and logging in, on a server that refuses connections without TLS.

mod postgres;

use montrs_orm::{AiError, Database, DbError, DbErrorKind};
use montrs_test_clusters::{
    Certificate, Cluster,
    tls::{self, Identity, users},
};
use montrs_tests::{builder, poll_then_drop};
use postgres::half_written;
use std::{path::Path, sync::LazyLock};

static SERVER: LazyLock<Cluster> = LazyLock::new(Cluster::tls);

async fn connect(url: &str) -> Result<Database, DbError> {
    builder(url).max_connections(1).connect().await
}

/// Who we are, and whether the connection is encrypted.
async fn who(url: &str) -> Result<(String, bool), DbError> {
    let sql = "SELECT current_user::text, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    connect(url).await?.query(sql).fetch_one().await
}

fn url(user: &str, parameters: &str) -> String {
    format!("{}?{parameters}", SERVER.url_of(user, "postgres"))
}

/// The same by the name that the certificate is for.
fn by_name(cluster: &Cluster, parameters: &str) -> String {
    format!("{}?{parameters}", cluster.url_of(users::SCRAM, "postgres").replace("127.0.0.1", "localhost"))
}

fn root(path: &Path) -> String {
    format!("sslrootcert={}", path.display())
}

#[tokio::test]
async fn every_way_to_log_in_works_over_tls() {
    for user in [users::SCRAM, users::MD5, users::PASSWORD] {
        for mode in ["allow", "prefer", "require"] {
            assert_eq!(who(&url(user, &format!("sslmode={mode}"))).await.unwrap(), (user.to_owned(), true), "{mode}");
        }
    }
    let Identity { certificate, key } = tls::client(&SERVER);
    let identity = format!("sslcert={}&sslkey={}", certificate.display(), key.display());
    for user in [users::CERTIFICATE, users::SCRAM_AND_CERTIFICATE] {
        assert_eq!(who(&url(user, &identity)).await.unwrap(), (user.to_owned(), true));
    }
}

#[tokio::test]
async fn who_is_refused_is_told_without_the_password() {
    let scram = url(users::SCRAM, "sslmode=require");
    let wrong = scram.replace(SERVER.password(), "geheim");
    for url in [
        wrong.clone(),
        url(users::REJECTED, "sslmode=require"),
        url(users::SCRAM, "sslmode=disable"),
        url(users::CERTIFICATE, "sslmode=require"),
        url(users::PASSWORD, "sslmode=require&require_auth=scram-sha-256,md5"),
        url(users::MD5, "sslmode=require&channel_binding=require"),
    ] {
        let error = who(&url).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Authentication, "{error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("geheim") && !text.contains(SERVER.password()), "{text}");
    }
}

#[tokio::test]
async fn scram_is_bound_to_the_connection() {
    for binding in ["disable", "prefer", "require"] {
        let url = url(users::SCRAM, &format!("sslmode=require&channel_binding={binding}"));
        assert_eq!(who(&url).await.unwrap().0, users::SCRAM, "{binding}");
    }
}

#[tokio::test]
async fn the_certificate_is_checked_as_far_as_is_asked_for() {
    let mut server = Cluster::tls();
    let (ca, other) = (root(&tls::ca(&server)), root(&tls::other_ca(&server)));
    let full = by_name(&server, &format!("sslmode=verify-full&{ca}"));
    let only_ca = by_name(&server, &format!("sslmode=verify-ca&{ca}"));
    let require = by_name(&server, "sslmode=require");
    for url in [&full, &only_ca, &require] {
        assert!(who(url).await.unwrap().1);
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = who(&by_name(&server, &format!("sslmode={mode}&{other}"))).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Tls, "{mode}: {error}");
    }
    assert_eq!(who(&by_name(&server, "sslrootcert=system")).await.unwrap_err().kind(), DbErrorKind::Tls);
    server.present(Certificate::ForAnotherName);
    assert_eq!(who(&full).await.unwrap_err().kind(), DbErrorKind::Tls);
    assert!(who(&only_ca).await.unwrap().1);
    for certificate in [Certificate::Expired, Certificate::ByAnotherCa] {
        server.present(certificate);
        for url in [&full, &only_ca] {
            assert_eq!(who(url).await.unwrap_err().kind(), DbErrorKind::Tls, "{certificate:?}");
        }
        assert!(who(&require).await.unwrap().1, "{certificate:?}: nothing is checked without a root");
    }
}

#[tokio::test]
async fn a_certificate_that_is_trusted_itself_must_be_valid_and_for_the_name() {
    let mut server = Cluster::tls();
    for (certificate, by_any_name, by_name_too) in [
        (Certificate::Good, true, true),
        (Certificate::ByAnotherCa, true, true),
        (Certificate::ForAnotherName, true, false),
        (Certificate::Expired, false, false),
    ] {
        server.present(certificate);
        let itself = root(&tls::server(&server, certificate));
        for (mode, is_trusted) in [("verify-ca", by_any_name), ("verify-full", by_name_too)] {
            let connected = who(&by_name(&server, &format!("sslmode={mode}&{itself}"))).await;
            match connected {
                Ok((_, is_encrypted)) => assert!(is_trusted && is_encrypted, "{certificate:?}, {mode}"),
                Err(error) => {
                    assert!(!is_trusted && error.kind() == DbErrorKind::Tls, "{certificate:?}, {mode}: {error}")
                }
            }
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let missing = who(&url(users::SCRAM, "sslmode=verify-full&sslrootcert=/nowhere/root.pem")).await.unwrap_err();
    assert_eq!(missing.kind(), DbErrorKind::Configuration);
    assert!(missing.to_string().contains("/nowhere/root.pem"), "{missing}");
    let Identity { certificate, .. } = tls::client(&SERVER);
    let no_key = format!("sslcert={0}&sslkey={0}", certificate.display());
    let error = who(&url(users::CERTIFICATE, &no_key)).await.unwrap_err();
    assert!(error.kind() == DbErrorKind::Configuration && error.to_string().contains("sslkey"), "{error}");
}

#[tokio::test]
async fn a_dropped_statement_is_cancelled_over_tls_too() {
    let db = connect(&url(users::SCRAM, "sslmode=require")).await.unwrap();
    let process: i32 = db.query("SELECT pg_backend_pid()").fetch_scalar().await.unwrap();
    for polls in 1..5 {
        poll_then_drop(polls, db.execute("SELECT pg_sleep(0.02)").into_future()).await;
        assert_eq!(db.query("SELECT pg_backend_pid()").fetch_scalar::<i32>().await.unwrap(), process, "{polls}");
    }
    let large: Vec<String> =
        db.query("SELECT repeat('x', 100000) FROM generate_series(1, 50)").fetch_all().await.unwrap();
    assert!(large.iter().all(|text| text.len() == 100_000));
}

#[tokio::test]
async fn tls_begins_without_being_asked_for_where_the_server_knows_that() {
    let direct = url(users::SCRAM, "sslmode=require&sslnegotiation=direct");
    if SERVER.major() >= 17 {
        assert_eq!(who(&direct).await.unwrap(), (users::SCRAM.to_owned(), true));
        let db = connect(&direct).await.unwrap();
        poll_then_drop(2, db.execute("SELECT pg_sleep(1000)").into_future()).await;
        // The cancellation goes the same way.
        assert_eq!(db.query("SELECT 1").fetch_scalar::<i32>().await.unwrap(), 1);
    } else {
        let error = who(&direct).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Connection, "{error}");
        assert!(error.suggested_fixes().iter().any(|fix| fix.contains("sslnegotiation=direct")), "{error:?}");
    }
    let error = who(&url(users::SCRAM, "sslmode=prefer&sslnegotiation=direct")).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Configuration);
}

#[tokio::test]
async fn a_request_that_is_half_written_is_ended_over_tls_too() {
    half_written(&connect(&url("postgres", "sslmode=require")).await.unwrap()).await;
}

#[tokio::test]
async fn the_password_file_is_used() {
    use std::os::unix::fs::PermissionsExt;
    let directory = montrs_tests::private_dir();
    let file = directory.path().join("passwords");
    std::fs::write(&file, format!("127.0.0.1:*:postgres:{}:{}\n", users::SCRAM, SERVER.password())).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let url =
        url(users::SCRAM, &format!("passfile={}", file.display())).replace(&format!(":{}", SERVER.password()), "");
    assert_eq!(who(&url).await.unwrap().0, users::SCRAM);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(who(&url).await.unwrap_err().kind(), DbErrorKind::Authentication);
}
