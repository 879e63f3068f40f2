//! What SQLite asks while it works, and what it tells of a statement while it compiles it.

use super::Handle;
use crate::pragma;
use libsqlite3_sys as ffi;
use std::{
    cell::Cell,
    ffi::{CStr, c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
    time::Duration,
};

/// What SQLite asks while it works.
///
/// This is where the way of executing comes in: on a blocking thread the answers come after a short sleep, on a
/// coroutine after a suspension.
pub(crate) trait Watch: Send + Sync + 'static {
    /// Whether the statement that runs shall go on. Asked every [`STEPS_BETWEEN_QUESTIONS`] steps.
    fn keep_running(&self) -> bool;

    /// Whether to try again for a lock that another connection holds, after having waited for a while. `attempt` counts
    /// from 0 for each lock.
    fn keep_waiting(&self, attempt: u32) -> bool;

    /// An operation begins.
    fn begin(&self);

    /// Whether the operation was asked to wait for a lock. SQLite does not ask where waiting could last for ever.
    fn was_asked_to_wait(&self) -> bool;

    /// From now on a lock is waited for so long.
    fn set_busy_timeout(&self, timeout: Duration);
}

/// What SQLite found in a statement while it compiled it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// It is a pragma. SQLite does most of them, and answers them, while it compiles them.
    pub(crate) is_pragma: bool,
    /// It may leave something in the session that its next user would find: a setting, an attached database, something
    /// temporary.
    pub(crate) changes_session: bool,
    /// The file that it attaches; empty where that is no constant.
    pub(crate) attached: Option<String>,
    /// It asks for `busy_timeout` or sets it.
    pub(crate) is_busy_timeout: bool,
    /// It sets `busy_timeout`.
    pub(crate) busy_timeout: Option<Duration>,
    /// Why it is not allowed.
    pub(crate) refusal: Option<&'static str>,
}

/// How many steps of SQLite's virtual machine lie between two questions whether to go on: some 4 µs, and where each step
/// waits for memory still less than a millisecond. They cost 2 % of a long query.
const STEPS_BETWEEN_QUESTIONS: c_int = 200;

impl Handle {
    /// Asks `watch` from now on.
    pub(crate) fn set_watch(&mut self, watch: Arc<dyn Watch>) {
        self.remove_callbacks();
        self.watch = Some(Box::new(watch));
        self.renew_watch();
    }

    /// Asks the same again, after `PRAGMA busy_timeout` has put something else in its place.
    pub(crate) fn renew_watch(&self) {
        let Some(watch) = &self.watch else {
            return;
        };
        let context = ptr::from_ref::<Arc<dyn Watch>>(watch).cast_mut().cast::<c_void>();
        // SAFETY: `context` is an `Arc<dyn Watch>` at a fixed address; `remove_callbacks` comes before it is freed.
        unsafe {
            ffi::sqlite3_progress_handler(self.db.as_ptr(), STEPS_BETWEEN_QUESTIONS, Some(ask_to_run), context);
        }
        // SAFETY: as above.
        unsafe { ffi::sqlite3_busy_handler(self.db.as_ptr(), Some(ask_to_wait), context) };
    }

    /// Lets SQLite wait in its own way, and tell of it, for the length of a call that waits for nothing.
    pub(crate) fn with_sqlites_busy_timeout<T>(&self, timeout: Duration, call: impl FnOnce(&Self) -> T) -> T {
        let milliseconds = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_busy_timeout(self.db.as_ptr(), milliseconds) };
        let result = call(self);
        self.renew_watch();
        result
    }

    /// From now on each statement is looked at while it is compiled.
    pub(crate) fn look_at_statements(&mut self) {
        let findings = self.findings.insert(Box::default());
        let context = ptr::from_ref::<Cell<Findings>>(findings).cast_mut().cast::<c_void>();
        // SAFETY: `context` is a `Cell<Findings>` at a fixed address; `remove_callbacks` comes before it is freed. Only
        // SQLite and this type use it, on the thread that has the connection.
        unsafe { ffi::sqlite3_set_authorizer(self.db.as_ptr(), Some(look_at), context) };
    }

    /// What was found in the statement that was compiled last.
    pub(crate) fn findings(&self) -> Findings {
        let Some(findings) = self.findings.as_deref() else {
            return Findings::default();
        };
        let found = findings.take();
        findings.set(found.clone());
        found
    }

    /// Forgets what was found.
    pub(super) fn clear_findings(&self) {
        if let Some(findings) = &self.findings {
            findings.set(Findings::default());
        }
    }

    /// Asks nobody and tells nobody, also not for statements that live longer than the handle.
    pub(super) fn remove_callbacks(&mut self) {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_progress_handler(self.db.as_ptr(), 0, None, ptr::null_mut()) };
        // SAFETY: as above.
        unsafe { ffi::sqlite3_busy_handler(self.db.as_ptr(), None, ptr::null_mut()) };
        // SAFETY: as above.
        unsafe { ffi::sqlite3_set_authorizer(self.db.as_ptr(), None, ptr::null_mut()) };
        self.watch = None;
        self.findings = None;
    }
}

