//! `Awaitable`: what `queue.get()`, `lock.acquire()` or `sleep(1)` return, and the waiter itself.
//!
//! One small object is three things: the coroutine that `await` drives, the waiter that stands in a
//! primitive's line, and what a task waits for. So a wait costs no frame, no future and no callback.
//!
//! ```text
//!            1 advance                2 Progress::Blocked
//!   Fresh ────────────► Running ────────────────────────────► Blocked ──┐
//!                         │ ▲ │         3 wake, cancel, then advance    │
//!                         │ │ └──────────── or throw ◄──────────────────┘
//!              5 returned │ │ 4 Progress::Yielded, then advance or throw
//!              or raised  ▼ └───────────────► Delegating
//!                      Finished
//! ```
//! What is done at 1, 3 and 4 says the [`Operation`]: its `start`, `resume` and `interrupt`.
//!
//! Inside of a native task on a loop of ours a blocked awaitable yields *itself*, and the task is
//! stepped when it is woken. Everywhere else (asyncio's tasks, other loops, debug mode, a coroutine
//! driven by hand) it makes a real future and yields that, as asyncio's own primitives do: such a wait
//! is *foreign*. The number of turns is the same either way.

mod class;
mod completed;
pub mod delegate;
mod line;
mod sleep;

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::Standing;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::future::{CANCELLED, Future, PENDING};
use crate::interop::{
    Freelist, Iteration, Next, Object, Raised, Result, Slot, add_to_module, call_function,
    call_method, fast, fetch, globals, matches, raise, raise_object, report_unraisable, restore,
};
use crate::task;

pub use class::make_class;
pub use completed::{completed, make_class as make_completed_class};
pub use line::Line;
pub use sleep::{exact_seconds, is_cancelled, run_sleeper, sleeper_handle};

use sleep::sleep;

use line::Place;

/// How many dead awaitables are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// What an awaitable does. There is one constant for each kind of waiting.
pub struct Operation {
    /// What `__qualname__` and messages call it, such as `Queue.get`.
    pub name: &'static CStr,
    /// The first step.
    pub start: fn(&Object) -> Result<Progress>,
    /// The awaitable was woken, or what it delegates to goes on.
    pub resume: fn(&Object) -> Result<Progress>,
    /// An exception arrives while it waits. It leaves its line, hands on a wake-up that it had, and
    /// raises the exception again, or does what else asyncio does.
    pub interrupt: fn(&Object, Object) -> Result<Progress>,
}

/// What one step of an operation came to.
pub enum Progress {
    /// It is done.
    Returned(Object),
    /// It has called [`Awaitable::prepare`] and joined a line, or has seen to being woken otherwise.
    Blocked,
    /// It passes on what another awaitable yielded.
    Yielded(Object),
}

/// Where an awaitable is in its life; see the picture above.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Fresh,
    Running,
    Blocked,
    Delegating,
    Finished,
}

/// The C struct. All zeroes is a fresh awaitable, but for its operation.
#[repr(C)]
pub struct Awaitable {
    header: ffi::PyObject,
    operation: Cell<Option<&'static Operation>>,
    /// The primitive, or what else the operation is about.
    owner: Slot,
    /// What the operation carries: an item to put, a result to return.
    value: Slot,
    /// The native task, or the future of a foreign wait, that is to go on. Owned by the line while the
    /// awaitable stands in one.
    waiter: Slot,
    /// The message of a cancellation.
    message: Slot,
    /// The loop of the native task that the wait began in.
    event_loop: Slot,
    place: Place,
    stage: Cell<Stage>,
    standing: Cell<Stands>,
    /// For operations of several steps: which one.
    step: Cell<u8>,
    /// Whether the wait goes through a future.
    foreign: Cell<bool>,
    /// Set when the awaitable is yielded, cleared by the task that receives it, as a future's
    /// `_asyncio_future_blocking`.
    blocking: Cell<bool>,
    /// Set at the first time it blocks: before that it is in no reference cycle.
    tracked: Cell<bool>,
    /// Set when it began to await another object, which is its `value`.
    delegates: Cell<bool>,
}

/// [`Standing`] with a zero for those who wait.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stands {
    Waiting,
    Woken,
    Cancelled,
}

