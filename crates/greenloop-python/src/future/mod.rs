//! `Future`, and the half of `Task` that is a future.
//!
//! ```text
//!                 1 set_result / set_exception
//!     ┌─────────┐ ────────────────────────────► FINISHED
//!     │ PENDING │
//!     └─────────┘ ────────────────────────────► CANCELLED
//!                 2 cancel
//! ```
//! Either way the callbacks are handed to the loop and dropped.
//!
//! Our classes are subtypes of `_asyncio.Future` and `_asyncio.Task`, so that `isinstance` holds,
//! but no field of theirs is used, from 3.14 on except for those that others read in a task's
//! memory (`task/base_fields.rs`): the base's `__init__` never runs and every inherited name that
//! would read its state is overridden. Our fields come after the largest base of any supported
//! version, so that one struct serves both classes.
//! ([0003](../../../../docs/decisions/0003-subtyping-asyncio.md))
//!
//! This file has the struct. `callbacks` are what a future calls when it is done, `notifier` and
//! `waiting_task` those of them that are native; `class`, `attributes`, `metaclass` and `iterator`
//! are the future as Python sees it.
//!
//! A future is touched with the GIL held. Callbacks never run inside `set_result`: they run in the
//! next turn.

mod attributes;
mod callbacks;
mod class;
mod iterator;
mod metaclass;
mod notifier;
mod reporting;
mod waiting_task;

use std::cell::Cell;

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_cpython::making;
use greenloop_cpython::{
    BasePart, Class, ClassCell, Derived, ExceptionClass, Family, Layout, Native, Object, Raised,
    Result, Slot, SpareDerived, Visited, Visitor, fetch, is_initialised, raise, raise_object,
    set_traceback, traceback_of, visit_slots,
};

use crate::asyncio::edition::FUTURES_BEGIN_ONCE;
use crate::asyncio::{creation_stack, globals};
use crate::observing::{Number, is_recording, tell};
use crate::scheduler::Scheduler;

pub use attributes::{cannot_delete, future_attributes};
pub use callbacks::{Callback, Callbacks, add as add_callback, call_soon, push_without_memory};
pub use class::{
    future_methods, make_classes, parse_message, retrieve_exception, set_exception_of,
};
pub use iterator::iterate;
pub use metaclass::adopt as adopt_metaclass;
pub use notifier::{notifier, notify_when_done, stop_notifying};
pub use reporting::report;
pub use waiting_task::{WaitingTask, future_of, set_waiting_task, waiting_task, wake};

/// How many dead futures are kept for new ones.
static SPARE: SpareDerived<Future> = SpareDerived::new();

/// Neither set nor cancelled yet.
pub const PENDING: u8 = 0;
/// Cancelled; there is no result.
pub const CANCELLED: u8 = 1;
/// There is a result or an exception.
pub const FINISHED: u8 = 2;

/// The C struct of `Future`, and the beginning of `Task`'s. All zeroes is a future that was never
/// initialised: its `event_loop` is empty.
#[repr(C)]
pub struct Future {
    base: BasePart,
    /// The loop, of any class. Empty before `__init__`.
    event_loop: Slot,
    /// The loop's scheduler, or null if it is not one of ours. Valid as long as `event_loop` is.
    native_loop: Cell<*const Scheduler>,
    result: Slot,
    exception: Slot,
    /// The traceback the exception had when it was set, put back each time it is raised.
    exception_traceback: Slot,
    source_traceback: Slot,
    /// The `msg` of the call that cancelled it.
    cancel_message: Slot,
    /// The `CancelledError` that ended a task, raised once, to the first that asks for the result.
    cancelled_error: Slot,
    callbacks: Callbacks,
    /// `PENDING`, `CANCELLED` or `FINISHED`.
    state: Cell<u8>,
    /// Whether the loss of the exception is reported: set with the exception, cleared when it is
    /// retrieved.
    log_traceback: Cell<bool>,
    /// `_asyncio_future_blocking`: set by `await`, cleared by the task that received the future, so
    /// that a task can tell `await future` from a stray `yield future`.
    blocking: Cell<bool>,
    /// Which one it is, for an observer. A new object gets a new one.
    number: Number,
}

