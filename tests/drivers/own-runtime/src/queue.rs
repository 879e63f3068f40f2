//! The library: it needs tokio's timers, and its tasks.

use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Notify, mpsc};

/// Messages that wait for a receiver.
#[derive(Default)]
pub(crate) struct Queue {
    messages: Mutex<VecDeque<String>>,
    arrived: Notify,
}

impl Queue {
    pub(crate) async fn send(&self, messages: impl IntoIterator<Item = String>) {
        self.messages.lock().await.extend(messages);
        self.arrived.notify_waiters();
    }

    pub(crate) async fn count(&self) -> usize {
        self.messages.lock().await.len()
    }

    pub(crate) async fn receive(&self) -> String {
        loop {
            let mut arrived = std::pin::pin!(self.arrived.notified());
            // From here on no arrival is missed.
            arrived.as_mut().enable();
            if let Some(message) = self.messages.lock().await.pop_front() {
                return message;
            }
            arrived.await;
        }
    }

    pub(crate) async fn receive_within(&self, limit: Duration) -> Option<String> {
        tokio::time::timeout(limit, self.receive()).await.ok()
    }
}

/// The messages of one session: those of an open transaction are sent when it is committed.
pub(crate) struct Session {
    pub(crate) queue: Arc<Queue>,
    pub(crate) outbox: Option<Vec<String>>,
}

impl Session {
    pub(crate) async fn send(&mut self, message: String) {
        match &mut self.outbox {
            Some(outbox) => outbox.push(message),
            None => self.queue.send([message]).await,
        }
    }
}

/// Starts a task that counts, one number after each pause. It ends when nobody listens any more.
pub(crate) fn ticks(count: i64, pause: Duration) -> mpsc::Receiver<i64> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for number in 1..=count {
            tokio::time::sleep(pause).await;
            if sender.send(number).await.is_err() {
                return;
            }
        }
    });
    receiver
}
