//! Work on a stack of its own: it can stop half-way and go on later, on another thread if need be.
//!
//! The only file that knows corosensei. A [`Fiber`] holds a value and the stack on which it is worked with. Work is begun
//! with [`Fiber::start`] and comes to its end in the same call, or is paused by [`pause`], which code on the stack calls
//! at any depth, C code between included. A paused piece of work is a [`Running`]; it is never thrown away, because the
//! frames of C on its stack cannot be unwound: dropping it runs it to its end.

use corosensei::{Coroutine, CoroutineResult, Yielder, stack::DefaultStack};
use std::{
    cell::Cell,
    io,
    marker::PhantomData,
    mem::{ManuallyDrop, MaybeUninit},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{self, NonNull},
    thread,
    time::{Duration, Instant},
};

/// Whether this platform has coroutines.
pub(crate) const ARE_SUPPORTED: bool = true;

/// Why work was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// It has used up its time.
    Spent,
    /// It waits for a lock, and tries again after this time.
    Waiting(Duration),
    /// It is about to wait for the disk, on a thread where that is allowed.
    Syncing,
}

/// Where work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a thread that has other tasks.
    Executor,
    /// On a thread that may block.
    Thread,
}

/// Where the code that asks runs; `None` if it is not on a stack of this module's.
#[inline]
pub(crate) fn place() -> Option<Place> {
    current().map(|context| context.place)
}

/// How long work may keep an executor's thread for itself.
const SLICE: Duration = Duration::from_micros(100);

/// Pauses the work that calls this if it has kept an executor's thread for long enough. The first call after work was begun
/// or gone on with looks at the clock for the first time: short work never does.
#[inline]
pub(crate) fn pause_if_spent() {
    if is_slice_over() {
        pause(Pause::Spent);
    }
}

/// Pauses the work that calls this. Returns when it goes on, which may be on another thread, or at once if there is
/// nothing to pause.
pub(crate) fn pause(reason: Pause) {
    // A thread counts its panics: what unwinds must stay on it.
    let Some(context) = current().filter(|_| !thread::panicking()) else {
        return;
    };
    // SAFETY: the context is set only while its coroutine is resumed on this thread, so the caller runs on that
    // coroutine, whose base holds the yielder.
    let yielder = unsafe { context.yielder.as_ref() };
    yielder.suspend(Signal::Paused(reason));
}

/// A value and the stack on which it is worked with.
pub(crate) struct Fiber<S: Send + 'static>(Box<Inner<S>>);

/// Work with a fiber's value that was paused. Dropping it runs it to its end on the calling thread: whoever does so sees
/// to it that it ends soon, and that the thread may block.
pub(crate) struct Running<S: Send + 'static, T: Send + 'static> {
    /// `None` only while it goes on.
    fiber: Option<Fiber<S>>,
    result: PhantomData<fn() -> T>,
}

/// How far work has come.
pub(crate) enum Step<S: Send + 'static, T: Send + 'static> {
    /// It has ended, with a result or a panic.
    Ended(Fiber<S>, thread::Result<T>),
    /// It was paused.
    Paused(Running<S, T>, Pause),
}

struct Inner<S> {
    coroutine: Coroutine<Command, Signal, ()>,
    yielder: NonNull<Base>,
    shared: NonNull<Shared<S>>,
}

/// What a fiber's owner and the work on its stack share, at an address that stays.
struct Shared<S> {
    value: S,
    /// Where the work puts its result when it ends: in the frame of whoever has resumed it last.
    result: *mut (),
}

// SAFETY: a coroutine may change its thread while it is suspended if all that is on its stack may. On it are, besides
// SQLite's frames, work and results that are `Send` by the bounds of `start`, and frames of this crate between them and
// `pause`. Those hold no lock and no address of a thread-local across a call of SQLite; SQLite keeps no thread-locals,
// and its connections, opened without a mutex, may be used by one thread after the other. `shared` is owned, its value
// `Send`, and its address of a result is set anew whenever the coroutine is resumed.
unsafe impl<S: Send> Send for Inner<S> {}

type Base = Yielder<Command, Signal>;

/// What a coroutine is told when it is resumed.
enum Command {
    /// Begin this work. The pointer is valid until the coroutine stops.
    Start(NonNull<Work>),
    /// Go on with the work that was paused.
    GoOn,
    /// End: there will be no more work.
    End,
}

/// What a coroutine tells when it stops.
enum Signal {
    /// It is there; this is its way out.
    Ready(NonNull<Base>),
    Paused(Pause),
    /// The work has ended, and has put its result where it was told to.
    Ended,
}

/// Work without its types. `closure` is valid until the work has begun, `shared` until it has ended.
struct Work {
    run: unsafe fn(closure: NonNull<()>, shared: NonNull<()>),
    closure: NonNull<()>,
    shared: NonNull<()>,
}

