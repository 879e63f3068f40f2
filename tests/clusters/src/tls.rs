//! A server that refuses connections without TLS, its users and its certificates.

use crate::{Certificate, Cluster, Installation, certificates, cluster::SUPERUSER};
use anyhow::Result;
use std::path::PathBuf;

/// The users of a server with TLS, beside the superuser. They have [the cluster's password](Cluster::password).
pub mod users {
    /// Authenticates by SCRAM, as does every user who is not named here.
    pub const SCRAM: &str = "scram_user";
    /// Authenticates by an MD5 hash.
    pub const MD5: &str = "md5_user";
    /// Sends the password as it is, within TLS.
    pub const PASSWORD: &str = "password_user";
    /// Has no password and shows [`client`](super::client)'s certificate.
    pub const CERTIFICATE: &str = "certificate_user";
    /// Authenticates by SCRAM and has to show a client certificate as well.
    pub const SCRAM_AND_CERTIFICATE: &str = "scram_and_certificate_user";
    /// Is refused, whatever it shows.
    pub const REJECTED: &str = "rejected_user";
}

const HBA: &str = "\
local   all         postgres                                    trust
local   replication postgres                                    trust
hostssl all         rejected_user              127.0.0.1/32 reject
hostssl all         md5_user                   127.0.0.1/32 md5
hostssl all         password_user              127.0.0.1/32 password
hostssl all         certificate_user           127.0.0.1/32 cert
hostssl all         scram_and_certificate_user 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all         all                        127.0.0.1/32 scram-sha-256
";

/// A client's certificate and its key, two PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, which only the user who runs the test can read.
    pub key: PathBuf,
}

/// The authority that has signed the server's certificate and the client's.
pub fn ca(cluster: &Cluster) -> PathBuf {
    file(cluster, "ca.pem")
}

/// An authority that has signed neither.
pub fn other_ca(cluster: &Cluster) -> PathBuf {
    file(cluster, "other-ca.pem")
}

/// What the server shows, as a file that a client may trust by itself.
pub fn server(cluster: &Cluster, certificate: Certificate) -> PathBuf {
    file(cluster, &format!("{}.pem", certificate.name()))
}

/// The certificate of [`users::CERTIFICATE`].
pub fn client(cluster: &Cluster) -> Identity {
    identity(cluster, "client")
}

/// The certificate of [`users::CERTIFICATE`], but it ended in the year 2001.
pub fn expired_client(cluster: &Cluster) -> Identity {
    identity(cluster, "client-expired")
}

/// The certificate of [`users::CERTIFICATE`], but signed by [`other_ca`].
pub fn client_by_another_ca(cluster: &Cluster) -> Identity {
    identity(cluster, "client-by-another-ca")
}

impl Cluster {
    /// Starts the server again with another certificate. Only for servers with TLS.
    ///
    /// # Panics
    ///
    /// When it does not start again.
    pub fn present(&mut self, certificate: Certificate) {
        configure(self, certificate).expect("the configuration can be written");
        self.restart();
    }
}

pub(crate) fn start() -> Result<Cluster> {
    let mut cluster = Cluster::make(&Installation::chosen()?, &[])?;
    configure(&cluster, Certificate::Good)?;
    for (name, content) in certificates::files(users::CERTIFICATE)? {
        // The server wants to own its key, and a client's library that the client owns the client's.
        if name.starts_with("client") {
            cluster.supervisor.write_for_client(&name, &content)?;
        } else {
            cluster.supervisor.write(&name, &content)?;
        }
    }
    cluster.try_run()?;

    let mut sql = String::new();
    for user in [users::SCRAM, users::PASSWORD, users::SCRAM_AND_CERTIFICATE, users::REJECTED, users::MD5] {
        let hash = if user == users::MD5 { "md5" } else { "scram-sha-256" };
        sql +=
            &format!("SET password_encryption = '{hash}'; CREATE ROLE {user} LOGIN PASSWORD '{}';", cluster.password());
    }
    sql += &format!("CREATE ROLE {} LOGIN;", users::CERTIFICATE);
    crate::sql(&cluster.socket_url_of(SUPERUSER, "postgres"), &sql)?;
    Ok(cluster)
}

fn configure(cluster: &Cluster, certificate: Certificate) -> Result<()> {
    let (shown, key) = (format!("../{}.pem", certificate.name()), format!("../{}.key", certificate.name()));
    let settings = [("ssl", "on"), ("ssl_cert_file", &shown), ("ssl_key_file", &key), ("ssl_ca_file", "../ca.pem")];
    cluster.configure(&settings, HBA)
}

fn identity(cluster: &Cluster, name: &str) -> Identity {
    Identity { certificate: file(cluster, &format!("{name}.pem")), key: file(cluster, &format!("{name}.key")) }
}

fn file(cluster: &Cluster, name: &str) -> PathBuf {
    cluster.directory().join(name)
}