impl Awaitable {
    /// An awaitable that will do `operation`, which begins when it is awaited.
    #[inline]
    pub fn create(
        operation: &'static Operation,
        owner: &Object,
        value: Option<&Object>,
    ) -> Result<Object> {
        let class = globals().classes.awaitable.as_ptr();
        // SAFETY: `Awaitable` is the struct of that class, and the list serves it alone.
        let object = unsafe { Object::from_owned(SPARE.allocate::<Self>(class)?.cast()) };
        let awaitable = Self::of(&object);
        awaitable.operation.set(Some(operation));
        awaitable.owner.set(owner.clone());
        if let Some(value) = value {
            awaitable.value.set(value.clone());
        }
        Ok(object)
    }

    /// The struct behind an awaitable.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass awaitables: receivers of its methods, what lines hold, and objects
        // tested with `is_native`.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// Whether `object` is an awaitable of ours.
    #[inline]
    pub fn is_native(object: &Object) -> bool {
        object.is_exactly(globals().classes.awaitable.as_ptr())
    }

    /// What the operation is about. Held as long as the awaitable is not finished.
    #[inline]
    pub fn owner(&self) -> &Slot {
        &self.owner
    }

    /// What the operation carries.
    #[inline]
    pub fn value(&self) -> &Slot {
        &self.value
    }

    /// Which step of an operation of several is next.
    #[inline]
    pub const fn step(&self) -> &Cell<u8> {
        &self.step
    }

    /// The task that is to go on. An operation that delegates has it for itself.
    #[inline]
    pub fn waiter(&self) -> &Slot {
        &self.waiter
    }

