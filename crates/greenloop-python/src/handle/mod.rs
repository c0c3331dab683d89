//! `Handle`: a callback that the loop will run, and the means to cancel it.
//!
//! ```text
//!            1 new            2 run
//!   (call_soon) ──► scheduled ──────► ran (may be run again by hand, as asyncio allows)
//!                      │ 3 cancel
//!                      ▼
//!                  cancelled: callback and arguments are dropped at once
//! ```
//!
//! The garbage collector need not track a handle while its loop runs: the loop is alive then, and
//! so are all handles that wait in it. A handle is tracked (`track`) when that may end: when its
//! callback has run and other code still holds it, when it is cancelled, and when the loop stops
//! running. One that is made while no turn runs, or for a reader or a writer, is tracked from the
//! first. With a hundred thousand timers set, collections were more than half of the cost.
//!
//! `Handle` and its subclasses `TimerHandle` and `ThreadSafeHandle` (from 3.14 on) share one
//! struct: see `class`, `timer` and `thread_safe`. Attributes with an underscore are those of
//! asyncio's own class: libraries and debuggers read them.
//!
//! A handle is held by the loop's ready ring or heap as long as it is scheduled (`Job::Handle`),
//! and by the program if it keeps what `call_soon` returned. Nothing removes a cancelled handle
//! from the ring; its turn comes, and it is passed over. Everything is touched with the GIL held,
//! and only the callback itself runs in its context.

mod class;
#[cfg(Py_3_14)]
mod thread_safe;
mod timer;

use std::cell::Cell;

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Class, ClassCell, ClassPointer, ContextSlot, Dead, ExceptionClass, Extends, Family, Header,
    Layout, Native, Object, Record, Result, Slot, Spare, Tracked, Visited, Visitor, WeakReferences,
    attached, fetch, matches, type_error, visit_slots,
};
use pyo3::prelude::*;

use crate::asyncio::{creation_stack, globals};
use crate::scheduler::{HandleKind, Scheduler};

pub use class::cancel;

/// How many dead handles are kept: a burst of callbacks in one turn, 3 MiB at most. To give their
/// memory back and ask for it again costs a third of scheduling a callback.
static SPARE: Spare<Handle, 32768> = Spare::new();

/// The class `Handle`.
pub static CLASS: Class<Handle> = Class::new();
/// The class `TimerHandle`.
pub static TIMER: Class<Handle> = Class::new();
/// The class `ThreadSafeHandle`.
#[cfg(Py_3_14)]
pub static THREAD_SAFE: Class<Handle> = Class::new();

/// All of them.
pub static NATIVE: Family<Handle, 3> = Family::new();

/// The class of the handles of `call_soon_threadsafe`: `Handle` up to 3.13.
///
/// From 3.14 on asyncio has a class of its own for them, because `cancel` may come from another
/// thread while the callback runs.
#[inline]
pub fn thread_safe_class() -> &'static Class<Handle> {
    #[cfg(Py_3_14)]
    return &THREAD_SAFE;
    #[cfg(not(Py_3_14))]
    &CLASS
}

/// The C struct of both classes.
///
/// The fields that each run touches come first, in one cache line.
#[repr(C)]
pub struct Handle {
    header: Header,
    /// Empty once the handle is cancelled. None is a callback like any other, which fails when it
    /// is called.
    callback: Slot,
    /// No arguments: empty. One: the argument itself, and `single` is set. More: their tuple, or
    /// the argument of `__init__` for it, which may be anything.
    arguments: Slot,
    /// The context that the callback runs in: the one that was given, or a copy made with the
    /// handle.
    context: ContextSlot,
    /// Set by `cancel`; cleared by `__init__` only.
    cancelled: Cell<bool>,
    /// Whether `arguments` is one argument and not a tuple of them.
    single: Cell<bool>,
    /// Set while a timer is in its loop's heap, and until it is run.
    scheduled: Cell<bool>,
    /// Set once the garbage collector knows of the handle.
    tracked: Tracked,
    /// The loop, of any class. It is asked for its debug mode and told of exceptions.
    event_loop: Slot,
    /// A timer's deadline on the loop's clock, as a float's bits; see [`Rare::when`]. Of a
    /// thread-safe handle the thread that runs its callback now, or 0. No handle is both.
    deadline_or_thread: Cell<u64>,
    /// The state that few handles have, so that every handle spends only one word on it.
    rare: Cell<Option<Box<Rare>>>,
    weak_references: WeakReferences,
}

