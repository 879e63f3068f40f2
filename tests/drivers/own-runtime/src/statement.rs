//! What can be asked of a queue.

use crate::queue::{Session, ticks};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::sync::mpsc;

/// A statement.
#[derive(Clone, Copy)]
pub enum Statement {
    /// Sends the parameter.
    Send,
    /// Waits for a message, perhaps not for ever.
    Receive(Option<Duration>),
    /// How many messages there are.
    Count,
    /// A number after each pause.
    Ticks(i64, Duration),
}

/// What a statement did.
pub(crate) enum Outcome {
    Sent,
    Message(Option<String>),
    Count(usize),
    Ticks(mpsc::Receiver<i64>),
}

impl Statement {
    pub(crate) fn parse(sql: &str) -> Result<Self> {
        let number = |text: &str| {
            text.parse::<u32>().map_err(|_| Error::new(ErrorKind::SYNTAX, format!("`{text}` is no whole number")))
        };
        let words: Vec<&str> = sql.split_whitespace().collect();
        Ok(match words[..] {
            [] => return Err(Error::new(ErrorKind::EMPTY_STATEMENT, "the statement is empty")),
            ["send"] => Self::Send,
            ["receive"] => Self::Receive(None),
            ["receive", "within", ms] => Self::Receive(Some(Duration::from_millis(number(ms)?.into()))),
            ["count"] => Self::Count,
            ["ticks", count, ms] => Self::Ticks(number(count)?.into(), Duration::from_millis(number(ms)?.into())),
            _ => return Err(Error::new(ErrorKind::SYNTAX, format!("`{sql}` is no command"))),
        })
    }

    /// Runs on the driver's runtime: timers and tasks work there.
    pub(crate) async fn run(self, session: &mut Session, parameter: Option<String>) -> Result<Outcome> {
        Ok(match self {
            Self::Send => {
                let message =
                    parameter.ok_or_else(|| Error::new(ErrorKind::PARAMETERS, "`send` takes one parameter, $1"))?;
                session.send(message).await;
                Outcome::Sent
            }
            Self::Receive(None) => Outcome::Message(Some(session.queue.receive().await)),
            Self::Receive(Some(limit)) => Outcome::Message(session.queue.receive_within(limit).await),
            Self::Count => Outcome::Count(session.queue.count().await),
            Self::Ticks(count, pause) => Outcome::Ticks(ticks(count, pause)),
        })
    }
}
