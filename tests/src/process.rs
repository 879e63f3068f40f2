//! Tests that need a process of their own: one that is killed, has limits, or counts what the whole process uses.
//!
//! Such a test starts its own executable once more, for itself only, and tells the child by a variable what to do.

use std::{
    any::type_name_of_val,
    env,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

const ROLE: &str = "MONTRS_TEST_ROLE";

/// What the test shall do in this process, when it was started by [`command`]; the test itself has none.
pub fn role() -> Option<String> {
    let role = env::var(ROLE).ok()?;
    // Ends the line that the harness has begun, so that what follows can be read line by line.
    println!();
    Some(role)
}

/// A command that runs the test function `test` in a process of its own, with a role.
pub fn command(test: impl Fn(), role: &str) -> Command {
    around(&[], test, role)
}

/// The same, run by another program: `sh -c …`, `unshare …`.
pub fn around(program: &[&str], test: impl Fn(), role: &str) -> Command {
    let executable = env::current_exe().expect("a test knows its executable");
    let mut command = match program {
        [] => Command::new(executable),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(executable);
            command
        }
    };
    command.args(["--exact", test_name(&test), "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(crate::PLUGINS, crate::plugins());
    command
}

/// The name that the test harness knows a test function by.
fn test_name(test: &impl Fn()) -> &'static str {
    let path = type_name_of_val(test);
    // Without the name of the crate.
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// Runs a child to its end. What it wrote to its standard error.
///
/// # Panics
///
/// When it fails there.
pub fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{command:?}: {}\n{out}\n{err}", output.status);
    err.into_owned()
}

/// A child that talks with the test, and is killed when this is dropped.
pub struct Conversation {
    child: Child,
    said: BufReader<ChildStdout>,
    heard: String,
}

impl Conversation {
    /// Starts the child.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, said, heard: String::new() }
    }

    /// Waits until the child has said this.
    ///
    /// # Panics
    ///
    /// When it ends before that.
    pub fn until(&mut self, words: &str) {
        loop {
            let begin = self.heard.len();
            let read = self.said.read_line(&mut self.heard).expect("a child says text");
            assert!(read > 0, "the child has ended and never said {words:?}");
            if self.heard[begin..].trim_end() == words {
                return;
            }
        }
    }

    /// Says a line to the child.
    ///
    /// # Panics
    ///
    /// When it does not listen any more.
    pub fn say(&mut self, words: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{words}").expect("the child listens");
    }

    /// Kills the child (SIGKILL), and returns all that it had said.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("it ends");
        self.said.read_to_string(&mut self.heard).expect("a child says text");
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a line from the test that has started this process. `false` when that has ended.
pub fn is_told(words: &str) -> bool {
    std::io::stdin().lock().lines().map_while(Result::ok).any(|line| line == words)
}

/// Runs the test function `test` in a process of its own, which has a directory that is a file system of its own, of this
/// size, such as `8m`; temporary files of SQLite lie in it. There: the directory. In the test itself `None`: it has run
/// there, or cannot, because this user may not mount a file system, not even in a namespace.
///
/// # Panics
///
/// When it fails there.
#[cfg(target_os = "linux")]
pub fn on_own_file_system(test: impl Fn(), size: &str) -> Option<std::path::PathBuf> {
    if let Some(directory) = role() {
        return Some(directory.into());
    }
    let directory = crate::private_dir();
    let path = directory.path().to_str().expect("it was made here");
    let mount = format!("mount -t tmpfs -o size={size} none {path} && SQLITE_TMPDIR={path} exec \"$0\" \"$@\"");
    let namespaces: [&[&str]; 2] = [&["unshare", "--map-root-user", "--mount"], &["unshare", "--mount"]];
    let can_mount = |namespace: &&[&str]| {
        let mut command = Command::new(namespace[0]);
        command.args(&namespace[1..]).args(["sh", "-c", &mount, "true"]);
        command.output().is_ok_and(|output| output.status.success())
    };
    match namespaces.into_iter().find(can_mount) {
        Some(namespace) => drop(run(around(&[namespace, &["sh", "-c", &mount]].concat(), test, path))),
        None => eprintln!("\nnot on a file system of its own: this user may not mount one"),
    }
    None
}

/// Runs the test function `test` as a user whom the operating system's permissions bind, when they do not bind this one.
/// `false` when they do: the test is then to be run by its caller.
///
/// # Panics
///
/// When it fails there.
#[cfg(unix)]
pub fn as_nobody(test: impl Fn()) -> bool {
    use std::{
        fs,
        os::unix::{fs::PermissionsExt, process::CommandExt},
    };
    const NOBODY: u32 = 65_534;
    let directory = crate::private_dir();
    let allow = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the owner can set permissions");
    };
    let probe = directory.path().join("probe");
    fs::write(&probe, "").expect("a file can be made");
    allow(&probe, 0o444);
    if fs::OpenOptions::new().append(true).open(&probe).is_err() {
        return false;
    }
    // Nobody may enter neither the directory of the executable nor that of the plugins.
    let here = env::current_exe().expect("a test knows its executable");
    let executable = directory.path().join(here.file_name().expect("an executable has a name"));
    fs::copy(&here, &executable).expect("the executable can be copied");
    allow(&executable, 0o755);
    let plugins = directory.path().join("plugins");
    fs::create_dir(&plugins).expect("a directory can be made");
    for entry in fs::read_dir(crate::plugins()).expect("it can be read") {
        let entry = entry.expect("it can be read");
        crate::install(&entry.path(), &plugins.join(entry.file_name()));
    }
    allow(&plugins, 0o755);
    allow(directory.path(), 0o755);
    let mut command = Command::new(executable);
    command.args(["--exact", test_name(&test), "--nocapture", "--test-threads=1"]);
    command.env(crate::PLUGINS, plugins).env_remove("XDG_CACHE_HOME").env_remove("XDG_RUNTIME_DIR").env_remove("HOME");
    run({
        command.uid(NOBODY).current_dir("/");
        command
    });
    true
}
