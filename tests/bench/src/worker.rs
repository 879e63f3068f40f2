//! The runner's end of a worker.

use anyhow::{Context, Result, bail};
use montrs_bench_worker::{Case, Lateness, Request, Spent};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// A process that runs what it is asked to. It ends when this is dropped.
pub(crate) struct Worker {
    /// The contestant's name.
    pub(crate) name: &'static str,
    /// The versions of what it runs.
    pub(crate) versions: String,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the worker has no standard output")?);
        let mut worker = Self { name, versions: String::new(), child, requests, answers };
        worker.versions = worker.answer()?;
        Ok(worker)
    }

    /// Opens the database of a case.
    pub(crate) fn open(&mut self, case: Case) -> Result<()> {
        self.ask(Request::Open(case)).map(drop)
    }

    /// Runs a case so many times.
    pub(crate) fn run(&mut self, case: Case, iterations: u64) -> Result<Spent> {
        let [wall, cpu] = numbers(&self.ask(Request::Run(case, iterations))?)?;
        Ok(Spent { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu) })
    }

    /// Runs a case so many times, and tells by how many KiB its memory has grown.
    pub(crate) fn memory(&mut self, case: Case, iterations: u64) -> Result<u64> {
        let [growth] = numbers(&self.ask(Request::Memory(case, iterations))?)?;
        Ok(growth)
    }

    /// How late a timer comes when nothing else runs, and beside a statement of this duration.
    pub(crate) fn lateness(&mut self, duration: Duration) -> Result<[Lateness; 2]> {
        let numbers: [u64; 6] = numbers(&self.ask(Request::Ticker(duration))?)?;
        let [a, b, c, d, e, f] = numbers.map(Duration::from_nanos);
        Ok([Lateness { median: a, p99: b, max: c }, Lateness { median: d, p99: e, max: f }])
    }

    fn ask(&mut self, request: Request) -> Result<String> {
        let requests = self.requests.as_mut().context("the worker has ended")?;
        writeln!(requests, "{request}").with_context(|| format!("{} has ended", self.name))?;
        self.answer().with_context(|| format!("{request:?}"))
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim_end() {
            "" => bail!("{} has ended without an answer", self.name),
            line => match line.strip_prefix("error ") {
                Some(error) => bail!("{}: {error}", self.name),
                None => Ok(line.to_owned()),
            },
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends with its input.
        self.requests = None;
        let _ = self.child.wait();
    }
}

fn numbers<const N: usize>(line: &str) -> Result<[u64; N]> {
    let numbers: Vec<u64> = line
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("not {N} numbers: {line}"))?;
    numbers.try_into().map_err(|_| anyhow::anyhow!("not {N} numbers: {line}"))
}
