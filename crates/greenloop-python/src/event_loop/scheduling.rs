//! `call_soon` and its kin, `create_future` and `create_task`.
//!
//! These are the most frequent calls, so they are plain C methods instead of PyO3's: a `(callback,
//! *args, context=None)` costs 10 to 27 ns less that way.
//!
//! `_add_callback`, `_write_to_self` and the other names with an underscore are what asyncio's
//! Python code uses of a loop. The methods are put into the class after PyO3 has made it: they take
//! their arguments by vectorcall (PEP 590), without a tuple for `*args`.

use std::sync::{Arc, OnceLock};

use greenloop_core::observe::EventKind;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Class, Method, Native, Object, Result, current_thread, fast, noargs, type_error,
};
use greenloop_os::thread_activity::ThreadId;
use pyo3::prelude::*;

use super::call::{Call, check_callback};
use super::inbox::Inbox;
use super::{EventLoop, LoopInstance, LoopRef};
use crate::asyncio::edition::{TASKS_START_EAGERLY, edition};
use crate::asyncio::globals;
use crate::future::Future;
use crate::handle::{self, Handle};
use crate::observing::{is_recording, tell_of_loop};
use crate::scheduler::Job;
use crate::task::Task;

impl EventLoop {
    /// Queues a callback; the caller has checked that the loop takes one.
    ///
    /// Costs the handle, from the list of dead ones, and a push.
    #[inline]
    fn schedule(&self, this: &Object, call: &Call<'_>, class: &Class<Handle>) -> Result<Object> {
        let handle = self.make_handle(this, call, class)?;
        self.scheduler.push(Job::Handle(handle.up().clone()));
        Ok(handle.into_object())
    }

    /// The handle of a call.
    #[inline]
    pub(super) fn make_handle(
        &self,
        this: &Object,
        call: &Call<'_>,
        class: &Class<Handle>,
    ) -> Result<Native<Handle>> {
        let Call {
            callback,
            arguments,
            context,
        } = *call;
        let scheduler = Some(&self.scheduler);
        Handle::create(class, callback, arguments, context, this, scheduler)
    }

    /// `this.create_task(...)` for native code, or None if it has to be called by name: because it
    /// was overridden, there is a task factory, or debug mode is on.
    ///
    /// The answer holds as long as no code of the program runs in between.
    #[inline]
    pub fn create_native_task(
        &self,
        this: &Object,
        arguments: &Arguments<'_>,
    ) -> Option<Result<Object>> {
        if !self.makes_native_tasks() {
            return None;
        }
        let (scheduler, eager) = (&self.scheduler, self.starts_eagerly());
        Some(Task::create(this, scheduler, arguments, eager).map(Native::into_object))
    }

    /// A task of `coroutine` on this loop, which [makes native
    /// tasks](Self::makes_native_tasks).
    #[inline]
    pub fn spawn(&self, this: &Object, coroutine: &Object) -> Result<Object> {
        let eager = self.starts_eagerly();
        Task::spawn(this, &self.scheduler, coroutine, eager).map(Native::into_object)
    }

    /// The inbox for threads without the GIL.
    ///
    /// Borrowed: it lives as long as the loop, and longer for a caller that counts a reference.
    #[inline]
    pub fn inbox(&self) -> *const Inbox {
        let waker = || {
            let polling = self.polling.borrow();
            polling.as_ref().map(|polling| Arc::clone(&polling.waker))
        };
        Arc::as_ptr(self.inbox.open(waker))
    }

    /// Wakes the loop if its thread waits. Called with the GIL held. The loop's thread releases the
    /// GIL only after it has set the flag that it is asleep, so no wake-up is missed.
    ///
    /// A loop that is awake asks the operating system in its next turn: the thread may have sent
    /// something before it called.
    #[inline]
    pub fn wake(&self) {
        self.expect_input();
        if self.asleep.replace(false) {
            if let Some(polling) = self.polling.borrow().as_ref() {
                polling.waker.wake();
            }
        }
    }

    /// As [`wake`](Self::wake), after a Rust future has woken its task. On the loop's own thread it
    /// does not cause a poll: the loop knows what a job sends through it.
    #[inline]
    pub fn wake_for_a_future(&self) {
        if self.asleep.get() || self.scheduler.thread() != current_thread() {
            self.wake();
        }
    }
}

