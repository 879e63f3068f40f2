//! Whether the runtime on which a database was opened goes on.

use montrs_driver_sdk::{Host, Task};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The runtime, which tells its end by dropping a task that never ends by itself.
///
/// A runtime that ends waits for what runs on its blocking pool. What runs there for a future that is neither dropped nor
/// polled any more, would not end without knowing of it.
pub(crate) struct Runtime {
    has_ended: Arc<AtomicBool>,
    task: Option<Task>,
}

impl Runtime {
    /// The host's.
    pub(crate) fn of(host: &Host) -> Self {
        let has_ended = Arc::<AtomicBool>::default();
        let told = TellOnDrop(has_ended.clone());
        let task = host.spawn(async move {
            let _told = told;
            pending().await
        });
        Self { has_ended, task: Some(task) }
    }

    /// One that never ends.
    #[cfg(test)]
    pub(crate) fn endless() -> Arc<Self> {
        Arc::new(Self { has_ended: Arc::default(), task: None })
    }

    /// Whether it has ended, or is about to.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct TellOnDrop(Arc<AtomicBool>);

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
