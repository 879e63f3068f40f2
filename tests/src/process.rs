//! Tests that need a process of their own: one that is killed, has limits, or counts what the whole process uses.
//!
//! Such a test starts its own executable once more, for itself only, and tells the child by a variable what to do.

use std::{
    any::type_name_of_val,
    env,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

const ROLE: &str = "MONTRS_TEST_ROLE";

/// What the test shall do in this process, when it was started by [`command`]; the test itself has none.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// A command that runs the test function `test` in a process of its own, with a role.
pub fn command(test: impl Fn(), role: &str) -> Command {
    around(&[], test, role)
}

/// The same, run by another program: `sh -c …`, `unshare …`.
pub fn around(program: &[&str], test: impl Fn(), role: &str) -> Command {
    let path = type_name_of_val(&test);
    // Without the name of the crate.
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    let executable = env::current_exe().expect("a test knows its executable");
    let mut command = match program {
        [] => Command::new(executable),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(executable);
            command
        }
    };
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(crate::PLUGINS, crate::plugins());
    command
}

/// Runs the test function `test` to its end in a process of its own, with a role. What it wrote to its standard error.
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
    said: Lines<BufReader<ChildStdout>>,
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
        let said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, said }
    }

    /// Waits until the child has said this.
    ///
    /// # Panics
    ///
    /// When it ends before that.
    pub fn until(&mut self, words: &str) {
        let has_come = self.said.by_ref().map_while(Result::ok).any(|line| line == words);
        assert!(has_come, "the child has ended and never said {words:?}");
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

    /// Kills the child (SIGKILL), and returns what it had said and nobody has read.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("it ends");
        self.said.by_ref().map_while(Result::ok).collect()
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