    fn operation(&self) -> &'static Operation {
        self.operation.get().unwrap_or(&NOTHING)
    }

    /// Gets ready to wait on the running loop, to which `bound` is bound from now on. The operation then
    /// joins a line and returns [`Progress::Blocked`].
    ///
    /// Raises if `bound` belongs to another loop, as `asyncio.mixins._LoopBoundMixin` does.
    #[inline]
    pub fn prepare(this: &Object, bound: &LoopBound, owner: &Object) -> Result<()> {
        let awaitable = Self::of(this);
        if let Some(task) = task::stepping() {
            let future = Future::of(&task);
            if future.fast_loop().is_some() {
                bound.bind_to(future.event_loop(), owner)?;
                awaitable.wait_natively(future.event_loop());
                return Ok(());
            }
        }
        let event_loop = bound.running_loop(owner)?;
        awaitable.wait_on_future(&event_loop)
    }

    /// As [`prepare`](Self::prepare), for what belongs to `event_loop` already.
    #[inline]
    pub fn prepare_on(this: &Object, event_loop: &Object) -> Result<()> {
        let awaitable = Self::of(this);
        if let Some(task) = task::stepping() {
            let future = Future::of(&task);
            if future.event_loop().as_ptr() == event_loop.as_ptr() && future.fast_loop().is_some() {
                awaitable.wait_natively(future.event_loop());
                return Ok(());
            }
        }
        awaitable.wait_on_future(event_loop)
    }

    /// As [`prepare`](Self::prepare), for a wait of a task alone, such as `sleep`.
    #[inline]
    fn wait_natively(&self, event_loop: &Slot) {
        self.event_loop.set_optional(event_loop.get());
        self.foreign.set(false);
        self.standing.set(Stands::Waiting);
    }

    fn wait_on_future(&self, event_loop: &Object) -> Result<()> {
        let name = &globals().names.create_future;
        self.waiter.set(call_method(name, &[event_loop.as_ptr()])?);
        self.foreign.set(true);
        Ok(())
    }

    /// The future of a foreign wait.
    fn future(&self) -> Object {
        self.waiter.get_or_none()
    }

    /// How the awaitable stands.
    #[inline]
    pub fn standing(this: &Object) -> Result<Standing> {
        let awaitable = Self::of(this);
        if awaitable.foreign.get() {
            return standing_of_future(&awaitable.future());
        }
        Ok(match awaitable.standing.get() {
            Stands::Waiting => Standing::Waiting,
            Stands::Woken => Standing::Woken,
            Stands::Cancelled => Standing::Cancelled,
        })
    }

    /// What those see who look at a primitive's waiters: the future of a foreign wait, or the awaitable.
    pub fn shown(this: &Object) -> Object {
        let awaitable = Self::of(this);
        if awaitable.foreign.get() {
            awaitable.future()
        } else {
            this.clone()
        }
    }

    /// Whether the wait was cancelled, in distinction from one that was woken and then interrupted.
    pub fn was_cancelled(this: &Object) -> Result<bool> {
        Ok(Self::standing(this)? == Standing::Cancelled)
    }

    /// Ends the wait: the task goes on in the next turn.
    #[inline]
    pub fn wake(this: &Object) -> Result<()> {
        let awaitable = Self::of(this);
        if awaitable.foreign.get() {
            return finish_future(&awaitable.future());
        }
        awaitable.standing.set(Stands::Woken);
        awaitable.go_on()
    }

    /// Cancels the wait, if it is not over: the task is stepped with a `CancelledError`.
    pub fn cancel(this: &Object, message: Option<&Object>) -> Result<bool> {
        let awaitable = Self::of(this);
        if awaitable.foreign.get() {
            return task::cancel_waiter(&awaitable.future(), message);
        }
        if awaitable.stage.get() != Stage::Blocked || awaitable.standing.get() != Stands::Waiting {
            return Ok(false);
        }
        awaitable.standing.set(Stands::Cancelled);
        awaitable.message.set_optional(message.cloned());
        awaitable.go_on()?;
        Ok(true)
    }

    #[inline]
    fn go_on(&self) -> Result<()> {
        match self.waiter.take() {
            Some(task) => task::schedule(&task, None),
            // Nobody has received it yet, or somebody drives it by hand.
            None => Ok(()),
        }
    }

    /// A task has received the awaitable and waits for it.
    #[inline]
    pub fn attach(this: &Object, task: &Object) -> Result<()> {
        let awaitable = Self::of(this);
        awaitable.waiter.set(task.clone());
        if awaitable.standing.get() == Stands::Waiting {
            Ok(())
        } else {
            awaitable.go_on()
        }
    }

    /// Whether the awaitable was yielded and no task has received it yet, which this one does now.
    #[inline]
    pub fn receive(&self) -> bool {
        self.blocking.replace(false)
    }

    /// Whether a task of this loop may wait for it.
    #[inline]
    pub fn belongs_to(&self, event_loop: &Slot) -> bool {
        self.event_loop.as_ptr() == event_loop.as_ptr()
    }

    /// What the awaitable that woke a task has thrown into it.
    #[inline]
    pub fn failure(this: &Object) -> Result<Option<Object>> {
        let awaitable = Self::of(this);
        if awaitable.foreign.get() || awaitable.standing.get() != Stands::Cancelled {
            return Ok(None);
        }
        awaitable.cancelled_error().map(Some)
    }

    fn cancelled_error(&self) -> Result<Object> {
        let class = &globals().asyncio.cancelled_error;
        match self.message.take().filter(|message| !message.is_none()) {
            Some(message) => call_function(class, &[message.as_ptr()]),
            None => call_function(class, &[]),
        }
    }

    /// What `this` resumes with: nothing, or the exception of its wait.
    #[inline]
    fn outcome(this: &Object) -> Option<Object> {
        let awaitable = Self::of(this);
        let ask = || -> Result<()> {
            if awaitable.foreign.get() {
                let future = awaitable.future();
                if standing_of_future(&future)? == Standing::Waiting {
                    return Err(not_woken());
                }
                return call_method(&globals().names.result, &[future.as_ptr()]).map(drop);
            }
            match awaitable.standing.get() {
                Stands::Woken => Ok(()),
                Stands::Waiting => Err(not_woken()),
                Stands::Cancelled => Err(raise_object(&awaitable.cancelled_error()?)),
            }
        };
        ask().err().map(fetch)
    }

    /// Sees to what a step came to.
    #[inline]
    fn settle(this: &Object, progress: Result<Progress>) -> Result<Next> {
        let awaitable = Self::of(this);
        match progress {
            Ok(Progress::Returned(value)) => {
                Self::finish(this);
                Ok(Next::Returned(value))
            }
            Ok(Progress::Blocked) => {
                awaitable.stage.set(Stage::Blocked);
                Self::track(this);
                if awaitable.foreign.get() {
                    let future = awaitable.future();
                    future.set_attribute(&globals().names.blocking, &Object::boolean(true))?;
                    return Ok(Next::Yielded(future));
                }
                awaitable.blocking.set(true);
                Ok(Next::Yielded(this.clone()))
            }
            Ok(Progress::Yielded(object)) => {
                awaitable.stage.set(Stage::Delegating);
                Self::track(this);
                Ok(Next::Yielded(object))
            }
            Err(raised) => {
                let exception = fetch(raised);
                Self::finish(this);
                Err(restore(exception))
            }
        }
    }

    #[inline]
    fn finish(this: &Object) {
        let awaitable = Self::of(this);
        awaitable.stage.set(Stage::Finished);
        Place::leave(this);
        for slot in awaitable.slots() {
            slot.clear();
        }
    }

    const fn slots(&self) -> [&Slot; 5] {
        [
            &self.waiter,
            &self.owner,
            &self.value,
            &self.message,
            &self.event_loop,
        ]
    }

    #[inline]
    fn track(this: &Object) {
        if !Self::of(this).tracked.replace(true) {
            // SAFETY: a complete object of a garbage collected class that is not tracked yet.
            unsafe { ffi::PyObject_GC_Track(this.as_ptr().cast()) };
        }
    }

    /// Dies, or is about to be collected: a wait that nobody will go on with is given up, and an
    /// awaitable that was never awaited is warned of, as a coroutine is.
    fn finalise(this: &Object) {
        let awaitable = Self::of(this);
        let outcome = match awaitable.stage.get() {
            Stage::Fresh => warn_never_awaited(awaitable.operation().name),
            Stage::Blocked | Stage::Delegating => Self::close(this),
            Stage::Running | Stage::Finished => Ok(()),
        };
        if let Err(raised) = outcome {
            report_unraisable(raised, this.as_ptr());
        }
    }
}