/// `call_soon(callback, *args, context=None)`. Raises a `RuntimeError` on a closed loop, and in
/// debug mode from another thread; in debug mode a `TypeError` for what is no callback.
fn call_soon(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    if let Some(function) = event_loop.replacement_when_idle(this, &globals().names.call_soon)? {
        return arguments.forward_to(&function, this);
    }
    let call = Call::parse(c"BaseEventLoop.call_soon", &arguments, None)?;
    event_loop.check_closed()?;
    if event_loop.scheduler.debug() {
        event_loop.check_thread()?;
        check_callback(this, call.callback, "call_soon")?;
    }
    event_loop.schedule(this, &call, &handle::CLASS)
}

/// `call_soon_threadsafe(callback, *args, context=None)`: as [`call_soon`], from any thread, and
/// wakes the loop. The ring is the same, since a thread that calls a Python method holds the GIL
/// (decision 0002).
fn call_soon_threadsafe(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    let name = &globals().names.call_soon_threadsafe;
    if let Some(function) = event_loop.replacement_when_idle(this, name)? {
        return arguments.forward_to(&function, this);
    }
    let call = Call::parse(c"BaseEventLoop.call_soon_threadsafe", &arguments, None)?;
    event_loop.check_closed()?;
    if event_loop.scheduler.debug() {
        check_callback(this, call.callback, "call_soon_threadsafe")?;
    }
    let class = handle::thread_safe_class();
    let handle = if event_loop.takes_calls_of_threads() {
        event_loop.keep_call(this, &call, class)?
    } else {
        event_loop.schedule(this, &call, class)?
    };
    if is_recording() && event_loop.scheduler.thread() != current_thread() {
        let thread = ThreadId::current().as_raw();
        tell_of_loop(EventKind::ThreadCalled, thread.into());
    }
    event_loop.wake();
    Ok(handle)
}

/// `create_future()`. Does not refuse a closed loop, and neither does asyncio's.
fn create_future(this: &LoopRef) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    event_loop.check_initialised()?;
    Future::create(this, &event_loop.scheduler).map(Native::into_object)
}

/// A native task, or with a task factory the result of `_create_task_with_factory`, which is
/// asyncio's own `create_task`: the arguments of a factory differ between versions.
fn create_task(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    if let Some(function) = event_loop.replacement_when_idle(this, &globals().names.create_task)? {
        return arguments.forward_to(&function, this);
    }
    if event_loop.task_factory.is_empty() || event_loop.eager_tasks.get() {
        event_loop.check_closed()?;
        let (scheduler, eager) = (&event_loop.scheduler, event_loop.starts_eagerly());
        return Task::create(this, scheduler, &arguments, eager).map(Native::into_object);
    }
    arguments.forward(&globals().names.create_task_with_factory, this)
}

#[pymethods]
impl EventLoop {
    /// Queue a handle that was made elsewhere, such as by asyncio's own signal handling.
    ///
    /// A cancelled one is passed over when its turn comes.
    fn _add_callback(&self, handle: Bound<'_, PyAny>) {
        let job = match handle::NATIVE.claim(Object::from(handle)) {
            Ok(handle) => Job::Handle(handle.up().clone()),
            Err(handle) => Job::ForeignHandle(handle),
        };
        self.scheduler.push(job);
    }

    /// Wake the loop if its thread waits for the operating system. May be called from any thread.
    fn _write_to_self(&self) {
        self.wake();
    }

    /// The task factory, or None.
    #[getter]
    fn _task_factory(&self, py: Python<'_>) -> Py<PyAny> {
        self.task_factory.get_or_none().bound(py).unbind()
    }

    #[setter(_task_factory)]
    fn set_task_factory_slot(&self, factory: Bound<'_, PyAny>) -> PyResult<()> {
        self.eager_tasks.set(is_eager_factory(&factory));
        let factory = Some(factory).filter(|factory| !factory.is_none());
        self.task_factory.set_optional(factory.map(Object::from));
        Ok(())
    }