/// The state that few handles have.
#[derive(Default)]
struct Rare {
    /// The stack of the call that made the handle, in debug mode only.
    source_traceback: Slot,
    /// The text of a handle that debug mode saw cancelled, made before its callback was dropped.
    repr: Slot,
    /// The deadline of a timer as the caller gave it, if that was anything but a plain float.
    when: Slot,
}

impl Rare {
    const fn slots(&self) -> [&Slot; 3] {
        [&self.source_traceback, &self.repr, &self.when]
    }
}

// SAFETY: each class of handles is built for this struct, and adds no field to it.
unsafe impl Layout for Handle {
    const OFFSET: usize = 0;
}

// SAFETY: the kind has no value, and `of_job` takes what extends it for a handle.
unsafe impl Extends<HandleKind> for Handle {}

// SAFETY: it begins with a header, and a zeroed handle has neither a callback nor a box. Both own
// their slots.
unsafe impl Record for Handle {
    fn tracked(&self) -> Option<&Tracked> {
        Some(&self.tracked)
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        // SAFETY: the collector runs no code that changes the box.
        let rare = unsafe { (*self.rare.as_ptr()).as_deref() };
        visit_slots(visitor, self.slots())?;
        visit_slots(visitor, rare.map(Rare::slots).into_iter().flatten())?;
        self.context.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
        self.context.clear();
        if let Some(rare) = self.rare.take() {
            rare.slots().into_iter().for_each(Slot::clear);
        }
    }

    fn is_empty(&self) -> bool {
        false
    }

    fn bury(dead: Dead<Self>) {
        SPARE.keep(dead);
    }

    fn is_ours(class: ClassPointer) -> bool {
        NATIVE.has(class)
    }

    fn weak_references(&self) -> Option<&WeakReferences> {
        Some(&self.weak_references)
    }
}

/// The handle that a job holds.
#[inline]
pub fn of_job(handle: &Native<HandleKind>) -> &Native<Handle> {
    // SAFETY: only `Handle` extends the kind.
    unsafe { Native::from_ref(handle) }
}

impl Handle {
    /// A handle of `class` for `callback(*arguments)` on `event_loop`, whose scheduler is given
    /// if the handle is about to be queued there.
    ///
    /// Without a scheduler, or with one whose loop does not run turns, the collector tracks the
    /// handle from the first. Up to one argument costs no tuple, and a handle from the list of dead
    /// ones no memory. In debug mode the stack is taken as well. The caller pushes the handle; the
    /// loop's own state is not changed here.
    #[inline]
    pub fn create(
        class: &Class<Handle>,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
        event_loop: &Object,
        scheduler: Option<&Scheduler>,
    ) -> Result<Native<Self>> {
        let object = SPARE.allocate(class)?;
        let handle = object.get();
        handle.callback.set(callback.clone());
        match arguments {
            [] => {}
            [single] => {
                handle.single.set(true);
                handle.arguments.set(single.clone());
            }
            several => handle.arguments.set(Object::tuple(several)?),
        }
        handle.context.set(context)?;
        handle.event_loop.set(event_loop.clone());
        if scheduler.is_some_and(Scheduler::debug) {
            let traceback = creation_stack()?;
            handle.set_rare(|rare| &rare.source_traceback, Some(traceback));
        }
        if !scheduler.is_some_and(Scheduler::is_turning) {
            object.track();
        }
        Ok(object)
    }

    /// The loop has finished with the handle: any other holder may be in a cycle with it.
    ///
    /// Called after the callback has run or the entry was passed over. If the loop's reference is
    /// the only one, the handle dies next and need not be tracked.
    #[inline]
    pub fn release(this: &Native<Handle>) {
        if this.is_shared() {
            this.track();
        }
    }

    /// Whether `cancel` was called.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Tells a timer whether it is in its loop's heap.
    pub fn set_scheduled(&self, scheduled: bool) {
        self.scheduled.set(scheduled);
    }

    /// A cancelled timer is passed over. Returns whether the handle is one.
    ///
    /// Called when an entry leaves the heap, whether it was due or swept.
    pub fn leave_timers(&self) -> bool {
        self.scheduled.replace(false)
    }