impl Iteration for Awaitable {
    #[inline]
    fn advance(this: &Object) -> Result<Next> {
        let awaitable = Self::of(this);
        let operation = awaitable.operation();
        let progress = match awaitable.stage.replace(Stage::Running) {
            Stage::Fresh => (operation.start)(this),
            Stage::Delegating => (operation.resume)(this),
            Stage::Blocked => match Self::outcome(this) {
                None => (operation.resume)(this),
                Some(exception) => (operation.interrupt)(this, exception),
            },
            Stage::Running => return Err(already_executing()),
            Stage::Finished => {
                awaitable.stage.set(Stage::Finished);
                return Err(already_awaited());
            }
        };
        Self::settle(this, progress)
    }

    fn throw(this: &Object, exception: Object) -> Result<Next> {
        let awaitable = Self::of(this);
        let operation = awaitable.operation();
        let progress = match awaitable.stage.replace(Stage::Running) {
            Stage::Fresh => Err(restore(exception)),
            Stage::Blocked | Stage::Delegating => (operation.interrupt)(this, exception),
            Stage::Running => return Err(already_executing()),
            Stage::Finished => {
                awaitable.stage.set(Stage::Finished);
                return Err(already_awaited());
            }
        };
        Self::settle(this, progress)
    }

    fn close(this: &Object) -> Result<()> {
        let awaitable = Self::of(this);
        match awaitable.stage.get() {
            Stage::Finished => return Ok(()),
            Stage::Fresh => {
                Self::finish(this);
                return Ok(());
            }
            Stage::Running => return Err(already_executing()),
            Stage::Blocked | Stage::Delegating => {}
        }
        // SAFETY: the exception classes are always valid.
        let (exit, stop) = unsafe { (ffi::PyExc_GeneratorExit, ffi::PyExc_StopIteration) };
        // SAFETY: as above.
        let class = unsafe { Object::from_borrowed(exit) };
        let exit_object = call_function(&class, &[])?;
        match <Self as Iteration>::throw(this, exit_object) {
            Ok(Next::Returned(_)) => Ok(()),
            Ok(Next::Yielded(_)) => {
                // SAFETY: RuntimeError is always valid.
                let class = unsafe { ffi::PyExc_RuntimeError };
                Err(raise(class, c"coroutine ignored GeneratorExit"))
            }
            Err(raised) if matches(exit) || matches(stop) => {
                drop(fetch(raised));
                Ok(())
            }
            Err(raised) => Err(raised),
        }
    }
}

/// The loop that a primitive belongs to: the one it first waited on. All zeroes is none yet.
pub struct LoopBound {
    event_loop: Slot,
}

impl LoopBound {
    pub const fn new() -> Self {
        Self {
            event_loop: Slot::empty(),
        }
    }

