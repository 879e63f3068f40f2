//! A PostgreSQL server of one's own.

use crate::{
    Installation,
    account::Account,
    settings,
    supervisor::{PATIENCE, Supervisor},
    tls, url,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fmt, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The superuser of every cluster.
pub(crate) const SUPERUSER: &str = "postgres";

/// A PostgreSQL server, which is stopped and removed with its directory when this is dropped.
pub struct Cluster {
    pub(crate) supervisor: Supervisor,
    version: String,
    major: u32,
    programs: PathBuf,
    port: u16,
    password: String,
    /// Whether somebody may know the port.
    has_run: bool,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// When all clients have gone.
    Smart,
    /// After rolling back what is under way; clients are told.
    Fast,
    /// At once, without a checkpoint; the next start recovers.
    Immediate,
}

impl Cluster {
    /// A server without TLS, made from [`Installation::chosen`].
    ///
    /// # Panics
    ///
    /// When it does not start. What it wrote is in the message.
    pub fn plain() -> Self {
        Self::plain_with(&[])
    }

    /// A server without TLS and with these settings, such as `("fsync", "on")`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn plain_with(settings: &[(&str, &str)]) -> Self {
        Self::start(settings).unwrap_or_else(|error| panic!("a PostgreSQL server cannot be started: {error:#}"))
    }

    /// A server that takes connections over TCP only with TLS, and has a user for each way of authentication:
    /// [`tls::users`].
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn tls() -> Self {
        tls::start().unwrap_or_else(|error| panic!("a PostgreSQL server with TLS cannot be started: {error:#}"))
    }

    /// A server with these settings, made from [`Installation::chosen`].
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_from(&Installation::chosen()?, settings)
    }

    /// A server with these settings, made from this installation.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start_from(installation: &Installation, settings: &[(&str, &str)]) -> Result<Self> {
        let mut cluster = Self::make(installation, settings)?;
        cluster.try_run()?;
        Ok(cluster)
    }

    /// The directory of a server that does not run yet.
    pub(crate) fn make(installation: &Installation, settings: &[(&str, &str)]) -> Result<Self> {
        let mut cluster = Self::empty(installation, random()?)?;
        let password = cluster.supervisor.write("password", &cluster.password)?;
        let initdb = cluster.programs.join("initdb");
        cluster.supervisor.run(&[
            initdb.as_os_str(),
            "--no-sync".as_ref(),
            "--no-instructions".as_ref(),
            "--pgdata=data".as_ref(),
            "--encoding=UTF8".as_ref(),
            // The same on every system.
            "--locale=C".as_ref(),
            "--auth=trust".as_ref(), // Replaced at once.
            format!("--username={SUPERUSER}").as_ref(),
            format!("--pwfile={}", password.display()).as_ref(),
        ])?;
        cluster.supervisor.clear_log()?; // Nobody wants to read of its success.
        cluster.configure(settings, settings::HBA)?;
        Ok(cluster)
    }

    /// A directory without data, and a server's superuser's password.
    pub(crate) fn empty(installation: &Installation, password: String) -> Result<Self> {
        let supervisor = Supervisor::start()?;
        let programs = reachable(installation, supervisor.account(), supervisor.directory())?;
        let (version, major) = (installation.version().to_owned(), installation.major());
        Ok(Self { supervisor, version, major, programs, port: free_port()?, password, has_run: false })
    }

    /// Puts the settings into the data directory.
    pub(crate) fn configure(&self, settings: &[(&str, &str)], hba: &str) -> Result<()> {
        let directory = self.directory().to_string_lossy();
        let text = settings::lines(&[settings, &[("unix_socket_directories", &directory)]].concat());
        // Read after the file that initdb has fitted to this system.
        self.supervisor.write("data/postgresql.auto.conf", &text)?;
        self.supervisor.write("data/pg_hba.conf", hba)?;
        Ok(())
    }

    /// Starts the server again with other rules, lines of `pg_hba.conf`, for clients over TCP. Who comes over the Unix socket is
    /// let in.
    ///
    /// # Panics
    ///
    /// When it does not start again.
    pub fn admit(&mut self, rules: &str) {
        let hba = format!("local all all trust\n{rules}");
        self.supervisor.write("data/pg_hba.conf", &hba).expect("the rules can be written");
        self.restart();
    }

    /// A URL for connections over TCP, as the superuser, to the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of(SUPERUSER, "postgres")
    }

    /// A URL for connections over TCP. The password is [the cluster's](Self::password).
    pub fn url_of(&self, user: &str, database: &str) -> String {
        url::tcp(user, &self.password, self.port, database)
    }

    /// A URL for connections over the Unix socket, as the superuser, to the database `postgres`. No password is needed.
    pub fn socket_url(&self) -> String {
        self.socket_url_of(SUPERUSER, "postgres")
    }

    /// A URL for connections over the Unix socket.
    pub fn socket_url_of(&self, user: &str, database: &str) -> String {
        url::socket(user, self.directory(), self.port, database)
    }

    /// The port, both of 127.0.0.1 and in the name of the Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the superuser and of all users of a server with TLS.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The directory with the Unix socket, the log and the data.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// The server's version, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server's major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The last lines that the server has written to its log.
    pub fn log(&self) -> String {
        self.supervisor.log()
    }

    /// The process of the server, if it runs.
    pub fn process(&self) -> Option<u32> {
        self.supervisor.process()
    }

    /// Runs SQL as the superuser, by `psql`. The values of all rows, in lines, with `|` in between.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn sql(&self, sql: &str) -> String {
        crate::sql(&self.socket_url(), sql).unwrap_or_else(|error| panic!("{sql}: {error:#}"))
    }

    /// Starts the server again, on the same port, after it was stopped or killed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn run(&mut self) {
        self.try_run().unwrap_or_else(|error| panic!("the PostgreSQL server cannot be started: {error:#}"));
    }

    /// Stops the server and waits until it has ended. Its data stays.
    ///
    /// # Panics
    ///
    /// When it does not end in a minute: [`Shutdown::Smart`] waits for all clients.
    pub fn stop(&mut self, how: Shutdown) {
        self.end(match how {
            Shutdown::Smart => "TERM",
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        });
    }

    /// Kills the server's main process, as when the system runs out of memory, and waits for its end. The processes of
    /// connections end as soon as they notice.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Stops the server fast, and starts it again.
    ///
    /// # Panics
    ///
    /// When it does not start again.
    pub fn restart(&mut self) {
        self.stop(Shutdown::Fast);
        self.run();
    }

    fn end(&mut self, signal: &str) {
        assert!(self.process().is_some(), "the server does not run:\n{}", self.log());
        let ended = self.supervisor.signal(signal).and_then(|()| self.supervisor.wait_for_end());
        ended.unwrap_or_else(|error| panic!("the server was to be stopped by SIG{signal}: {error:#}"));
    }

    /// Starts the server. On its first start it may take another port, when somebody else was quicker.
    pub(crate) fn try_run(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.supervisor.whole_log().lines().count();
            let postgres = self.programs.join("postgres");
            let port = self.port.to_string();
            self.supervisor.serve(&[
                postgres.as_os_str(),
                "-D".as_ref(),
                "data".as_ref(),
                "-p".as_ref(),
                port.as_ref(),
            ])?;
            let Some(status) = self.wait_until_ready(deadline)? else {
                self.has_run = true;
                return Ok(());
            };
            let log = self.supervisor.whole_log();
            let log = log.lines().skip(before).collect::<Vec<_>>().join("\n");
            if Instant::now() < deadline && log.contains("could not bind") && !self.has_run {
                self.port = free_port()?;
            } else if Instant::now() < deadline && log.contains("still in use") {
                // Processes of a server that was killed have not ended yet.
                std::thread::sleep(Duration::from_millis(20));
            } else {
                bail!("postgres ended with status {status}:\n{log}");
            }
        }
    }

    /// Waits until the server takes connections, or has ended with a status.
    fn wait_until_ready(&self, deadline: Instant) -> Result<Option<i32>> {
        while Instant::now() < deadline {
            if let Some(status) = self.supervisor.ended_within(Duration::from_millis(5))? {
                return Ok(Some(status));
            }
            // The first line of this file is the server's process, and the eighth its state.
            let state = fs::read_to_string(self.directory().join("data/postmaster.pid")).unwrap_or_default();
            let process = state.lines().next().and_then(|line| line.parse().ok());
            let ready = state.lines().nth(7).is_some_and(|line| line.trim_end() == "ready");
            if ready && process.is_some() && process == self.process() {
                return Ok(None);
            }
        }
        bail!("postgres is not ready after {PATIENCE:?}:\n{}", self.log())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("version", &self.version).field("directory", &self.directory()).finish()
    }
}

