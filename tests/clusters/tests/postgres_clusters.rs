//! Each kind of server does what it is there for, as an independent client sees it.

use montrs_test_clusters::{
    Bouncer, Certificate, Cluster, Replicated, Shutdown, TestDatabase, server_under_test, sql, tls,
};

fn refused(url: &str) -> String {
    match sql(url, "SELECT 1") {
        Ok(rows) => panic!("{url} was let in: {rows}"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn plain_server_answers_over_tcp_and_over_its_socket() {
    let cluster = Cluster::plain();
    for (url, address) in [(cluster.url(), "127.0.0.1"), (cluster.socket_url(), "")] {
        assert_eq!(sql(&url, "SELECT inet_server_addr(), current_user").unwrap(), format!("{address}|postgres"));
        let major = sql(&url, "SELECT current_setting('server_version_num')::int / 10000").unwrap();
        assert_eq!(major, cluster.major().to_string());
        assert!(sql(&url, "SELECT version()").unwrap().contains(&format!("PostgreSQL {} ", cluster.version())));
    }
    let wrong = cluster.url().replace(cluster.password(), "wrong");
    assert!(refused(&wrong).contains("password authentication failed"));
}

#[test]
fn settings_are_the_server_s() {
    let cluster = Cluster::plain_with(&[("fsync", "on"), ("application_name", "it's")]);
    assert_eq!(cluster.sql("SELECT current_setting('fsync'), current_setting('shared_buffers')"), "on|16MB");
}

#[test]
fn data_outlives_every_way_of_ending() {
    let mut cluster = Cluster::plain();
    cluster.sql("CREATE TABLE numbers (n int)");
    let port = cluster.port();
    let mut processes = vec![cluster.process().expect("it runs")];
    for (number, how) in
        [(1, Some(Shutdown::Smart)), (2, Some(Shutdown::Fast)), (3, Some(Shutdown::Immediate)), (4, None)]
    {
        cluster.sql(&format!("INSERT INTO numbers VALUES ({number})"));
        match how {
            Some(how) => cluster.stop(how),
            None => cluster.kill(),
        }
        assert_eq!(cluster.process(), None);
        refused(&cluster.url());
        cluster.run();
        processes.push(cluster.process().expect("it runs again"));
    }
    cluster.restart();
    assert_eq!(cluster.sql("SELECT count(*), max(n) FROM numbers"), "4|4");
    assert_eq!(cluster.port(), port);
    processes.dedup();
    assert_eq!(processes.len(), 5, "{processes:?}");
}

/// A connection string with which `psql` verifies the server.
fn verified(cluster: &Cluster, user: &str, more: &str) -> String {
    format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname=postgres user={user} password={} sslmode=verify-full sslrootcert={} \
         {more}",
        cluster.port(),
        cluster.password(),
        tls::ca(cluster).display()
    )
}

fn shown(identity: &tls::Identity) -> String {
    format!("sslcert={} sslkey={}", identity.certificate.display(), identity.key.display())
}

#[test]
fn tls_server_authenticates_each_user_in_its_own_way_and_refuses_the_rest() {
    use tls::users::*;
    let cluster = Cluster::tls();
    let without = |user| format!("{}?sslmode=disable", cluster.url_of(user, "postgres"));
    let nobody = "sslcert=/none sslkey=/none";
    let client = shown(&tls::client(&cluster));

    for user in ["postgres", SCRAM, MD5, PASSWORD] {
        let query = "SELECT ssl, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(sql(&verified(&cluster, user, nobody), query).unwrap(), format!("t|{user}"));
        assert!(refused(&without(user)).contains("no encryption"), "{user}");
        let wrong = verified(&cluster, user, nobody).replace(cluster.password(), "wrong");
        assert!(refused(&wrong).contains("password authentication failed"), "{user}");
    }
    let hashes = "SELECT rolname, left(rolpassword, 3) FROM pg_authid WHERE rolname ~ '(md5|scram)_user' ORDER BY 1";
    assert_eq!(cluster.sql(hashes), "md5_user|md5\nscram_user|SCR");

    for user in [CERTIFICATE, SCRAM_AND_CERTIFICATE] {
        assert_eq!(sql(&verified(&cluster, user, &client), "SELECT current_user").unwrap(), user);
        assert!(refused(&verified(&cluster, user, nobody)).contains("valid client certificate"), "{user}");
        for other in [tls::expired_client(&cluster), tls::client_by_another_ca(&cluster)] {
            refused(&verified(&cluster, user, &shown(&other)));
        }
    }
    assert!(refused(&verified(&cluster, REJECTED, &client)).contains("rejects connection"));
    let another_ca = tls::other_ca(&cluster).display().to_string();
    let distrusted = verified(&cluster, SCRAM, nobody).replace(&tls::ca(&cluster).display().to_string(), &another_ca);
    assert!(refused(&distrusted).contains("certificate verify failed"));
}

#[test]
fn tls_server_shows_the_certificate_that_a_test_asks_for() {
    let mut cluster = Cluster::tls();
    for (certificate, reason) in [
        (Certificate::Expired, "certificate verify failed"),
        (Certificate::ForAnotherName, "does not match host name"),
        (Certificate::ByAnotherCa, "certificate verify failed"),
    ] {
        cluster.present(certificate);
        let error = refused(&verified(&cluster, tls::users::SCRAM, "sslcert=/none"));
        assert!(error.contains(reason), "{certificate:?}: {error}");
        let anyway = verified(&cluster, tls::users::SCRAM, "sslcert=/none").replace("verify-full", "require");
        let anyway = anyway.replace(&tls::ca(&cluster).display().to_string(), "/none");
        assert_eq!(sql(&anyway, "SELECT 1").unwrap(), "1", "{certificate:?}");
    }
    cluster.present(Certificate::Good);
    assert_eq!(sql(&verified(&cluster, tls::users::SCRAM, "sslcert=/none"), "SELECT 1").unwrap(), "1");
}

#[test]
fn standby_follows_reads_only_and_can_be_promoted() {
    let mut servers = Replicated::start();
    servers.primary.sql("CREATE TABLE numbers AS SELECT generate_series(1, 1000) AS n");
    servers.catch_up();
    assert_eq!(servers.standby.sql("SELECT count(*), pg_is_in_recovery() FROM numbers"), "1000|t");
    assert_eq!(servers.primary.sql("SELECT state FROM pg_stat_replication"), "streaming");
    let write = sql(&servers.standby.url(), "INSERT INTO numbers VALUES (0)").unwrap_err();
    assert!(write.to_string().contains("read-only transaction"), "{write}");

    servers.primary.kill();
    servers.promote();
    servers.standby.sql("INSERT INTO numbers VALUES (0)");
    assert_eq!(servers.standby.sql("SELECT count(*), pg_is_in_recovery() FROM numbers"), "1001|f");
}

#[test]
fn bouncer_gives_each_transaction_another_connection() {
    let cluster = Cluster::plain();
    for prepared_statements in [0, 100] {
        let bouncer = Bouncer::start(&cluster, prepared_statements);
        assert_eq!(sql(&bouncer.url(), "SELECT current_user").unwrap(), "postgres");
        let database = TestDatabase::on(&cluster);
        assert_eq!(sql(&bouncer.url_of(database.name()), "SELECT current_database()").unwrap(), database.name());
        let wrong = bouncer.url().replace(cluster.password(), "wrong");
        assert!(refused(&wrong).contains("password authentication failed"));
        let mode = sql(&bouncer.url_of("pgbouncer"), "SHOW CONFIG").unwrap();
        assert!(mode.lines().any(|line| line.starts_with("pool_mode|transaction|")), "{mode}");
        if Bouncer::has_prepared_statements() {
            assert!(mode.contains(&format!("max_prepared_statements|{prepared_statements}|")), "{mode}");
        }
    }
}

#[test]
fn each_test_has_a_database_of_its_own_that_goes_away() {
    let count = |name: &str| {
        let query = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        sql(server_under_test(), &query).unwrap()
    };
    let (one, other) = (TestDatabase::new(), TestDatabase::new());
    one.sql("CREATE TABLE mine (n int)");
    assert_eq!(other.sql("SELECT to_regclass('mine') IS NULL"), "t");
    let name = one.name().to_owned();
    assert_eq!(count(&name), "1");
    drop(one);
    assert_eq!(count(&name), "0");
}