    /// The loop, if there is one yet.
    pub const fn slot(&self) -> &Slot {
        &self.event_loop
    }

    /// Binds to the running loop, or checks that it is the one bound to.
    #[inline]
    fn bind_to(&self, running: &Slot, owner: &Object) -> Result<()> {
        if self.event_loop.is_empty() {
            self.event_loop.set_optional(running.get());
        } else if self.event_loop.as_ptr() != running.as_ptr() {
            return Err(other_loop(owner));
        }
        Ok(())
    }

    /// The running loop, bound to. Without one it is None, which nobody can wait on.
    fn running_loop(&self, owner: &Object) -> Result<Object> {
        let running = call_function(&globals().asyncio.get_running_loop_or_none, &[])?;
        if self.event_loop.is_empty() && !running.is_none() {
            self.event_loop.set(running.clone());
        }
        let bound = self.event_loop.get_or_none();
        if bound.is(running.as_ptr()) {
            Ok(running)
        } else {
            Err(other_loop(owner))
        }
    }
}

#[cold]
fn other_loop(owner: &Object) -> Raised {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    match owner.bound(py).repr() {
        Ok(text) => pyo3::exceptions::PyRuntimeError::new_err(format!(
            "{text} is bound to a different event loop"
        ))
        .into(),
        Err(error) => error.into(),
    }
}

/// How a future of any class stands.
fn standing_of_future(future: &Object) -> Result<Standing> {
    if Future::is_native(future) {
        return Ok(match Future::of(future).state() {
            PENDING => Standing::Waiting,
            CANCELLED => Standing::Cancelled,
            _ => Standing::Woken,
        });
    }
    let names = &globals().names;
    if !call_method(&names.done, &[future.as_ptr()])?.is_true()? {
        return Ok(Standing::Waiting);
    }
    if call_method(&names.cancelled, &[future.as_ptr()])?.is_true()? {
        return Ok(Standing::Cancelled);
    }
    Ok(Standing::Woken)
}

/// `future.set_result(True)`.
fn finish_future(future: &Object) -> Result<()> {
    let value = Object::boolean(true);
    if Future::is_native(future) {
        return Future::finish(future, value);
    }
    let arguments = [future.as_ptr(), value.as_ptr()];
    call_method(&globals().names.set_result, &arguments).map(drop)
}

#[cold]
fn warn_never_awaited(name: &CStr) -> Result<()> {
    // SAFETY: the GIL is held, and RuntimeWarning is always valid.
    let py = unsafe { Python::assume_attached() };
    let text = format!("coroutine '{}' was never awaited\0", name.to_string_lossy());
    let text = CStr::from_bytes_until_nul(text.as_bytes()).unwrap_or(name);
    let category = py.get_type::<pyo3::exceptions::PyRuntimeWarning>();
    PyErr::warn(py, &category, text, 1)?;
    Ok(())
}

#[cold]
fn not_woken() -> Raised {
    // SAFETY: RuntimeError is always valid.
    raise(
        unsafe { ffi::PyExc_RuntimeError },
        c"await wasn't used with future",
    )
}

#[cold]
fn already_awaited() -> Raised {
    // SAFETY: RuntimeError is always valid.
    raise(
        unsafe { ffi::PyExc_RuntimeError },
        c"cannot reuse already awaited coroutine",
    )
}

#[cold]
fn already_executing() -> Raised {
    // SAFETY: ValueError is always valid.
    raise(
        unsafe { ffi::PyExc_ValueError },
        c"coroutine already executing",
    )
}

/// What an awaitable that was cleared by the garbage collector does.
static NOTHING: Operation = Operation {
    name: c"Awaitable",
    start: |_| Ok(Progress::Returned(Object::none())),
    resume: |_| Ok(Progress::Returned(Object::none())),
    interrupt: |_, exception| Err(restore(exception)),
};

/// An operation that is done at its first step.
pub fn ready(value: Object) -> Result<Progress> {
    Ok(Progress::Returned(value))
}

/// Adds the functions that make awaitables to the module.
pub fn add_functions(module: &Bound<'_, pyo3::types::PyModule>) -> PyResult<()> {
    add_to_module(
        module,
        vec![fast!(
            c"sleep",
            sleep,
            c"sleep(delay, result=None)\n--\n\nWait for delay seconds; return result."
        )],
    )
}