/// The facts that `__init__` has to collect before it changes the future.
pub struct Beginning {
    event_loop: Object,
    source: Option<Object>,
}

impl Beginning {
    /// On `event_loop`, or on the current one.
    ///
    /// Runs code of the program: the policy of a loop that is looked up, and `get_debug`.
    pub fn on(event_loop: Option<&Object>) -> Result<Self> {
        let event_loop = match event_loop {
            Some(event_loop) if !event_loop.is_none() => event_loop.clone(),
            _ => globals().asyncio.get_event_loop.call([])?,
        };
        let debug = event_loop
            .invoke(&globals().names.get_debug, [])?
            .is_true()?;
        let source = if debug { source()? } else { None };
        Ok(Self { event_loop, source })
    }
}

/// The class.
pub static CLASS: Class<Future> = Class::new();

/// The classes whose instances are treated as ours: `Future`, `Task`, and what `gather` returns.
pub static NATIVE: Family<Future, 3> = Family::new();

// SAFETY: the base's part is the first field, and all others are valid in a zeroed instance.
unsafe impl Layout for Future {
    const OFFSET: usize = 0;
}

impl Future {
    /// The future, if `object` is exactly our `Future` or `Task`, or the result of `gather`. A
    /// subclass in Python may override anything and is therefore treated as foreign.
    #[inline]
    pub fn native(object: &Object) -> Option<&Native<Self>> {
        NATIVE.member(object)
    }

    /// Whether `object` is [one of those](Self::native).
    #[inline]
    pub fn is_native(object: &Object) -> bool {
        NATIVE.has(object.class())
    }

    /// A pending future on one of our loops.
    #[inline]
    pub fn create(event_loop: &Object, scheduler: &Scheduler) -> Result<Native<Self>> {
        let future = Native::<Self>::allocate()?;
        future.get().attach(event_loop, scheduler);
        if scheduler.debug() {
            future.get().remember_source()?;
        }
        Ok(future)
    }

    /// Binds a fresh future to one of our loops.
    #[inline]
    pub fn attach(&self, event_loop: &Object, scheduler: &Scheduler) {
        self.event_loop.set(event_loop.clone());
        self.native_loop.set(scheduler);
    }

    /// `Future.__init__`: binds the future to `event_loop`, or to the current one.
    pub fn initialise(&self, event_loop: Option<&Object>) -> Result<()> {
        self.begin(Beginning::on(event_loop)?);
        Ok(())
    }

    /// Initialises the future, or initialises it again. The old state is dropped when the new one
    /// is complete, since dropping it may run code that uses this future.
    pub fn begin(&self, beginning: Beginning) {
        let Beginning { event_loop, source } = beginning;
        let native = Scheduler::of(&event_loop).map_or(std::ptr::null(), std::ptr::from_ref);
        let before = (self.slots().map(Slot::take), self.callbacks.take());
        self.event_loop.set(event_loop);
        self.native_loop.set(native);
        self.source_traceback.set_optional(source);
        self.state.set(PENDING);
        self.log_traceback.set(false);
        self.blocking.set(false);
        drop(before);
    }

    /// Keeps where the future was created, for debug mode's messages.
    pub fn remember_source(&self) -> Result<()> {
        self.source_traceback.set_optional(source()?);
        Ok(())
    }

    /// The loop's scheduler, if it is one of ours and its ready queue may be used.
    #[inline]
    pub fn fast_loop(&self) -> Option<&Scheduler> {
        self.native_loop().filter(|scheduler| scheduler.is_fast())
    }

    /// The loop's scheduler, whether its ready queue may be used or not.
    #[inline]
    pub fn native_loop(&self) -> Option<&Scheduler> {
        // SAFETY: `event_loop` keeps the loop alive as long as the future is bound to it.
        unsafe { self.native_loop.get().as_ref() }
    }

    /// The loop as an object, borrowed, for comparing.
    #[inline]
    pub fn event_loop(&self) -> &Slot {
        &self.event_loop
    }