/// The stack that every fiber reserves; as much as the first thread of a process has, for which SQLite's limits are made.
/// Memory is taken only for what was once used, mostly 16 KiB.
const STACK_BYTES: usize = 8 << 20;

impl<S: Send + 'static> Fiber<S> {
    /// Reserves a stack.
    ///
    /// # Errors
    ///
    /// When the system has no address space left. The value is dropped.
    pub(crate) fn new(value: S) -> io::Result<Self> {
        let mut coroutine = Coroutine::with_stack(DefaultStack::new(STACK_BYTES)?, body);
        let CoroutineResult::Yield(Signal::Ready(yielder)) = coroutine.resume(Command::GoOn) else {
            unreachable!("a coroutine says first that it is ready");
        };
        let shared = NonNull::from(Box::leak(Box::new(Shared { value, result: ptr::null_mut() })));
        Ok(Self(Box::new(Inner { coroutine, yielder, shared })))
    }

    /// The value, to be used on the caller's own stack.
    pub(crate) fn value(&mut self) -> &mut S {
        // SAFETY: the value is owned, and no work has it: that would be a `Running`.
        unsafe { &mut self.0.shared.as_mut().value }
    }

    /// Begins work on the fiber's stack.
    #[inline]
    pub(crate) fn start<T, F>(self, place: Place, work: F) -> Step<S, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut S) -> T + Send + 'static,
    {
        let mut work = ManuallyDrop::new(work);
        let mut work =
            Work { run: perform::<S, T, F>, closure: NonNull::from(&mut work).cast(), shared: self.0.shared.cast() };
        Running { fiber: Some(self), result: PhantomData }.resume(place, Command::Start(NonNull::from(&mut work)))
    }
}

impl<S: Send + 'static, T: Send + 'static> Running<S, T> {
    /// Goes on until the work ends or is paused again.
    pub(crate) fn go_on(self, place: Place) -> Step<S, T> {
        self.resume(place, Command::GoOn)
    }

    /// Goes on to the end, on a thread that may block, and forgets the result.
    pub(crate) fn finish(mut self) -> Fiber<S> {
        loop {
            match self.go_on(Place::Thread) {
                Step::Ended(fiber, _) => return fiber,
                Step::Paused(running, pause) => {
                    if let Pause::Waiting(time) = pause {
                        thread::sleep(time);
                    }
                    self = running;
                }
            }
        }
    }

    #[inline(always)]
    fn resume(mut self, place: Place, command: Command) -> Step<S, T> {
        let mut fiber = self.fiber.take().expect("it is taken only here, where `self` ends");
        let mut result = MaybeUninit::<thread::Result<T>>::uninit();
        // SAFETY: it is owned, and the coroutine that shares it does not run.
        unsafe { (*fiber.0.shared.as_ptr()).result = result.as_mut_ptr().cast() };
        let signal = {
            let _entered = Entered::new(Context { yielder: fiber.0.yielder, place, since: None });
            fiber.0.coroutine.resume(command)
        };
        match signal {
            CoroutineResult::Yield(Signal::Paused(reason)) => {
                self.fiber = Some(fiber);
                Step::Paused(self, reason)
            }
            CoroutineResult::Yield(Signal::Ended) => {
                // SAFETY: `perform` has put a result there, of the type that `start` has named and this type remembers.
                Step::Ended(fiber, unsafe { result.assume_init() })
            }
            _ => unreachable!("the coroutine ends only when it is told to, and is ready only once"),
        }
    }
}

impl<S: Send + 'static, T: Send + 'static> Drop for Running<S, T> {
    fn drop(&mut self) {
        if let Some(fiber) = self.fiber.take() {
            drop(Self { fiber: Some(fiber), result: PhantomData }.finish());
        }
    }
}

impl<S> Drop for Inner<S> {
    fn drop(&mut self) {
        // No work is under way: that would be a `Running`. So there is nothing on the stack but its base.
        self.coroutine.resume(Command::End);
        // SAFETY: `Fiber::new` has leaked it, and this is the only place that frees it.
        drop(unsafe { Box::from_raw(self.shared.as_ptr()) });
    }
}

/// What runs at the base of a stack. It stops here between two pieces of work, and not in what it has called: each call
/// then meets its return, which processors count on.
fn body(yielder: &Base, _: Command) {
    let mut command = yielder.suspend(Signal::Ready(NonNull::from(yielder)));
    while let Command::Start(work) = command {
        // SAFETY: `start` has put the work together and waits in `resume` for the coroutine to stop.
        let Work { run, closure, shared } = unsafe { work.read() };
        // SAFETY: as above.
        unsafe { run(closure, shared) };
        command = yielder.suspend(Signal::Ended);
    }
}

