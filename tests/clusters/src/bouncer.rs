//! PgBouncer before a server.

use crate::{
    Cluster,
    cluster::{SUPERUSER, free_port},
    supervisor::{PATIENCE, Supervisor},
    url,
};
use anyhow::{Context, Result, bail};
use std::{
    env,
    net::TcpStream,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// A PgBouncer in transaction mode, which is stopped and removed when this is dropped.
pub struct Bouncer {
    supervisor: Supervisor,
    port: u16,
    password: String,
}

impl Bouncer {
    /// A PgBouncer before this cluster, in transaction mode: each transaction may run on another one of its connections
    /// to the server, of which it opens at most two for a database. It keeps track of this many prepared statements a
    /// connection, which version 1.21 has brought; with 0, or an older version, of none.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(cluster: &Cluster, prepared_statements: u32) -> Self {
        let bouncer = Self::try_start(cluster, prepared_statements);
        bouncer.unwrap_or_else(|error| panic!("PgBouncer cannot be started: {error:#}"))
    }

    /// The version of the system's PgBouncer, such as `(1, 18)`, if there is one.
    pub fn version() -> Option<(u32, u32)> {
        let output = Command::new(program()?).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut parts = text.split_whitespace().nth(1)?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    /// Whether the system's PgBouncer can keep track of prepared statements.
    pub fn has_prepared_statements() -> bool {
        Self::version().is_some_and(|version| version >= (1, 21))
    }

    /// A URL for connections over TCP, as the superuser, to the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// A URL for connections over TCP, as the superuser, to a database of the cluster.
    pub fn url_of(&self, database: &str) -> String {
        url::tcp(SUPERUSER, &self.password, self.port, database)
    }

    /// The directory with the log and the configuration.
    pub fn directory(&self) -> &std::path::Path {
        self.supervisor.directory()
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        self.supervisor.log()
    }

    fn try_start(cluster: &Cluster, prepared_statements: u32) -> Result<Self> {
        let mut bouncer = Self::make(cluster)?;
        bouncer.run(cluster, prepared_statements)?;
        Ok(bouncer)
    }

    fn make(cluster: &Cluster) -> Result<Self> {
        let password = cluster.password().to_owned();
        let bouncer = Self { supervisor: Supervisor::start()?, port: free_port()?, password };
        bouncer.supervisor.write("users", &format!("\"{SUPERUSER}\" \"{}\"\n", bouncer.password))?;
        Ok(bouncer)
    }

    /// Starts it. It takes another port when somebody else was quicker.
    fn run(&mut self, cluster: &Cluster, prepared_statements: u32) -> Result<()> {
        let program = program().context("PgBouncer is not installed: cargo xtask setup")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.configure(cluster, prepared_statements)?;
            self.supervisor.clear_log()?;
            self.supervisor.serve(&[program.as_os_str(), "bouncer.ini".as_ref()])?;
            match self.wait_until_ready(deadline)? {
                None => return Ok(()),
                Some(_) if Instant::now() < deadline && self.log().contains("in use") => self.port = free_port()?,
                Some(status) => bail!("pgbouncer ended with status {status}:\n{}", self.log()),
            }
        }
    }

    fn configure(&self, cluster: &Cluster, prepared_statements: u32) -> Result<()> {
        let tracked = match prepared_statements {
            0 => String::new(),
            _ if !Self::has_prepared_statements() => String::new(),
            number => format!("max_prepared_statements = {number}\n"),
        };
        let (server, server_port, port) = (cluster.directory().display(), cluster.port(), self.port);
        let text = format!(
            "[databases]\n* = host={server} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = md5\nauth_file = users\nadmin_users = {SUPERUSER}\npool_mode = transaction\ndefault_pool_size = 2\n{tracked}"
        );
        self.supervisor.write("bouncer.ini", &text)?;
        Ok(())
    }

    /// Waits until it takes connections, or has ended with a status.
    fn wait_until_ready(&self, deadline: Instant) -> Result<Option<i32>> {
        while Instant::now() < deadline {
            if let Some(status) = self.supervisor.ended_within(Duration::from_millis(5))? {
                return Ok(Some(status));
            }
            // Before it has said so, whoever is found at the port is somebody else.
            if self.log().contains(&format!("listening on 127.0.0.1:{}", self.port))
                && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            {
                return Ok(None);
            }
        }
        bail!("pgbouncer is not ready after {PATIENCE:?}:\n{}", self.log())
    }
}

impl std::fmt::Debug for Bouncer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bouncer").field("port", &self.port).field("directory", &self.directory()).finish()
    }
}

/// The system's PgBouncer. Debian has it where only root's `PATH` leads.
fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join("pgbouncer")).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bouncer_takes_another_port_when_somebody_else_was_quicker() {
        let cluster = Cluster::plain();
        let mut bouncer = Bouncer::make(&cluster).unwrap();
        let taken = std::net::TcpListener::bind(("127.0.0.1", bouncer.port)).unwrap();
        bouncer.run(&cluster, 0).unwrap();
        assert_ne!(bouncer.port, taken.local_addr().unwrap().port());
        assert_eq!(crate::sql(&bouncer.url(), "SELECT 1").unwrap(), "1");
    }
}