    /// Whether this is its loop.
    #[inline]
    pub fn is_on(&self, event_loop: &Object) -> bool {
        event_loop.is(self.event_loop.as_ptr())
    }

    /// `PENDING`, `CANCELLED` or `FINISHED`.
    #[inline]
    pub fn state(&self) -> u8 {
        self.state.get()
    }

    /// Whether `await` has announced that the future is about to be yielded to a task.
    #[inline]
    pub const fn blocking(&self) -> &Cell<bool> {
        &self.blocking
    }

    /// Which one it is, for an observer.
    #[inline]
    pub const fn number(&self) -> &Number {
        &self.number
    }

    /// The callbacks to call when the future is done.
    pub const fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// Whether the loss of the exception has to be reported.
    pub const fn log_traceback(&self) -> &Cell<bool> {
        &self.log_traceback
    }

    /// The message of the last `cancel`.
    pub const fn cancel_message(&self) -> &Slot {
        &self.cancel_message
    }

    /// Keeps the `CancelledError` that ended a task.
    pub fn set_cancelled_error(&self, error: Object) {
        self.cancelled_error.set(error);
    }

    /// Refuses a second `__init__`, if the running asyncio does.
    pub fn ensure_fresh(&self) -> Result<()> {
        if FUTURES_BEGIN_ONCE && !self.event_loop.is_empty() {
            let class = ExceptionClass::RuntimeError;
            return Err(raise(class, c"Future object is already initialized"));
        }
        Ok(())
    }

    fn ensure_initialised(&self) -> Result<()> {
        if self.event_loop.is_empty() {
            let class = ExceptionClass::RuntimeError;
            return Err(raise(class, c"Future object is not initialized."));
        }
        Ok(())
    }

    fn ensure_pending(&self) -> Result<()> {
        if self.state.get() != PENDING {
            return Err(invalid_state(c"invalid state"));
        }
        Ok(())
    }

    /// Whether the future is done, and has neither raised nor been cancelled.
    #[inline]
    pub fn has_plain_result(&self) -> bool {
        self.state() == FINISHED && self.exception.is_empty()
    }

    /// The result, or None where there is none.
    #[inline]
    pub fn result_or_none(&self) -> Object {
        self.result.get_or_none()
    }

    /// The result or the exception, as `result()` gives it.
    ///
    /// Raises `InvalidStateError` while the future is pending. An exception counts as retrieved.
    #[inline]
    pub fn outcome(&self) -> Result<Object> {
        match self.state.get() {
            FINISHED => {
                self.log_traceback.set(false);
                match self.exception.get() {
                    None => Ok(self.result.get_or_none()),
                    Some(exception) => Err(raise_object(&self.with_own_traceback(exception)?)),
                }
            }
            CANCELLED => Err(raise_object(&self.make_cancelled_error()?)),
            _ => Err(invalid_state(c"Result is not set.")),
        }
    }

    /// The exception that waiters have thrown into them: a cancellation's too. `None` for a result.
    pub fn failure(&self) -> Result<Option<Object>> {
        if self.state.get() == CANCELLED {
            return self.make_cancelled_error().map(Some);
        }
        self.log_traceback.set(false);
        let exception = self.exception.get();
        exception
            .map(|exception| self.with_own_traceback(exception))
            .transpose()
    }

    /// Puts back the traceback that the exception had when it was set: raising it again and again
    /// would else make it longer each time.
    fn with_own_traceback(&self, exception: Object) -> Result<Object> {
        let traceback = self.exception_traceback.take().unwrap_or_else(Object::none);
        set_traceback(&exception, &traceback)?;
        Ok(exception)
    }

    /// The `CancelledError` to raise: the original one the first time.
    pub fn make_cancelled_error(&self) -> Result<Object> {
        if let Some(error) = self.cancelled_error.take() {
            return Ok(error);
        }
        let class = &globals().asyncio.cancelled_error;
        match self
            .cancel_message
            .get()
            .filter(|message| !message.is_none())
        {
            Some(message) => class.call([&message]),
            None => class.call([]),
        }
    }