/// # Safety
///
/// The closure must be of the type `F` and nobody else's, and `shared` a `Shared<S>`.
unsafe fn perform<S, T, F: FnOnce(&mut S) -> T>(closure: NonNull<()>, shared: NonNull<()>) {
    // SAFETY: the closure is valid until the work begins, which is now, and whoever gave it does not drop it.
    let closure = unsafe { closure.cast::<F>().read() };
    let shared = shared.cast::<Shared<S>>().as_ptr();
    // SAFETY: the fiber lends its value to the work until that has ended.
    let value = unsafe { &mut (*shared).value };
    let result = catch_unwind(AssertUnwindSafe(|| closure(value)));
    // SAFETY: whoever has resumed this coroutine waits for it, and has said where a result of this type has its place.
    unsafe { (*shared).result.cast::<thread::Result<T>>().write(result) };
}

/// What code on a coroutine needs to know of it.
#[derive(Clone, Copy)]
struct Context {
    yielder: NonNull<Base>,
    place: Place,
    /// When the slice began.
    since: Option<Instant>,
}

thread_local! {
    /// The coroutine that this thread has resumed.
    static CURRENT: Cell<Option<Context>> = const { Cell::new(None) };
}

/// Never inlined: its caller may go on on another thread, and must not remember where this one's variable was.
#[inline(never)]
fn current() -> Option<Context> {
    CURRENT.get()
}

/// Never inlined, like [`current`].
#[inline(never)]
fn is_slice_over() -> bool {
    let Some(context) = CURRENT.get().filter(|context| context.place == Place::Executor) else {
        return false;
    };
    let now = Instant::now();
    match context.since {
        Some(since) => now.duration_since(since) >= SLICE,
        None => {
            CURRENT.set(Some(Context { since: Some(now), ..context }));
            false
        }
    }
}

/// Sets the context for as long as a coroutine is resumed. It lives on the stack of the thread that resumes.
struct Entered(Option<Context>);

impl Entered {
    #[inline]
    fn new(context: Context) -> Self {
        Self(CURRENT.replace(Some(context)))
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn ended<S: Send, T: Send>(step: Step<S, T>) -> (Fiber<S>, T) {
        match step {
            Step::Ended(fiber, Ok(result)) => (fiber, result),
            Step::Ended(_, Err(_)) => panic!("it has panicked"),
            Step::Paused(_, reason) => panic!("it was paused: {reason:?}"),
        }
    }

    fn paused<S: Send, T: Send>(step: Step<S, T>) -> Running<S, T> {
        match step {
            Step::Paused(running, _) => running,
            Step::Ended(..) => panic!("it has ended"),
        }
    }

    #[test]
    fn work_ends_at_once_or_goes_on_on_another_thread() {
        let fiber = Fiber::new(vec![1]).unwrap();
        let (fiber, len) = ended(fiber.start(Place::Executor, |list| list.len()));
        assert_eq!(len, 1);
        let running = paused(fiber.start(Place::Executor, |list| {
            list.push(2);
            let before = thread::current().id();
            pause(Pause::Spent);
            (place(), before != thread::current().id())
        }));
        let moved = thread::spawn(move || ended(running.go_on(Place::Thread)));
        let (mut fiber, result) = moved.join().unwrap();
        assert_eq!(result, (Some(Place::Thread), true));
        assert_eq!(fiber.value(), &[1, 2]);
        assert_eq!(place(), None);
        pause(Pause::Spent);
    }

    #[test]
    fn a_panic_stays_on_its_stack_which_can_be_used_again() {
        let fiber = Fiber::new(()).unwrap();
        let running = paused(fiber.start(Place::Executor, |()| {
            pause(Pause::Syncing);
            panic!("expected by the test");
        }));
        let Step::Ended(fiber, Err(payload)) = running.go_on(Place::Executor) else { panic!("it must panic") };
        assert_eq!(payload.downcast_ref(), Some(&"expected by the test"));
        assert_eq!(ended(fiber.start(Place::Executor, |()| 5)).1, 5);
    }

    #[test]
    fn what_is_dropped_half_way_runs_to_its_end_and_frees_everything() {
        let held = Arc::new(());
        let fiber = Fiber::new(held.clone()).unwrap();
        let argument = held.clone();
        let running = paused(fiber.start(Place::Executor, move |held| {
            let local = argument.clone();
            pause(Pause::Spent);
            pause(Pause::Waiting(Duration::ZERO));
            (held.clone(), local)
        }));
        drop(running);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn what_unwinds_is_not_paused() {
        struct PausesWhenDropped;
        impl Drop for PausesWhenDropped {
            fn drop(&mut self) {
                pause(Pause::Spent);
            }
        }
        let step: Step<_, ()> = Fiber::new(()).unwrap().start(Place::Executor, |()| {
            let _guard = PausesWhenDropped;
            panic!("expected by the test");
        });
        assert!(matches!(step, Step::Ended(_, Err(_))));
    }
}