    /// Return the jobs that are ready to run, as handles, for diagnostics.
    fn _ready_handles(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        // Handles are made outside the queue's borrow: making one may run the garbage collector.
        let jobs = self
            .scheduler
            .queue(|queue| queue.ready.iter().map(Job::clone).collect::<Vec<_>>());
        let handles = jobs.iter().map(Self::handle_of).collect::<Result<_>>()?;
        Ok(making::list(handles)?.bound(py).unbind())
    }
}

static EAGER_TASK_FACTORIES: OnceLock<Vec<Py<PyAny>>> = OnceLock::new();

/// Whether `factory` is `eager_task_factory`, asyncio's or ours, which need not be called.
///
/// Any other factory is called for each task.
fn is_eager_factory(factory: &Bound<'_, PyAny>) -> bool {
    if factory.is_none() || !TASKS_START_EAGERLY {
        return false;
    }
    let known = EAGER_TASK_FACTORIES.get().into_iter().flatten();
    known.into_iter().any(|known| factory.is(known))
}

/// Hand in the task factories whose tasks the loop makes itself. Called once, by the package's
/// import.
#[pyfunction]
#[pyo3(name = "_set_eager_task_factories")]
pub fn set_eager_task_factories(factories: Vec<Py<PyAny>>) {
    let _ = EAGER_TASK_FACTORIES.set(factories);
}

/// The C methods of the loop that rooms above this one have.
static FURTHER_METHODS: OnceLock<fn() -> Vec<Method<LoopInstance>>> = OnceLock::new();

/// Hands in the function that makes them. Called once, by the module's import, before
/// [`install_methods`].
pub fn set_further_methods(methods: fn() -> Vec<Method<LoopInstance>>) {
    let _ = FURTHER_METHODS.set(methods);
}

/// Puts the C methods into a class of our loops: the one that PyO3 made, and again the public one
/// below it. A method whose class is exactly the receiver's needs no walk up the bases at each
/// call.
pub fn install_methods(class: &Bound<'_, pyo3::types::PyType>) -> PyResult<()> {
    let mut methods = vec![
        fast(
            c"call_soon",
            call_soon,
            c"call_soon($self, /, callback, *args, context=None)\n--\n\n\
              Call callback(*args) in the next turn; return its Handle.",
        ),
        fast(
            c"call_soon_threadsafe",
            call_soon_threadsafe,
            c"call_soon_threadsafe($self, /, callback, *args, context=None)\n--\n\n\
              Call callback(*args) in the next turn, from any thread; return its Handle.",
        ),
        fast(
            c"call_later",
            super::timers::call_later,
            c"call_later($self, /, delay, callback, *args, context=None)\n--\n\n\
              Call callback(*args) after a delay in seconds; return its TimerHandle.",
        ),
        fast(
            c"call_at",
            super::timers::call_at,
            c"call_at($self, /, when, callback, *args, context=None)\n--\n\n\
              Call callback(*args) at a time on the loop's clock; return its TimerHandle.",
        ),
        noargs(
            c"time",
            super::timers::time,
            c"time($self, /)\n--\n\nReturn the loop's clock in seconds: time.monotonic().",
        ),
        noargs(
            c"create_future",
            create_future,
            c"create_future($self, /)\n--\n\nReturn a new Future attached to the loop.",
        ),
        fast(
            c"create_task",
            create_task,
            if edition().create_task_takes_eager_start {
                c"create_task($self, /, coro, **kwargs)\n--\n\nReturn a new Task for a coroutine."
            } else {
                c"create_task($self, /, coro, *, name=None, context=None)\n--\n\n\
                  Return a new Task for a coroutine."
            },
        ),
    ];
    methods.extend(super::readiness::methods());
    methods.extend(
        FURTHER_METHODS
            .get()
            .into_iter()
            .flat_map(|further| further()),
    );
    if !class.is_subclass_of::<EventLoop>()? {
        return Err(type_error("a class of greenloop's loops was expected").into());
    }
    let class = Object::from(class.clone().into_any());
    for method in methods {
        // SAFETY: instances of the class are loops of ours, as it was tested.
        unsafe { method.install_for(&class, &class)? };
    }
    Ok(())
}