    /// Whether a timer is in its loop's heap, or due and not yet run.
    pub fn is_scheduled(&self) -> bool {
        self.scheduled.get()
    }

    /// One of the things that few handles have.
    fn rare(&self, field: fn(&Rare) -> &Slot) -> Option<Object> {
        // SAFETY: nothing changes the box while it is looked at.
        let rare = unsafe { &*self.rare.as_ptr() };
        rare.as_deref().map(field)?.get()
    }

    /// Sets one of the things that few handles have.
    ///
    /// The box is allocated at the first such value, and stays until the handle dies.
    fn set_rare(&self, field: fn(&Rare) -> &Slot, value: Option<Object>) {
        let rare = self.rare.take().unwrap_or_default();
        let old = field(&rare).take();
        field(&rare).set_optional(value);
        self.rare.set(Some(rare));
        // Last, for it may run code that comes back here.
        drop(old);
    }

    fn source_traceback(&self) -> Option<Object> {
        self.rare(|rare| &rare.source_traceback)
    }

    /// Runs the callback in its context. Its exceptions go to the loop's exception handler, except
    /// `SystemExit` and `KeyboardInterrupt`, which leave the loop.
    ///
    /// Either way the handle keeps its callback, as asyncio's does: `_run` may be called again. An
    /// exception that leaves the loop is returned, still set in the interpreter.
    #[inline]
    pub fn run(this: &Native<Handle>) -> Result<()> {
        #[cfg(Py_3_14)]
        if THREAD_SAFE.is_class_of(this) {
            return thread_safe::run(this, || Self::run_now(this));
        }
        Self::run_now(this)
    }

    /// [`run`](Self::run) of a handle that no other thread can be running. It is not scheduled any
    /// more from the moment the callback begins, so that a callback that cancels its own timer
    /// counts no dead entry.
    #[inline]
    fn run_now(this: &Native<Handle>) -> Result<()> {
        let handle = this.get();
        handle.scheduled.set(false);
        let Err(raised) = handle.call() else {
            return Ok(());
        };
        if leaves_the_loop() {
            return Err(raised);
        }
        Self::report(this, &fetch(raised))
    }

    /// Calls the callback in its context, with none or one argument without a tuple in between. The
    /// slots are read into references of its own first: the callback may cancel the handle.
    #[inline]
    fn call(&self) -> Result<()> {
        let callback = self.callback.get_or_none();
        let arguments = self.arguments.get();
        if let Some(several) = arguments.as_ref().filter(|_| !self.single.get()) {
            return self.call_with_several(&callback, several);
        }
        self.context.run(&callback, arguments.as_ref()).map(drop)
    }

    /// The same for a tuple. `args` that a program has given to `__init__` is unpacked here, at
    /// each call, as the `*args` of asyncio's `_run` is.
    #[inline(never)]
    fn call_with_several(&self, callback: &Object, arguments: &Object) -> Result<()> {
        let tuple = if arguments.is_plain_tuple() {
            arguments.clone()
        } else {
            unpacked(arguments)?
        };
        self.context
            .run_with(callback, tuple.tuple_items().unwrap_or_default())
            .map(drop)
    }

    /// Changes the callback of a handle that no other code has seen yet, for one that enters a
    /// context itself.
    pub fn set_callback(&self, change: impl FnOnce(Object) -> Result<Object>) -> Result<()> {
        let callback = change(self.callback.get_or_none())?;
        self.callback.set(callback);
        self.context.set(None)
    }

    /// Reports the callback's exception to the loop's exception handler.
    ///
    /// The context of the call has the keys that asyncio's `Handle._run` gives: `message`,
    /// `exception`, `handle`, and `source_traceback` in debug mode. The loop's
    /// `call_exception_handler` is called by name and may be the program's; what it raises is
    /// raised here.
    pub fn report(this: &Native<Handle>, exception: &Object) -> Result<()> {
        let handle = this.get();
        let event_loop = handle.event_loop.get_or_none();
        let ends_the_run = globals().asyncio.run_until_complete_cb.as_ptr();
        if handle.callback.as_ptr() == ends_the_run {
            // The run would go on for ever, with nothing left to stop it.
            if let Some(scheduler) = Scheduler::of(&event_loop) {
                scheduler.stop();
            }
        }
        let text = format_callback(handle)?;
        let py = attached();
        let message = format!("Exception in callback {}", text.bound(py));
        let context = making::dict(py)?;
        let names = &globals().names;
        context.enter(&names.message, message)?;
        context.enter(&names.exception, exception.bound(py))?;
        context.enter(&names.handle, this.bound(py))?;
        if let Some(traceback) = handle.source_traceback() {
            context.enter(&names.source_traceback, traceback.bound(py))?;
        }
        event_loop.invoke(&names.call_exception_handler, [&context.into_any().into()])?;
        Ok(())
    }

