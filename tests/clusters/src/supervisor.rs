//! The shell that stands between a test and its server.

use crate::{account::Account, shell::quoted};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::Duration,
};

/// How long anything that a server does may take. Nothing waits for as long unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory, what runs in it, and who takes care that both go away.
pub(crate) struct Supervisor {
    directory: PathBuf,
    account: Account,
    shell: Child,
    /// The supervisor lives for as long as this is open.
    input: Option<ChildStdin>,
    events: Mutex<Receiver<String>>,
}

impl Supervisor {
    pub(crate) fn start() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("montrs-pg-").tempdir().context("cannot make a directory")?;
        let account = Account::for_owner_of(directory.path())?;
        account.give(directory.path())?;
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("supervise.sh"), "supervise"]).arg(directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // What is typed at a terminal, such as Ctrl-C, goes to the test alone.
        command.process_group(0);
        account.run_as(&mut command);
        without_settings(&mut command);
        let mut shell = command.spawn().context("cannot run sh")?;
        let (input, output) = (shell.stdin.take(), shell.stdout.take().context("the output of sh is piped")?);
        let supervisor = Self { directory: directory.keep(), account, shell, input, events: Mutex::new(lines(output)) };
        let path = supervisor.directory.display();
        ensure!(
            supervisor.next_event(PATIENCE).is_ok_and(|event| event.as_deref() == Some("ready")),
            "{} cannot use {path}: set TMPDIR to a directory that everybody can reach, such as /tmp",
            supervisor.account
        );
        Ok(supervisor)
    }

    /// The directory, which only the server's user and root can enter.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file that only the server's user can read.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.write_for_client(name, content)?;
        self.account.give(&path)?;
        Ok(path)
    }

    /// Writes a file that only the user who runs the test can read.
    pub(crate) fn write_for_client(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs a program to its end, in the directory.
    pub(crate) fn run<S: AsRef<OsStr>>(&mut self, words: &[S]) -> Result<()> {
        self.serve(words)?;
        let status = self.wait_for_end()?;
        ensure!(status == 0, "{} ended with status {status}:\n{}", command_line(words)?, self.log());
        Ok(())
    }

    /// Starts a program, in the directory.
    pub(crate) fn serve<S: AsRef<OsStr>>(&mut self, words: &[S]) -> Result<()> {
        while self.next_event(Duration::ZERO)?.is_some() {} // What ran before has ended by itself.
        self.command(&format!("serve {}", command_line(words)?))?;
        match self.next_event(PATIENCE)?.as_deref() {
            Some("started") => Ok(()),
            event => bail!("{} was not started: {event:?}", command_line(words)?),
        }
    }

    /// Sends a signal to the program that runs.
    pub(crate) fn signal(&mut self, name: &str) -> Result<()> {
        self.command(&format!("signal {name}"))
    }

    /// Waits until the program has ended. Its status, as a shell tells it.
    pub(crate) fn wait_for_end(&self) -> Result<i32> {
        self.ended_within(PATIENCE)?.ok_or_else(|| anyhow!("it did not end in {PATIENCE:?}:\n{}", self.log()))
    }

    /// The status of the program if it ends in this time.
    pub(crate) fn ended_within(&self, time: Duration) -> Result<Option<i32>> {
        let Some(event) = self.next_event(time)? else { return Ok(None) };
        let status = event.strip_prefix("ended ").and_then(|status| status.parse().ok());
        status.map(Some).with_context(|| format!("unexpected: {event}"))
    }

    /// The process that runs.
    pub(crate) fn process(&self) -> Option<u32> {
        fs::read_to_string(self.directory.join("running")).ok()?.trim().parse().ok()
    }

    /// The last lines that the server has written.
    pub(crate) fn log(&self) -> String {
        let log = self.whole_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// All that the server has written.
    pub(crate) fn whole_log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Forgets what has been written so far.
    pub(crate) fn clear_log(&self) -> Result<()> {
        let log = fs::File::options().write(true).truncate(true).open(self.directory.join("log"));
        log.context("cannot empty the log")?;
        Ok(())
    }

    /// Who runs the programs.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    fn command(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the supervisor has ended")?;
        writeln!(input, "{line}").context("the supervisor has ended")
    }

    fn next_event(&self, time: Duration) -> Result<Option<String>> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        match events.recv_timeout(time) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the supervisor has ended"),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the last lines of the server in {}:\n{}", self.directory.display(), self.log());
        }
        drop(self.input.take());
        let _ = self.shell.wait();
        // Something is left only if the shell could not do its work.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Takes the settings of PostgreSQL's programs out of a command's environment.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
}

/// Hands on what is written, line by line, until the end.
fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn command_line<S: AsRef<OsStr>>(words: &[S]) -> Result<String> {
    Ok(words.iter().map(|word| quoted(word.as_ref())).collect::<Result<Vec<_>>>()?.join(" "))
}
