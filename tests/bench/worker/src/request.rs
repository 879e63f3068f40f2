//! What a runner asks of a worker: one line each, answered by one line.

use crate::Case;
use std::{fmt, str::FromStr, time::Duration};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// Open the database of a case.
    Open(Case),
    /// Run a case so many times; the answer is the time it took, on the wall and of the processor, in nanoseconds.
    Run(Case, u64),
    /// Run a case so many times; the answer is by how many KiB the resident memory has grown meanwhile.
    Memory(Case, u64),
    /// Run a timer, idle and beside a statement of this duration; the answer is the lateness of both, in nanoseconds.
    Ticker(Duration),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(case) => write!(f, "open;{};0", case.name),
            Self::Run(case, iterations) => write!(f, "run;{};{iterations}", case.name),
            Self::Memory(case, iterations) => write!(f, "memory;{};{iterations}", case.name),
            Self::Ticker(duration) => write!(f, "ticker;{};{}", Case::COUNT.name, duration.as_millis()),
        }
    }
}

impl FromStr for Request {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = line.trim_end().split(';').collect();
        let &[verb, case, number] = parts.as_slice() else { anyhow::bail!("not a request: {line:?}") };
        let Some(case) = Case::named(case) else { anyhow::bail!("no such case: {case}") };
        let number = number.parse()?;
        Ok(match verb {
            "open" => Self::Open(case),
            "run" => Self::Run(case, number),
            "memory" => Self::Memory(case, number),
            "ticker" => Self::Ticker(Duration::from_millis(number)),
            _ => anyhow::bail!("no such request: {verb}"),
        })
    }
}