unsafe extern "C" fn ask_to_run(context: *mut c_void) -> c_int {
    // SAFETY: `renew_watch` gave this context, and it outlives the handler.
    let watch = unsafe { &*context.cast::<Arc<dyn Watch>>() };
    let goes_on = catch_unwind(AssertUnwindSafe(|| watch.keep_running())).unwrap_or(false);
    c_int::from(!goes_on)
}

unsafe extern "C" fn ask_to_wait(context: *mut c_void, attempt: c_int) -> c_int {
    // SAFETY: `renew_watch` gave this context, and it outlives the handler.
    let watch = unsafe { &*context.cast::<Arc<dyn Watch>>() };
    let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
    c_int::from(catch_unwind(AssertUnwindSafe(|| watch.keep_waiting(attempt))).unwrap_or(false))
}

/// SQLite's authorizer: called for each thing that a statement does, while it is compiled. Does not panic.
unsafe extern "C" fn look_at(
    context: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    schema: *const c_char,
    _inside: *const c_char,
) -> c_int {
    // Most of what is told is of no interest: each column that is read.
    let makes_something_temporary = match action {
        ffi::SQLITE_CREATE_TEMP_INDEX
        | ffi::SQLITE_CREATE_TEMP_TABLE
        | ffi::SQLITE_CREATE_TEMP_TRIGGER
        | ffi::SQLITE_CREATE_TEMP_VIEW => true,
        // `CREATE TABLE temp.name`, without the word TEMP.
        ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_CREATE_TABLE
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_CREATE_VIEW
        // SAFETY: SQLite gives null or a C string.
        | ffi::SQLITE_CREATE_VTABLE => (unsafe { borrowed(schema) }) == Some("temp"),
        ffi::SQLITE_PRAGMA | ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH => false,
        _ => return ffi::SQLITE_OK,
    };
    // SAFETY: `look_at_statements` gave this context, and it outlives the callback.
    let findings = unsafe { &*context.cast::<Cell<Findings>>() };
    let mut found = findings.take();
    if action == ffi::SQLITE_PRAGMA {
        // SAFETY: SQLite gives null or a C string.
        let (name, value) = unsafe { (borrowed(first).unwrap_or_default(), borrowed(second)) };
        found.is_pragma = true;
        found.is_busy_timeout |= name.eq_ignore_ascii_case("busy_timeout");
        if let Some(value) = value {
            found.refusal = pragma::refusal(name);
            found.changes_session |= pragma::leaves_trace(name);
            if found.is_busy_timeout {
                found.busy_timeout = Some(Duration::from_millis(value.parse::<u32>().unwrap_or(0).into()));
            }
        }
    } else {
        let attaches = matches!(action, ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH);
        found.changes_session |= attaches || makes_something_temporary;
        if action == ffi::SQLITE_ATTACH {
            // SAFETY: SQLite gives null or a C string.
            found.attached = Some(unsafe { borrowed(first) }.unwrap_or_default().to_owned());
        }
    }
    let is_refused = found.refusal.is_some();
    findings.set(found);
    if is_refused { ffi::SQLITE_DENY } else { ffi::SQLITE_OK }
}

/// A C string that is UTF-8.
///
/// # Safety
///
/// The pointer must be null or a C string that is valid for as long as what is returned.
unsafe fn borrowed<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
