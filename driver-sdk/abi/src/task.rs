//! Work that the driver gives to the host: tasks and jobs.

use crate::panic::quietly;
use abi_stable::StableAbi;

/// The slots of a task that was spawned.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = TaskVtableRef, prefix_fields = TaskVtablePrefix)))]
pub struct TaskVtable {
    /// Drops the task's future at its next suspension. Called from any thread; does not wait.
    pub abort: unsafe extern "C" fn(task: *const ()),

    /// Whether the task has ended, also by `abort` or a panic. Called from any thread.
    pub is_finished: unsafe extern "C" fn(task: *const ()) -> bool,

    /// Frees the handle. The task goes on.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(task: *mut ()),
}

/// The handle of a task; dropping it lets the task go on. The driver owns it.
#[repr(C)]
#[derive(StableAbi)]
pub struct TaskObject {
    data: *mut (),
    vtable: TaskVtableRef,
}

object!(TaskObject, TaskVtableRef, "a task", Send, Sync);

/// A piece of blocking work: a closure that is run once, or dropped without being run.
#[repr(C)]
#[derive(StableAbi)]
pub struct Job {
    data: *mut (),
    run: unsafe extern "C" fn(data: *mut ()),
    drop: unsafe extern "C" fn(data: *mut ()),
}

// SAFETY: `Job::new` takes a closure that is `Send`.
unsafe impl Send for Job {}

impl Job {
    /// Makes a job of a closure. A panic in it is caught and dropped: the closure reports its own result.
    pub fn new<F: FnOnce() + Send + 'static>(work: F) -> Self {
        extern "C" fn run<F: FnOnce()>(data: *mut ()) {
            // SAFETY: `data` comes from `Box::into_raw` below and is used once, by `run` or by `drop`.
            let work = unsafe { Box::from_raw(data.cast::<F>()) };
            quietly(*work);
        }
        extern "C" fn drop<F>(data: *mut ()) {
            // SAFETY: as in `run`.
            let work = unsafe { Box::from_raw(data.cast::<F>()) };
            quietly(move || std::mem::drop(work));
        }
        Self { data: Box::into_raw(Box::new(work)).cast(), run: run::<F>, drop: drop::<F> }
    }

    /// Runs the work on the calling thread.
    pub fn run(self) {
        let job = std::mem::ManuallyDrop::new(self);
        // SAFETY: `data` belongs to `run`, and neither slot is called again.
        unsafe { (job.run)(job.data) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: `data` belongs to `drop`, and `run` was not called.
        unsafe { (self.drop)(self.data) }
    }
}

/// Runs the work and keeps its panic from crossing the boundary. The payload is leaked: dropping it may panic again.
#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_job_frees_what_it_holds_whether_run_or_dropped() {
        let held = Arc::new(());
        let (a, b) = (held.clone(), held.clone());
        Job::new(move || drop(a)).run();
        drop(Job::new(move || drop(b)));
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn a_panic_in_a_job_stays_inside() {
        Job::new(|| panic!("expected by the test")).run();
    }
}
