//! The server for the driver `test-sockets`, as the tests need it; the protocol is in that driver's documentation.
//!
//! What can be queried: `value` and `add <n>`, a number that all sessions share; `session`; `echo`, the parameters;
//! `rows <count> <portion>`; `fail <text>`; `wait` and `half`, which are answered, or answered to the end, when the test
//! says so; `hang`, which is never answered; and `garbage`, `flood`, `nonsense` and `hang-up`.

#![allow(dead_code, reason = "each test executable uses its part")]

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines, ReadHalf, WriteHalf},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// A server that runs as a task of the test's runtime, until it is dropped.
pub(crate) struct LineServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

struct Shared {
    counts: watch::Sender<Counts>,
    /// How many of those who wait may go on.
    may_go_on: Semaphore,
    data: Mutex<Data>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// The sessions that are open.
    pub(crate) open: usize,
    /// The sessions so far.
    pub(crate) opened: usize,
    /// The sessions that said goodbye.
    pub(crate) byes: usize,
    /// How many `wait`s, `half`s and `hang`s have arrived.
    pub(crate) waiting: usize,
}

#[derive(Default)]
struct Data {
    value: i64,
    commands: Vec<String>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

impl LineServer {
    pub(crate) async fn tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("line+tcp://{}", listener.local_addr().expect("it is bound"));
        Self::start(url, Listener::Tcp(listener))
    }

    pub(crate) fn unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("the path is free");
        Self::start(format!("line+unix://{}", path.display()), Listener::Unix(listener))
    }

    fn start(url: String, listener: Listener) -> Self {
        let shared = Shared { counts: watch::Sender::default(), may_go_on: Semaphore::new(0), data: Mutex::default() };
        let shared = Arc::new(shared);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, shared.clone()));
        Self { url, shared, _accepting: accepting }
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Waits until the counts are as the test wants them.
    pub(crate) async fn until(&self, wanted: impl Fn(Counts) -> bool) {
        self.shared.counts.subscribe().wait_for(|counts| wanted(*counts)).await.expect("the server lives");
    }

    /// Lets one that waits go on.
    pub(crate) fn let_go_on(&self) {
        self.shared.may_go_on.add_permits(1);
    }

    pub(crate) fn value(&self) -> i64 {
        self.shared.data().value
    }

    /// The lines that came in since the last call, from all sessions.
    pub(crate) fn take_commands(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.data().commands)
    }
}

impl Shared {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: Listener, shared: Arc<Shared>) {
    // Dropping the set ends the sessions.
    let mut sessions = JoinSet::new();
    loop {
        let socket: Box<dyn Stream> = match &listener {
            Listener::Tcp(listener) => Box::new(listener.accept().await.expect("it listens").0),
            Listener::Unix(listener) => Box::new(listener.accept().await.expect("it listens").0),
        };
        shared.counts.send_modify(|counts| (counts.open, counts.opened) = (counts.open + 1, counts.opened + 1));
        let session = Session::new(socket, shared.counts.borrow().opened, shared.clone());
        sessions.spawn(async move {
            // A session ends when its socket does.
            let _ = session.run().await;
        });
    }
}

struct Session {
    lines: Lines<BufReader<ReadHalf<Box<dyn Stream>>>>,
    output: WriteHalf<Box<dyn Stream>>,
    number: usize,
    shared: Arc<Shared>,
    /// The value before the transaction.
    before: Option<i64>,
    /// The rows that are left of the open result, and how many come at once.
    rows: (u64, u64),
}

impl Session {
    fn new(socket: Box<dyn Stream>, number: usize, shared: Arc<Shared>) -> Self {
        let (input, output) = tokio::io::split(socket);
        Self { lines: BufReader::new(input).lines(), output, number, shared, before: None, rows: (0, 0) }
    }

    async fn run(mut self) -> io::Result<()> {
        while let Some(line) = self.lines.next_line().await? {
            self.shared.data().commands.push(line.clone());
            let answer = match line.split_once(' ').unwrap_or((&line, "")) {
                ("hello" | "ping" | "close", _) => "done 0\n".to_owned(),
                ("begin", _) => {
                    self.before = Some(self.shared.data().value);
                    "done 0\n".to_owned()
                }
                ("commit", _) => {
                    self.before = None;
                    "done 0\n".to_owned()
                }
                ("rollback", _) => {
                    self.roll_back();
                    "done 0\n".to_owned()
                }
                ("reset", mark) => {
                    self.roll_back();
                    format!("ready {mark}\n")
                }
                ("next", _) => self.portion(),
                ("query", text) => match self.query(text).await? {
                    Some(answer) => answer,
                    None => return Ok(()),
                },
                ("bye", _) => {
                    self.shared.counts.send_modify(|counts| counts.byes += 1);
                    return Ok(());
                }
                _ => panic!("the driver sent {line:?}"),
            };
            self.output.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    /// The answer to a query; `None` hangs up.
    async fn query(&mut self, text: &str) -> io::Result<Option<String>> {
        let mut parameters = Vec::new();
        while let Some(line) = self.lines.next_line().await?.filter(|line| line != "go") {
            parameters.push(line.strip_prefix("bind ").expect("parameters come after a query").to_owned());
        }
        Ok(Some(match text.split(' ').collect::<Vec<_>>()[..] {
            ["value"] => format!("columns value\nrow {}\ndone 0\n", self.shared.data().value),
            ["session"] => format!("columns session\nrow {}\ndone 0\n", self.number),
            ["add", count] => {
                self.shared.data().value += count.parse::<i64>().expect("a number");
                "done 1\n".to_owned()
            }
            ["echo"] => {
                let names: Vec<String> = (1..=parameters.len()).map(|number| format!("p{number}")).collect();
                format!("columns {}\nrow {}\ndone 0\n", names.join("\t"), parameters.join("\t"))
            }
            ["rows", count, portion] => {
                self.rows = (count.parse().expect("a number"), portion.parse().expect("a number"));
                format!("columns left\n{}", self.portion())
            }
            ["wait"] => {
                self.wait().await;
                "done 0\n".to_owned()
            }
            ["half"] => {
                self.output.write_all(b"columns text\nrow first\nrow sec").await?;
                self.wait().await;
                "ond\ndone 0\n".to_owned()
            }
            ["hang"] => {
                self.shared.counts.send_modify(|counts| counts.waiting += 1);
                String::new()
            }
            ["fail", text] => format!("error {text}\n"),
            ["garbage"] => {
                self.output.write_all(b"\xff\xfe\n").await?;
                String::new()
            }
            ["flood"] => "x".repeat(1 << 20),
            ["nonsense"] => "columns a\ncolumns b\n".to_owned(),
            ["hang-up"] => return Ok(None),
            _ => panic!("the test queried {text:?}"),
        }))
    }

    async fn wait(&self) {
        self.shared.counts.send_modify(|counts| counts.waiting += 1);
        self.shared.may_go_on.acquire().await.expect("nobody closes it").forget();
    }

    /// The next rows of the open result.
    fn portion(&mut self) -> String {
        let (left, portion) = self.rows;
        let end = left.saturating_sub(portion);
        self.rows.0 = end;
        let rows: String = (end + 1..=left).rev().map(|row| format!("row {row}\n")).collect();
        rows + if end == 0 { "done 0\n" } else { "more\n" }
    }

    fn roll_back(&mut self) {
        self.rows = (0, 0);
        if let Some(before) = self.before.take() {
            self.shared.data().value = before;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.roll_back();
        self.shared.counts.send_modify(|counts| counts.open -= 1);
    }
}
