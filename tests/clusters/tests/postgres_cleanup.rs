//! No server outlives the one who started it.

use montrs_test_clusters::{Bouncer, Cluster, sql};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// The processes that work in the directory or below it, or were started with it as an argument.
fn processes_in(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc can be read").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let works_there = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if works_there || command.contains(&*directory.to_string_lossy()) {
            found.push(format!("{name} {command}"));
        }
    }
    found
}

/// Waits until there is a value. What is there instead is said after a minute.
fn wait_for<T>(value: impl Fn() -> Option<T>, instead: impl Fn() -> String) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "after a minute: {}", instead());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until nothing of the directory is left.
fn wait_until_gone(directory: &Path) {
    let gone = || processes_in(directory).is_empty() && !directory.exists();
    wait_for(|| gone().then_some(()), || format!("{} has {:#?}", directory.display(), processes_in(directory)));
}

/// A process that has started a server.
struct Owner {
    process: Child,
    input: Option<ChildStdin>,
    directory: PathBuf,
}

fn owner() -> Owner {
    let mut command = Command::new(env!("CARGO_BIN_EXE_montrs-test-clusters"));
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be run");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let url = lines.next().expect("a URL").expect("it can be read");
    assert_eq!(sql(&url, "SELECT 1").expect("the server answers"), "1");
    let directory = sql(&url, "SHOW unix_socket_directories").expect("the server answers").into();
    let input = process.stdin.take();
    let owner = Owner { process, input, directory };
    assert!(processes_in(&owner.directory).len() > 5, "the shell, the server and its helpers are found");
    owner
}

#[test]
fn server_of_a_killed_process_is_stopped_and_removed() {
    let mut owner = owner();
    owner.process.kill().expect("it can be killed");
    owner.process.wait().expect("it has ended");
    wait_until_gone(&owner.directory);
}

#[test]
fn server_of_a_process_that_is_killed_while_it_makes_it_is_removed() {
    let place = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).expect("the owner can set permissions");
    let mut command = Command::new(env!("CARGO_BIN_EXE_montrs-test-clusters"));
    command.env("TMPDIR", place.path()).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = command.spawn().expect("it can be run");
    let first = || Some(fs::read_dir(place.path()).ok()?.next()?.ok()?.path());
    let directory = wait_for(first, || "there is no directory".to_owned());
    wait_for(|| directory.join("data/PG_VERSION").exists().then_some(()), || "there is no data".to_owned());
    process.kill().expect("it can be killed");
    process.wait().expect("it has ended");
    wait_until_gone(&directory);
}

#[test]
fn server_of_a_process_that_ends_is_stopped_and_removed() {
    let mut owner = owner();
    drop(owner.input.take());
    assert!(owner.process.wait().expect("it has ended").success());
    wait_until_gone(&owner.directory);
}

#[test]
fn dropped_server_is_gone_at_once() {
    let mut cluster = Cluster::plain();
    let bouncer = Bouncer::start(&cluster, 0);
    sql(&bouncer.url(), "SELECT 1").expect("the bouncer answers");
    let directories = [cluster.directory().to_owned(), bouncer.directory().to_owned()];
    for directory in &directories {
        assert!(!processes_in(directory).is_empty());
    }
    cluster.kill();
    drop(bouncer);
    drop(cluster);
    for directory in &directories {
        assert!(!directory.exists());
        wait_until_gone(directory);
    }
}

#[test]
fn server_of_a_panicking_test_is_gone() {
    let directory = std::thread::spawn(|| {
        let cluster = Cluster::plain();
        let directory = cluster.directory().to_owned();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            assert_eq!(cluster.sql("SELECT 1"), "2", "this panic is a part of the test");
        }));
        assert!(result.is_err());
        directory
    });
    let directory = directory.join().expect("the thread ends");
    assert!(!directory.exists());
    wait_until_gone(&directory);
}

#[test]
fn server_dies_when_its_supervisor_is_asked_to_end() {
    let cluster = Cluster::plain();
    let directory = cluster.directory().to_owned();
    let supervisor =
        processes_in(&directory).into_iter().find(|process| process.contains("supervise")).expect("a shell");
    let process = supervisor.split(' ').next().expect("a number");
    assert!(Command::new("kill").args(["-s", "TERM", process]).status().expect("kill runs").success());
    wait_until_gone(&directory);
}