    const fn slots(&self) -> [&Slot; 3] {
        [&self.callback, &self.arguments, &self.event_loop]
    }

    /// `_args`: a tuple, or None once they are dropped.
    fn arguments_or_none(&self) -> Result<Object> {
        if self.callback.is_empty() {
            Ok(Object::none())
        } else {
            self.arguments_tuple()
        }
    }

    /// The arguments as they were given, usually a tuple.
    fn arguments_tuple(&self) -> Result<Object> {
        match self.arguments.get() {
            None => Ok(globals().no_arguments.clone()),
            Some(single) if self.single.get() => Object::tuple(std::slice::from_ref(&single)),
            Some(tuple) => Ok(tuple),
        }
    }
}

/// `(*arguments,)`, with the words of a call that has no iterable there.
///
/// Any iterable will do. What is none raises the `TypeError` of a call with `*arguments`.
#[cold]
fn unpacked(arguments: &Object) -> Result<Object> {
    let iterates = arguments.has_iter() || arguments.is_sequence();
    if !iterates {
        let class = arguments.bound(attached()).get_type();
        let text = format!("Value after * must be an iterable, not {}", class.name()?);
        return Err(type_error(&text));
    }
    arguments.to_tuple()
}

/// Runs a handle of any class by the `_run` that replaces the original one: in the handle's own
/// class, or else in asyncio's, which ours represents.
///
/// Used while a program has replaced `_run`, for example to trace callbacks. A thread-safe handle
/// notes its thread around the replacement too, so that `cancel` on other threads still waits.
pub fn run_by_name(this: &Object) -> Result<()> {
    let globals = globals();
    let name = &globals.names.run;
    let class = this.class_object();
    let function = class.attribute(name)?;
    if !function.is_method_of_c() {
        return this.invoke(name, []).map(drop);
    }
    let asyncios = if TIMER.is_class_of(this) {
        &globals.asyncio.timer_handle
    } else {
        &globals.asyncio.handle
    };
    let function = asyncios.attribute(name)?;
    let body = || function.call([this]).map(drop);
    #[cfg(Py_3_14)]
    if let Some(this) = THREAD_SAFE.exactly(this) {
        return thread_safe::run(this, body);
    }
    body()
}

/// Whether the exception that is set ends `run_forever` instead of going to the exception handler.
///
/// asyncio lets the same two through `Handle._run` and `Task.__step`. The exception stays set.
pub fn leaves_the_loop() -> bool {
    matches(ExceptionClass::SystemExit) || matches(ExceptionClass::KeyboardInterrupt)
}

/// The callback as asyncio's messages show it. Whether arguments are shown in debug mode only is
/// the running Python's choice: newer versions take a keyword for it.
fn format_callback(handle: &Handle) -> Result<Object> {
    let py = attached();
    let function = globals().asyncio.format_callback_source.bound(py);
    let callback = handle.callback.get_or_none();
    let arguments = handle.arguments_or_none()?;
    let keywords = making::dict(py)?;
    let defaults = function.look_up(c"__kwdefaults__")?;
    if !defaults.is_none() {
        let event_loop = handle.event_loop.get_or_none();
        let debug = event_loop.invoke(&globals().names.get_debug, [])?;
        keywords.enter("debug", debug.bound(py))?;
    }
    Ok(function
        .invoke_with((callback, arguments), &keywords)?
        .into())
}

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    class::make_class()?;
    timer::make_class()?;
    #[cfg(Py_3_14)]
    thread_safe::make_class()?;
    Ok(())
}

/// The public classes by their names.
pub fn classes() -> Vec<(&'static str, &'static ClassCell)> {
    vec![
        ("Handle", &CLASS),
        ("TimerHandle", &TIMER),
        #[cfg(Py_3_14)]
        ("ThreadSafeHandle", &THREAD_SAFE),
    ]
}
