//! `ensure_future`: a future for any awaitable.
//!
//! ```text
//!    a future, on the right loop      ► itself
//!    a coroutine                      ► a task of it
//!    another awaitable                ► a task of a coroutine that awaits it
//!    anything else                    ► TypeError
//! ```
//! The native short cut comes first: a plain coroutine on our loop becomes a task without a call of
//! Python's. It is taken only where no task factory and no replaced `create_task` could notice.

use std::sync::OnceLock;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Anything, Arguments, ExceptionClass, Native, Object, Raised, Result, attached, fetch, matches,
    raise, restore, type_error,
};
use pyo3::prelude::*;

use crate::any_future;
use crate::asyncio::globals;
use crate::awaitable::is_coroutine;
use crate::event_loop::EventLoop;
use crate::future::{Future, future_of};
use crate::scheduler::stepping;

/// `ensure_future(coro_or_future, *, loop=None)`.
///
/// # Errors
/// `ValueError` for a future of another loop than the one given, `TypeError` for what cannot be
/// awaited, and those of the loop's `create_task`.
pub fn ensure_future(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.coro_or_future, &names.loop_];
    let [object, event_loop] = arguments.bind(c"ensure_future", parameters, 1, 1)?;
    let none = Object::none();
    let event_loop = event_loop.filter(|event_loop| !event_loop.is_none());
    let home = event_loop.cloned().map(Home::new);
    as_future(object.unwrap_or(&none), home.as_ref())
}

/// A loop on which tasks are made.
///
/// Found once for many children, so that `gather` asks for the loop's native part one time only.
pub struct Home {
    /// Of any class.
    event_loop: Object,
    /// Its native part, if it is one of ours; valid as long as `event_loop` is.
    native: *const EventLoop,
}

impl Home {
    /// The loop as a home.
    ///
    /// A loop of another class, or None, is a home whose tasks are made by its methods.
    pub fn new(event_loop: Object) -> Self {
        let native = EventLoop::of(&event_loop).map_or(std::ptr::null(), std::ptr::from_ref);
        Self { event_loop, native }
    }

    /// The loop.
    pub fn event_loop(&self) -> &Object {
        &self.event_loop
    }

    /// The native part of our loop.
    pub fn native(&self) -> Option<&EventLoop> {
        // SAFETY: `event_loop` keeps it alive.
        unsafe { self.native.as_ref() }
    }

    /// Puts a future on the loop that is on none yet.
    ///
    /// For an outer future, which is made before its loop is known.
    #[inline]
    pub fn attach(&self, future: &Future) -> Result<()> {
        match self.native().filter(|native| native.scheduler.is_fast()) {
            Some(native) => {
                future.attach(&self.event_loop, &native.scheduler);
                Ok(())
            }
            None => future.initialise(Some(&self.event_loop)),
        }
    }

    /// A native task of `object`, if that is a plain coroutine and no override has to see it.
    ///
    /// `None` means to go the long way.
    #[inline]
    pub fn spawn(&self, object: &Object) -> Option<Result<Object>> {
        let plain = object.is_plain_coroutine();
        let native = self.native().filter(|native| native.makes_native_tasks());
        let native = native.filter(|_| plain)?;
        Some(native.spawn(&self.event_loop, object))
    }

    /// `event_loop.create_task(coroutine)`, bypassing the method where that is not observable.
    #[inline]
    fn create_task(&self, coroutine: &Object) -> Result<Object> {
        if let Some(native) = self.native().filter(|native| native.makes_native_tasks()) {
            return native.spawn(&self.event_loop, coroutine);
        }
        self.event_loop
            .invoke(&globals().names.create_task, [coroutine])
    }
}

/// `ensure_future(object, loop=home)`.
///
/// Without a home, tasks are made on the current loop, and a future of any loop is accepted. A
/// coroutine given by the caller is closed if the loop refuses it with a `RuntimeError`, so that
/// there is no warning about a coroutine that was never awaited.
///
/// # Errors
/// As for [`ensure_future`].
#[inline]
pub fn as_future(object: &Object, home: Option<&Home>) -> Result<Object> {
    if let Some(task) = home.and_then(|home| home.spawn(object)) {
        return task;
    }
    if any_future::is_future(object)? {
        return match home {
            Some(home) if !home.event_loop.is(any_future::loop_of(object)?.as_ptr()) => {
                Err(other_loop())
            }
            _ => Ok(object.clone()),
        };
    }
    let (coroutine, is_given) = if is_coroutine(object)? {
        (object.clone(), true)
    } else {
        (wrap(object)?, false)
    };
    let task = match home {
        Some(home) => home.create_task(&coroutine),
        None => Home::new(current_loop()?).create_task(&coroutine),
    };
    let refused = task.is_err() && matches(ExceptionClass::RuntimeError);
    match task {
        // A coroutine that was wrapped here was never begun, and so has nothing to close.
        Err(raised) if refused && is_given => Err(close(&coroutine, raised)),
        task => task,
    }
}

/// The running loop, or `None`. Inside a native step that is the task's loop.
///
/// Costs no lookup there.
#[inline]
pub fn running_loop() -> Result<Option<Object>> {
    if let Some(task) = stepping() {
        return Ok(future_of(&task).get().event_loop().get());
    }
    let running = crate::asyncio::running_loop_or_none()?;
    Ok(Some(running).filter(|running| !running.is_none()))
}

/// `events.get_event_loop()`: the running loop, or the policy's answer, with its warnings.
#[inline]
pub fn current_loop() -> Result<Object> {
    if let Some(task) = stepping() {
        return Ok(future_of(&task).get().event_loop().get_or_none());
    }
    crate::asyncio::current_loop()
}

/// Closes a coroutine that no task was made of, so that there is no warning about it.
///
/// Returns the error to raise: the refusal, or that of closing.
#[cold]
fn close(coroutine: &Object, raised: Raised) -> Raised {
    let refusal = fetch(raised);
    match coroutine.invoke(&globals().names.close, []) {
        Ok(_) => restore(refusal),
        Err(raised) => raised,
    }
}

#[cold]
fn other_loop() -> Raised {
    let text =
        c"The future belongs to a different loop than the one specified as the loop argument";
    raise(ExceptionClass::ValueError, text)
}

/// The function that makes it.
///
/// Handed in from the package, since the extension looks nothing up there.
static WRAPPER: OnceLock<Py<PyAny>> = OnceLock::new();

/// Hand in the function that makes a coroutine of any awaitable. Called once, by the package's
/// import.
#[pyfunction]
#[pyo3(name = "_set_wrap_awaitable")]
pub fn set_wrap_awaitable(function: Py<PyAny>) {
    let _ = WRAPPER.set(function);
}

/// A coroutine that awaits `object`: a Python function's, as in asyncio, so that a task's stack and
/// its repr show where it waits.
///
/// # Errors
/// `TypeError` if it is not awaitable.
#[cold]
fn wrap(object: &Object) -> Result<Object> {
    let is_awaitable = globals().asyncio.isawaitable.call([object])?;
    if !is_awaitable.is_true()? {
        return Err(type_error(
            "An asyncio.Future, a coroutine or an awaitable is required",
        ));
    }
    let Some(wrapper) = WRAPPER.get() else {
        return Err(making::runtime_error("greenloop is not imported yet"));
    };
    let py = attached();
    Ok(wrapper.bind(py).invoke((object.bound(py),))?.into())
}
