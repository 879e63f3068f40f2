//! Ways to misbehave.

use montrs_driver_sdk::{Error, ErrorKind, Reply};
use std::{
    panic::panic_any,
    pin::Pin,
    task::{Context, Poll},
};

/// A place that misbehaves, and how.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) slot: String,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// Panics in the call.
    Panic,
    /// Panics with a payload that is no text.
    OddPanic,
    /// Panics with a payload that panics again when it is dropped.
    Bomb,
    /// Panics in the future.
    PanicLater,
    /// Never answers.
    Hang,
    /// Never answers, and panics when that is given up.
    HangThenPanic,
    /// Answers with an error of this kind.
    Error(u32),
    /// Answers with an error of this kind that says that the operation may have been performed.
    Maybe(u32),
    /// Answers with an error that says that the same may succeed when it is tried again.
    Retryable,
    /// Does nothing, and says that it is done.
    Idle,
}

impl Fault {
    /// Reads a slot and what happens in it, such as `reset panic` or `query error=30`.
    pub(crate) fn parse(slot: &str, how: &str) -> Option<Self> {
        let how = match how {
            "panic" => How::Panic,
            "odd-panic" => How::OddPanic,
            "bomb" => How::Bomb,
            "panic-later" => How::PanicLater,
            "hang" => How::Hang,
            "hang-then-panic" => How::HangThenPanic,
            "retryable" => How::Retryable,
            "idle" => How::Idle,
            other => match other.split_once('=')? {
                ("error", kind) => How::Error(kind.parse().ok()?),
                ("maybe", kind) => How::Maybe(kind.parse().ok()?),
                _ => return None,
            },
        };
        Some(Self { slot: slot.to_owned(), how })
    }

    /// Whether the slot is to answer, and do nothing.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.how, How::Idle)
    }

    /// Misbehaves in a slot that answers.
    pub(crate) fn strike<T: 'static>(&self) -> Reply<'static, T> {
        match self.how {
            How::PanicLater => {
                let message = self.message();
                Reply::later(async move { panic!("{message}") })
            }
            How::Hang => Reply::later(std::future::pending()),
            How::HangThenPanic => {
                let bomb = Bomb(self.message());
                Reply::later(async move {
                    let _bomb = bomb;
                    std::future::pending().await
                })
            }
            How::Error(kind) => {
                Reply::ready(Err(Error::new(ErrorKind(kind), format!("{} was told to fail", self.slot))))
            }
            How::Maybe(kind) => {
                let mut error = Error::new(ErrorKind(kind), format!("{} was told to fail", self.slot));
                error.record_mut().may_have_executed = true;
                Reply::ready(Err(error))
            }
            How::Retryable => {
                let mut error = Error::new(ErrorKind::CONNECTION, format!("{} was told to fail", self.slot));
                error.record_mut().is_retryable = true;
                Reply::ready(Err(error))
            }
            How::Panic | How::OddPanic | How::Bomb | How::Idle => self.panic(),
        }
    }

    /// Misbehaves in a place that has no answer.
    pub(crate) fn panic(&self) -> ! {
        match self.how {
            How::OddPanic => panic_any(80_u8),
            How::Bomb => panic_any(Bomb(self.message())),
            _ => panic!("{}", self.message()),
        }
    }

    fn message(&self) -> String {
        format!("{} was told to panic", self.slot)
    }
}

/// Panics when it is dropped.
struct Bomb(String);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Misbehaves when it is dropped, if at all.
#[derive(Default)]
pub(crate) struct Fuse(pub(crate) Option<Fault>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if let Some(fault) = &self.0 {
            fault.panic();
        }
    }
}

/// A future that has a turn before it ends, so that what comes after it is reached by the second poll.
#[derive(Default)]
pub(crate) struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