    /// The exception of a future that is done and was not cancelled, as `exception()` gives it.
    #[inline]
    pub fn seen_exception(&self) -> Option<Object> {
        self.log_traceback.set(false);
        self.exception.get()
    }

    /// `this.set_result(result)`.
    ///
    /// Raises `InvalidStateError` if the future is done.
    #[inline]
    pub fn finish(this: &Native<Self>, result: Object) -> Result<()> {
        let future = this.get();
        future.ensure_pending()?;
        future.result.set(result);
        future.state.set(FINISHED);
        future.tell_set();
        callbacks::schedule_all(this)
    }

    /// `this.set_exception(exception)`, for an exception instance.
    pub fn fail(this: &Native<Self>, exception: Object) -> Result<()> {
        let future = this.get();
        future.ensure_pending()?;
        let traceback = traceback_of(&exception);
        future.exception_traceback.set_optional(traceback);
        future.exception.set(exception);
        future.state.set(FINISHED);
        future.tell_set();
        callbacks::schedule_all(this)?;
        future.log_traceback.set(true);
        Ok(())
    }

    /// `this.cancel(message)` of a plain future, and the end of a cancelled task.
    pub fn cancel(this: &Native<Self>, message: Option<&Object>) -> Result<bool> {
        let future = this.get();
        future.log_traceback.set(false);
        if future.state.get() != PENDING {
            return Ok(false);
        }
        future.state.set(CANCELLED);
        future.cancel_message.set_optional(message.cloned());
        callbacks::schedule_all(this)?;
        Ok(true)
    }

    /// Tells an observer that there is an outcome, if it knows the future.
    #[inline]
    fn tell_set(&self) {
        if is_recording() && self.number.known() != 0 {
            tell(EventKind::Set, WaitKind::Future, &self.number, 0);
        }
    }

    const fn slots(&self) -> [&Slot; 7] {
        [
            &self.event_loop,
            &self.result,
            &self.exception,
            &self.exception_traceback,
            &self.source_traceback,
            &self.cancel_message,
            &self.cancelled_error,
        ]
    }
}

// SAFETY: it begins with the base's part, and `_asyncio`'s functions take a future of theirs whose
// `__init__` has not run. The slots and the list of callbacks own what they show.
unsafe impl Derived for Future {
    fn base() -> &'static Object {
        &globals().asyncio.future
    }

    fn class() -> &'static Class<Self> {
        &CLASS
    }

    fn spare() -> &'static SpareDerived<Self> {
        &SPARE
    }

    fn has_something_to_report(&self) -> bool {
        self.log_traceback.get()
    }

    /// Reports an exception that was never retrieved, when the future is deallocated.
    fn finalise(this: &Native<Self>) {
        let future = this.get();
        if !future.log_traceback.replace(false) {
            return;
        }
        let Some(exception) = future.exception.get() else {
            return;
        };
        let name = making::class_name(this).unwrap_or_else(|raised| {
            drop(fetch(raised));
            "Future".to_owned()
        });
        report(
            this,
            &format!("{name} exception was never retrieved"),
            &[
                (&globals().names.exception, &exception),
                (&globals().names.future, this),
            ],
        );
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.callbacks.visit(visitor)
    }

    fn clear(&self) {
        self.native_loop.set(std::ptr::null());
        for slot in self.slots() {
            slot.clear();
        }
        drop(self.callbacks.take());
    }
}

/// The stack of the code that creates a future now, unless the interpreter has ended.
fn source() -> Result<Option<Object>> {
    if !is_initialised() {
        return Ok(None);
    }
    creation_stack().map(Some)
}

/// The loop of a future of any of our classes, subclasses included.
pub fn event_loop_of(future: &Native<Future>) -> Object {
    future.get().event_loop.get_or_none()
}

/// Raises `asyncio.InvalidStateError`.
pub fn invalid_state(text: &std::ffi::CStr) -> Raised {
    raise(&globals().asyncio.invalid_state_error, text)
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 1] {
    [("Future", &CLASS)]
}
