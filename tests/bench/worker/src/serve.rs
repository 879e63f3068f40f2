//! A worker: it does what it is asked to, one thing after the other.

use crate::{Case, Contestant, Request, Spent, Subject, clock::Start, memory, ticker};
use anyhow::{Context, Result};
use std::{
    collections::HashMap,
    io::{Write, stdin, stdout},
    path::{Path, PathBuf},
    thread::available_parallelism,
};
use tokio::runtime::{Builder, Runtime};

/// How many threads the runtime has, if there are as many processors.
const THREADS: usize = 2;

/// Answers the requests on standard input until it ends. The first line, which nobody asks for, tells the versions. What
/// fails is answered by `error` and the reason.
///
/// # Errors
///
/// When there is no runtime, or nobody reads the answers.
pub fn serve<C: Contestant>(contestant: C, directory: &Path) -> Result<()> {
    // Of the processors, those that this process may run on.
    let threads = available_parallelism().map_or(THREADS, |count| THREADS.min(count.get()));
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let versions = runtime.block_on(contestant.versions());
    let mut worker = Worker { contestant, directory: directory.to_owned(), runtime, subjects: HashMap::new() };
    answer(versions)?;
    for line in stdin().lines() {
        answer(line?.parse().and_then(|request| worker.run(request)))?;
    }
    Ok(())
}

fn answer(result: Result<String>) -> Result<()> {
    let text = result.unwrap_or_else(|error| format!("error {error:#}"));
    let mut stdout = stdout().lock();
    writeln!(stdout, "{}", text.replace('\n', " "))?;
    Ok(stdout.flush()?)
}

struct Worker<C: Contestant> {
    contestant: C,
    directory: PathBuf,
    runtime: Runtime,
    subjects: HashMap<&'static str, C::Subject>,
}

impl<C: Contestant> Worker<C> {
    fn run(&mut self, request: Request) -> Result<String> {
        Ok(match request {
            Request::Open(case) => {
                let subject = self.runtime.block_on(self.contestant.open(case, &self.directory))?;
                self.subjects.insert(case.name, subject);
                "opened".into()
            }
            Request::Run(case, iterations) => {
                let mut subject = self.subject(case)?;
                let (subject, spent) = self.in_task(async move {
                    let spent = segment(&mut subject, iterations).await;
                    (subject, spent)
                })?;
                self.subjects.insert(case.name, subject);
                let Spent { wall, cpu } = spent?;
                format!("{} {}", wall.as_nanos(), cpu.as_nanos())
            }
            Request::Memory(case, iterations) => {
                let mut subject = self.subject(case)?;
                self.in_task(async move { memory::growth(&mut subject, iterations).await })??.to_string()
            }
            Request::Ticker(duration) => {
                let (idle, busy) = ticker::lateness(&self.contestant, &self.directory, duration)?;
                let numbers = [idle.median, idle.p99, idle.max, busy.median, busy.p99, busy.max];
                numbers.map(|time| time.as_nanos().to_string()).join(" ")
            }
        })
    }

    fn subject(&mut self, case: Case) -> Result<C::Subject> {
        self.subjects.remove(case.name).with_context(|| format!("not open: {}", case.name))
    }

    /// Runs a future in a task, as applications do, and not on the thread that waits for it.
    fn in_task<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T> {
        Ok(self.runtime.block_on(self.runtime.spawn(future))?)
    }
}

impl<C: Contestant> Drop for Worker<C> {
    /// Connections may need a runtime to be closed.
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        self.subjects.clear();
    }
}

async fn segment(subject: &mut impl Subject, iterations: u64) -> Result<Spent> {
    subject.clean().await?;
    let start = Start::now()?;
    subject.run(iterations).await?;
    Ok(start.spent()?)
}