/// A port that nobody listened on a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

/// A word that nobody can guess.
pub(crate) fn random() -> Result<String> {
    use std::io::Read;
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The installation's programs; a copy of them where the server's user may not enter the directory that they are in.
fn reachable(installation: &Installation, account: &Account, directory: &Path) -> Result<PathBuf> {
    if account.can_reach(installation.bin()) {
        return Ok(installation.bin().to_owned());
    }
    let root = installation.bin().parent().context("the programs are in a directory")?;
    let copy = directory.join("installation");
    let status = Command::new("cp").arg("-RP").arg(root).arg(&copy).status().context("cannot run cp")?;
    ensure!(status.success(), "cannot copy {} to {}", root.display(), copy.display());
    account.give_all(&copy)?;
    Ok(copy.join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_takes_another_port_when_somebody_else_was_quicker_but_only_at_first() {
        let mut cluster = Cluster::make(&Installation::chosen().unwrap(), &[]).unwrap();
        let taken = TcpListener::bind(("127.0.0.1", cluster.port)).unwrap();
        cluster.try_run().unwrap();
        let port = cluster.port;
        assert_ne!(port, taken.local_addr().unwrap().port());
        assert_eq!(crate::sql(&cluster.url(), "SELECT 1").unwrap(), "1");

        cluster.stop(Shutdown::Fast);
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let error = cluster.try_run().unwrap_err().to_string();
        assert!(error.contains("could not bind") && error.contains(&port.to_string()), "{error}");
    }
}
